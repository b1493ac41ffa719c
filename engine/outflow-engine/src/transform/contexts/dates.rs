//! Dates and times as people of a locale write them.

use jiff::civil;
use jiff::tz::{Dst, TimeZone};
use jiff::{Timestamp, Zoned};

use super::cldr::{Length, Locale};

/// What of a moment is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    Date,
    Time,
    DateAndTime,
}

/// Reads a moment: RFC 3339, or a date or a date with time, which are in the zone `home`. It is shown in `zone` if
/// given, else at home; a date alone has no hour to convert and stays the day it is.
pub(super) fn moment(text: &str, home: &TimeZone, zone: Option<&str>) -> Result<Zoned, String> {
    let text = text.trim();
    let zone = match zone {
        Some(name) => {
            TimeZone::get(name).map_err(|_| format!("`{name}` is not a time zone; an example is `Europe/Paris`"))?
        }
        None => home.clone(),
    };
    let not_a_date = |_| format!("`{text}` is not a date; an example is `2016-04-01 18:11:30`");
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(instant.to_zoned(zone));
    }
    if let Ok(date) = civil::Date::strptime("%Y-%m-%d", text) {
        return date.to_zoned(zone).map_err(not_a_date);
    }
    let local: civil::DateTime = text.parse().map_err(not_a_date)?;
    Ok(local.to_zoned(home.clone()).map_err(not_a_date)?.with_time_zone(zone))
}

/// Writes a moment.
pub(super) fn format(moment: &Zoned, shown: Shown, length: Length, locale: &Locale) -> String {
    let written = |patterns: &[String; 4]| fill(&patterns[length as usize], moment, locale);
    match shown {
        Shown::Date => written(locale.date()),
        Shown::Time => written(locale.time()),
        Shown::DateAndTime => {
            let both = &locale.both()[length as usize];
            both.replace("{1}", &written(locale.date())).replace("{0}", &written(locale.time())).replace('\'', "")
        }
    }
}

/// Fills a CLDR pattern: runs of one letter are fields, text between quotes stands for itself.
fn fill(pattern: &str, moment: &Zoned, locale: &Locale) -> String {
    let mut out = String::new();
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' => {
                let end = rest[1..].find('\'').map_or(rest.len(), |end| end + 2);
                let quoted = rest[1..end].trim_end_matches('\'');
                out.push_str(if end == 2 { "'" } else { quoted });
                end
            }
            _ if first.is_ascii_alphabetic() => {
                let length = rest.find(|c| c != first).unwrap_or(rest.len());
                out.push_str(&field(first, length, moment, locale));
                length
            }
            _ => {
                out.push(first);
                first.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    out
}

fn field(letter: char, width: usize, moment: &Zoned, locale: &Locale) -> String {
    let padded = |number: i16| format!("{number:0width$}");
    let month = usize::from(moment.month().unsigned_abs()).saturating_sub(1);
    let day = usize::from(moment.weekday().to_monday_zero_offset().unsigned_abs());
    let hour = i16::from(moment.hour());
    match (letter, width) {
        ('y', 2) => format!("{:02}", moment.year().rem_euclid(100)),
        ('y', _) => padded(moment.year()),
        ('M', 1 | 2) => padded(moment.month().into()),
        ('M', 3) => locale.months_short()[month].clone(),
        ('M', _) => locale.months()[month].clone(),
        ('d', _) => padded(moment.day().into()),
        ('E' | 'c', 4) => locale.days()[day].clone(),
        ('E' | 'c', _) => locale.days_short()[day].clone(),
        ('H', _) => padded(hour),
        ('h', _) => padded((hour + 11).rem_euclid(12) + 1),
        ('m', _) => padded(moment.minute().into()),
        ('s', _) => padded(moment.second().into()),
        ('a', _) => locale.halves()[usize::from(hour >= 12)].clone(),
        ('G', 4) => locale.era()[1].clone(),
        ('G', _) => locale.era()[0].clone(),
        ('z', 4) => long_zone(moment, locale),
        ('z', _) => moment.time_zone().to_offset_info(moment.timestamp()).abbreviation().to_owned(),
        _ => String::new(),
    }
}

/// The long name of UTC; every other zone by its distance from it.
fn long_zone(moment: &Zoned, locale: &Locale) -> String {
    let [name, distance] = locale.utc();
    let seconds = moment.offset().seconds();
    let is_utc = seconds == 0 && moment.time_zone().to_offset_info(moment.timestamp()).dst() == Dst::No;
    if is_utc && moment.time_zone().iana_name().is_none_or(|zone| matches!(zone, "UTC" | "Etc/UTC")) {
        return name.clone();
    }
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.unsigned_abs() / 60;
    distance.replace("{0}", &format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60))
}
