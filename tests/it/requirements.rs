//! Every numbered requirement of a vendor is named by a test that shows it.

use std::collections::BTreeSet;

use crate::support::process::repository as root;
use crate::tidy::sources;

/// Families whose layouts are built, with the highest number of each.
const FAMILIES: [(&str, u32); 1] = [("SIMON", 40)];

#[test]
fn every_requirement_is_named_by_a_test() {
    let tests = sources().into_iter().filter(|path| {
        let path = path.strip_prefix(root()).unwrap();
        path.starts_with("tests")
            || path.components().any(|part| part.as_os_str() == "tests")
            || path.ends_with("tests.rs")
    });
    let text = tests.map(|path| std::fs::read_to_string(path).unwrap()).collect::<String>();
    for (family, count) in FAMILIES {
        let named = named(&text, family);
        let missing = (1..=count).filter(|number| !named.contains(number)).map(|number| format!("{family}-{number}"));
        let missing = missing.collect::<Vec<_>>();
        assert!(missing.is_empty(), "no test names {}", missing.join(", "));
    }
}

fn named(text: &str, family: &str) -> BTreeSet<u32> {
    let after = |part: &str| part.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok();
    text.split(&format!("{family}-")).skip(1).filter_map(after).collect()
}

#[test]
fn numbers_are_read_whole() {
    assert_eq!(named("// XYZ-4, XYZ-12: both", "XYZ"), BTreeSet::from([4, 12]));
}
