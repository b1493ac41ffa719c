//! Where windows of equal length begin. Parts of a day are counted from midnight in UTC and always equally long. Days
//! are those of a time zone's calendar: each begins at the first instant that has its date there, so a day has 23, 24
//! or 25 hours, or any other number, and a date that was skipped has none.

use jiff::civil::Date;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan};
use outflow_spec::incremental::Span;

use crate::error::{Error, Result};

/// Boundaries between windows.
#[derive(Clone, Debug)]
pub struct Calendar {
    every: Span,
    zone: TimeZone,
}

impl Calendar {
    /// Boundaries so far apart, days in this zone.
    pub fn new(every: Span, zone: &TimeZone) -> Result<Self> {
        match every {
            Span::Seconds(seconds) if seconds == 0 || 86_400 % seconds != 0 => {
                Err(Error::user("windows of `incremental.every` do not fill a day").hint("write `10m`, `1h` or `1d`"))
            }
            _ => Ok(Self { every, zone: zone.clone() }),
        }
    }

    /// The last boundary that is not after an instant.
    pub fn floor(&self, at: Timestamp) -> Result<Timestamp> {
        match self.every {
            Span::Seconds(seconds) => self.part_of_day(at, seconds, 0),
            Span::Days(days) => {
                let mut boundary = self.first_day(at, days)?;
                loop {
                    let next = self.day(boundary, days)?;
                    if start_of(next, &self.zone)? > at {
                        return start_of(boundary, &self.zone);
                    }
                    boundary = next;
                }
            }
        }
    }

    /// The first boundary after an instant.
    pub fn after(&self, at: Timestamp) -> Result<Timestamp> {
        match self.every {
            Span::Seconds(seconds) => self.part_of_day(at, seconds, 1),
            Span::Days(days) => {
                let mut boundary = self.first_day(at, days)?;
                loop {
                    let start = start_of(boundary, &self.zone)?;
                    if start > at {
                        return Ok(start);
                    }
                    boundary = self.day(boundary, days)?;
                }
            }
        }
    }

    fn part_of_day(&self, at: Timestamp, seconds: u64, ahead: i64) -> Result<Timestamp> {
        let seconds = seconds as i64;
        // An instant before 1970 has its fraction counted towards 1970.
        let whole = at.as_nanosecond().div_euclid(1_000_000_000) as i64;
        Timestamp::from_second((whole.div_euclid(seconds) + ahead) * seconds).map_err(out_of_range)
    }

    /// A date that begins a window, at the instant or shortly before it.
    fn first_day(&self, at: Timestamp, days: u64) -> Result<Date> {
        // Where clocks go back over midnight, the date of an instant may be behind a day that has begun already: going
        // on from a day before is always right.
        let date = self.zone.to_datetime(at).date().checked_sub(1.day()).map_err(out_of_range)?;
        let since = date.since(EPOCH).map_err(out_of_range)?.get_days();
        let over = i64::from(since).rem_euclid(days as i64);
        date.checked_sub(over.days()).map_err(out_of_range)
    }

    fn day(&self, date: Date, days: u64) -> Result<Date> {
        date.checked_add((days as i64).days()).map_err(out_of_range)
    }
}

/// Days of several are counted from here.
const EPOCH: Date = Date::constant(1970, 1, 1);

/// The first instant that has a date, or a later one, in a time zone.
pub fn start_of(date: Date, zone: &TimeZone) -> Result<Timestamp> {
    let midnight = zone.to_ambiguous_zoned(date.to_datetime(jiff::civil::Time::midnight()));
    let is_gap = matches!(midnight.offset(), AmbiguousOffset::Gap { .. });
    let start = midnight.compatible().map_err(out_of_range)?.timestamp();
    if !is_gap {
        return Ok(start);
    }
    // Midnight is skipped: the day begins where the clocks were put forward, which is not after that reading.
    let later = start.checked_add(1.nanosecond()).map_err(out_of_range)?;
    Ok(zone.preceding(later).next().map_or(start, |transition| transition.timestamp()))
}

fn out_of_range(cause: jiff::Error) -> Error {
    Error::user(format!("a window lies beyond the calendar: {cause}"))
}
