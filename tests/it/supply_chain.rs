//! What is linked in: Cargo.lock against the least versions of `tests/minimums.toml` and the bans and sources of
//! `deny.toml`, and where `unsafe` may stand. Needs no network; licences and advisories are `cargo deny`'s.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::support::process::repository;
use crate::tidy::sources;

/// The one registry that code may come from.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

struct Package {
    name: String,
    version: String,
    source: Option<String>,
}

/// What Cargo.lock holds.
fn locked() -> Vec<Package> {
    let text = fs::read_to_string(repository().join("Cargo.lock")).unwrap();
    let packages = text.split("[[package]]").skip(1).map(|part| {
        let value = |key: &str| {
            let line = part.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
            line.map(|value| value.trim_matches('"').to_owned())
        };
        Package { name: value("name").unwrap(), version: value("version").unwrap(), source: value("source") }
    });
    let packages: Vec<Package> = packages.collect();
    assert!(packages.len() > 300, "Cargo.lock was not read");
    packages
}

/// Numbers of a version; what follows `-` or `+` counts less than nothing.
fn numbers(version: &str) -> (Vec<u64>, bool) {
    let release = version.split('+').next().unwrap_or_default();
    let (numbers, rest) = release.split_once('-').map_or((release, None), |(numbers, rest)| (numbers, Some(rest)));
    (numbers.split('.').map(|number| number.parse().unwrap()).collect(), rest.is_none())
}

/// The lines `name = "version" # why` of a section. A line without a reason fails.
fn entries(text: &str, section: &str) -> BTreeMap<String, String> {
    let body = text.split(&format!("[{section}]\n")).nth(1).unwrap().split("\n[").next().unwrap();
    let entry = |line: &str| {
        let (entry, reason) = line.split_once(" # ").unwrap_or_else(|| panic!("no reason: {line}"));
        assert!(reason.len() > 10, "no reason: {line}");
        let (name, version) = entry.split_once(" = ").unwrap();
        (name.to_owned(), version.trim_matches('"').to_owned())
    };
    body.lines().filter(|line| !line.is_empty()).map(entry).collect()
}

#[test]
fn no_version_with_a_known_fault() {
    let text = fs::read_to_string(repository().join("tests/minimums.toml")).unwrap();
    let (minimums, accepted) = (entries(&text, "minimums"), entries(&text, "accepted"));
    let mut used = BTreeSet::new();
    for package in locked() {
        let Some(least) = minimums.get(&package.name) else { continue };
        if numbers(&package.version) < numbers(least) {
            assert_eq!(
                accepted.get(&package.name),
                Some(&package.version),
                "`{} {}` is older than {least}; see tests/minimums.toml",
                package.name,
                package.version
            );
            used.insert(package.name);
        }
    }
    let unused: Vec<_> = accepted.keys().filter(|name| !used.contains(*name)).collect();
    assert!(unused.is_empty(), "no longer there, take it off `accepted`: {unused:?}");
}

#[test]
fn versions_are_compared_as_numbers() {
    for (older, newer) in [("0.9.9", "0.10.0"), ("1.0.0-rc.1", "1.0.0"), ("0.41.0", "1.0.0"), ("2.1.3+x.1", "2.1.4")] {
        assert!(numbers(older) < numbers(newer), "{older} {newer}");
    }
}

#[test]
fn nothing_banned_and_nothing_from_elsewhere() {
    let deny = fs::read_to_string(repository().join("deny.toml")).unwrap();
    let banned: Vec<&str> =
        deny.lines().filter_map(|line| line.trim().strip_prefix("{ crate = \"")?.split('"').next()).collect();
    assert!(banned.len() > 5, "deny.toml was not read");
    for package in locked() {
        assert!(!banned.contains(&package.name.as_str()), "`{}` is banned in deny.toml", package.name);
        let ours = package.source.is_none() && package.name.starts_with("outflow");
        assert!(ours || package.source.as_deref() == Some(REGISTRY), "`{}` is from elsewhere", package.name);
    }
    for line in deny.lines().filter(|line| line.trim().starts_with('{')) {
        assert!(line.contains("reason = \""), "no reason: {line}");
    }
}

/// The modules that may be unsafe, each with its reason at the place. Guests are left out: a sandbox bears them.
const UNSAFE: [&str; 5] = [
    "engine/outflow-engine/src/kill_point.rs",
    "engine/outflow-formats/src/memory.rs",
    "engine/outflow-formats/src/simd.rs",
    "engine/outflow-formats/src/views.rs",
    "engine/outflow-layout/src/wasm/cache.rs",
];

/// What each crate says of unsafe code. With `deny` the modules above may allow it again; `forbid` has no way around.
/// Of the engine only the place that kills the process for tests is unsafe, and no release has it.
const RULES: [(&str, &str); 5] = [
    ("engine/outflow-spec/src/lib.rs", "#![forbid(unsafe_code)]"),
    ("engine/outflow/src/main.rs", "#![forbid(unsafe_code)]"),
    ("engine/outflow-engine/src/lib.rs", "#![cfg_attr(not(feature = \"kill-points\"), forbid(unsafe_code))]"),
    ("engine/outflow-formats/src/lib.rs", "#![deny(unsafe_code)]"),
    ("engine/outflow-layout/src/lib.rs", "#![deny(unsafe_code)]"),
];

#[test]
fn unsafe_code_stands_where_it_may() {
    for (file, rule) in RULES {
        let text = fs::read_to_string(repository().join(file)).unwrap();
        assert!(text.lines().any(|line| line == rule), "{file} lacks `{rule}`");
    }
    let allowing = sources().into_iter().filter_map(|path| {
        let text = fs::read_to_string(&path).unwrap();
        let allows = ["allow", "expect"].iter().any(|word| text.contains(&format!("{word}(unsafe_code")));
        let name = path.strip_prefix(repository()).unwrap().to_string_lossy().into_owned();
        (allows && name.starts_with("engine/")).then_some(name)
    });
    let mut allowing: Vec<String> = allowing.collect();
    allowing.sort();
    assert_eq!(allowing, UNSAFE);
}
