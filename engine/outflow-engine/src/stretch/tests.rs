//! Which columns are found to pass, and that what is written of them is what they would be written as one by one.

use std::sync::Arc;

use datafusion::logical_expr::{Expr, col, lit};
use datafusion::prelude::concat;
use outflow_formats::format::{Dialect, QuoteMode};
use outflow_spec::source::FilesSource;
use serde_json::json;

use super::*;
use crate::dead_letter::DeadLetter;
use crate::progress::Quiet;
use crate::reject::RejectRule;
use crate::source::files::FilesInput;
use crate::source::{FILE, Reading};
use crate::{lane, plan};

/// The stretches of columns that are written of files with the columns `a` to `e`, as `first: names`; what is read beside
/// that has a `+`, and the carrier a `*`.
async fn found(written: Vec<Expr>, rules: Vec<RejectRule>, format: Format) -> Vec<String> {
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
    let rows = session.read_table(table.clone()).unwrap();
    let rows = reject::unless(rows, rules, dead_letter).unwrap().select(written).unwrap();
    let plan = rows.create_physical_plan().await.unwrap();
    assert!(lane::carries(plan.as_ref()), "{plan:?}");
    let told = |stretch: Stretch| {
        let names = stretch.columns.iter().enumerate().map(|(place, member)| {
            let mark = if place == stretch.carrier { "*" } else { "" };
            format!("{}{}{mark}", member.name, if member.read { "+" } else { "" })
        });
        format!("{}: {}", stretch.first, names.collect::<Vec<_>>().join(" "))
    };
    stretches(&[plan.as_ref()], columns, table.files(), &format).into_iter().map(told).collect()
}

fn columns(names: &[&str]) -> Vec<Expr> {
    names.iter().enumerate().map(|(place, name)| col(*name).alias(format!("w{place}"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_that_pass_side_by_side_are_a_stretch() {
    let csv = || Format::Csv(Dialect::default());
    assert_eq!(found(columns(&["a", "b", "c", "d", "e"]), vec![], csv()).await, ["0: a* b c d e"]);
    // In another order, from another file only, and alone.
    assert_eq!(found(columns(&["d", "e", "c", "f", "a", "b"]), vec![], csv()).await, ["0: d* e", "4: a* b"]);
    assert_eq!(found(columns(&["a", "c", "e", "f"]), vec![], csv()).await, [""; 0]);
    assert_eq!(found(columns(&["a", "b", FILE]), vec![], csv()).await, ["0: a* b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_beside_is_never_the_carrier() {
    let csv = || Format::Csv(Dialect::default());
    let mut computed = columns(&["a", "b", "c"]);
    computed.push(concat(vec![col("a"), lit("/"), col("c")]).alias("joined"));
    assert_eq!(found(computed, vec![], csv()).await, ["0: a+ b* c+"]);
    // What is written twice is read for each place.
    assert_eq!(found(columns(&["a", "b", "b", "c"]), vec![], csv()).await, ["0: a* b+", "2: b+ c*"]);
    assert_eq!(found(columns(&["a", "b", "a", "b"]), vec![], csv()).await, [""; 0]);
    // A rule shows the rows that it leaves out.
    let rule = RejectRule::new(col("e").not_eq(lit("5")), "feed/five", "is five");
    assert_eq!(found(columns(&["a", "b", "c"]), vec![rule], csv()).await, [""; 0]);
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
        assert_eq!(found(all(), vec![], Format::Csv(other)).await, [""; 0]);
    }
    assert_eq!(found(all(), vec![], Format::Parquet).await, [""; 0]);
}
