//! Days around leap years, and before the epoch.

use super::*;

#[test]
fn days() {
    for (day, date) in [
        (0, (1970, 1, 1)),
        (-1, (1969, 12, 31)),
        (11_016, (2000, 2, 29)),
        (11_017, (2000, 3, 1)),
        (17_239, (2017, 3, 14)),
        (47_540, (2100, 2, 28)),
        (47_541, (2100, 3, 1)),
    ] {
        assert_eq!(civil(day), date, "{day}");
    }
}

#[test]
fn utc_of_a_zoned_stamp() {
    let stamp = crate::testing::stamp(1_489_514_053_000);
    let zoned = Stamp { hour: 18, offset_minutes: 60, zone: "Europe/Brussels".into(), ..stamp.clone() };
    assert_eq!(zoned.utc(), stamp);
    assert_eq!((stamp.year, stamp.month, stamp.day), (2017, 3, 14));
    assert_eq!((stamp.hour, stamp.minute, stamp.second), (17, 54, 13));
}
