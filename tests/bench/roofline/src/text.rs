//! Output as bytes: room is made once a record, and copies go in whole blocks, over the end if need be.

use crate::chunks::CHUNK;
use crate::lanes::escapes;

/// A buffer of output. The fast ways of writing need [`Text::room`] before them.
pub struct Text(pub Vec<u8>);

impl Text {
    pub fn new() -> Self {
        Text(Vec::with_capacity(2 * CHUNK))
    }

    /// Makes room for that many bytes and an overrun.
    #[inline(always)]
    pub fn room(&mut self, bytes: usize) {
        let wanted = bytes + 64;
        if self.0.capacity() - self.0.len() < wanted {
            self.0.reserve(wanted + self.0.capacity());
        }
    }

    /// Appends with room made by itself.
    #[inline(always)]
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Appends one byte.
    ///
    /// # Safety
    /// There is room.
    #[inline(always)]
    pub unsafe fn byte(&mut self, byte: u8) {
        unsafe {
            let len = self.0.len();
            self.0.as_mut_ptr().add(len).write(byte);
            self.0.set_len(len + 1);
        }
    }

    /// Appends bytes in blocks of 32.
    ///
    /// # Safety
    /// There is room, and 32 readable bytes follow those that are copied.
    #[inline(always)]
    pub unsafe fn copy(&mut self, bytes: &[u8]) {
        unsafe {
            let len = self.0.len();
            let to = self.0.as_mut_ptr().add(len);
            let mut done = 0;
            loop {
                to.add(done)
                    .cast::<[u8; 32]>()
                    .write_unaligned(bytes.as_ptr().add(done).cast::<[u8; 32]>().read_unaligned());
                done += 32;
                if done >= bytes.len() {
                    break;
                }
            }
            self.0.set_len(len + bytes.len());
        }
    }

    /// Appends a CSV field as the inside of a JSON string.
    ///
    /// # Safety
    /// There is room for twice the field, and 32 readable bytes follow it.
    #[inline(always)]
    pub unsafe fn json(&mut self, field: &[u8]) {
        unsafe {
            if crate::record::is_quoted(field) {
                return self.json_of_quoted(field);
            }
            let len = self.0.len();
            let mut done = 0;
            while done < field.len() {
                let from = field.as_ptr().add(done);
                let to = self.0.as_mut_ptr().add(len + done);
                to.cast::<[u8; 32]>().write_unaligned(from.cast::<[u8; 32]>().read_unaligned());
                let inside = if field.len() - done < 32 { (1u32 << (field.len() - done)) - 1 } else { u32::MAX };
                let special = escapes(from) & inside;
                if special != 0 {
                    let clean = done + special.trailing_zeros() as usize;
                    self.0.set_len(len + clean);
                    field[clean..].iter().for_each(|&byte| self.json_byte(byte));
                    return;
                }
                done += 32;
            }
            self.0.set_len(len + field.len());
        }
    }

    unsafe fn json_of_quoted(&mut self, field: &[u8]) {
        let mut at = 1;
        while at < field.len() - 1 {
            unsafe { self.json_byte(field[at]) };
            at += if field[at] == b'"' { 2 } else { 1 };
        }
    }

    #[inline(always)]
    unsafe fn json_byte(&mut self, byte: u8) {
        match byte {
            b'"' | b'\\' => unsafe {
                self.byte(b'\\');
                self.byte(byte);
            },
            b'\n' => self.add(b"\\n"),
            0..32 => self.add(format!("\\u{byte:04x}").as_bytes()),
            _ => unsafe { self.byte(byte) },
        }
    }

    /// Appends a value as a quoted CSV field: every byte is stored twice, and the second one counts only after a quote.
    pub fn csv_quoted(&mut self, value: &[u8]) {
        self.room(2 * value.len() + 8);
        unsafe {
            self.byte(b'"');
            let len = self.0.len();
            let start = self.0.as_mut_ptr().add(len);
            let mut to = start;
            for &byte in value {
                to.cast::<[u8; 2]>().write_unaligned([byte, byte]);
                to = to.add(1 + usize::from(byte == b'"'));
            }
            self.0.set_len(len + to.offset_from(start) as usize);
            self.byte(b'"');
        }
    }

    /// Appends a value as a CSV field, in quotes if it needs them.
    pub fn csv(&mut self, value: &str) {
        if value.bytes().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r')) {
            self.csv_quoted(value.as_bytes());
        } else {
            self.add(value.as_bytes());
        }
    }
}
