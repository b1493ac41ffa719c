//! Numbers and amounts as people of a locale write them. Digits are worked on as text, so none is lost.

use super::cldr::{self, Locale};

/// A decimal number: digits before the point, which may be none, and after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    negative: bool,
    whole: Vec<u8>,
    fraction: Vec<u8>,
}

/// The most digits a number may have, so that `1e999999999` does not fill the memory.
const DIGITS: usize = 400;

impl Decimal {
    /// Reads digits with an optional sign, point and exponent.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        Self::read(text).ok_or_else(|| format!("`{text}` is not a number; an example is `1234.5`"))
    }

    fn read(text: &str) -> Option<Self> {
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i16>().ok()?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all_digits = whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
        let shift = usize::from(exponent.unsigned_abs());
        if !all_digits || whole.len() + fraction.len() == 0 || mantissa.len() + shift > DIGITS {
            return None;
        }
        let (mut whole, mut fraction) = (whole.as_bytes().to_vec(), fraction.as_bytes().to_vec());
        for _ in 0..shift {
            if exponent > 0 {
                whole.push(if fraction.is_empty() { b'0' } else { fraction.remove(0) });
            } else {
                fraction.insert(0, whole.pop().unwrap_or(b'0'));
            }
        }
        let zeros = whole.iter().take_while(|&&digit| digit == b'0').count();
        whole.drain(..zeros);
        Some(Self { negative, whole, fraction })
    }

    /// Keeps at most this many decimals; a half goes to the even side.
    fn round(&mut self, decimals: usize) {
        if self.fraction.len() <= decimals {
            return;
        }
        let rest = self.fraction.split_off(decimals);
        let last = self.fraction.last().or(self.whole.last()).copied().unwrap_or(b'0');
        let beyond_half = rest[1..].iter().any(|&digit| digit != b'0');
        if rest[0] < b'5' || (rest[0] == b'5' && !beyond_half && (last - b'0').is_multiple_of(2)) {
            return;
        }
        for digit in self.whole.iter_mut().chain(&mut self.fraction).rev() {
            if *digit < b'9' {
                *digit += 1;
                return;
            }
            *digit = b'0';
        }
        self.whole.insert(0, b'1');
    }

    fn is_zero(&self) -> bool {
        self.whole.iter().chain(&self.fraction).all(|&digit| digit == b'0')
    }

    /// The digits with the separators of a locale, without sign.
    fn written(&self, locale: &Locale) -> String {
        let [point, separator, _, pattern] = locale.number();
        // In India the groups after the first have two digits.
        let others = if pattern.contains(",##,") { 2 } else { 3 };
        let mut out = String::new();
        for (index, &digit) in self.whole.iter().enumerate() {
            let after = self.whole.len() - index;
            if index > 0 && after >= 3 && (after - 3).is_multiple_of(others) {
                out.push_str(separator);
            }
            out.push(digit.into());
        }
        if self.whole.is_empty() {
            out.push('0');
        }
        if !self.fraction.is_empty() {
            out.push_str(point);
            out.extend(self.fraction.iter().map(|&digit| char::from(digit)));
        }
        out
    }
}

/// Writes a number with at most three decimals.
pub(super) fn number(mut number: Decimal, locale: &Locale) -> String {
    number.round(3);
    while number.fraction.last() == Some(&b'0') {
        number.fraction.pop();
    }
    let minus = if number.negative && !number.is_zero() { &locale.number()[2] } else { "" };
    format!("{minus}{}", number.written(locale))
}

/// Writes an amount of a currency with the decimals that the currency has.
pub(super) fn amount(mut number: Decimal, currency: &str, locale: &Locale) -> Result<String, String> {
    if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(format!("`{currency}` is not a currency code; an example is `EUR`"));
    }
    let decimals = cldr::decimals(currency);
    number.round(decimals);
    number.fraction.resize(decimals, b'0');
    let minus = if number.negative && !number.is_zero() { locale.number()[2].as_str() } else { "" };
    let (positive, negative) = locale.amount().split_once(';').unwrap_or((locale.amount(), ""));
    let pattern = if minus.is_empty() || negative.is_empty() { positive } else { negative };
    let is_digit = |c: char| matches!(c, '#' | '0' | ',' | '.');
    let start = pattern.find(is_digit).unwrap_or(0);
    let end = pattern.rfind(is_digit).map_or(pattern.len(), |end| end + 1);
    let sign = locale.sign(currency);
    let (before, after) = (&pattern[..start], &pattern[end..]);
    // A sign that ends in a letter would read as one word with the digits.
    let gap = if before.ends_with('¤') && sign.ends_with(char::is_alphabetic) { " " } else { "" };
    let before = match (minus, before.contains('-')) {
        (_, true) => before.replace('-', minus),
        (_, false) => format!("{minus}{before}"),
    };
    Ok(format!("{before}{gap}{}{after}", number.written(locale)).replace('¤', sign))
}
