//! Which columns are found that nothing looks at, and that a row that is left out is shown whole all the same.

use std::sync::Arc;

use arrow::array::{RecordBatch, StringViewArray, UInt64Array};
use datafusion::common::Result as QueryResult;
use datafusion::dataframe::DataFrame;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, col, lit};
use datafusion::prelude::concat;
use futures::StreamExt;
use outflow_formats::format::{Dialect, QuoteMode};
use outflow_spec::source::FilesSource;
use serde_json::json;

use super::*;
use crate::dead_letter::DeadLetter;
use crate::operator::{Batches, Carried, Operator};
use crate::plan;
use crate::progress::Quiet;
use crate::reject::RejectRule;
use crate::source::files::FilesInput;
use crate::source::{FILE, Reading};

/// What nothing looks at of the columns `a` to `e`. The stretches are told as `first: names`, where what is looked at has
/// a `+` and the carrier a `*`; and then what is left.
async fn found(
    rows: impl FnOnce(DataFrame, Arc<DeadLetter>) -> DataFrame,
    written: Vec<Expr>,
    format: Format,
) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("one.csv"), "a,b,c,d,e\n1,2,3,4,5\n").unwrap();
    std::fs::write(folder.path().join("two.csv"), "b,a,f\n1,2,3\n").unwrap();
    let spec: FilesSource = serde_json::from_value(json!({"path": "*.csv"})).unwrap();
    let mut input = FilesInput::list(&spec, folder.path(), &[]).await.unwrap();
    input.open().await.unwrap();
    let dead_letter = Arc::new(DeadLetter::create(folder.path().join("rejects"), None));
    let table = input.table(Reading { dead_letter: dead_letter.clone(), limit: None, progress: Arc::new(Quiet) });
    let session = plan::session(64 << 20).unwrap();
    let columns = written.len();
    let rows = rows(session.read_table(table.clone()).unwrap(), dead_letter).select(written).unwrap();
    let plan = rows.create_physical_plan().await.unwrap();
    assert!(lane::carries(plan.as_ref()), "{plan:?}");
    let told = |stretch: &Stretch| {
        let names = stretch.columns.iter().enumerate().map(|(place, member)| {
            let mark = if place == stretch.carrier { "*" } else { "" };
            format!("{}{}{mark}", member.name, if member.read { "+" } else { "" })
        });
        format!("{}: {}", stretch.first, names.collect::<Vec<_>>().join(" "))
    };
    let unseen = Unseen::of(&[plan.as_ref()], columns, table.files(), &format);
    let left = Some(unseen.left.join(" ")).filter(|left| !left.is_empty());
    unseen.stretches.iter().map(told).chain(left.map(|left| format!("left: {left}"))).collect()
}

fn as_read(rows: DataFrame, _: Arc<DeadLetter>) -> DataFrame {
    rows
}

fn csv() -> Format {
    Format::Csv(Dialect::default())
}

fn columns(names: &[&str]) -> Vec<Expr> {
    names.iter().enumerate().map(|(place, name)| col(*name).alias(format!("w{place}"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_that_pass_side_by_side_are_a_stretch() {
    assert_eq!(found(as_read, columns(&["a", "b", "c", "d", "e"]), csv()).await, ["0: a* b c d e"]);
    // In another order, from another file only, and alone.
    let mixed = columns(&["d", "e", "c", "f", "a", "b"]);
    assert_eq!(found(as_read, mixed, csv()).await, ["0: d* e", "4: a* b"]);
    assert_eq!(found(as_read, columns(&["a", "c", "e", "f"]), csv()).await, [""; 0]);
    assert_eq!(found(as_read, columns(&["a", "b", FILE]), csv()).await, ["0: a* b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_looked_at_is_never_the_carrier() {
    let mut computed = columns(&["a", "b", "c"]);
    computed.push(concat(vec![col("a"), lit("/"), col("c")]).alias("joined"));
    assert_eq!(found(as_read, computed, csv()).await, ["0: a+ b* c+"]);
    // What is written twice is looked at for each place.
    assert_eq!(found(as_read, columns(&["a", "b", "b", "c"]), csv()).await, ["0: a* b+", "2: b+ c*"]);
    assert_eq!(found(as_read, columns(&["a", "b", "a", "b"]), csv()).await, [""; 0]);
}

/// A rule shows the rows that it leaves out: by their line, and by names that are those of the files.
#[tokio::test(flavor = "multi_thread")]
async fn a_rule_looks_at_what_its_condition_and_its_message_name() {
    let rule = || RejectRule { message: col("d"), ..RejectRule::new(col("e").not_eq(lit("5")), "feed/five", "") };
    let ruled = |rows, log| reject::unless(rows, vec![rule()], log).unwrap();
    assert_eq!(found(ruled, columns(&["a", "b"]), csv()).await, ["0: a* b", "left: c f"]);
    assert_eq!(found(ruled, columns(&["a", "b", "c", "d"]), csv()).await, ["0: a* b c d+", "left: f"]);
    let renamed = |names: [&'static str; 3]| {
        move |rows: DataFrame, log| {
            let [a, b, c] = names;
            let columns =
                [col("a").alias(a), col("b").alias(b), col("c").alias(c), col("d"), col("e"), col(FILE), col(ROW)];
            reject::unless(rows.select(columns.to_vec()).unwrap(), vec![rule()], log).unwrap()
        }
    };
    assert_eq!(found(renamed(["a", "b", "c"]), columns(&["a", "b", "c"]), csv()).await, ["0: a* b c"]);
    assert_eq!(found(renamed(["a", "b", "z"]), columns(&["a", "b", "z"]), csv()).await, ["0: a* b c+"]);
    assert_eq!(found(renamed(["b", "a", "c"]), columns(&["b", "a", "c"]), csv()).await, ["0: a+ b+ c*"]);
    assert_eq!(found(renamed(["a", "b", "f"]), columns(&["a", "b", "f"]), csv()).await, ["0: a* b c+"]);
    let nowhere = |rows: DataFrame, log| {
        let rows = rows.select(columns_of("abcde")).unwrap();
        reject::unless(rows, vec![rule()], log).unwrap()
    };
    assert_eq!(found(nowhere, columns(&["a", "b", "c"]), csv()).await, [""; 0]);
}

fn columns_of(names: &str) -> Vec<Expr> {
    names.chars().map(|name| col(name.to_string())).collect()
}

/// The first column is new, the others are those of its input, of which it looks at one.
#[derive(Debug)]
struct Looking(Carried);

impl Operator for Looking {
    fn name(&self) -> &'static str {
        "Looking"
    }

    fn carries(&self) -> Option<&Carried> {
        Some(&self.0)
    }

    fn start(&self, rows: SendableRecordBatchStream, _: SchemaRef, _: &TaskContext) -> QueryResult<Batches> {
        Ok(rows.boxed())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_looks_at_what_it_reads() {
    let looked = |rows: DataFrame, _| {
        let fields = rows.schema().fields().iter().map(|field| field.as_ref().clone()).collect::<Vec<_>>();
        let from = (0..fields.len()).map(|place| Some(place).filter(|place| *place > 0)).collect();
        operator::with_columns(rows, fields, Arc::new(Looking(Carried { from, reads: vec![2], holds: 0 }))).unwrap()
    };
    let columns = || columns(&["a", "b", "c", "d"]);
    assert_eq!(found(looked, columns(), csv()).await, ["1: b* c+ d", "left: a e f"]);
    // Whatever a rule shows as `a`, it is not the column of the files.
    let ruled = |rows, log: Arc<DeadLetter>| {
        let rule = RejectRule::new(col("e").not_eq(lit("5")), "feed/five", "is five");
        reject::unless(looked(rows, log.clone()), vec![rule], log).unwrap()
    };
    assert_eq!(found(ruled, columns(), csv()).await, ["1: b* c+ d", "left: f"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_written_as_it_was_read_is_a_stretch() {
    let all = || columns(&["a", "b", "c"]);
    for other in [
        Dialect { delimiter: b';', ..Dialect::default() },
        Dialect { quote_mode: QuoteMode::Always, ..Dialect::default() },
        Dialect { null_text: "NULL".to_owned(), ..Dialect::default() },
        Dialect { encoding: encoding_rs::WINDOWS_1252, ..Dialect::default() },
    ] {
        assert_eq!(found(as_read, all(), Format::Csv(other)).await, [""; 0]);
    }
    assert_eq!(found(as_read, all(), Format::Parquet).await, [""; 0]);
}

#[test]
fn a_row_is_found_again_by_its_line() {
    let unseen = Unseen { stretches: Vec::new(), left: vec!["b".to_owned(), "c".to_owned()] };
    let cells = Arc::new(StringViewArray::from(vec![Some("x"), None, Some("z")])) as _;
    let lines = Arc::new(UInt64Array::from(vec![2, 3, 7])) as _;
    let whole = RecordBatch::try_from_iter([("b", cells), (ROW, lines)]).unwrap();
    let reject = |row| Reject {
        file: None,
        row,
        code: String::new(),
        message: String::new(),
        record: json!({"a": "1", "b": null, "c": null}),
    };
    for (row, cell) in [(7, json!("z")), (3, Value::Null)] {
        let mut shown = reject(Some(row));
        unseen.show(vec![&mut shown], &whole).unwrap();
        assert_eq!(shown.record, json!({"a": "1", "b": cell, "c": null}));
    }
    for row in [Some(4), None] {
        assert!(unseen.show(vec![&mut reject(row)], &whole).is_err());
    }
}
