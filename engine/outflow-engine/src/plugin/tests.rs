//! Pins: in the pipeline, in the lock, missing, outdated, and files that are none.

use outflow_spec::{Language, LoadOptions, fill::NoLookup, load};

use super::*;

const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.wasm"), "").unwrap();
    folder
}

fn spec(transforms: &str) -> PipelineSpec {
    let text = format!(
        "version: 1\nname: a\nsource: {{files: {{path: a.csv}}}}\ntransforms: [{transforms}]\n\
         layout: {{plugin: {{component: l.wasm, sha256: {EMPTY}}}}}\nsink: {{local: {{path: out}}}}\n"
    );
    let language = Language::new(&[]).unwrap();
    let loaded = load(&text, &LoadOptions { language: &language, lookup: &NoLookup, project: None });
    loaded.spec.unwrap_or_else(|| panic!("{:?}", loaded.findings))
}

#[test]
fn a_component_is_used_if_it_is_the_pinned_one() {
    let folder = folder();
    let base = folder.path();
    let told = |component: &str, digest: Option<&str>| match Component::pinned(component, digest, base) {
        Ok(component) => component.name,
        Err(refusal) => refusal.to_string(),
    };
    assert_eq!(told("./a.wasm", Some(EMPTY)), "a");
    let other = "0".repeat(64);
    let changed = format!("the plugin `a.wasm` has changed: pinned is {other}, the file is {EMPTY}");
    assert_eq!(told("a.wasm", Some(&other)), changed);
    assert_eq!(told("a.wasm", None), "the plugin `a.wasm` is not pinned");
    let hint = Component::pinned("a.wasm", None, base).unwrap_err().hint().unwrap();
    assert!(hint.contains(&format!("`sha256: {EMPTY}`")), "{hint}");
    assert!(told("nowhere.wasm", None).starts_with("cannot read the plugin `nowhere.wasm`: No such file"));

    let mut lock = Lock::default();
    assert_eq!(lock.pin("./a.wasm", &other), None);
    lock.write(base).unwrap();
    assert_eq!(told("a.wasm", None), changed);
    assert_eq!(told("a.wasm", Some(EMPTY)), "a", "the pipeline's own pin comes first");
    std::fs::File::create(base.join("large.wasm")).unwrap().set_len(MAX_BYTES + 1).unwrap();
    assert_eq!(told("large.wasm", None), "the plugin `large.wasm` is larger than 64 MiB, the most allowed");
}

#[test]
fn pinning_writes_the_lock_and_says_what_it_replaced() {
    let folder = folder();
    let base = folder.path();
    let spec = spec("{plugin: {component: ./a.wasm}}, {filter: x}, {plugin: {component: ./a.wasm, on_error: reject}}");
    let places: Vec<_> = references(&spec).into_iter().map(|reference| reference.pointer).collect();
    assert_eq!(places, ["/transforms/0/plugin", "/transforms/2/plugin", "/layout/plugin"]);
    let pinned = lock::pin(&spec, base).unwrap();
    let first = lock::Pinned { component: "./a.wasm".into(), digest: EMPTY.into(), before: None };
    assert_eq!(pinned, [first], "the layout has its own pin");
    let text = std::fs::read_to_string(base.join(lock::FILE)).unwrap();
    assert!(text.ends_with(&format!("version: 1\nplugins:\n  a.wasm: {EMPTY}\n")), "{text}");
    assert!(Component::pinned("a.wasm", None, base).is_ok());
    assert_eq!(lock::pin(&spec, base).unwrap()[0].before.as_deref(), Some(EMPTY));
}

#[test]
fn a_lock_that_does_not_read_is_an_error() {
    for (text, why) in [
        ("version: 2", "version 2 is not known"),
        ("version: 1\nplugins: {a.wasm: ABC}", "`a.wasm` has no SHA-256"),
        ("version: 1\nplugin: {}", "does not read"),
        ("[", "does not read"),
    ] {
        let folder = folder();
        std::fs::write(folder.path().join(lock::FILE), text).unwrap();
        let refusal = Component::pinned("a.wasm", None, folder.path()).unwrap_err().to_string();
        assert!(refusal.contains(why), "{text}: {refusal}");
    }
}
