//! Byte order marks, other encodings both ways, and what each refuses.

use super::*;

fn read(bytes: &[u8], label: &str) -> io::Result<String> {
    let encoding = Encoding::for_label(label.as_bytes()).unwrap();
    let mut text = Vec::new();
    decode_text(Box::new(io::Cursor::new(bytes.to_vec())), encoding)?.read_to_end(&mut text)?;
    Ok(String::from_utf8(text).unwrap())
}

#[test]
fn encodings_become_utf8_without_a_mark() {
    assert_eq!(read(b"\xef\xbb\xbfa,b", "utf-8").unwrap(), "a,b");
    assert_eq!(read(b"a", "utf-8").unwrap(), "a");
    assert_eq!(read(b"", "utf-8").unwrap(), "");
    assert_eq!(read(b"", "utf-16le").unwrap(), "");
    assert_eq!(read(b"\xff\xfea\0\xe9\0\x3d\xd8\x00\xde", "utf-16le").unwrap(), "aé😀");
    assert_eq!(read(b"a\0\xe9\0", "utf-16le").unwrap(), "aé");
    assert_eq!(read(b"\xfe\xff\0a", "utf-16be").unwrap(), "a");
    assert_eq!(read(b"caf\xe9 \x80", "windows-1252").unwrap(), "café €");
    assert_eq!(read(b"\x82\xa0", "shift_jis").unwrap(), "あ");
}

#[test]
fn long_text_crosses_the_buffers() {
    let text = "aé€😀".repeat(100_000);
    let mut bytes = Vec::new();
    encode_text(&text, UTF_16LE, &mut bytes).unwrap();
    assert_eq!(read(&bytes, "utf-16le").unwrap(), text);
}

#[test]
fn what_an_encoding_does_not_know_is_an_error() {
    for (bytes, label, part) in [
        (&b"\xff\xfea\0"[..], "utf-8", "byte order mark of UTF-16LE"),
        (b"\xff\xfea\0", "utf-16be", "byte order mark of UTF-16LE"),
        (b"a\0\x3d\xd8b\0", "utf-16le", "byte 2"),
        (b"a\0b", "utf-16le", "not UTF-16LE"),
        (b"ab\x82", "shift_jis", "not Shift_JIS"),
    ] {
        let error = read(bytes, label).unwrap_err().to_string();
        assert!(error.contains(part), "{label}: {error}");
    }
    let mut out = Vec::new();
    assert_eq!(
        encode_text("a€あ", encoding_rs::WINDOWS_1252, &mut out),
        Err(Unmappable { character: 'あ', position: 4 })
    );
}
