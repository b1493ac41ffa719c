//! Each transform over a small frame, by its YAML-shaped options, with the names that real files have.

mod rows;

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringViewArray, UInt64Array};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::prelude::{DataFrame, SessionContext};
use outflow_spec::transform::{ContextColumn, ContextsTransform, OnUndefined};
use serde_json::{Value, json};

use super::*;

fn session() -> SessionContext {
    crate::plan::session(64 << 20).unwrap()
}

fn frame() -> DataFrame {
    let text = |values: [Option<&str>; 3]| Arc::new(StringViewArray::from(values.to_vec())) as ArrayRef;
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("eMail", text([Some(" A@B.be"), None, Some("")]), true),
        ("first name", text([Some("Ann"), Some("Bob"), None]), true),
        ("a.b", text([Some("0099"), Some("1e5"), Some("x")]), true),
        ("age", Arc::new(Int64Array::from(vec![Some(30), None, Some(-1)])) as ArrayRef, true),
        ("active", Arc::new(BooleanArray::from(vec![true, false, true])) as ArrayRef, true),
        ("_outflow_row", Arc::new(UInt64Array::from(vec![2, 3, 4])) as ArrayRef, true),
    ]);
    session().read_batch(batch.unwrap()).unwrap()
}

struct Outcome {
    frame: DataFrame,
    rejects: Arc<DeadLetter>,
    _folder: tempfile::TempDir,
}

async fn run_specs(specs: &[TransformSpec]) -> Result<Outcome> {
    let folder = tempfile::tempdir().unwrap();
    let rejects = Arc::new(DeadLetter::create(folder.path().join("rejects.jsonl"), None));
    let context = TransformContext {
        index: 0,
        at: "2017-03-14T17:54:13Z".parse().unwrap(),
        timezone: TimeZone::UTC,
        rejects: Arc::clone(&rejects),
        base: folder.path().to_owned(),
        notes: Arc::default(),
        offline: false,
    };
    let frame = apply_all(specs, frame(), &context).await?;
    Ok(Outcome { frame, rejects, _folder: folder })
}

async fn run(specs: Value) -> Result<Outcome> {
    run_specs(&serde_json::from_value::<Vec<TransformSpec>>(specs).unwrap()).await
}

fn contexts(columns: &[(&str, &str, OnUndefined)]) -> [TransformSpec; 1] {
    let columns = columns.iter().map(|(name, template, on_undefined)| ContextColumn {
        name: String::from(*name),
        template: String::from(*template),
        on_undefined: *on_undefined,
    });
    [TransformSpec::Contexts(ContextsTransform { columns: columns.collect() })]
}

/// The rows as `name=value|…`, null as `-`, hidden columns too.
async fn rows(outcome: Outcome) -> Vec<String> {
    for field in outcome.frame.schema().fields() {
        assert!(!matches!(field.data_type(), DataType::Utf8 | DataType::LargeUtf8), "{field} has to be Utf8View");
    }
    let options = FormatOptions::new().with_null("-");
    let batches = outcome.frame.collect().await.unwrap();
    let mut rows = Vec::new();
    for batch in &batches {
        for row in 0..batch.num_rows() {
            let cells = batch.schema_ref().fields().iter().zip(batch.columns()).map(|(field, column)| {
                format!("{}={}", field.name(), ArrayFormatter::try_new(column, &options).unwrap().value(row))
            });
            rows.push(cells.collect::<Vec<_>>().join("|"));
        }
    }
    rows
}

#[tokio::test]
async fn transforms_change_what_they_name_and_nothing_else() {
    let cases = [
        (
            json!([{"hash": {"columns": ["eMail"]}}, {"select": {"columns": ["a.b", "eMail"]}}]),
            vec![
                format!("a.b=0099|eMail={}|_outflow_row=2", sha256("a@b.be")),
                "a.b=1e5|eMail=-|_outflow_row=3".into(),
                "a.b=x|eMail=|_outflow_row=4".into(),
            ],
        ),
        (
            json!([{"select": {"columns": ["new", "first name"], "on_missing": {"default": "x"}}}, {"filter": "\"first name\" = 'Bob'"}]),
            vec!["new=x|first name=Bob|_outflow_row=3".into()],
        ),
        (
            json!([{"select": {"columns": ["age", "gone"], "on_missing": "null", "on_new": "append"}}, {"filter": "age > 0"}]),
            vec!["age=30|gone=-|eMail= A@B.be|first name=Ann|a.b=0099|active=true|_outflow_row=2".into()],
        ),
        (
            json!([{"select": {"columns": ["age", "first name"]}}, {"derive": {"age": "age + 1", "Twice": "age * 2", "text": "upper(\"first name\")", "one": 1}}]),
            vec![
                "age=31|first name=Ann|Twice=62|text=ANN|one=1|_outflow_row=2".into(),
                "age=-|first name=Bob|Twice=-|text=BOB|one=1|_outflow_row=3".into(),
                "age=0|first name=-|Twice=0|text=-|one=1|_outflow_row=4".into(),
            ],
        ),
        (
            json!([{"sql": "SELECT active, count(*) AS n, 'x' AS t FROM input GROUP BY active ORDER BY active"}]),
            vec!["active=false|n=1|t=x".into(), "active=true|n=2|t=x".into()],
        ),
        (
            json!([{"sql": "SELECT eMail FROM input LIMIT 1"}, {"sql": "SELECT sha256_identity(eMail) AS i, sha256_exact(eMail) AS e, sha256_exact('') AS n FROM input"}]),
            vec![format!("i={}|e={}|n=", sha256("a@b.be"), sha256(" A@B.be"))],
        ),
    ];
    for (specs, expected) in cases {
        let outcome = run(specs.clone()).await.unwrap();
        assert_eq!(rows(outcome).await, expected, "{specs}");
    }
}

fn sha256(text: &str) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn contexts_are_appended_in_order_or_replace() {
    use OnUndefined::{Empty, Keep};
    let specs = contexts(&[
        ("greeting", "Hi {{ contact[\"first name\"] | default(\"you\") }}!", Empty),
        ("first name", "{{ contact['first name']|upper }}", Keep),
        ("kept", "{{ zork }} {{ age }}", Keep),
        ("flag", "{{ active }} {{ age }}", Empty),
        ("when", "{{ now()|format_date(locale='fr') }}", Empty),
        ("constant", "x", Empty),
    ]);
    let mut specs = specs.to_vec();
    let drop = json!({"select": {"columns": ["first name", "greeting", "kept", "flag", "when", "constant"]}});
    specs.push(serde_json::from_value(drop).unwrap());
    let expected = [
        "first name=ANN|greeting=Hi Ann!|kept={{ zork }} 30|flag=True 30|when=14 mars 2017|constant=x|_outflow_row=2",
        "first name=BOB|greeting=Hi Bob!|kept={{ zork }} {{ age }}|flag=False |when=14 mars 2017|constant=x|_outflow_row=3",
        "first name={{ contact['first name']|upper }}|greeting=Hi you!|kept={{ zork }} -1|flag=True -1|when=14 mars 2017|constant=x|_outflow_row=4",
    ];
    assert_eq!(rows(run_specs(&specs).await.unwrap()).await, expected);
}

#[tokio::test]
async fn rows_that_a_context_cannot_have_go_to_the_dead_letter() {
    let cases = [
        ("{{ age }}", OnUndefined::Error, vec![3], "contexts/undefined", "context `c`: the column `age` is null"),
        ("{{ age|upper }}", OnUndefined::Error, vec![3], "contexts/undefined", "context `c`: "),
        ("{{ age + 1 }}", OnUndefined::Error, vec![3], "contexts/render", "context `c`: tried to use + operator"),
        ("{{ contact['a.b']|format_number }}", OnUndefined::Empty, vec![4], "contexts/render", "`x` is not a number"),
    ];
    for (template, on_undefined, bad, code, message) in cases {
        let outcome = run_specs(&contexts(&[("c", template, on_undefined)])).await.unwrap();
        let rejects = Arc::clone(&outcome.rejects);
        let kept = rows(outcome).await;
        assert_eq!(kept.len() + bad.len(), 3, "{template}");
        assert!(kept[0].contains("|_outflow_row=2") && !kept[0].contains("work"), "{}", kept[0]);
        let first = rejects.first();
        assert_eq!(first.iter().filter_map(|reject| reject.row).collect::<Vec<_>>(), bad, "{template}");
        assert_eq!(first[0].code, code);
        assert!(first[0].message.contains(message), "{}", first[0].message);
        let columns = first[0].record.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(columns, ["eMail", "first name", "a.b", "age", "active"]);
    }
}

#[tokio::test]
async fn simple_contexts_are_expressions_of_the_plan() {
    let outcome = run_specs(&contexts(&[("c", "{{ age }} {{ zork }}", OnUndefined::Empty)])).await.unwrap();
    let plan = outcome.frame.logical_plan().display_indent().to_string();
    assert!(!plan.contains("render") && !plan.contains("Reject"), "{plan}");
}

#[tokio::test]
async fn mistakes_are_errors_with_the_place_and_what_is_there() {
    let cases = [
        (
            json!([{"hash": {"columns": ["email"]}}]),
            "transform 1 (`hash`): the input has no column `email`",
            "did you mean `eMail`?",
        ),
        (json!([{"select": {"columns": ["age", "zzz"]}}]), "no column `zzz`", "the columns are `eMail`, `first name`"),
        (json!([{"select": {"columns": ["age", "age"]}}]), "`age` is named twice", ""),
        (json!([{"select": {"columns": ["_outflow_row"]}}]), "no column `_outflow_row`", ""),
        (
            json!([{"select": {"columns": ["age"], "on_new": "error"}}]),
            "not named: `eMail`, `first name`, `a.b`, `active`",
            "`on_new`",
        ),
        (
            json!([{"hash": {"columns": ["age"], "algorithm": "hmac_sha256"}}]),
            "`hmac_sha256` needs a `key`",
            "HASH_KEY",
        ),
        (json!([{"hash": {"columns": ["age"], "e164_country": "+32"}}]), "not a country calling code", "`32`"),
        (json!([{"filter": "age >"}]), "transform 1 (`filter`): `age >`", ""),
        (json!([{"filter": "agee = 1"}]), "agee", ""),
        (json!([{"filter": "age + 1"}]), "gives Int64 and not true or false", ""),
        (json!([{"filter": "_outflow_row = 2"}]), "_outflow_row", ""),
        (json!([{"derive": {"x": "age +* 1"}}]), "`age +* 1`", ""),
        (json!([{"derive": {"x": [1]}}]), "`x` has to be a SQL expression", ""),
        (json!([{"derive": {"_outflow_x": "1"}}]), "are taken", ""),
        (json!([{"sql": "CREATE TABLE x AS SELECT 1"}]), "DDL not supported", ""),
        (json!([{"sql": "INSERT INTO input SELECT * FROM input"}]), "DML not supported", ""),
        (json!([{"sql": "COPY input TO 'x.csv'"}]), "write the SELECT", ""),
        (json!([{"sql": "SET datafusion.execution.batch_size = 1"}]), "Statement not supported", ""),
        (json!([{"sql": "EXPLAIN SELECT * FROM input"}]), "write the SELECT", ""),
        (json!([{"sql": "DESCRIBE input"}]), "write the SELECT", ""),
        (json!([{"sql": "SELECT * FROM other"}]), "other", ""),
        (json!([{"sql": "SELECT 1; SELECT 2"}]), "only supports a single SQL statement", ""),
        (json!([{"filter": "age = 1"}, {"sql": "SELECT nope FROM input"}]), "transform 2 (`sql`)", ""),
    ];
    for (specs, message, hint) in cases {
        let Err(error) = run(specs.clone()).await else { panic!("{specs} is accepted") };
        assert!(error.to_string().to_lowercase().contains(&message.to_lowercase()), "{specs}: {error}");
        assert!(error.hint_text().unwrap_or_default().contains(hint), "{specs}: {:?}", error.hint_text());
    }
    let cases = [
        (
            "{{ agee }}",
            OnUndefined::Error,
            "transform 1 (`contexts`): context `c`, line 1, column 4: the input has no column `agee`",
        ),
        ("{{ age|nope }}", OnUndefined::Empty, "context `c`: unknown filter `nope` at line 1, column 8"),
    ];
    for (template, on_undefined, message) in cases {
        let Err(error) = run_specs(&contexts(&[("c", template, on_undefined)])).await else {
            panic!("{template} is accepted")
        };
        assert!(error.to_string().contains(message), "{error}");
    }
}

/// No key in a plan: it is printed in logs and explanations.
#[tokio::test]
async fn keys_are_never_shown() {
    let spec = json!([{"hash": {"columns": ["eMail"], "algorithm": "hmac_sha256", "key": "s3cret-key"}}]);
    let outcome = run(spec).await.unwrap();
    let shown = format!("{:?} {}", outcome.frame.logical_plan(), outcome.frame.logical_plan().display_indent());
    assert!(!shown.contains("s3cret-key"));
}
