//! A transform that behaves: columns of every type through the packed buffers, rejects, and values that do not fit.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{
    ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, StringArray, StringViewArray, StructArray,
};
use arrow::datatypes::{DataType, Field, Fields, Int64Type};
use outflow_layout::layout::LayoutError;
use outflow_layout::transform::{MemoryAccount, Mode};
use serde_json::json;

use crate::*;

fn text(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringViewArray::from(values.to_vec()))
}

fn contacts() -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable([
        ("id", Arc::new(Int64Array::from(vec![1, 2, 3, 4])) as ArrayRef, true),
        (
            "email",
            text(&[Some(" Ann.Lee+x@GMAIL.com "), None, Some("nobody"), Some("a.longer.address@Example.org")]),
            true,
        ),
        ("phone", text(&[Some("+32 2"), Some("none"), None, Some("00")]), true),
        ("_outflow_row", Arc::new(Int64Array::from(vec![2, 3, 4, 5])) as ArrayRef, true),
    ])
    .expect("a batch")
}

fn shown(column: &ArrayRef) -> Vec<Option<String>> {
    column.as_string_view().iter().map(|text| text.map(str::to_owned)).collect()
}

#[test]
fn normalise_one_to_one_and_with_rejects() {
    wait(async {
        let plugin = HOST.load_transform("normalise", normalise()).expect("it loads");
        let options = json!({"emails": ["email"], "phones": ["phone"]});
        let mut transform = plugin.open(&options, &contacts().schema(), None).await.expect("good options");
        let io = transform.io().clone();
        assert_eq!((io.mode, io.reads.len(), io.writes[1].name().as_str()), (Mode::OneToOne, 2, "phone"));
        for batch in [contacts(), contacts().slice(0, 4)] {
            let applied = transform.apply(&batch).await.expect("an answer");
            assert!(applied.source.is_none() && applied.refused.is_empty());
            let emails = ["annlee@gmail.com", "", "nobody", "a.longer.address@example.org"];
            let emails = emails.map(|text| Some(text.to_owned()).filter(|text| !text.is_empty()));
            assert_eq!(shown(&applied.columns[0]), emails);
            assert_eq!(
                shown(&applied.columns[1]),
                ["322", "none", "", "00"].map(|t| Some(t.to_owned()).filter(|t| !t.is_empty()))
            );
        }
        // A slice has offsets and validity that begin in the middle of a byte.
        let applied = transform.apply(&contacts().slice(1, 3)).await.expect("an answer");
        assert_eq!(shown(&applied.columns[1])[0].as_deref(), Some("none"));
        assert_eq!(shown(&applied.columns[0])[0], None);

        let options = json!({"emails": ["email"], "phones": ["phone"], "reject_invalid": true});
        let mut strict = plugin.open(&options, &contacts().schema(), None).await.expect("good options");
        let applied = strict.apply(&contacts()).await.expect("an answer");
        let refused: Vec<_> = applied.refused.iter().map(|refused| (refused.row, refused.code.as_str())).collect();
        assert_eq!(refused, [(1, "normalise/phone"), (2, "normalise/email")]);
        assert_eq!(applied.source.expect("fewer rows").values().to_vec(), [0, 3]);
        assert_eq!(shown(&applied.columns[1]), [Some("322".to_owned()), Some("00".to_owned())]);

        let wrong = plugin.open(&json!({"emails": ["mail"]}), &contacts().schema(), None).await;
        let Err(LayoutError::Options(found)) = wrong else { panic!("a column that is not there") };
        assert_eq!((found[0].code.as_str(), found[0].path.as_str()), ("normalise/column", "/emails/0"));
        assert!(!found[0].help.as_deref().expect("help").contains("_outflow"), "the engine's columns are not shown");
    });
}

/// Values that a plugin cannot be given in the type it asks for are rejected rows; parts go as JSON.
#[test]
fn types() {
    let fields = Fields::from(vec![Field::new("x", DataType::Utf8, true), Field::new("n", DataType::Int64, true)]);
    let parts: Vec<ArrayRef> =
        vec![Arc::new(StringArray::from(vec!["q\"", "r"])), Arc::new(Int64Array::from(vec![Some(1), None]))];
    let columns: [(&str, ArrayRef); 2] = [
        ("email", Arc::new(StructArray::new(fields, parts, None))),
        ("flag", Arc::new(BooleanArray::from(vec![true, false]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).expect("a batch");
    wait(async {
        let plugin = HOST.load_transform("normalise", normalise()).expect("it loads");
        let options = json!({"emails": ["email"], "phones": ["flag"], "gmail": false});
        let mut transform = plugin.open(&options, &batch.schema(), None).await.expect("good options");
        let applied = transform.apply(&batch).await.expect("an answer");
        let expected = [r#"{"x":"q\"","n":1}"#, r#"{"x":"r","n":null}"#].map(|text| Some(text.to_owned()));
        assert_eq!(shown(&applied.columns[0]), expected);
        assert_eq!(shown(&applied.columns[1]), ["true", "false"].map(|text| Some(text.to_owned())));

        let batch = RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(vec![5, 6])) as ArrayRef)]);
        let batch = batch.expect("a batch");
        assert_eq!(batch.column(0).as_primitive::<Int64Type>().value(1), 6);
        let numbers = plugin.open(&json!({"emails": ["n"]}), &batch.schema(), None).await.expect("numbers as text");
        assert_eq!(numbers.io().reads[0].data_type(), &DataType::Utf8);
    });
}

#[derive(Default)]
struct Ledger {
    used: AtomicUsize,
    limit: usize,
}

impl MemoryAccount for Ledger {
    fn grow(&self, bytes: usize) -> Result<(), String> {
        match self.used.load(Ordering::SeqCst) + bytes > self.limit {
            true => Err("the pool is empty".to_owned()),
            false => {
                self.used.fetch_add(bytes, Ordering::SeqCst);
                Ok(())
            }
        }
    }

    fn shrink(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::SeqCst);
    }
}

/// Memory of guests is borrowed, given back when they end, and refused when there is none.
#[test]
fn memory_is_borrowed() {
    wait(async {
        let plugin = HOST.load_transform("normalise", normalise()).expect("it loads");
        let ledger = Arc::new(Ledger { limit: 64 << 20, ..Ledger::default() });
        let options = json!({"emails": ["email"]});
        let transform = plugin.open(&options, &contacts().schema(), Some(ledger.clone())).await.expect("it opens");
        assert!(ledger.used.load(Ordering::SeqCst) > 64 << 10);
        drop(transform);
        assert_eq!(ledger.used.load(Ordering::SeqCst), 0);

        let poor = Arc::new(Ledger { limit: 1 << 10, ..Ledger::default() });
        let error = plugin.open(&options, &contacts().schema(), Some(poor.clone())).await.err().expect("no memory");
        let error = error.to_string();
        assert!(error.starts_with("plugin/memory: the plugin `normalise` needed more memory than the run has left ("));
        assert!(error.ends_with(": the pool is empty"), "{error}");
        assert_eq!(poor.used.load(Ordering::SeqCst), 0);
    });
}
