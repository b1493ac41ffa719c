//! `YYYY-MM-DD HH:MM:SS` from and to microseconds since 1970, on the proleptic Gregorian calendar.

use crate::text::Text;

const MICROS: i64 = 1_000_000;
const DAY: i64 = 86_400;
/// Days between March 1 of year 0, where the arithmetic begins, and 1970.
const EPOCH: i64 = 719_468;

pub fn parse(text: &[u8]) -> i64 {
    let pair = |at: usize| i64::from((text[at] - b'0') * 10 + (text[at + 1] - b'0'));
    let day = days(pair(0) * 100 + pair(2), pair(5), pair(8));
    (day * DAY + pair(11) * 3600 + pair(14) * 60 + pair(17)) * MICROS
}

/// Appends a moment.
pub fn format(micros: i64, to: &mut Text) {
    let seconds = micros / MICROS;
    let (year, month, day) = date(seconds.div_euclid(DAY));
    let clock = seconds.rem_euclid(DAY);
    let mut line = *b"0000-00-00 00:00:00";
    let pairs = [(0, year / 100), (2, year % 100), (5, month), (8, day)];
    let times = [(11, clock / 3600), (14, clock / 60 % 60), (17, clock % 60)];
    for (at, value) in pairs.into_iter().chain(times) {
        line[at] = b'0' + (value / 10) as u8;
        line[at + 1] = b'0' + (value % 10) as u8;
    }
    to.add(&line);
}

/// Years begin in March here, so that the leap day comes last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - EPOCH
}

fn date(days: i64) -> (i64, i64, i64) {
    let days = days + EPOCH;
    let era = days.div_euclid(146_097);
    let day_of_era = days - era * 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}
