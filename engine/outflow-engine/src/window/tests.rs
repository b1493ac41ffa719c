//! Which windows are due, and how a range is cut.

use super::*;

fn schedule(every: Option<&str>, catch_up: CatchUp, zone: &str) -> Schedule {
    let spec = serde_json::json!({"cursor": "at", "start": "2026-03-01", "lateness": "5m", "every": every});
    let zone = TimeZone::get(zone).unwrap();
    Schedule::from_spec(&serde_json::from_value(spec).unwrap(), &zone, catch_up).unwrap()
}

fn told(window: Option<Window>) -> String {
    window.map_or_else(|| "nothing".to_owned(), |window| window.key())
}

#[test]
fn windows_that_are_due() {
    use CatchUp::{Each, Merge};
    let cases = [
        // Up to now, less the lateness.
        (
            None,
            Each,
            "2026-03-14T12:00:00Z",
            "2026-03-14T12:09:00Z",
            "cursor [2026-03-14T12:00:00Z, 2026-03-14T12:04:00Z)",
        ),
        (None, Each, "2026-03-14T12:04:00Z", "2026-03-14T12:09:00Z", "nothing"),
        // CIO-6: aligned to :00, :10 and so on; the end is not in.
        (Some("10m"), Each, "2026-03-14T12:00:00Z", "2026-03-14T12:14:59.999Z", "nothing"),
        (
            Some("10m"),
            Each,
            "2026-03-14T12:00:00Z",
            "2026-03-14T12:15:00Z",
            "cursor [2026-03-14T12:00:00Z, 2026-03-14T12:10:00Z)",
        ),
        (
            Some("10m"),
            Each,
            "2026-03-14T12:03:00Z",
            "2026-03-14T13:00:00Z",
            "cursor [2026-03-14T12:03:00Z, 2026-03-14T12:10:00Z)",
        ),
        (
            Some("10m"),
            Merge,
            "2026-03-14T12:00:00Z",
            "2026-03-14T13:00:00Z",
            "cursor [2026-03-14T12:00:00Z, 2026-03-14T12:50:00Z)",
        ),
        // ACT-4: days that were missed are in the next file.
        (
            Some("1d"),
            Merge,
            "2026-03-27T23:00:00Z",
            "2026-03-30T02:00:00Z",
            "cursor [2026-03-27T23:00:00Z, 2026-03-29T22:00:00Z)",
        ),
        (
            Some("1d"),
            Each,
            "2026-03-28T23:00:00Z",
            "2026-03-30T02:00:00Z",
            "cursor [2026-03-28T23:00:00Z, 2026-03-29T22:00:00Z)",
        ),
        // F34: the clock was put back.
        (Some("10m"), Each, "2026-03-14T12:00:00Z", "2026-03-14T11:00:00Z", "nothing"),
        (None, Merge, "2026-03-14T12:00:00Z", "2026-03-14T11:00:00Z", "nothing"),
    ];
    for (every, catch_up, from, now, expected) in cases {
        let schedule = schedule(every, catch_up, "Europe/Brussels");
        let high = schedule.high(now.parse().unwrap()).unwrap();
        assert_eq!(told(schedule.next(from, &high).unwrap()), expected, "{every:?} {catch_up:?} {from} {now}");
    }
    assert_eq!(schedule(None, Merge, "Europe/Brussels").start, "2026-02-28T23:00:00Z", "a date begins in the zone");
    assert_eq!(told(schedule(None, Merge, "UTC").next("7", "12").unwrap()), "cursor [7, 12)");
}

#[test]
fn empty_windows_are_passed_over() {
    let schedule = schedule(Some("10m"), CatchUp::Each, "UTC");
    let window = Window::new("2026-03-14T12:00:00Z", "2026-03-14T12:10:00Z");
    for (next_row, high, expected) in [
        (None, "2026-03-14T15:04:00Z", "2026-03-14T15:00:00Z"),
        (Some("2026-03-14T13:34:00Z"), "2026-03-14T15:04:00Z", "2026-03-14T13:30:00Z"),
        (Some("2026-03-14T12:10:00Z"), "2026-03-14T15:04:00Z", "2026-03-14T12:10:00Z"),
        (Some("2027-03-14T12:10:00Z"), "2026-03-14T12:11:00Z", "2026-03-14T12:10:00Z"),
    ] {
        let next_row = next_row.map(|row| row.parse().unwrap());
        assert_eq!(schedule.over_empty(&window, next_row, high).unwrap(), expected);
    }
}

#[test]
fn ranges_are_cut_without_gap_or_overlap() {
    let schedule = schedule(Some("1d"), CatchUp::Merge, "Europe/Brussels");
    let from = schedule.position("2026-10-24T12:00:00Z").unwrap();
    let windows = schedule.cut(&from, &schedule.position("2026-10-27").unwrap()).unwrap();
    let lengths =
        windows.iter().map(|window| (window.end().unwrap().as_second() - window.start().unwrap().as_second()) / 3600);
    assert_eq!(lengths.collect::<Vec<_>>(), [10, 25, 24]);
    assert!(windows.windows(2).all(|pair| pair[0].hi == *pair[1].lo.as_ref().unwrap() && !pair[0].overlaps(&pair[1])));
    assert!(schedule.cut("2026-10-27T00:00:00Z", "2026-10-27T00:00:00Z").is_err());
    assert!(schedule.position("yesterday").is_err());
}

#[test]
fn keys_tell_their_window() {
    for window in [Window::new("2026-03-14T12:00:00Z", "2026-03-14T12:10:00Z"), Window { lo: None, hi: "12".into() }] {
        assert_eq!(Window::of_key(&format!("parameters 0123 {}", window.key())), Some(window));
    }
    assert_eq!(Window::of_key("input 0123"), None);
    assert!(before("9", "10") && !before("10", "9") && before("2026-01-01T00:00:00.5Z", "2026-01-01T00:00:01Z"));
    assert!(
        Window::new("1", "9").overlaps(&Window::new("8", "10"))
            && !Window::new("1", "9").overlaps(&Window::new("9", "10"))
    );
}
