//! Instants as RFC 3339 writes them, and calendar months after them where they were written. No zone data: an offset
//! is all that such a text has.

use outflow_plugin_sdk::Stamp;

/// An instant, and the clock that it was written by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Instant {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub millis: i64,
    /// Minutes by which the clock is ahead of UTC.
    offset: i64,
}

impl Instant {
    /// Reads `2020-01-01T00:00:00Z`, with any offset and with parts of a second, which count to the millisecond.
    pub fn parse(text: &str) -> Option<Self> {
        let (date, time) = text.split_at_checked(10)?;
        let date = numbers(date, '-', [4, 2, 2])?;
        let time = time.strip_prefix(['T', 't', ' '])?;
        let (clock, rest) = time.split_at_checked(8)?;
        let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
        let [year, month, day] = date;
        let in_range = (1..=12).contains(&month)
            && (1..=days_of(year, month)).contains(&day)
            && hour < 24
            && minute < 60
            && second < 60;
        let (millis, zone) = fraction(rest)?;
        let offset = offset(zone)?;
        let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset * 60;
        in_range.then_some(Self { millis: seconds * 1000 + millis, offset })
    }

    /// The instant so many milliseconds later.
    pub fn plus(self, millis: i64) -> Self {
        Self { millis: self.millis + millis, ..self }
    }

    /// The same day and time so many months later; the last day of a month that has no such day.
    pub fn plus_months(self, months: u32) -> Self {
        let at = Stamp::at(self.millis + self.offset * 60_000);
        let month = i64::from(at.year) * 12 + i64::from(at.month) - 1 + i64::from(months);
        let (year, month) = (month.div_euclid(12), month.rem_euclid(12) + 1);
        let day = i64::from(at.day).min(days_of(year, month));
        let moved = days(year, month, day) - days(i64::from(at.year), i64::from(at.month), i64::from(at.day));
        self.plus(moved * 86_400_000)
    }
}

/// Numbers of so many digits, parted by a separator.
fn numbers(text: &str, separator: char, digits: [usize; 3]) -> Option<[i64; 3]> {
    let mut parts = text.split(separator);
    let mut found = [0; 3];
    for (place, digits) in found.iter_mut().zip(digits) {
        *place = number(parts.next()?, digits)?;
    }
    parts.next().is_none().then_some(found)
}

fn number(text: &str, digits: usize) -> Option<i64> {
    let good = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    good.then(|| text.parse().ok()).flatten()
}

/// Milliseconds of `.123456`, and what follows.
fn fraction(text: &str) -> Option<(i64, &str)> {
    let Some(rest) = text.strip_prefix('.') else { return Some((0, text)) };
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, rest) = rest.split_at(end);
    let millis: String = digits.chars().chain("00".chars()).take(3).collect();
    Some((number(&millis, 3)?, rest))
}

/// Minutes of `Z`, `+01:00` or `-08:00`.
fn offset(text: &str) -> Option<i64> {
    if text == "Z" || text == "z" {
        return Some(0);
    }
    let sign = match text.get(..1)? {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

fn days_of(year: i64, month: i64) -> i64 {
    let (next_year, next) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    days(next_year, next, 1) - days(year, month, 1)
}

/// Days from 1970-01-01 to a date, by years that start on 1 March, so that a leap day ends one.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let in_era = year.rem_euclid(400);
    let in_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719_468
}
