//! Faults of an S3 service and of the way to it, by the numbers of the fault matrix. Lost answers, conflicts and foreign
//! objects (F21 to F24) are in `s3`, servers that ignore conditions (F25) in `doctor` too.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::process::{Outcome, Outflow};
use crate::support::proxy::{Fault as Spoil, Leg, Proxy, Script};
use crate::support::strict_s3::{self, Action, Fault, StrictS3};

/// A folder with a pipeline for a bucket: one data file and one companion; this many rows of this many bytes.
fn feed(endpoint: &str, bucket: &str, rows: usize, width: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let row = |row: usize| format!("contact{row},{}\n", "v".repeat(width));
    let text = "id,note\n".to_owned() + &(0..rows).map(row).collect::<String>();
    std::fs::write(folder.path().join("contacts.csv"), text).unwrap();
    let pipeline = format!(
        "version: 1\nname: faults\nsource: {{files: {{path: contacts.csv}}}}\nlayout:\n  files:\n    path: \
         \"{{{{ at | unix }}}}_{{{{ nonce[:6] }}}}.csv\"\n    format: csv\n    companions: [{{path: \"{{{{ file.path }}}}.done\", body: \"{{{{ file.rows }}}}\"}}]\n\
         sink:\n  s3: {{bucket: {bucket}, endpoint: \"{endpoint}\", access_key_id: \"${{env:KEY}}\", \
         secret_access_key: \"${{env:SECRET}}\"}}\n"
    );
    std::fs::write(folder.path().join("feed.yaml"), pipeline).unwrap();
    folder
}

fn call(folder: &Path) -> Outflow {
    let call = Outflow::in_folder(folder).args(["run", "feed.yaml", "--report", "report.json"]);
    call.env("KEY", strict_s3::ACCESS_KEY).env("SECRET", strict_s3::SECRET_KEY)
}

fn deliver(folder: &Path) -> Outcome {
    call(folder).run()
}

fn small(server: &StrictS3) -> tempfile::TempDir {
    feed(&server.endpoint(), "feeds", 3, 5)
}

fn large(server: &StrictS3) -> tempfile::TempDir {
    feed(&server.endpoint(), "feeds", 400, 50_000)
}

fn sizes(server: &StrictS3) -> Vec<usize> {
    server.store().objects("feeds").values().map(|object| object.bytes.len()).collect()
}

/// What safety costs: a look before and one after each file, and one request for the whole run.
#[test]
fn two_requests_more_for_each_file() {
    let server = StrictS3::start(&["feeds"]);
    deliver(small(&server).path()).expect_code(0);
    let operations: Vec<String> = server.exchanges().into_iter().map(|exchange| exchange.operation).collect();
    let puts = operations.iter().filter(|operation| *operation == "PutObject").count();
    assert_eq!(puts, 2, "{operations:?}");
    assert!(operations.len() - puts <= 2 * puts + 1, "{operations:?}");
}

/// F25: where conditions are ignored the pinned bytes still show one version only, whatever dies.
#[test]
fn f25_one_version_without_conditions() {
    for point in ["file-put", "uploaded-recorded", "companion-verified", "commit-before"] {
        let server = StrictS3::start(&["feeds"]);
        server.fail(Fault::always("PutObject", "", Action::IgnoreConditions));
        let folder = small(&server);
        assert_eq!(call(folder.path()).env("OUTFLOW_KILL_AT", point).run().signal, Some(9), "{point}");
        let before = server.store().objects("feeds");
        deliver(folder.path()).expect_code(0);
        let after = server.store().objects("feeds");
        assert_eq!(after.len(), 2);
        assert!(before.iter().all(|(key, object)| after[key].bytes == object.bytes), "{point}");
    }
}

/// F26: a service that keeps less than it was sent is caught by the read-back; the companion does not follow.
#[test]
fn f26_a_short_object_is_not_followed_by_its_companion() {
    let server = StrictS3::start(&["feeds"]);
    let folder = small(&server);
    call(folder.path()).env("OUTFLOW_KILL_AT", "file-put").run();
    let (key, object) = server.store().objects("feeds").into_iter().next().unwrap();
    server.store().plant("feeds", &key, &object.bytes[..object.bytes.len() / 2]);
    deliver(folder.path()).expect_code(3).expect_stderr(&key);
    assert_eq!(sizes(&server).len(), 1);
}

/// F26: a service that keeps other bytes of the same size, beside the metadata of the right ones, is found out by reading
/// every byte: before the companion where the pipeline asks for that, else by `files verify`.
#[test]
fn f26_other_bytes_of_the_same_size_are_found_out() {
    for rows in [3, 400] {
        let server = StrictS3::start(&["feeds"]);
        server.store().spoil(".csv");
        let folder = feed(&server.endpoint(), "feeds", rows, 50_000);
        deliver(folder.path()).expect_code(0);
        let arguments = ["files", "verify", "feed.yaml"];
        let verify = || Outflow::in_folder(folder.path()).args(arguments).env("KEY", strict_s3::ACCESS_KEY);
        verify().env("SECRET", strict_s3::SECRET_KEY).run().expect_code(3).expect_stdout("other content");

        let pipeline = std::fs::read_to_string(folder.path().join("feed.yaml")).unwrap();
        std::fs::write(folder.path().join("feed.yaml"), pipeline + "delivery: {read_back: true}\n").unwrap();
        std::fs::write(folder.path().join("contacts.csv"), "id,note\nnew,row\n").unwrap();
        let before = sizes(&server).len();
        deliver(folder.path()).expect_code(3).expect_stderr("other content");
        assert_eq!(sizes(&server).len(), before + 1, "no companion follows");
    }
    let server = StrictS3::start(&["feeds"]);
    let folder = large(&server);
    let pipeline = std::fs::read_to_string(folder.path().join("feed.yaml")).unwrap();
    std::fs::write(folder.path().join("feed.yaml"), pipeline + "delivery: {read_back: true}\n").unwrap();
    deliver(folder.path()).expect_code(0);
}

/// F27: a part that fails, an upload that the service has forgotten: begun again, and nothing is left over.
#[test]
fn f27_a_broken_upload_is_begun_again() {
    let faults = [
        Fault::once("UploadPart", "", Action::Respond(500, "InternalError")),
        Fault::once("UploadPart", "", Action::Respond(404, "NoSuchUpload")),
        Fault::once("CompleteMultipartUpload", "", Action::Respond(404, "NoSuchUpload")),
    ];
    for fault in faults {
        let server = StrictS3::start(&["feeds"]);
        let folder = large(&server);
        server.fail(fault.clone());
        let first = deliver(folder.path());
        server.heal();
        if first.code != Some(0) {
            deliver(folder.path()).expect_code(0);
        }
        assert_eq!(sizes(&server).len(), 2, "{fault:?}");
        // What the service is said to have forgotten it still holds here; the rest was taken away.
        let left = usize::from(fault.operation == "CompleteMultipartUpload");
        assert!(server.store().uploads().len() <= left, "{fault:?}");
    }
}

/// F28: a completion that is answered with 200 and an error in its body is a failure.
#[test]
fn f28_an_error_in_a_good_answer_is_an_error() {
    let server = StrictS3::start(&["feeds"]);
    let folder = large(&server);
    server.fail(Fault::always("CompleteMultipartUpload", "", Action::Respond(200, "InternalError")));
    deliver(folder.path()).expect_code(4);
    assert!(sizes(&server).is_empty());
    server.heal();
    deliver(folder.path()).expect_code(0);
    assert_eq!(sizes(&server).len(), 2);
}

/// F29: credentials that end in the middle of a run leave a sealed delivery, which the next run finishes.
#[test]
fn f29_lost_access_is_the_clients_and_is_made_up_for() {
    for code in ["AccessDenied", "ExpiredToken"] {
        let server = StrictS3::start(&["feeds"]);
        let folder = small(&server);
        server.fail(Fault::always("PutObject", ".done", Action::Respond(403, code)));
        deliver(folder.path()).expect_code(3);
        let report = std::fs::read_to_string(folder.path().join("report.json")).unwrap();
        assert!(report.contains("client_service_error"), "{report}");
        assert_eq!(sizes(&server).len(), 1);
        server.heal();
        std::fs::write(folder.path().join("contacts.csv"), "id,note\nnew,rows\n").unwrap();
        deliver(folder.path()).expect_code(0);
        assert_eq!(sizes(&server).len(), 4, "the one that was broken off, and the new one");
    }
}

/// F30: what will never work is not tried again and again.
#[test]
fn f30_a_refusal_for_good_ends_at_once() {
    for (status, code, wanted) in [
        (404, "NoSuchBucket", "bucket does not exist"),
        (301, "PermanentRedirect", "region"),
        (400, "AuthorizationHeaderMalformed", "region"),
    ] {
        let server = StrictS3::start(&["feeds"]);
        let folder = small(&server);
        server.fail(Fault::always("*", "", Action::Respond(status, code)));
        let began = Instant::now();
        deliver(folder.path()).expect_code(3).expect_stderr(wanted);
        assert!(server.exchanges().len() <= 3, "{code}: {} requests", server.exchanges().len());
        assert!(began.elapsed() < Duration::from_secs(20));
    }
}

/// F31: a service that asks to slow down is asked again later, ever more slowly, and not for ever.
#[test]
fn f31_throttling_is_waited_out() {
    let server = StrictS3::start(&["feeds"]);
    let folder = small(&server);
    server.fail(Fault { times: 3, ..Fault::once("PutObject", ".csv", Action::Respond(503, "SlowDown")) });
    deliver(folder.path()).expect_code(0);
    let puts: Vec<Instant> = server.exchanges_of("PutObject").iter().map(|put| put.span.0).collect();
    assert!(puts[3] - puts[0] >= Duration::from_millis(300), "{puts:?}");
    let server = StrictS3::start(&["feeds"]);
    let folder = small(&server);
    server.fail(Fault::always("PutObject", "", Action::Respond(503, "SlowDown")));
    deliver(folder.path()).expect_code(4).expect_stderr("SlowDown");
    assert!(server.exchanges().len() < 60, "{} requests", server.exchanges().len());
    server.heal();
    deliver(folder.path()).expect_code(0);
}

/// F32: lists may be late, so no delivery asks for one.
#[test]
fn f32_no_delivery_lists() {
    let server = StrictS3::start(&["feeds"]);
    let folder = small(&server);
    call(folder.path()).env("OUTFLOW_KILL_AT", "uploaded-recorded").run();
    deliver(folder.path()).expect_code(0);
    assert!(server.exchanges().iter().all(|exchange| !exchange.operation.starts_with("List")));
}

fn behind_proxy(server: &StrictS3, rows: usize, width: usize) -> (Proxy, tempfile::TempDir) {
    let upstream: SocketAddr = server.endpoint().trim_start_matches("http://").parse().unwrap();
    let proxy = Proxy::start(upstream);
    let folder = feed(&format!("http://{}", proxy.address()), "feeds", rows, width);
    (proxy, folder)
}

/// F33: a clock that differs by more than S3 bears is told as such, whichever request is refused; what was sealed waits,
/// and is delivered once the clock is right.
#[test]
fn f33_clocks_too_far_apart_are_told_and_waited_out() {
    for (ahead, side) in [(20 * 60, "behind"), (-20 * 60, "ahead of")] {
        for sealed in [false, true] {
            let server = StrictS3::start(&["feeds"]);
            let folder = small(&server);
            if sealed {
                assert_eq!(call(folder.path()).env("OUTFLOW_KILL_AT", "uploaded-recorded").run().signal, Some(9));
            }
            server.set_ahead(ahead);
            let failed = deliver(folder.path()).expect_code(4).expect_stderr("this machine's clock");
            assert!(failed.stderr.contains(&format!("20 min 0 s {side} the service's")), "{}", failed.stderr);
            assert_eq!(sizes(&server).len(), usize::from(sealed), "nothing was sent");
            server.set_ahead(0);
            deliver(folder.path()).expect_code(0);
            assert_eq!(sizes(&server).len(), 2);
        }
        let server = StrictS3::start(&["feeds"]);
        server.set_ahead(ahead / 2);
        deliver(small(&server).path()).expect_code(0);
    }
}

/// F35: a connection that ends after any number of bytes, either way.
#[test]
fn f35_a_connection_cut_anywhere() {
    let cuts = [0, 200, 700, 1500, 3000, 9000, 200_000].map(|after| Script::up(after, Spoil::Cut));
    for script in cuts.into_iter().chain([0, 100, 400, 900].map(|after| Script::down(after, Spoil::Cut))) {
        let server = StrictS3::start(&["feeds"]);
        let (proxy, folder) = behind_proxy(&server, 20, 50_000);
        let told = format!("{script:?}");
        proxy.treat(move |connection| if connection < 2 { script.clone() } else { Script::default() });
        if deliver(folder.path()).code != Some(0) {
            deliver(folder.path()).expect_code(0);
        }
        assert_eq!(sizes(&server).len(), 2, "{told}");
        assert!(sizes(&server).iter().any(|size| *size > 1_000_000), "{told}");
    }
}

/// F31: what a service refuses for its load is tried again within a budget for all of its files, then the rest waits.
#[test]
fn f31_many_files_share_one_budget_of_repetitions() {
    let server = StrictS3::start(&["feeds"]);
    let folder = small(&server);
    let rows = (0..40).map(|row| format!("contact{row},v{row}\n")).collect::<String>();
    std::fs::write(folder.path().join("contacts.csv"), format!("id,note\n{rows}")).unwrap();
    let pipeline = std::fs::read_to_string(folder.path().join("feed.yaml")).unwrap();
    let split = pipeline
        .replace("{{ at | unix }}", "{{ partition.id }}")
        .replace("format: csv", "format: csv\n    split_by: [id]");
    assert_ne!(split, pipeline);
    std::fs::write(folder.path().join("feed.yaml"), split).unwrap();
    server.fail(Fault::always("PutObject", "", Action::Respond(503, "SlowDown")));
    deliver(folder.path()).expect_code(4).expect_stderr("SlowDown");
    let puts = server.exchanges_of("PutObject").len();
    assert!((20..=40).contains(&puts), "{puts} requests; four files at once could ask 80 times");
    server.heal();
    deliver(folder.path()).expect_code(0);
    assert_eq!(sizes(&server).len(), 80);
}

/// F36: a slow link and a long silence are no failures.
#[test]
fn f36_slow_links_and_silences_are_borne() {
    let server = StrictS3::start(&["feeds"]);
    let (proxy, folder) = behind_proxy(&server, 3, 5);
    proxy.treat(|_| Script { up: Leg { bandwidth: Some(1000), ..Leg::default() }, ..Script::default() });
    call(folder.path()).patience(Duration::from_secs(120)).run().expect_code(0);
    assert_eq!(sizes(&server).len(), 2);
    let server = StrictS3::start(&["feeds"]);
    let (proxy, folder) = behind_proxy(&server, 3, 5);
    proxy.treat(|_| Script::up(1200, Spoil::Stall(Duration::from_secs(30))));
    call(folder.path()).patience(Duration::from_secs(120)).run().expect_code(0);
    assert_eq!(sizes(&server).len(), 2);
}

/// F36: a request lasts as long as its bytes move, beyond any limit on the whole of it.
#[test]
fn f36_a_part_that_makes_progress_is_not_cut_off() {
    let server = StrictS3::start(&["feeds"]);
    let (proxy, folder) = behind_proxy(&server, 28, 50_000);
    proxy.treat(|_| Script { up: Leg { bandwidth: Some(20_000), ..Leg::default() }, ..Script::default() });
    call(folder.path()).patience(Duration::from_secs(240)).run().expect_code(0);
    let puts = server.exchanges_of("PutObject");
    let longest = puts.iter().filter_map(|put| Some(put.span.1? - put.span.0)).max().unwrap();
    assert!(puts.len() == 2 && longest > Duration::from_secs(65), "{} requests, {longest:?}", puts.len());
}

/// F37: packets that vanish, a name that does not exist, a port where nobody listens: bounded, and worth another try.
#[test]
fn f37_a_dead_network_ends_in_bounded_time() {
    let server = StrictS3::start(&["feeds"]);
    let (proxy, folder) = behind_proxy(&server, 3, 5);
    proxy.treat(|_| Script::up(0, Spoil::BlackHole));
    let began = Instant::now();
    call(folder.path()).patience(Duration::from_secs(240)).run().expect_code(4);
    assert!(began.elapsed() < Duration::from_secs(200), "{:?}", began.elapsed());
    for endpoint in ["http://no-such-host.invalid", "http://127.0.0.1:1", "http://[::1]:1"] {
        let began = Instant::now();
        let folder = feed(endpoint, "feeds", 3, 5);
        call(folder.path()).patience(Duration::from_secs(120)).run().expect_code(4);
        assert!(began.elapsed() < Duration::from_secs(60), "{endpoint}: {:?}", began.elapsed());
    }
}
