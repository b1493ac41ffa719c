//! The forms that no server need be asked about; the others are compared with what `psql` shows.

use super::*;

fn of(write: impl Fn(&mut String)) -> String {
    let mut out = String::new();
    write(&mut out);
    out
}

#[test]
fn days_before_and_after_all_bounds() {
    for (days, text) in [
        (0, "2000-01-01"),
        (-1, "1999-12-31"),
        (59, "2000-02-29"),
        (-10_957, "1970-01-01"),
        (2_921_939, "9999-12-31"),
        (2_921_940, "10000-01-01"),
        (-730_119, "0001-01-01"),
        (-730_120, "0001-12-31 BC"),
        (-2_451_545, "4714-11-24 BC"),
        (i32::MAX, "infinity"),
        (i32::MIN, "-infinity"),
    ] {
        assert_eq!(of(|out| date(days, out)), text);
    }
}

#[test]
fn moments_show_as_much_of_a_second_as_they_have() {
    for (micros, text) in [
        (0, "2000-01-01 00:00:00+00"),
        (-1, "1999-12-31 23:59:59.999999+00"),
        (1_500_000, "2000-01-01 00:00:01.5+00"),
        (10, "2000-01-01 00:00:00.00001+00"),
        (i64::MAX, "infinity"),
        (i64::MIN, "-infinity"),
    ] {
        assert_eq!(of(|out| timestamp(micros, "+00", out)), text);
    }
    assert_eq!(of(|out| time(86_400_000_000, out)), "24:00:00");
}

#[test]
fn numbers_that_contradict_themselves_are_refused() {
    for bytes in [&[][..], &[0, 1, 0, 0, 0, 0, 0, 0], &[0, 0, 0, 0, 0x12, 0x34, 0, 0]] {
        assert!(numeric(bytes, &mut String::new()).is_err(), "{bytes:?}");
    }
    assert!(uuid(&[0; 15], &mut String::new()).is_err());
}
