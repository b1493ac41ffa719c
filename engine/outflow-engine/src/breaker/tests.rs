//! The breaker: what opens it, and what closes it again.

use serde_json::json;

use super::*;
use crate::ledger::Ending;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + minute * 60).unwrap()
}

/// `c` a client service error, `d` the same of another configuration, `g` a general one, `.` a success, `h` held; the
/// first letter is the oldest run, one each minute.
fn history(runs: &str) -> History {
    let run = |(minute, letter): (usize, u8)| {
        let report =
            |class: &str, config: &str| Some(json!({"class": class, "config": config, "error": "access denied"}));
        let (ending, report) = match char::from(letter) {
            '.' => (Ending::Ok, None),
            'h' => (Ending::Held, None),
            'c' => (Ending::Failed, report("client_service_error", "now")),
            'd' => (Ending::Failed, report("client_service_error", "before")),
            _ => (Ending::Failed, report("general_error", "now")),
        };
        PastRun { id: minute.to_string(), started_at: at(minute as i64), ending, report }
    };
    History { runs: runs.bytes().enumerate().map(run).rev().collect(), last_success: None }
}

#[test]
fn only_failures_of_the_client_in_a_row_open_it() {
    for (runs, now, is_open) in [
        ("", 0, false),
        ("cc", 2, false),
        ("ccc", 3, true),
        ("gccc", 4, true),
        ("ccchhh", 6, true),
        ("ccc.", 4, false),
        ("ccgc", 4, false),
        ("cccg", 4, false),
        ("ddcc", 4, false),
        ("ddd", 3, false),
        ("ccc", 2 + 10, false),
        ("ccc", 2 + 9, true),
        ("ccchhhhhhhhhh", 13, false),
    ] {
        let error = open(&history(runs), 3, SignedDuration::from_mins(10), "now", at(now));
        assert_eq!(error.is_some(), is_open, "{runs} at {now}");
        if let Some(error) = error {
            assert_eq!(error.class(), Class::ClientServiceError);
            assert!(error.to_string().contains("access denied") && error.hint_text().unwrap().contains("--force"));
        }
    }
}
