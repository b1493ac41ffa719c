//! The list of kill points and the places that pass them agree.

use std::collections::BTreeSet;
use std::path::Path;

fn call_sites(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            call_sites(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let calls = text.split(concat!("kill_point!", "(\"")).skip(1);
            found.extend(calls.filter_map(|rest| rest.split('"').next()).map(str::to_owned));
        }
    }
}

#[test]
fn list_and_call_sites_agree() {
    let mut found = BTreeSet::new();
    call_sites(&Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("src"), &mut found);
    let listed: BTreeSet<String> = super::ALL.iter().map(|&name| name.to_owned()).collect();
    assert_eq!(listed, found);
    assert_eq!(listed.len(), super::ALL.len(), "a name is listed twice");
    assert!(listed.len() >= 16);
}
