//! A strict scanner for one JSON text (RFC 8259). It checks everything and builds nothing: values are positions.

use crate::simd::{self, Kernel, Sets, Work};

/// Deepest nesting of objects and arrays, the line's own object included.
pub(super) const DEPTH_LIMIT: u32 = 128;

/// What a value is, as far as columns care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A string without escapes.
    Plain,
    /// A string with escapes.
    Escaped,
    /// A number, boolean, object or array.
    Raw,
    /// `null`.
    Null,
}

/// A value, or a key, in its source; strings without their quotes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) begin: usize,
    pub(super) end: usize,
    pub(super) shape: Shape,
}

/// Why a text is not JSON.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// Position of the byte that is wrong.
    pub(super) at: usize,
    /// Code of the reject.
    pub(super) code: &'static str,
    /// What is wrong.
    pub(super) reason: &'static str,
}

/// Where bytes stand that end a run of plain characters in a string: quotes, back-slashes, control characters. A bit a
/// byte, 64 a word.
#[derive(Default)]
pub(super) struct Stops(Vec<u64>);

impl Stops {
    /// Finds those of `text`, in place of what was found before.
    pub(super) fn find(&mut self, text: &[u8]) {
        self.0.clear();
        self.0.reserve(text.len() / 64 + 1);
        simd::run(FindStops { text, stops: &mut self.0 });
    }
}

/// What ends a run of plain characters.
const STOPS: Sets = Sets::of(b"\"\\", 0x20);

struct FindStops<'a> {
    text: &'a [u8],
    stops: &'a mut Vec<u64>,
}

impl Work for FindStops<'_> {
    type Output = ();

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) {
        let (blocks, rest) = self.text.as_chunks::<64>();
        let mut last = [0; 64];
        last[..rest.len()].copy_from_slice(rest);
        for block in blocks.iter().chain([&last]) {
            self.stops.push(kernel.within(block, &STOPS));
        }
    }
}

/// Walks over a text.
pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Of all bytes, or of none: then they are looked for on the way.
    stops: &'a [u64],
}

impl<'a> Scanner<'a> {
    /// A scanner of `bytes` that starts at position `at`. Both hold no line ends; UTF-8 is the caller's to check.
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at, stops: &[] }
    }

    /// The same, with the stops of a text that `bytes` are the front of.
    pub(super) fn with_stops(bytes: &'a [u8], at: usize, stops: &'a Stops) -> Self {
        Self { bytes, at, stops: &stops.0 }
    }

    /// Goes to the next stop, or the end.
    #[inline(always)]
    fn skip_plain(&mut self) {
        let mut number = self.at / 64;
        let Some(&word) = self.stops.get(number) else {
            self.at += plain_length(&self.bytes[self.at..]);
            return;
        };
        let mut word = word >> (self.at % 64) << (self.at % 64);
        while word == 0 {
            number += 1;
            match self.stops.get(number) {
                Some(&next) => word = next,
                None => break,
            }
        }
        self.at = self.bytes.len().min(number * 64 + word.trailing_zeros() as usize);
    }

    /// Reads one object up to the end of the text, and shows every member.
    #[inline]
    pub(super) fn object(&mut self, mut visit: impl FnMut(Span, Span)) -> Result<(), Fault> {
        self.space();
        if self.peek() != Some(b'{') {
            return Err(self.fault("a line must hold one JSON object"));
        }
        self.at += 1;
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return self.end();
        }
        loop {
            let key = self.key()?;
            let value = self.value()?;
            visit(key, value);
            self.space();
            match self.peek() {
                Some(b',') => {
                    self.at += 1;
                    self.space();
                }
                Some(b'}') => {
                    self.at += 1;
                    return self.end();
                }
                _ => return Err(self.fault("expected `,` or `}`")),
            }
        }
    }

    /// Reads one value of any kind up to the end of the text.
    pub(super) fn only_value(&mut self) -> Result<Span, Fault> {
        self.space();
        let value = self.value()?;
        self.end()?;
        Ok(value)
    }

    fn end(&mut self) -> Result<(), Fault> {
        self.space();
        if self.at == self.bytes.len() { Ok(()) } else { Err(self.fault("text after the end of the value")) }
    }

    #[inline(always)]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline(always)]
    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
    }

    fn fault(&self, reason: &'static str) -> Fault {
        Fault { at: self.at, code: "json/syntax", reason }
    }

    /// A key, the colon after it, and the space around.
    #[inline]
    fn key(&mut self) -> Result<Span, Fault> {
        if self.peek() != Some(b'"') {
            return Err(self.fault("expected a key in double quotes"));
        }
        let key = self.string()?;
        self.space();
        if self.peek() != Some(b':') {
            return Err(self.fault("expected `:` after the key"));
        }
        self.at += 1;
        self.space();
        Ok(key)
    }

    #[inline]
    fn value(&mut self) -> Result<Span, Fault> {
        let begin = self.at;
        let shape = match self.peek() {
            Some(b'"') => return self.string(),
            Some(b'{' | b'[') => {
                self.nested()?;
                Shape::Raw
            }
            _ => self.scalar()?,
        };
        Ok(Span { begin, end: self.at, shape })
    }

    /// An object or array, without recursion: bit 0 of `objects` tells whether the innermost one is an object.
    fn nested(&mut self) -> Result<(), Fault> {
        let (mut objects, mut depth) = (0u128, 1);
        loop {
            match self.peek() {
                Some(open @ (b'{' | b'[')) => {
                    if depth == DEPTH_LIMIT {
                        return Err(Fault { at: self.at, code: "json/depth", reason: "nested more than 128 deep" });
                    }
                    let object = open == b'{';
                    objects = objects << 1 | u128::from(object);
                    depth += 1;
                    self.at += 1;
                    self.space();
                    if self.peek() != Some(if object { b'}' } else { b']' }) {
                        if object {
                            self.key()?;
                        }
                        continue;
                    }
                }
                Some(b'"') => {
                    self.string()?;
                }
                _ => {
                    self.scalar()?;
                }
            }
            loop {
                self.space();
                let object = objects & 1 == 1;
                match self.peek() {
                    Some(b',') => {
                        self.at += 1;
                        self.space();
                        if object {
                            self.key()?;
                        }
                        break;
                    }
                    Some(b'}') if object => {}
                    Some(b']') if !object => {}
                    _ if object => return Err(self.fault("expected `,` or `}`")),
                    _ => return Err(self.fault("expected `,` or `]`")),
                }
                self.at += 1;
                objects >>= 1;
                depth -= 1;
                if depth == 1 {
                    return Ok(());
                }
            }
        }
    }

    fn scalar(&mut self) -> Result<Shape, Fault> {
        let (word, shape) = match self.peek() {
            Some(b'-' | b'0'..=b'9') => return self.number().map(|()| Shape::Raw),
            Some(b't') => ("true", Shape::Raw),
            Some(b'f') => ("false", Shape::Raw),
            Some(b'n') => ("null", Shape::Null),
            _ => return Err(self.fault("expected a value")),
        };
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return Err(self.fault("expected a value"));
        }
        self.at += word.len();
        Ok(shape)
    }

    fn number(&mut self) -> Result<(), Fault> {
        self.at += usize::from(self.peek() == Some(b'-'));
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.fault("a number starts with a superfluous zero"));
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let begin = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == begin { Err(self.fault("expected a digit")) } else { Ok(()) }
    }

    /// A string; stands at its opening quote.
    #[inline]
    fn string(&mut self) -> Result<Span, Fault> {
        self.at += 1;
        let begin = self.at;
        let mut shape = Shape::Plain;
        loop {
            self.skip_plain();
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Span { begin, end: self.at - 1, shape });
                }
                Some(b'\\') => {
                    shape = Shape::Escaped;
                    self.escape()?;
                }
                None => return Err(self.fault("a string is not closed")),
                Some(_) => {
                    return Err(self.fault("a control character in a string must be escaped"));
                }
            }
        }
    }

    fn escape(&mut self) -> Result<(), Fault> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let Some(high) = unit(&self.bytes[self.at..]) else {
                    return Err(self.fault("`\\u` must be followed by four hexadecimal digits"));
                };
                let low = || unit(&self.bytes[self.at + 6..]);
                self.at += match high {
                    0xd800..0xdc00 if low().is_some_and(|low| (0xdc00..0xe000).contains(&low)) => 12,
                    0xd800..0xe000 => {
                        let reason = "half of a surrogate pair stands alone";
                        return Err(Fault { at: self.at, code: "json/surrogate", reason });
                    }
                    _ => 6,
                };
            }
            _ => return Err(self.fault("an escape that JSON does not have")),
        }
        Ok(())
    }
}

/// The UTF-16 code unit of the `\uXXXX` that `bytes` start with.
fn unit(bytes: &[u8]) -> Option<u32> {
    let digits = bytes.strip_prefix(b"\\u")?.first_chunk::<4>()?;
    digits.iter().try_fold(0, |unit, &digit| Some(unit << 4 | char::from(digit).to_digit(16)?))
}

/// The number of bytes before the first quote, back-slash or control character, eight at a time.
#[inline]
pub(crate) fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let (words, rest) = bytes.as_chunks::<8>();
    let mut length = 0;
    for word in words {
        let word = u64::from_le_bytes(*word);
        // The lowest high bit that remains marks the first byte below `limit`; bits above it may be wrong.
        let below = |word: u64, limit: u8| word.wrapping_sub(ONES * u64::from(limit)) & !word & HIGH;
        let equal = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
        let found = below(word, 0x20) | equal(b'"') | equal(b'\\');
        if found != 0 {
            return length + (found.trailing_zeros() / 8) as usize;
        }
        length += 8;
    }
    length + rest.iter().position(|&byte| byte < 0x20 || byte == b'"' || byte == b'\\').unwrap_or(rest.len())
}

/// Appends a scanned string without its escapes.
pub(super) fn unescape(mut text: &[u8], out: &mut Vec<u8>) {
    while let Some(position) = memchr::memchr(b'\\', text) {
        out.extend_from_slice(&text[..position]);
        text = &text[position..];
        let length = match text.get(1) {
            Some(b'u') => {
                let high = unit(text).unwrap_or_default();
                let low = if (0xd800..0xdc00).contains(&high) { text.get(6..).and_then(unit) } else { None };
                let code = low.map_or(high, |low| 0x10000 + ((high - 0xd800) << 10) + low.saturating_sub(0xdc00));
                let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                if low.is_some() { 12 } else { 6 }
            }
            escaped => {
                out.push(match escaped {
                    Some(b'b') => 0x08,
                    Some(b'f') => 0x0c,
                    Some(b'n') => b'\n',
                    Some(b'r') => b'\r',
                    Some(b't') => b'\t',
                    other => other.copied().unwrap_or(b'\\'),
                });
                2
            }
        };
        text = text.get(length..).unwrap_or_default();
    }
    out.extend_from_slice(text);
}
