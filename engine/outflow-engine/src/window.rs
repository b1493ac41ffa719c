//! Windows of positions: which are due, where they begin and end, and how far deliveries have come. Civil days are
//! counted in the pipeline's time zone, by the clocks that were in force there. Which rows are in a window is decided
//! by the source; nothing here reads a clock or the ledger.

pub mod calendar;
#[cfg(test)]
mod tests;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use outflow_spec::incremental::{CatchUp, IncrementalSpec, Span};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use calendar::Calendar;

/// A window of positions, the first included and the last not. Positions are text: an instant as RFC 3339 in UTC, or a
/// whole number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Where it begins; unset: at the first position there is.
    pub lo: Option<String>,
    /// Where it ends.
    pub hi: String,
}

impl Window {
    /// A window that begins somewhere.
    pub fn new(lo: impl Into<String>, hi: impl Into<String>) -> Self {
        Self { lo: Some(lo.into()), hi: hi.into() }
    }

    /// The window as part of a delivery's identity.
    pub fn key(&self) -> String {
        format!("cursor [{}, {})", self.lo.as_deref().unwrap_or_default(), self.hi)
    }

    /// The window that a delivery's identity tells, if it tells one.
    pub fn of_key(key: &str) -> Option<Self> {
        let (_, window) = key.rsplit_once("cursor [")?;
        let (lo, hi) = window.strip_suffix(')')?.split_once(", ")?;
        Some(Self { lo: (!lo.is_empty()).then(|| lo.to_owned()), hi: hi.to_owned() })
    }

    /// Its first instant.
    pub fn start(&self) -> Option<Timestamp> {
        self.lo.as_ref()?.parse().ok()
    }

    /// The instant after its last.
    pub fn end(&self) -> Option<Timestamp> {
        self.hi.parse().ok()
    }

    /// Whether some position is in both.
    pub fn overlaps(&self, other: &Self) -> bool {
        let begins_before = |one: &Self, hi: &str| one.lo.as_deref().is_none_or(|lo| before(lo, hi));
        begins_before(self, &other.hi) && begins_before(other, &self.hi)
    }
}

/// Whether one position is before another.
pub fn before(one: &str, other: &str) -> bool {
    match (one.parse::<Timestamp>(), other.parse::<Timestamp>()) {
        (Ok(one), Ok(other)) => one < other,
        _ => match (one.parse::<i128>(), other.parse::<i128>()) {
            (Ok(one), Ok(other)) => one < other,
            _ => one < other,
        },
    }
}

/// How far the deliveries of a pipeline to a target have come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watermark {
    /// Where the next window begins.
    pub position: String,
    /// Where the first window began: older rows are not late, they were never asked for.
    pub floor: String,
}

impl Watermark {
    /// The name under which the ledger remembers it.
    pub const NAME: &str = "watermark";
}

/// `incremental`, resolved.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// The column that tells the position of a row.
    pub cursor: String,
    /// Where the first window begins.
    pub start: String,
    /// Columns that tell rows apart, and how far before a window its reading begins.
    pub overlap: Option<(Vec<String>, u64)>,
    lateness: SignedDuration,
    calendar: Option<Calendar>,
    catch_up: CatchUp,
    zone: TimeZone,
}

impl Schedule {
    /// Resolves what a file says; `usual` is how the layout's receiver expects several windows.
    pub fn from_spec(spec: &IncrementalSpec, zone: &TimeZone, usual: CatchUp) -> Result<Self> {
        let seconds = match spec.lateness {
            None => 0,
            Some(Span::Seconds(seconds)) => seconds,
            Some(Span::Days(days)) => days * 86_400,
        };
        Ok(Self {
            cursor: spec.cursor.clone(),
            overlap: spec.key.clone().zip(spec.overlap.map(|overlap| overlap.back())),
            start: position(&spec.start, zone)
                .map_err(|error| Error::user(format!("`incremental.start`: {error}")).hint(POSITIONS))?,
            lateness: SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX)),
            calendar: spec.every.map(|every| Calendar::new(every, zone)).transpose()?,
            catch_up: spec.catch_up.unwrap_or(usual),
            zone: zone.clone(),
        })
    }

    /// The position up to which rows have arrived at an instant, as far as the clock tells.
    pub fn high(&self, now: Timestamp) -> Result<String> {
        let high = now.checked_sub(self.lateness);
        high.map(|high| high.to_string()).map_err(|_| Error::user("`incremental.lateness` is longer than time itself"))
    }

    /// A position as somebody writes it.
    pub fn position(&self, text: &str) -> Result<String> {
        position(text, &self.zone).map_err(|error| Error::user(error).hint(POSITIONS))
    }

    /// The next window to deliver after a position, of rows that have arrived up to `high`.
    pub fn next(&self, from: &str, high: &str) -> Result<Option<Window>> {
        let to = match &self.calendar {
            None => high.to_owned(),
            Some(calendar) => {
                let (start, high) = (instant(from)?, instant(high)?);
                let last = calendar.floor(high)?;
                let to = match self.catch_up {
                    CatchUp::Merge => last,
                    CatchUp::Each if last > start => calendar.after(start)?,
                    CatchUp::Each => last,
                };
                to.to_string()
            }
        };
        Ok(before(from, &to).then(|| Window::new(from, to)))
    }

    /// How far a window's commit may move on, beyond its end: over windows that hold no row, as `next_row` tells, up to
    /// `high`.
    pub fn over_empty(&self, window: &Window, next_row: Option<Timestamp>, high: &str) -> Result<String> {
        let (Some(calendar), Some(end)) = (&self.calendar, window.end()) else { return Ok(window.hi.clone()) };
        let high = instant(high)?;
        let reached = calendar.floor(next_row.map_or(high, |row| row.min(high)))?;
        Ok(reached.max(end).to_string())
    }

    /// A range cut into windows, the first and last of them clipped.
    pub fn cut(&self, from: &str, to: &str) -> Result<Vec<Window>> {
        if !before(from, to) {
            return Err(Error::user(format!("nothing lies between {from} and {to}")));
        }
        let Some(calendar) = &self.calendar else { return Ok(vec![Window::new(from, to)]) };
        let (mut lo, to) = (instant(from)?, instant(to)?);
        let mut windows = Vec::new();
        while lo < to {
            let hi = calendar.after(lo)?.min(to);
            windows.push(Window::new(lo.to_string(), hi.to_string()));
            lo = hi;
        }
        Ok(windows)
    }
}

const POSITIONS: &str = "write an instant such as `2026-01-01T00:00:00Z`, or a date such as `2026-01-01`, which begins in \
                         the pipeline's time zone";

fn position(text: &str, zone: &TimeZone) -> Result<String, String> {
    let text = text.trim();
    if let Ok(number) = text.parse::<i128>() {
        return Ok(number.to_string());
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at.to_string());
    }
    match text.parse::<Date>() {
        Ok(date) if text.len() == 10 => {
            calendar::start_of(date, zone).map(|at| at.to_string()).map_err(|error| error.to_string())
        }
        _ => Err(format!("`{text}` is no position")),
    }
}

fn instant(position: &str) -> Result<Timestamp> {
    position.parse().map_err(|_| {
        Error::user(format!("the position `{position}` is no instant, and `incremental.every` cuts time"))
            .hint("leave `every` out, or use a cursor of instants")
    })
}
