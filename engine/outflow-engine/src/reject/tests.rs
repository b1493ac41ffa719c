//! Which rows pass, and what the dead letter says about the others.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray, UInt64Array};
use arrow::util::pretty::pretty_format_batches;
use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::{col, ident, lit};
use datafusion::prelude::{DataFrame, SessionContext};

use super::*;
use crate::operator::query_planner;

fn frame() -> DataFrame {
    let state = SessionStateBuilder::new_with_default_features().with_query_planner(query_planner()).build();
    let text = |values: [Option<&str>; 4]| Arc::new(StringViewArray::from(values.to_vec())) as ArrayRef;
    let batch = RecordBatch::try_from_iter([
        ("operation", text([Some("add"), Some("drop"), None, Some("remove")])),
        ("First Name", text([Some("Ann"), Some("B\"ob"), Some(""), None])),
        ("age", Arc::new(Int64Array::from(vec![1, -2, 3, 4])) as ArrayRef),
        ("_outflow_file", text([Some("in.csv"); 4])),
        ("_outflow_row", Arc::new(UInt64Array::from(vec![2, 3, 5, 6])) as ArrayRef),
    ]);
    SessionContext::new_with_state(state).read_batch(batch.unwrap()).unwrap()
}

fn rules() -> Vec<RejectRule> {
    vec![
        RejectRule::new(
            ident("operation").in_list(vec![lit("add"), lit("remove")], false),
            "simon/operation",
            "`operation` is neither `add` nor `remove`",
        ),
        RejectRule { condition: col("age").gt(lit(0)), code: "rule/age".into(), message: ident("First Name") },
    ]
}

fn log(limit: Option<u64>) -> (tempfile::TempDir, Arc<DeadLetter>) {
    let folder = tempfile::tempdir().unwrap();
    let log = DeadLetter::create(folder.path().join("rejects.jsonl"), limit);
    (folder, Arc::new(log))
}

/// SIMON-24: an operation other than `add` and `remove` is a row for quarantine.
#[tokio::test]
async fn rows_that_break_a_rule_go_to_the_dead_letter_and_the_others_pass_in_order() {
    let (_folder, log) = log(None);
    let kept = unless(frame(), rules(), Arc::clone(&log)).unwrap();
    let kept = kept.select(vec![col("age")]).unwrap().collect().await.unwrap();
    let table = pretty_format_batches(&kept).unwrap().to_string();
    assert_eq!(table.replace(['+', '-', '|', ' '], "").split_whitespace().collect::<Vec<_>>(), ["age", "1", "4"]);
    log.finish().unwrap();
    let written = std::fs::read_to_string(log.path()).unwrap();
    let expected = [
        r#"{"file":"in.csv","row":3,"code":"simon/operation","message":"`operation` is neither `add` nor `remove`","record":{"operation":"drop","First Name":"B\"ob","age":-2}}"#,
        r#"{"file":"in.csv","row":5,"code":"simon/operation","message":"`operation` is neither `add` nor `remove`","record":{"operation":null,"First Name":"","age":3}}"#,
    ];
    assert_eq!(written.lines().collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn filters_and_limits_above_it_do_not_hide_bad_rows() {
    let (_folder, log) = log(None);
    let kept = unless(frame(), rules(), Arc::clone(&log)).unwrap();
    let kept = kept.filter(col("age").gt(lit(3))).unwrap().select(vec![col("age")]).unwrap();
    assert_eq!(kept.collect().await.unwrap().iter().map(RecordBatch::num_rows).sum::<usize>(), 1);
    assert_eq!(log.count(), 2);
}

#[tokio::test]
async fn the_limit_fails_the_query() {
    let (_folder, log) = log(Some(1));
    let kept = unless(frame(), rules(), Arc::clone(&log)).unwrap();
    let error = kept.collect().await.unwrap_err();
    assert!(error.to_string().contains("more than 1 row was rejected"), "{error}");
}
