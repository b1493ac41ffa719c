//! Character encodings: everything inside is UTF-8, other encodings are turned into it on the way in and out of it on
//! the way out. Bytes that mean nothing in the encoding, and characters it does not have, are errors; nothing is ever
//! replaced.

use std::io::{self, Read};

use encoding_rs::{DecoderResult, EncoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};

use crate::container::Bytes;

#[cfg(test)]
mod tests;

/// Wraps `reader`, whose text is in `encoding`, so that it yields UTF-8 without a byte order mark.
///
/// UTF-8 passes through unchecked: the decoders check it row by row, so that one bad row does not stop a file.
/// A malformed sequence in any other encoding is an `InvalidData` error that names its position.
pub fn decode_text(mut reader: Bytes, encoding: &'static Encoding) -> io::Result<Bytes> {
    let mut head = Vec::with_capacity(4);
    reader.by_ref().take(3).read_to_end(&mut head)?;
    match Encoding::for_bom(&head) {
        Some((found, length)) if found == encoding => drop(head.drain(..length)),
        Some((found, _)) => {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "the file starts with the byte order mark of {}, but is read as {}: set `encoding`",
                    found.name(),
                    encoding.name()
                ),
            ));
        }
        None => {}
    }
    let reader: Bytes = Box::new(io::Cursor::new(head).chain(reader));
    if encoding == UTF_8 {
        return Ok(reader);
    }
    Ok(Box::new(Transcoder {
        reader,
        decoder: encoding.new_decoder_without_bom_handling(),
        encoding,
        input: vec![0; 64 << 10],
        begin: 0,
        end: 0,
        consumed: 0,
        output: vec![0; 256 << 10],
        ready: 0..0,
        finished: false,
    }))
}

/// Decodes as it is read, one buffer at a time.
struct Transcoder {
    reader: Bytes,
    decoder: encoding_rs::Decoder,
    encoding: &'static Encoding,
    input: Vec<u8>,
    begin: usize,
    end: usize,
    consumed: u64,
    output: Vec<u8>,
    ready: std::ops::Range<usize>,
    finished: bool,
}

impl Transcoder {
    /// Makes more UTF-8 ready, unless the file has ended.
    fn refill(&mut self) -> io::Result<()> {
        if self.begin == self.end {
            self.begin = 0;
            self.end = self.reader.read(&mut self.input)?;
        }
        let last = self.end == 0;
        let source = &self.input[self.begin..self.end];
        let (result, read, written) = self.decoder.decode_to_utf8_without_replacement(source, &mut self.output, last);
        self.begin += read;
        self.consumed += read as u64;
        self.ready = 0..written;
        match result {
            DecoderResult::InputEmpty => self.finished = last,
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(length, after) => {
                let position = self.consumed.saturating_sub(u64::from(length) + u64::from(after));
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("byte {position} starts a sequence that is not {}", self.encoding.name()),
                ));
            }
        }
        Ok(())
    }
}

impl Read for Transcoder {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        while self.ready.is_empty() && !self.finished && !target.is_empty() {
            self.refill()?;
        }
        let length = self.ready.len().min(target.len());
        target[..length].copy_from_slice(&self.output[self.ready.start..self.ready.start + length]);
        self.ready.start += length;
        Ok(length)
    }
}

/// A character that an encoding cannot express, and where it stands in the text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unmappable {
    /// The character.
    pub(crate) character: char,
    /// Byte position of the character in the UTF-8 text.
    pub(crate) position: usize,
}

/// Appends `text` to `out` in `encoding`.
pub(crate) fn encode_text(text: &str, encoding: &'static Encoding, out: &mut Vec<u8>) -> Result<(), Unmappable> {
    if encoding == UTF_16LE {
        out.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
        return Ok(());
    }
    if encoding == UTF_16BE {
        out.extend(text.encode_utf16().flat_map(u16::to_be_bytes));
        return Ok(());
    }
    let mut encoder = encoding.new_encoder();
    let mut position = 0;
    loop {
        let rest = &text[position..];
        let needed = encoder.max_buffer_length_from_utf8_without_replacement(rest.len());
        out.reserve(needed.unwrap_or(rest.len()).max(16));
        let (result, read) = encoder.encode_from_utf8_to_vec_without_replacement(rest, out, true);
        position += read;
        match result {
            EncoderResult::InputEmpty => return Ok(()),
            EncoderResult::OutputFull => {}
            EncoderResult::Unmappable(character) => {
                return Err(Unmappable { character, position: position - character.len_utf8() });
            }
        }
    }
}
