//! F57: where days begin, in many zones over many years, as Python's own reading of the zones has it; and the odd days
//! of the calendar by hand.

use std::process::Command;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::date;
use jiff::tz::TimeZone;
use outflow_engine::window::calendar::{Calendar, start_of};
use outflow_spec::incremental::Span;

use crate::support::process::{repository, run};

/// Zones with every oddity there is: gaps and overlaps at midnight and elsewhere, half hours, skipped days, changes of
/// the offset by more than an hour, year-round changes, none at all.
const ZONES: [&str; 48] = [
    "Africa/Cairo",
    "Africa/Casablanca",
    "Africa/Johannesburg",
    "Africa/Monrovia",
    "America/Anchorage",
    "America/Argentina/Buenos_Aires",
    "America/Asuncion",
    "America/Caracas",
    "America/Godthab",
    "America/Havana",
    "America/Los_Angeles",
    "America/Mexico_City",
    "America/New_York",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/Scoresbysund",
    "America/St_Johns",
    "Antarctica/Troll",
    "Asia/Amman",
    "Asia/Beirut",
    "Asia/Damascus",
    "Asia/Gaza",
    "Asia/Jerusalem",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Asia/Manila",
    "Asia/Pyongyang",
    "Asia/Singapore",
    "Asia/Tehran",
    "Asia/Tokyo",
    "Atlantic/Azores",
    "Australia/Adelaide",
    "Australia/Lord_Howe",
    "Australia/Sydney",
    "Europe/Brussels",
    "Europe/Dublin",
    "Europe/Istanbul",
    "Europe/Lisbon",
    "Europe/London",
    "Europe/Moscow",
    "Pacific/Apia",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "Pacific/Easter",
    "Pacific/Enderbury",
    "Pacific/Kiritimati",
    "Pacific/Kwajalein",
    "UTC",
];

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

/// The beginnings of days that are not 86400 seconds after the one before, as the oracle prints them.
fn odd_days(name: &str) -> String {
    let calendar = Calendar::new(Span::Days(1), &zone(name)).unwrap();
    let last = start_of(date(2037, 12, 31), &zone(name)).unwrap();
    let mut at = start_of(date(1970, 1, 2), &zone(name)).unwrap();
    let mut odd = vec![at.as_second().to_string()];
    while at < last {
        let next = calendar.after(at).unwrap();
        assert!(next > at, "{name}: no gap and no overlap after {at}");
        assert_eq!(calendar.floor(next).unwrap(), next, "{name}");
        assert_eq!(
            calendar.floor(next.checked_sub(jiff::SignedDuration::from_nanos(1)).unwrap()).unwrap(),
            at,
            "{name}"
        );
        if next.as_second() - at.as_second() != 86_400 {
            odd.push(next.as_second().to_string());
        }
        at = next;
    }
    format!("{name} {}", odd.join(" "))
}

#[test]
fn f57_days_begin_where_another_reading_of_the_zones_says() {
    let mut python = Command::new("python3");
    python.arg(repository().join("tests/it/support/days.py")).args(ZONES);
    let told = run(&mut python, Duration::from_secs(300)).expect_code(0).stdout;
    let oracle = told.lines().collect::<Vec<_>>();
    assert_eq!(oracle.len(), ZONES.len());
    for (name, expected) in ZONES.iter().zip(oracle) {
        assert_eq!(odd_days(name), expected, "{name}");
    }
}

/// F57: windows of a day around the odd days: in UTC, with their lengths in hours.
#[test]
fn f57_odd_days_by_hand() {
    for (name, from, expected) in [
        // Put forward at 02:00, put back at 03:00.
        ("Europe/Brussels", "2026-03-29T00:00+01:00", "2026-03-28T23:00:00Z 23h 2026-03-29T22:00:00Z"),
        ("Europe/Brussels", "2026-10-25T00:00+02:00", "2026-10-24T22:00:00Z 25h 2026-10-25T23:00:00Z"),
        // By half an hour.
        ("Australia/Lord_Howe", "2026-10-04T00:00+10:30", "2026-10-03T13:30:00Z 23.5h 2026-10-04T13:00:00Z"),
        ("Australia/Lord_Howe", "2026-04-05T00:00+11:00", "2026-04-04T13:00:00Z 24.5h 2026-04-05T13:30:00Z"),
        // Midnight does not exist: the day begins at 01:00.
        ("Asia/Beirut", "2022-03-27T01:00+03:00", "2022-03-26T22:00:00Z 23h 2022-03-27T21:00:00Z"),
        // Midnight comes twice: the day begins at the first one.
        ("America/Havana", "2026-11-01T00:00-04:00", "2026-11-01T04:00:00Z 25h 2026-11-02T05:00:00Z"),
        // 30 December 2011 was skipped.
        ("Pacific/Apia", "2011-12-29T00:00-10:00", "2011-12-29T10:00:00Z 24h 2011-12-30T10:00:00Z"),
        ("Pacific/Apia", "2011-12-31T00:00+14:00", "2011-12-30T10:00:00Z 24h 2011-12-31T10:00:00Z"),
        // Leap day, year end.
        ("Europe/Brussels", "2028-02-29T12:00+01:00", "2028-02-28T23:00:00Z 24h 2028-02-29T23:00:00Z"),
        ("Europe/Brussels", "2026-12-31T23:59+01:00", "2026-12-30T23:00:00Z 24h 2026-12-31T23:00:00Z"),
    ] {
        let calendar = Calendar::new(Span::Days(1), &zone(name)).unwrap();
        let at: Timestamp = from.parse().unwrap();
        let (lo, hi) = (calendar.floor(at).unwrap(), calendar.after(at).unwrap());
        let hours = (hi.as_second() - lo.as_second()) as f64 / 3600.0;
        assert_eq!(format!("{lo} {hours}h {hi}"), expected, "{name} {from}");
    }
}
