//! Values from PostgreSQL's binary form to the text that `psql` shows for them, in ISO style and UTC.

#[cfg(test)]
mod tests;

/// Why bytes are not a value of their type.
pub type Fault = &'static str;

const DAY: i64 = 86_400_000_000;
/// Days from the beginning of the year 0, March, to 2000-01-01, where PostgreSQL counts from.
const EPOCH: i64 = 730_425;

/// Appends a `numeric`.
pub fn numeric(bytes: &[u8], out: &mut String) -> Result<(), Fault> {
    let word = |at: usize| bytes.get(2 * at..2 * at + 2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    let (Some(count), Some(weight), Some(sign), Some(scale)) = (word(0), word(1), word(2), word(3)) else {
        return Err("is no number");
    };
    match sign {
        0x0000 => {}
        0x4000 => out.push('-'),
        0xC000 | 0xD000 | 0xF000 => {
            out.push_str(match sign {
                0xC000 => "NaN",
                0xD000 => "Infinity",
                _ => "-Infinity",
            });
            return Ok(());
        }
        _ => return Err("is no number"),
    }
    if bytes.len() != 8 + 2 * usize::from(count) {
        return Err("is no number");
    }
    let weight = i32::from(weight.cast_signed());
    // The group of four digits that stands at 10000^power.
    let group = |power: i32| {
        let at = usize::try_from(weight - power).ok().filter(|at| *at < usize::from(count));
        at.and_then(|at| word(4 + at)).unwrap_or(0)
    };
    out.push_str(&group(weight.max(0)).to_string());
    for power in (0..weight.max(0)).rev() {
        four(group(power), 4, out);
    }
    if scale > 0 {
        out.push('.');
    }
    let (mut power, mut left) = (-1, usize::from(scale));
    while left > 0 {
        four(group(power), left.min(4), out);
        left -= left.min(4);
        power -= 1;
    }
    Ok(())
}

/// Appends the first of a group's four digits.
fn four(group: u16, count: usize, out: &mut String) {
    out.extend([1000, 100, 10, 1][..count].iter().map(|unit| digit(i64::from(group / unit))));
}

/// Appends a `uuid`.
pub fn uuid(bytes: &[u8], out: &mut String) -> Result<(), Fault> {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    if bytes.len() != 16 {
        return Err("is no UUID");
    }
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        out.push(char::from(HEX[usize::from(byte >> 4)]));
        out.push(char::from(HEX[usize::from(byte & 15)]));
    }
    Ok(())
}

/// Appends a `date`.
pub fn date(days: i32, out: &mut String) {
    match days {
        i32::MAX => out.push_str("infinity"),
        i32::MIN => out.push_str("-infinity"),
        _ if day(days.into(), out) => out.push_str(" BC"),
        _ => {}
    }
}

/// Appends a `timestamp`, or a `timestamptz` with its zone.
pub fn timestamp(micros: i64, zone: &str, out: &mut String) {
    match micros {
        i64::MAX => out.push_str("infinity"),
        i64::MIN => out.push_str("-infinity"),
        _ => {
            let before_christ = day(micros.div_euclid(DAY), out);
            out.push(' ');
            time(micros.rem_euclid(DAY), out);
            out.push_str(zone);
            out.push_str(if before_christ { " BC" } else { "" });
        }
    }
}

/// Appends a `time`.
pub fn time(micros: i64, out: &mut String) {
    let (seconds, mut fraction) = (micros / 1_000_000, micros % 1_000_000);
    two(seconds / 3600, out);
    out.push(':');
    two(seconds / 60 % 60, out);
    out.push(':');
    two(seconds % 60, out);
    let mut unit = 100_000;
    if fraction > 0 {
        out.push('.');
    }
    while fraction > 0 {
        out.push(digit(fraction / unit));
        fraction %= unit;
        unit /= 10;
    }
}

/// Appends the day so many days after 2000-01-01; tells whether its year is before Christ.
fn day(days: i64, out: &mut String) -> bool {
    // Years are counted from March, so that the leap day is the last one of a year; eras have 400 years.
    let days = days + EPOCH;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = year + era * 400 + next;
    // There is no year 0: before 1 comes 1 BC.
    let shown = if year > 0 { year } else { 1 - year };
    if shown > 9999 {
        out.push_str(&shown.to_string());
    } else {
        two(shown / 100, out);
        two(shown % 100, out);
    }
    out.push('-');
    two(month, out);
    out.push('-');
    two(day, out);
    year <= 0
}

fn two(number: i64, out: &mut String) {
    out.push(digit(number / 10));
    out.push(digit(number % 10));
}

fn digit(number: i64) -> char {
    char::from(b'0' + (number % 10) as u8)
}
