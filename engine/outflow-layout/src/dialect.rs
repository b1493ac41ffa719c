//! Checks that every CSV dialect must pass, whichever layout asks for it. Writing is the encoder's work.

use encoding_rs::{Encoding, UTF_16BE, UTF_16LE};

/// A character that is one byte in every encoding offered, and can part cells.
pub fn ascii(what: &str, c: char) -> Result<u8, String> {
    match u8::try_from(c) {
        Ok(byte) if byte.is_ascii() && !matches!(byte, b'\n' | b'\r' | 0) => Ok(byte),
        _ => Err(format!("the {what} {c:?} is not an ASCII character that can stand in a line")),
    }
}

/// An encoding by its WHATWG label; those that can only be read are refused.
pub fn encoding(label: &str) -> Result<&'static Encoding, String> {
    match Encoding::for_label(label.as_bytes()) {
        // The standard has no encoder for UTF-16; the file writer has its own.
        Some(encoding) if encoding.output_encoding() == encoding || encoding == UTF_16LE || encoding == UTF_16BE => {
            Ok(encoding)
        }
        Some(encoding) => Err(format!("the encoding `{}` can be read but not written", encoding.name())),
        None => Err(format!("there is no encoding `{label}`; labels are those of the WHATWG, such as `utf-8`")),
    }
}
