//! Attacks of a running guest: each gets its own error, and the next run works.

use outflow_layout::layout::{Layout, LayoutError, LogLevel};
use outflow_layout::wasm::Limits;
use serde_json::json;

use crate::*;

async fn open(attack: &str) -> Result<impl Layout + use<>, LayoutError> {
    HOST.load("evil", evil())?.open(&json!({"attack": attack}), &run("s3")).await
}

/// What a guest's `outputs` comes to.
async fn outputs(attack: &str) -> String {
    let mut layout = match open(attack).await {
        Ok(layout) => layout,
        Err(error) => return format!("open: {error}"),
    };
    match layout.outputs(&[input(&["a"])]).await {
        Ok(outputs) => format!("{} outputs", outputs.len()),
        Err(error) => error.to_string(),
    }
}

#[track_caller]
fn starts(attack: &str, expected: &str) {
    let (seen, after) = wait(async { (outputs(attack).await, outputs("none").await) });
    assert!(seen.starts_with(expected), "{attack}: {seen}");
    assert_eq!(after, "1 outputs", "a run after {attack}");
}

/// F61.
#[test]
fn runs_away() {
    starts("loop", "plugin/timeout: the plugin `evil` ran longer than its time limit of 5000 ms");
    starts("open_loop", "open: plugin/timeout: the plugin `evil` did not start within its limit of 5000 ms");
    starts("sleep", "plugin/timeout: ");
}

/// F61.
#[test]
fn takes_memory() {
    starts("memory", "plugin/memory: the plugin `evil` needed more memory than its limit (");
    starts("outputs_million", "plugin/memory: ");
}

/// F61.
#[test]
fn falls() {
    starts("panic", "plugin/panic: the plugin `evil` panicked at evil/src/lib.rs:");
    starts("index", "plugin/panic: ");
    starts("abort", "plugin/trap: the plugin `evil` trapped: ");
    starts("stack", "plugin/trap: ");
    starts("exit", "plugin/exit: the plugin `evil` called exit(1)");
    let message = wait(outputs("panic"));
    assert!(message.ends_with(": index table missing"), "{message}");
}

#[test]
fn looks_around() {
    starts("connect", "evil/seen: Err(PermissionDenied)");
    starts("read", "evil/seen: Err(");
    starts("env", "evil/seen: []");
    let seen = wait(outputs("clock"));
    assert!(seen.starts_with("evil/seen: Ok(1489514053000) "), "the wall clock stands at the run's instant: {seen}");
    assert_eq!(seen, wait(outputs("clock")), "clocks and randomness are equal in every run");
}

#[test]
fn answers_wrongly() {
    for (attack, why) in [
        ("outputs_many", "20000 outputs; at most 10000 are allowed"),
        ("output_encoding", "output `data`: there is no encoding `klingon`"),
        ("output_delimiter", "output `data`: the delimiter '☃' is not an ASCII character"),
        ("output_terminator", "output `data`: the terminator \"\\r\" is neither"),
        ("output_rule", "output `data`: a `rule` does not read: "),
    ] {
        starts(attack, &format!("plugin/answer: the plugin `evil` gave a wrong answer: {why}"));
    }
    starts("options", "open: evil/options at `/attack`: refused");
}

/// F61.
#[test]
fn names_badly() {
    for (attack, why) in [
        ("name_parent", "the file name `../x` has a part `..`"),
        ("name_newline", "the file name `a\\r\\nb` holds a control character"),
        ("name_nul", "the file name `a\\0b` holds a control character"),
        ("name_long", "has 1601 bytes; at most 1024 are allowed"),
        ("name_same", "two files of the run are both named `same`"),
        ("name_refuse", "no name today"),
    ] {
        let files = [(intent("add", 1), None), (intent("add", 2), None)];
        let error = wait(async { open(attack).await?.name_files(&files).await }).expect_err(attack);
        assert!(error.to_string().contains(why), "{attack}: {error}");
        assert_eq!(matches!(error, LayoutError::Refused(_)), attack == "name_refuse", "{attack}");
    }
}

#[test]
fn follows_badly() {
    for (attack, why) in [
        ("artifact_large", "plugin/answer: the plugin `evil` gave a wrong answer: an artifact of 17825792 bytes"),
        ("artifact_parent", "plugin/answer: the plugin `evil` gave a wrong answer: the file name `a/../../b`"),
        ("artifact_over_data", "plugin/answer: the plugin `evil` gave a wrong answer: two files of the run"),
        ("return_200_mb", "plugin/memory: the plugin `evil` needed more memory than its limit (20"),
    ] {
        let error = wait(async {
            let mut layout = open(attack).await?;
            let name = layout.name_files(&[(intent("add", 1), None)]).await?.remove(0);
            layout.files_written(&[written(&run("s3"), intent("add", 1), name, 1)]).await
        });
        let error = error.expect_err(attack).to_string();
        assert!(error.starts_with(why), "{attack}: {error}");
    }
}

/// After each trap the same layout answers again: the host opens a new guest behind it.
#[test]
fn the_same_layout_survives() {
    wait(async {
        let mut layout = open("panic").await.expect("it opens");
        for _ in 0..3 {
            let error = layout.outputs(&[input(&["a"])]).await.expect_err("a panic");
            assert!(error.to_string().starts_with("plugin/panic"), "{error}");
            let name = layout.name_files(&[(intent("add", 7), None)]).await.expect("a name").remove(0);
            assert_eq!(name.path, "7.csv");
        }
    });
}

#[test]
fn noise_is_bounded() {
    // The end of stderr is what is kept, so that the panic is found behind the noise.
    starts("stderr", "plugin/panic: the plugin `evil` panicked at");
    wait(async {
        let mut layout = open("log").await.expect("it opens");
        layout.outputs(&[input(&["a"])]).await.expect("a plan");
        let log = layout.take_log();
        assert_eq!(log.len(), 1000);
        assert_eq!((log[9].level, log[9].message.as_str()), (LogLevel::Warn, "line 9"));
        assert!(layout.take_log().is_empty());
    });
}

/// Other limits than the usual ones, and a neighbour that is not disturbed.
#[test]
fn limits_are_per_host() {
    let limits = Limits { call: std::time::Duration::from_millis(200), ..Limits::default() };
    let host = host(limits);
    wait(async {
        let mut neighbour = open("none").await.expect("it opens");
        let plugin = host.load("evil", evil()).expect("it loads");
        let mut spinning = plugin.open(&json!({"attack": "loop"}), &run("s3")).await.expect("it opens");
        let from = std::time::Instant::now();
        let inputs = [input(&["a"])];
        let (error, answer) = tokio::join!(spinning.outputs(&inputs), neighbour.outputs(&inputs));
        assert!(error.expect_err("a loop").to_string().ends_with("time limit of 200 ms"));
        assert_eq!(answer.expect("a plan").len(), 1);
        assert!(from.elapsed() < std::time::Duration::from_secs(5), "{:?}", from.elapsed());
    });
}

/// Who loops before the first function is ever called is stopped by the allowance for the start, a call's being none
/// of its business; and an honest guest starts although a call may take no time at all.
#[test]
fn starting_has_a_limit_of_its_own() {
    let short = Duration::from_millis(300);
    let host = host(Limits { start: short, call: Duration::from_secs(60), ..Limits::default() });
    let wasm = guest("evil_start.wasm");
    let expected = "plugin/timeout: the plugin `evil-start` did not start within its limit of 300 ms";
    wait(async {
        let plugin = host.load("evil-start", &wasm).expect("it loads");
        let from = std::time::Instant::now();
        assert_eq!(plugin.describe().await.expect_err("a loop").to_string(), expected);
        assert_eq!(plugin.open(&json!({}), &run("s3")).await.err().expect("a loop").to_string(), expected);
        assert!(from.elapsed() < Duration::from_secs(10), "{:?}", from.elapsed());
    });
    let host = crate::host(Limits { call: Duration::ZERO, ..Limits::default() });
    wait(async {
        let plugin = host.load("evil", evil()).expect("it loads");
        let mut opened = plugin.open(&json!({"attack": "loop"}), &run("s3")).await.expect("it starts");
        let error = opened.outputs(&[input(&["a"])]).await.expect_err("no time").to_string();
        assert!(error.ends_with("ran longer than its time limit of 0 ms"), "{error}");
    });
}
