//! What does not load, and the cache of compiled components.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use outflow_layout::builtin;

use crate::*;

/// The smallest component: its preamble.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// A component that imports an instance with one function `go`.
pub fn importer(name: &str) -> Vec<u8> {
    let mut wasm = COMPONENT.to_vec();
    // Types: an instance of two declarations, a function type without parameters and the export of one such function.
    wasm.extend([7, 14, 1, 0x42, 2, 1, 0x40, 0, 1, 0, 4, 0, 2, b'g', b'o', 1]);
    wasm[9] = (wasm.len() + 1 - 10) as u8;
    wasm.push(0);
    // Imports: that instance.
    wasm.extend([10, name.len() as u8 + 5, 1, 0, name.len() as u8]);
    wasm.extend(name.as_bytes());
    wasm.extend([5, 0]);
    wasm
}

fn refused(wasm: &[u8]) -> String {
    HOST.load("odd", wasm).err().expect("it must not load").to_string()
}

#[test]
fn components_that_do_not_fit() {
    for (wasm, why) in [
        (importer("acme:secret/steal@1.0.0"), "`acme:secret/steal@1.0.0`"),
        (COMPONENT.to_vec(), "`outflow:plugin/layout@0.1.0`"),
        (b"\0asm\x01\0\0\0".to_vec(), "module"),
        (b"not wasm at all".to_vec(), ""),
        (Vec::new(), ""),
    ] {
        let error = refused(&wasm);
        assert!(error.starts_with("plugin/load: the plugin `odd` does not load: "), "{error}");
        assert!(error.contains(why), "{error}");
    }
    let simon = builtin::component("simon").expect("built in");
    for at in [9, 100, simon.len() / 2, simon.len() - 1] {
        assert!(refused(&simon[..at]).starts_with("plugin/load: "), "truncated at {at}");
    }
    let large = vec![0; (64 << 20) + 1];
    assert!(refused(&large).ends_with("it has 67108865 bytes; at most 67108864 are allowed"));
}

/// A flipped bit may leave a component sound; what matters is that nothing worse than an error happens.
#[test]
fn flipped_bits() {
    let simon = builtin::component("simon").expect("built in");
    let mut refused = 0;
    for step in 0..4 {
        let mut wasm = simon.to_vec();
        wasm[8 + step * (simon.len() / 8)] ^= 0x40;
        refused += usize::from(HOST.load("flipped", &wasm).is_err());
    }
    assert!(refused > 0);
}

#[test]
fn cache() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = folder.path().join("cache");
    let load = || {
        let host = Host::new(Limits::default(), Some(cache.clone())).expect("an engine");
        let plugin = host.load("evil", evil()).expect("it loads");
        wait(plugin.describe()).expect("it runs").name
    };
    let files = || {
        let names = fs::read_dir(&cache).into_iter().flatten().flatten().map(|entry| entry.path());
        names.collect::<Vec<_>>()
    };
    assert_eq!(load(), "evil");
    let kept = files();
    assert_eq!(kept.len(), 1, "{kept:?}");
    let mode = |path: &Path| fs::metadata(path).expect("metadata").permissions().mode() & 0o777;
    assert_eq!((mode(&cache), mode(&kept[0])), (0o700, 0o600));
    let sound = fs::read(&kept[0]).expect("the compiled form");

    // Damaged, cut and empty files are not run but replaced.
    let mut flipped = sound.clone();
    flipped[sound.len() / 2] ^= 1;
    for bytes in [flipped, sound[..1000].to_vec(), Vec::new()] {
        fs::write(&kept[0], bytes).expect("write");
        assert_eq!(load(), "evil");
        assert_eq!(fs::read(&kept[0]).expect("the compiled form"), sound);
    }

    // A folder that others can write is neither read nor written.
    fs::remove_file(&kept[0]).expect("remove");
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o777)).expect("mode");
    assert_eq!(load(), "evil");
    assert!(files().is_empty());

    // A cache that cannot be made costs nothing but time.
    fs::remove_dir(&cache).expect("remove");
    fs::write(&cache, "a file").expect("write");
    assert_eq!(load(), "evil");
}

/// Manifests come without running or compiling anything, so every start can have them.
#[test]
#[allow(clippy::print_stdout)]
fn manifests_are_cheap() {
    let from = std::time::Instant::now();
    assert!(builtin::manifests().len() >= 3);
    println!("manifests: {:?}", from.elapsed());
}

/// Prints what loading, opening and calling cost.
#[test]
#[allow(clippy::print_stdout)]
fn cost() {
    let from = std::time::Instant::now();
    let plugin = HOST.load("simon", builtin::component("simon").expect("built in")).expect("it loads");
    println!("load: {:?}", from.elapsed());
    let options =
        serde_json::json!({"client": "c", "segment_name": "s", "format": "csv", "flow": {"id": 1, "name": "f"}});
    wait(async {
        use outflow_layout::layout::Layout;
        for round in ["first", "second"] {
            let from = std::time::Instant::now();
            let mut simon = plugin.open(&options, &run("s3")).await.expect("good options");
            println!("{round} open: {:?}", from.elapsed());
            let from = std::time::Instant::now();
            for part in 0..1000 {
                simon.name_files(&[(intent(&format!("o{part}"), 1), None)]).await.expect("a name");
            }
            println!("{round} name: {:?}", from.elapsed() / 1000);
        }
    });
}
