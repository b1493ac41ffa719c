//! Sailthru deliveries, byte for byte: the cases of `tests/golden/sailthru`, made by hand from the vendor's description.

use crate::support::golden::check;

/// SAIL-6, SAIL-7, SAIL-21, SAIL-22, SAIL-23: the folder of the vendor's example, and a row as the vendor writes it.
#[test]
fn a_click() {
    check("sailthru/click", "2019-09-26T22:00:00Z");
}

/// SAIL-8, SAIL-9, SAIL-10, SAIL-11: a lookup table is in the folder of the UTC hour of the export.
#[test]
fn a_lookup_table() {
    check("sailthru/lookup", "2019-10-01T00:00:30Z");
}

/// SAIL-24: mobile events of more than 48 hours ago are not in the delivery.
#[test]
fn late_mobile_events() {
    check("sailthru/mobile", "2024-05-03T12:00:00Z");
}
