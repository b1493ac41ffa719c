//! What a component tells of itself, and what happens to one of another world or of another version.
//! Guests of versions to come are built from a WIT of that version, and, for more versions, made by renaming.

use outflow_layout::builtin;
use outflow_layout::wasm::World;

use crate::*;

#[test]
fn inspection() {
    for (wasm, world, name) in [
        (builtin::component("simon").expect("built in"), World::Layout, "simon"),
        (normalise(), World::Transform, "normalise"),
    ] {
        let seen = wait(HOST.inspect(name, wasm)).expect("a plugin");
        assert_eq!((seen.world, seen.name.as_str(), seen.version.as_str()), (world, name, "0.1.0"));
        assert_eq!((seen.interface.as_str(), seen.bytes, seen.digest.len()), ("0.1.0", wasm.len(), 64));
        assert_eq!(seen.config_schema["type"], "object", "{}", seen.config_schema);
        assert!(seen.imports.iter().any(|name| name == "outflow:plugin/types@0.1.0"), "{:?}", seen.imports);
        assert!(seen.imports.iter().all(|name| !name.contains("sockets") && !name.contains("filesystem")), "{seen:?}");
    }
}

#[test]
fn a_plugin_of_the_other_world() {
    let layout = HOST.load("normalise", normalise()).err().expect("it is no layout").to_string();
    assert_eq!(layout, "plugin/world: the plugin `normalise` is a transform, and here stands a layout");
    let transform = HOST.load_transform("evil", evil()).err().expect("it is no transform").to_string();
    assert_eq!(transform, "plugin/world: the plugin `evil` is a layout, and here stands a transform");
}

/// The same component as the kit of another version would make it: only the version in the names differs.
fn of_version(wasm: &[u8], version: &str) -> Vec<u8> {
    let mut wasm = wasm.to_vec();
    let (from, to) = (b"@0.1.0", format!("@{version}"));
    assert_eq!(from.len(), to.len());
    let mut at = 0;
    while let Some(found) = wasm[at..].windows(from.len()).position(|window| window == from) {
        let start = at + found;
        let name_starts = wasm[..start].windows(15).rposition(|window| window == b"outflow:plugin/");
        if name_starts.is_some_and(|name| start - name < 40) {
            wasm[start..start + from.len()].copy_from_slice(to.as_bytes());
        }
        at = start + from.len();
    }
    wasm
}

/// A message that names both versions, before anything is compiled.
#[test]
fn plugins_of_other_versions_of_the_interface() {
    for version in ["0.2.0", "1.0.0", "0.0.9"] {
        let layout = of_version(evil(), version);
        let transform = of_version(evil_transform(), version);
        let from = std::time::Instant::now();
        for error in [
            HOST.load("future", &layout).err(),
            HOST.load_transform("future", &transform).err(),
            wait(HOST.inspect("future", &layout)).err(),
        ] {
            let expected = format!(
                "plugin/interface: the plugin `future` is built for version {version} of the plugin interface, and \
                 this outflow speaks version 0.1.0; "
            );
            let error = error.expect("it must not load").to_string();
            assert!(error.starts_with(&expected), "{error}");
        }
        assert!(from.elapsed() < Duration::from_millis(500), "nothing is compiled: {:?}", from.elapsed());
    }
    // A later version of the same series asks for nothing new unless it uses it.
    let later = of_version(normalise(), "0.1.1");
    let seen = wait(HOST.inspect("later", &later)).expect("a plugin of this series");
    assert_eq!((seen.interface.as_str(), seen.name.as_str()), ("0.1.1", "normalise"));
}

/// Guests whose WIT is of version 0.2.0, in both worlds; and one of 0.1.1 that calls what 0.1.1 added.
#[test]
fn plugins_built_for_a_version_to_come() {
    let layout = HOST.load("future", &guest("future.wasm")).err();
    let transform = HOST.load_transform("future", &guest("future_transform.wasm")).err();
    for error in [layout, transform] {
        assert_eq!(
            error.expect("it must not load").to_string(),
            "plugin/interface: the plugin `future` is built for version 0.2.0 of the plugin interface, and this \
             outflow speaks version 0.1.0; use an outflow that speaks 0.2.0, or build the plugin with the kit of this \
             one"
        );
    }
    let error = HOST.load("future", &guest("future_minor.wasm")).err().expect("it must not load").to_string();
    assert!(error.starts_with("plugin/load: the plugin `future` does not load: "), "{error}");
    assert!(error.contains("`locale`"), "the missing function is named: {error}");
    let versions = "; it is built for version 0.1.1 of the plugin interface, and this outflow speaks version 0.1.0";
    assert!(error.ends_with(versions), "{error}");
}
