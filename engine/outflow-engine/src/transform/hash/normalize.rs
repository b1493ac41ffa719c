//! What is done to a text before its digest, in the order asked for. The buffers are reused from row to row.

use outflow_spec::transform::Normalizer;
use unicode_normalization::{UnicodeNormalization, is_nfc};

/// How phone numbers are written.
#[derive(Clone, Debug)]
pub(super) struct PhoneRules {
    /// Whether the plus is written.
    pub(super) plus: bool,
    /// The calling code of numbers that have none.
    pub(super) country: Option<String>,
}

/// The steps in order.
#[derive(Clone, Debug)]
pub(super) struct Steps {
    steps: Vec<Normalizer>,
    phone: PhoneRules,
    /// Whether no step but trimming and lower case is asked for, and which of these.
    short: Option<Short>,
}

/// The steps that a short ASCII text needs no buffers for.
#[derive(Clone, Copy, Debug)]
struct Short {
    trim: bool,
    lowercase: bool,
}

/// The longest text that one block of SHA-256 holds.
pub(super) const SHORT: usize = 55;

/// Room for the text between the steps.
#[derive(Debug)]
pub(super) struct Scratch {
    current: String,
    next: String,
    /// A short text.
    pub(super) block: [u8; 64],
}

impl Default for Scratch {
    fn default() -> Self {
        Self { current: String::new(), next: String::new(), block: [0; 64] }
    }
}

impl Steps {
    pub(super) fn new(steps: Vec<Normalizer>, phone: PhoneRules) -> Self {
        let simple = |step: &Normalizer| matches!(step, Normalizer::Trim | Normalizer::Lowercase);
        let short = steps.iter().all(simple).then(|| Short {
            trim: steps.contains(&Normalizer::Trim),
            lowercase: steps.contains(&Normalizer::Lowercase),
        });
        Self { steps, phone, short }
    }

    /// Leaves the text after all steps at the start of the block and gives its length, if it is short ASCII and the
    /// steps are simple; else use [`Steps::apply`].
    #[inline]
    pub(super) fn apply_short(&self, text: &str, scratch: &mut Scratch) -> Option<usize> {
        let Short { trim, lowercase } = self.short?;
        let mut text = text.as_bytes();
        if text.len() > 64 || !text.is_ascii() {
            return None;
        }
        if trim {
            // What Unicode calls white space, as far as it is ASCII.
            let blank = |byte: &u8| matches!(byte, b'\t'..=b'\r' | b' ');
            while let [first, rest @ ..] = text
                && blank(first)
            {
                text = rest;
            }
            while let [rest @ .., last] = text
                && blank(last)
            {
                text = rest;
            }
        }
        if text.len() > SHORT {
            return None;
        }
        scratch.block[..text.len()].copy_from_slice(text);
        if lowercase {
            scratch.block.make_ascii_lowercase();
        }
        Some(text.len())
    }

    /// The text after all steps.
    pub(super) fn apply<'a>(&self, text: &'a str, scratch: &'a mut Scratch) -> &'a str {
        if self.steps.is_empty() {
            return text;
        }
        scratch.current.clear();
        scratch.current.push_str(text);
        for &step in &self.steps {
            scratch.next.clear();
            self.step(step, &scratch.current, &mut scratch.next);
            std::mem::swap(&mut scratch.current, &mut scratch.next);
        }
        &scratch.current
    }

    fn step(&self, step: Normalizer, text: &str, out: &mut String) {
        match step {
            Normalizer::Trim => out.push_str(text.trim()),
            Normalizer::Lowercase => lowercase(text, out),
            Normalizer::Nfc if is_nfc(text) => out.push_str(text),
            Normalizer::Nfc => out.extend(text.nfc()),
            Normalizer::GmailDots => match text.rsplit_once('@') {
                Some((name, domain)) if is_gmail(domain) => {
                    out.extend(name.split('.'));
                    out.extend(["@", domain]);
                }
                _ => out.push_str(text),
            },
            Normalizer::StripDots => match text.rsplit_once('@') {
                Some((name, domain)) => {
                    out.extend(name.split('.'));
                    out.extend(["@", domain]);
                }
                None => out.push_str(text),
            },
            Normalizer::StripPlus => match text.rsplit_once('@') {
                Some((name, domain)) => {
                    out.extend([name.split('+').next().unwrap_or(name), "@", domain]);
                }
                None => out.push_str(text),
            },
            Normalizer::Digits => out.extend(text.chars().filter(char::is_ascii_digit)),
            Normalizer::E164 => self.phone.write(text, out),
        }
    }
}

/// Whether the domain's owner takes addresses for one that differ by dots.
fn is_gmail(domain: &str) -> bool {
    let domain = domain.trim_end();
    domain.eq_ignore_ascii_case("gmail.com") || domain.eq_ignore_ascii_case("googlemail.com")
}

/// As Python and most partners do it: one letter at a time, but for the final sigma, which only a whole word shows.
fn lowercase(text: &str, out: &mut String) {
    if text.is_ascii() {
        out.push_str(text);
        out.make_ascii_lowercase();
    } else if text.contains('Σ') {
        out.push_str(&text.to_lowercase());
    } else {
        out.extend(text.chars().flat_map(char::to_lowercase));
    }
}

impl PhoneRules {
    /// Writes a phone number as country code and national number. A number that starts with `+` or `00` is
    /// international, and a `(0)` in it is not dialled. Any other is national when there is a country for it: its
    /// trunk prefix goes and the country code comes. Without a country it is taken as international. A text without
    /// digits gives nothing.
    fn write(&self, text: &str, out: &mut String) {
        let text = text.trim();
        let start = out.len();
        if self.plus {
            out.push('+');
        }
        let digits_from = out.len();
        let digits = |text: &str, out: &mut String| out.extend(text.chars().filter(char::is_ascii_digit));
        if text.starts_with('+') {
            let mut parts = text.splitn(2, "(0)");
            parts.by_ref().for_each(|part| digits(part, out));
        } else {
            digits(text, out);
            if out[digits_from..].starts_with("00") {
                out.replace_range(digits_from..digits_from + 2, "");
            } else if let Some(country) = self.country.as_deref().filter(|_| out.len() > digits_from) {
                let trunk = trunk_prefix(country, &out[digits_from..]);
                out.replace_range(digits_from..digits_from + trunk, country);
            }
        }
        if out.len() == digits_from {
            out.truncate(start);
        }
    }
}

/// The length of what is dialled before a national number and not part of it.
fn trunk_prefix(country: &str, digits: &str) -> usize {
    let prefix = match country {
        // Where the whole number is always dialled, zero included.
        "39" | "378" | "379" => return 0,
        "1" if digits.len() == 11 => "1",
        "7" if digits.len() == 11 => "8",
        "36" => "06",
        "1" | "7" => return 0,
        _ => "0",
    };
    if digits.starts_with(prefix) { prefix.len() } else { 0 }
}
