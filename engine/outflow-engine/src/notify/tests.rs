//! Notices: when they are due, and what they say.

use outflow_spec::notify::NotifyAfter;

use super::decide::{Member, notices};
use super::*;
use crate::ledger::{Ending, History, PastRun};

fn at(hour: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + hour * 3600).unwrap()
}

/// A member from its runs, one each hour and the oldest first: `.` went well, `x` failed, `h` was not tried. The last
/// one has just ended.
fn member(instance: &str, runs: &str) -> Member {
    let run = |(hour, letter): (usize, u8)| {
        let ending = match letter {
            b'.' => Ending::Ok,
            b'h' => Ending::Held,
            _ => Ending::Failed,
        };
        PastRun { id: hour.to_string(), started_at: at(hour as i64), ending, report: None }
    };
    let last_success = runs.rfind('.').map(|hour| at(hour as i64));
    let history = History { runs: runs.bytes().enumerate().map(run).rev().collect(), last_success };
    let failed = !runs.ends_with('.');
    let ended = Ended {
        instance: (!instance.is_empty()).then(|| instance.to_owned()),
        name: format!("feed/{instance}"),
        ledger: None,
        state: PathBuf::new(),
        since: at(runs.len() as i64 - 1),
        failure: failed.then(|| (Class::ClientServiceError, "access denied".to_owned())),
    };
    Member::new(&ended, history)
}

fn spec(on: &str, consecutive: u32, share: f64) -> NotifySpec {
    let events = on.split(' ').map(|event| serde_json::from_value(event.into()).unwrap());
    NotifySpec {
        on: events.collect(),
        after: NotifyAfter { consecutive, share_of_clients: share },
        late_after: serde_json::from_value("2h".into()).unwrap(),
        webhook: None,
        slack: None,
        email: None,
    }
}

fn due(spec: &NotifySpec, members: &[&str]) -> String {
    let members = members.iter().enumerate();
    let members = members.map(|(index, runs)| member(&format!("c{index}"), runs)).collect::<Vec<_>>();
    let now = at(100).max(at(0));
    let told = notices(spec, "feed", &members, now).into_iter().map(|notice| {
        let who = notice.instances.iter().filter_map(|about| about.instance.clone()).collect::<Vec<_>>();
        format!("{} {}/{} {}", notice.event, notice.failed, notice.total, who.join(","))
    });
    told.collect::<Vec<_>>().join("; ")
}

/// SAIL-18, SAIL-19: what is mended soon is silent, and so is its recovery; what is widespread and lasts is told once
/// when it begins and once when it ends.
#[test]
fn notices_are_told_at_the_edges() {
    let any = spec("failure recovery", 1, 0.0);
    let both = spec("failure partial recovery", 1, 0.0);
    let thirds = spec("failure recovery", 3, 0.0);
    let wide = spec("failure recovery", 3, 0.5);
    let quiet = spec("recovery", 1, 0.0);
    for (spec, members, expected) in [
        (&any, vec!["."], ""),
        (&any, vec!["x"], "failure 1/1 c0"),
        (&any, vec![".x"], "failure 1/1 c0"),
        (&any, vec!["xx"], ""),
        (&any, vec!["xh"], ""),
        (&any, vec!["x."], "recovery 0/1 c0"),
        (&any, vec!["x.."], ""),
        (&any, vec![".x", "x."], "failure 1/2 c0; recovery 1/2 c1"),
        (&any, vec!["xx", ".x"], "failure 2/2 c0,c1"),
        (&both, vec![".x", ".."], "partial 1/2 c0"),
        (&both, vec![".x", ".x"], "failure 2/2 c0,c1"),
        (&quiet, vec![".x"], ""),
        (&quiet, vec!["x."], "recovery 0/1 c0"),
        (&thirds, vec![".xx"], ""),
        (&thirds, vec![".xx."], ""),
        (&thirds, vec![".xxx"], "failure 1/1 c0"),
        (&thirds, vec![".xhxx"], "failure 1/1 c0"),
        (&thirds, vec![".xxxx"], ""),
        (&thirds, vec!["xxxx."], "recovery 0/1 c0"),
        (&wide, vec!["xxx", "...", "..."], ""),
        (&wide, vec!["xxx", "xxx", "..."], "failure 2/3 c0,c1"),
        (&wide, vec!["xxxx", ".xxx", "...."], "failure 2/3 c0,c1"),
        (&wide, vec!["xxxx", "xxxx", "...."], ""),
        (&wide, vec!["xxxx", "xxx.", "...."], "recovery 1/3 c1"),
        (&wide, vec!["xxx.", "....", "...."], ""),
    ] {
        assert_eq!(due(spec, &members), expected, "{members:?}");
    }
}

#[test]
fn lateness_is_told_once() {
    let spec = spec("late", 1, 0.0);
    let late = |runs: &str, now| {
        let told = notices(&spec, "feed", &[member("", runs)], at(now));
        told.into_iter().map(|notice| notice.event).collect::<Vec<_>>()
    };
    assert_eq!(late("..", 1), Vec::<&str>::new());
    assert_eq!(late(".xx", 2), Vec::<&str>::new(), "just in time");
    assert_eq!(late(".xxx", 3), ["late"]);
    assert_eq!(late(".xxxx", 4), Vec::<&str>::new(), "the run before has told it");
    assert_eq!(late("x", 9), Vec::<&str>::new(), "there never was one to be late after");
}

#[test]
fn a_notice_says_what_happened_in_words_and_in_members() {
    let members = [member("0001", ".xx"), member("0002", "...")];
    let notice = notices(&spec("failure", 2, 0.0), "feed", &members, at(2)).remove(0);
    assert_eq!(
        notice.text,
        "feed: 1 of 2 instances fail\n0001: access denied (client_service_error, 2 in a row, last success \
         2023-11-14T22:13:20Z)"
    );
    let told = serde_json::json!(notice);
    assert_eq!((&told["schema"], &told["event"]), (&SCHEMA.into(), &"failure".into()));
    assert_eq!(told["instances"][0]["consecutive"], 2);
    assert_eq!(told["instances"][0]["class"], "client_service_error");
}
