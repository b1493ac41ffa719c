//! How long requests may last, and what clocks that differ are told by.

use super::*;

#[test]
fn a_request_may_last_as_long_as_its_bytes_take_on_the_slowest_link() {
    assert_eq!(allowance(0), SILENCE);
    assert_eq!(allowance(16 << 20), SILENCE + Duration::from_secs(16_777));
}

#[test]
fn a_refused_head_tells_clocks_that_differ() {
    let now: Timestamp = "2026-11-22T02:00:00Z".parse().unwrap();
    assert_eq!(skewed(Some("Sun, 22 Nov 2026 01:46:00 GMT"), now), None);
    let told = skewed(Some("Sun, 22 Nov 2026 02:20:00 GMT"), now).unwrap();
    assert!(told.contains("<ServerTime>2026-11-22T02:20:00Z<"), "{told}");
    assert_eq!(skewed(None, now), None);
}
