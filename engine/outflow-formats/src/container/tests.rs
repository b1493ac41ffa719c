//! Several members, several frames, and files cut short.

use super::*;
use std::io::Write;

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(text).unwrap();
    writer.finish().unwrap()
}

fn read(bytes: Vec<u8>, compression: Compression) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    decompress(Box::new(io::Cursor::new(bytes)), compression)?.read_to_end(&mut text)?;
    Ok(text)
}

#[test]
fn members_and_frames_are_joined() {
    let members = [gzip(b"one\n"), gzip(b"two\n")].concat();
    assert_eq!(read(members, Compression::Gzip).unwrap(), b"one\ntwo\n");
    let frames = [zstd::encode_all(&b"one\n"[..], 1).unwrap(), zstd::encode_all(&b"two\n"[..], 1).unwrap()].concat();
    assert_eq!(read(frames, Compression::Zstd).unwrap(), b"one\ntwo\n");
    assert_eq!(read(b"one\n".to_vec(), Compression::None).unwrap(), b"one\n");
}

#[test]
fn a_file_cut_short_or_of_another_kind_is_an_error() {
    let text = "some text that is long enough to be cut\n".repeat(100);
    let whole = gzip(text.as_bytes());
    for end in [5, whole.len() / 2, whole.len() - 1] {
        assert!(read(whole[..end].to_vec(), Compression::Gzip).is_err(), "gzip cut at {end}");
    }
    let whole = zstd::encode_all(text.as_bytes(), 1).unwrap();
    for end in [3, whole.len() / 2, whole.len() - 1] {
        assert!(read(whole[..end].to_vec(), Compression::Zstd).is_err(), "zstd cut at {end}");
    }
    assert!(read(b"a,b\n".to_vec(), Compression::Gzip).is_err());
    assert!(read(b"a,b\n".to_vec(), Compression::Zstd).is_err());
}

/// A frame whose header asks for a window of 2 GiB to be kept in memory is refused before any of it is.
#[test]
fn a_window_too_large_is_refused() {
    // Magic number, a descriptor without size, checksum or dictionary, a window of 2^31, an empty last block.
    let giant = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 1, 0, 0];
    assert!(read(giant.to_vec(), Compression::Zstd).is_err());
    let usual = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 11 << 3, 1, 0, 0];
    assert_eq!(read(usual.to_vec(), Compression::Zstd).unwrap(), b"");
}
