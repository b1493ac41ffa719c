//! Digests by known answers, in pieces, as text.

use super::*;

/// Of the empty text and of `abc`: FIPS 180-4's example; what `xxhsum -H2` 0.8 prints.
const KNOWN: [(Algorithm, &str, &str); 4] = [
    (Algorithm::Sha256, "", "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    (Algorithm::Sha256, "abc", "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (Algorithm::Xxh3, "", "xxh3:99aa06d3014798d86001c324468d497f"),
    (Algorithm::Xxh3, "abc", "xxh3:06b05ab6733a618578af5f94892f3950"),
];

#[test]
fn known_answers() {
    for (algorithm, text, digest) in KNOWN {
        assert_eq!(algorithm.of(text.as_bytes()).to_string(), digest);
        assert_eq!(digest.parse::<Digest>().unwrap(), algorithm.of(text.as_bytes()));
    }
}

#[test]
fn pieces_make_the_digest_of_the_whole() {
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, &bytes).unwrap();
    for algorithm in [Algorithm::Xxh3, Algorithm::Sha256] {
        let whole = algorithm.of(&bytes);
        for piece in [1, 63, 64, 1023, 1 << 20] {
            let mut digester = Digester::new(algorithm);
            bytes.chunks(piece).for_each(|piece| digester.update(piece));
            assert_eq!(digester.finish(), whole, "{algorithm:?} in pieces of {piece}");
        }
        assert!(whole.is_of_file(&path).unwrap());
    }
    let mut altered = bytes;
    altered[2_999_999] ^= 1;
    std::fs::write(&path, altered).unwrap();
    assert!(!Algorithm::Xxh3.of(b"abc").is_of_file(&path).unwrap());
    std::os::unix::fs::symlink(&path, folder.path().join("link")).unwrap();
    assert!(Algorithm::Xxh3.of_file(&folder.path().join("link")).is_err());
}

#[test]
fn what_is_no_digest_is_refused() {
    for text in ["", "sha256", "sha256:", "md5:900150983cd24fb0d6963f7d28e17f72", "xxh3:06b0", KNOWN[1].2.split_at(7).1]
    {
        assert_eq!(text.parse::<Digest>().unwrap_err(), format!("`{text}` is not a digest"));
    }
    let upper = KNOWN[3].2.to_uppercase().replace("XXH3", "xxh3");
    assert!(upper.parse::<Digest>().is_err());
}
