//! Attacks of a transform: each gets its own error, a neighbour is not disturbed, and the next batch works.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringViewArray};
use outflow_layout::layout::LayoutError;
use outflow_layout::transform::Applied;
use outflow_layout::wasm::Transform;
use serde_json::json;

use crate::load::importer;
use crate::*;

fn batch() -> RecordBatch {
    let text: ArrayRef = Arc::new(StringViewArray::from(vec![Some("x"), None, Some("a text of more than 12 bytes")]));
    let hidden: ArrayRef = Arc::new(StringViewArray::from(vec!["f"; 3]));
    RecordBatch::try_from_iter_with_nullable([("a", text, true), ("_outflow_file", hidden, true)]).expect("a batch")
}

async fn open(attack: &str) -> Result<Transform, LayoutError> {
    let plugin = HOST.load_transform("evil", evil_transform())?;
    plugin.open(&json!({"attack": attack}), &batch().schema(), None).await
}

fn told(answer: &Result<Applied, LayoutError>) -> String {
    match answer {
        Ok(applied) => format!("{} columns", applied.columns.len()),
        Err(error) => error.to_string(),
    }
}

/// What an attack comes to, with a neighbour before and after it, and a second batch of the attacker.
#[track_caller]
fn starts(attack: &str, expected: &str) {
    let (seen, again, after) = wait(async {
        let mut neighbour = open("none").await.expect("the neighbour opens");
        let (seen, again) = match open(attack).await {
            Err(error) => (format!("open: {error}"), None),
            Ok(mut transform) => {
                let seen = told(&transform.apply(&batch()).await);
                let again =
                    if attack == "loop" || attack == "sleep" { None } else { Some(transform.apply(&batch()).await) };
                (seen, again.as_ref().map(told))
            }
        };
        (seen, again, told(&neighbour.apply(&batch()).await))
    });
    assert!(seen.starts_with(expected), "{attack}: {seen}");
    assert!(again.is_none_or(|again| again.starts_with(expected)), "{attack} a second time");
    assert_eq!(after, "1 columns", "the neighbour after {attack}");
}

#[test]
fn behaves() {
    starts("none", "1 columns");
    starts("hidden", "1 columns");
    wait(async {
        let mut filter = open("filter").await.expect("it opens");
        let applied = filter.apply(&batch()).await.expect("an answer");
        assert_eq!(applied.source.expect("a filter says which").values().to_vec(), [1]);
    });
}

#[test]
fn runs_away() {
    starts("loop", "plugin/timeout: the plugin `evil` ran longer than its time limit of 5000 ms");
    starts("sleep", "plugin/timeout: ");
    let late = "open: plugin/timeout: the plugin `evil` did not start within its limit of 5000 ms";
    starts("open_loop", late);
    starts("io_loop", late);
}

#[test]
fn takes_memory() {
    starts("memory", "plugin/memory: the plugin `evil` needed more memory than its limit (25");
    starts("giant", "plugin/memory: ");
    wait(async {
        let mut leaking = open("leak").await.expect("it opens");
        let mut answers = Vec::new();
        for _ in 0..12 {
            answers.push(told(&leaking.apply(&batch()).await));
        }
        // What is kept from batch to batch ends with the guest; a new one begins from nothing.
        assert!(answers.iter().any(|answer| answer.starts_with("plugin/memory: ")), "{answers:?}");
        assert_eq!(answers.iter().filter(|answer| *answer == "1 columns").count(), 11, "{answers:?}");
    });
}

#[test]
fn falls() {
    starts("panic", "plugin/panic: the plugin `evil` panicked at evil-transform/src/lib.rs:");
    starts("index", "plugin/panic: ");
    starts("abort", "plugin/trap: the plugin `evil` trapped: ");
    starts("stack", "plugin/trap: ");
    starts("exit", "plugin/exit: the plugin `evil` called exit(1)");
}

#[test]
fn looks_around() {
    starts("connect", "Err(PermissionDenied)");
    starts("read", "Err(");
    starts("env", "[]");
    starts("clock", "Ok(0) ");
    let clock = || wait(async { told(&open("clock").await.expect("it opens").apply(&batch()).await) });
    assert_eq!(clock(), clock(), "clocks and randomness are equal in every run");
    wait(async {
        let mut noisy = open("log").await.expect("it opens");
        noisy.apply(&batch()).await.expect("an answer");
        assert_eq!(noisy.take_log().len(), 1000);
    });
}

#[test]
fn declares_wrongly() {
    for (attack, why) in [
        ("io_duplicate_read", "`reads` names `a` twice"),
        ("io_duplicate_write", "`writes` names `a` twice"),
        ("io_many", "it declares more than 10000 columns"),
        ("io_hidden", "`reads` names `_outflow_row`, which is the engine's own"),
        ("io_hidden_write", "`writes` names `_outflow_file`"),
        ("io_type", "`writes`: `b` is `Varchar(3)`, which cannot cross"),
        ("io_deep_type", "`writes`: `b` is `List(List("),
        ("io_nested_type", "`writes`: `b` is `List(List(Utf8))`, which cannot cross"),
        ("io_empty_name", "`writes` names a column that is empty"),
        ("io_control_name", "`writes` names a column that is empty, too long or not printable"),
        ("io_drop", "it drops `zork`, which the input does not have"),
        ("io_drop_written", "it both writes and drops `a`"),
    ] {
        starts(attack, &format!("open: plugin/answer: the plugin `evil` gave a wrong answer: {why}"));
    }
    starts("io_missing", "open: the plugin `evil` reads a column `zork`, which the rows lack; they have `a`");
    starts("options", "open: evil/options at `/attack`: refused");
}

#[test]
fn answers_wrongly() {
    for (attack, why) in [
        ("no_column", "0 columns, and `writes` declares 1"),
        ("more_columns", "2 columns, and `writes` declares 1"),
        ("more_rows", "4 rows for 3, and it declares one to one"),
        ("len", "column `a`: it has 4 rows and not 3"),
        ("len_max", "column `a`: it has 4294967295 rows and not 3"),
        ("validity_short", "column `a`: its validity are 0 bytes and not the 1 of 3 bits"),
        ("validity_long", "column `a`: its validity are 1000 bytes"),
        ("not_null", "column `a`: it holds null, and is declared not to"),
        ("kind", "column `a`: it holds integers and not text"),
        ("date", "column `a`: "),
        ("offsets_none", "column `a`: it has 0 offsets for 3 rows"),
        ("offsets_long", "column `a`: it has 5 offsets for 3 rows"),
        ("offsets_first", "column `a`: its offsets begin at 1 and not at 0"),
        ("offsets_fall", "column `a`: its offsets fall behind row 1"),
        ("offsets_negative", "column `a`: its offsets fall behind row 2"),
        ("offsets_beyond", "column `a`: its offsets end at 2147483647, and there are 1"),
        ("utf8", "column `a`: it holds text that is not UTF-8"),
        ("utf8_split", "column `a`: it holds text that is not UTF-8"),
        ("flag_bits", "column `a`: its values are 1000 bytes"),
        ("list_child", "column `a`: its elements are child 7 of 0"),
        ("list_self", "column `a`: the elements of its lists: it holds lists and not text"),
        ("list_beyond", "column `a`: its offsets end at 2, and there are 1"),
        ("list_left", "it has children that belong to no list"),
        ("source", "`source-row`, and it declares one to one"),
        ("filter_none", "no `source-row`, which filter and expand need"),
        ("filter_twice", "its source rows are not in the order of the input, each once"),
        ("filter_range", "it names row 3 of a batch of 3"),
        ("expand_range", "it names row 4294967295 of a batch of 3"),
        ("expand_order", "its source rows are not in the order of the input"),
        ("expand_count", "4 source rows for 3 rows"),
        ("reject_range", "it rejects row 3 of a batch of 3"),
        ("reject_twice", "it rejects row 0 twice"),
        ("reject_code", "`../ [31m` is no code for a reject"),
    ] {
        starts(attack, &format!("plugin/answer: the plugin `evil` gave a wrong answer: {why}"));
    }
    starts("refuse", "not today");
    wait(async {
        let mut rejecting = open("reject_text").await.expect("it opens");
        let refused = rejecting.apply(&batch()).await.expect("an answer").refused;
        let clean = refused[0].message.chars().all(|c| !c.is_control());
        assert!(clean && refused[0].message.len() <= 4000, "a message is bounded and printable");
    });
}

/// Buffers that share their memory are copied, each for itself; what is not there is not read.
#[test]
fn points_wrongly() {
    starts("alias", "1 columns");
    starts("alias_own", "1 columns");
    wait(async {
        let applied = open("alias").await.expect("it opens").apply(&batch()).await.expect("an answer");
        let texts: Vec<_> = applied.columns[0].as_string_view().iter().collect();
        assert_eq!(texts, [Some("g"), Some(""), Some("")]);
    });
    let trapped = |why: &str| format!("plugin/trap: the plugin `evil` trapped: {why}");
    starts("alias_many", &trapped("too much data is being copied"));
    for attack in ["length_beyond", "length_giant", "address_beyond"] {
        starts(attack, &trapped("list pointer/length out of bounds of memory"));
    }
    starts("address_odd", &trapped("list pointer is not aligned"));
}

/// What does not load: cut, bent and foreign bytes, and what asks for more than the host offers.
#[test]
fn loads_wrongly() {
    let sound = evil_transform();
    for at in [9, 100, sound.len() / 2, sound.len() - 1] {
        let error = HOST.load_transform("cut", &sound[..at]).err().expect("it must not load").to_string();
        assert!(error.starts_with("plugin/load: the plugin `cut` does not load: "), "{error}");
    }
    let mut refused = 0;
    for step in 0..4 {
        let mut bent = sound.to_vec();
        bent[8 + step * (sound.len() / 8)] ^= 0x40;
        refused += usize::from(HOST.load_transform("bent", &bent).is_err());
    }
    assert!(refused > 0);
    let steal = HOST.load_transform("odd", &importer("acme:secret/steal@1.0.0")).err().expect("an unknown import");
    let steal = steal.to_string();
    assert!(steal.starts_with("plugin/load: the plugin `odd` does not load: "), "{steal}");
    assert!(steal.contains("`acme:secret/steal@1.0.0`"), "{steal}");
    let module = HOST.load_transform("odd", b"\0asm\x01\0\0\0").err().expect("a core module").to_string();
    assert!(module.contains("module"), "{module}");
    let empty = HOST.load_transform("odd", b"\0asm\x0d\0\x01\0").err().expect("no exports").to_string();
    assert!(empty.contains("`outflow:plugin/transform@0.1.0`"), "{empty}");
    let large = HOST.load_transform("odd", &vec![0; (64 << 20) + 1]).err().expect("too large").to_string();
    assert!(large.ends_with("it has 67108865 bytes; at most 67108864 are allowed"), "{large}");
}
