//! Each function by what SQL gives, and what becomes of its results in the plan.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::{DataFrame, SessionContext};
use outflow_formats::{JSON_METADATA, JSON_RAW};

use crate::plan;

fn session(memory: usize) -> SessionContext {
    let session = plan::session(memory).unwrap();
    let text = |values: [Option<&str>; 5]| Arc::new(StringViewArray::from(values.to_vec())) as ArrayRef;
    let raw = [(JSON_METADATA.to_owned(), JSON_RAW.to_owned())];
    let schema = Schema::new(vec![
        Field::new("id", DataType::Int64, true),
        Field::new("name", DataType::Utf8View, true),
        Field::new("data", DataType::Utf8View, true).with_metadata(raw.into()),
        Field::new("tags", DataType::Utf8View, true),
    ]);
    let columns = vec![
        Arc::new(Int64Array::from(vec![1, 1, 2, 1, 3])) as ArrayRef,
        text([Some("a"), Some("b\"x"), Some("c"), Some("a"), Some("d")]),
        text([Some("{\"k\": [1, 2]}"), Some("7"), None, Some("not json"), Some("true")]),
        text([Some("[\"x\", \"y,z\", null, 1.10]"), Some("[]"), None, Some("plain"), Some("[broken")]),
    ];
    session.register_batch("input", RecordBatch::try_new(Arc::new(schema), columns).unwrap()).unwrap();
    session
}

async fn rows(frame: DataFrame) -> Vec<String> {
    let options = FormatOptions::new().with_null("-");
    let mut rows = Vec::new();
    for batch in frame.collect().await.unwrap() {
        let columns = batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap());
        let columns = columns.collect::<Vec<_>>();
        rows.extend(
            (0..batch.num_rows())
                .map(|row| columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join("|")),
        );
    }
    rows
}

/// ACT multi-value columns, CIO objects and slugs, APSIS documents are made of these.
#[tokio::test]
async fn functions_give_what_they_say() {
    let session = session(64 << 20);
    for (expression, expected) in [
        ("json_object()", "{}"),
        (
            "json_object('a', 1, 'b', NULL, 'c', 'x\"y', 'd', true, 'e', 1.5)",
            r#"{"a":1,"b":null,"c":"x\"y","d":true,"e":1.5}"#,
        ),
        ("json_object('o', json_object('i', 1), 7, json_text('t'))", r#"{"o":{"i":1},"7":"t"}"#),
        ("json_object('t', '{\"a\": 1}', 'r', json_raw('{\"a\": 1}'))", r#"{"t":"{\"a\": 1}","r":{"a":1}}"#),
        ("json_object('l', [1, 2])", r#"{"l":[1,2]}"#),
        ("json_object('c', coalesce(json_raw(NULL), 'x'))", r#"{"c":"x"}"#),
        ("json_text('é\n')", r#""é\n""#),
        ("json_text(12)", "12"),
        ("json_text(NULL)", "-"),
        ("json_raw(' {\"a b\" : [1, \"c \\\" d\"] } ')", r#"{"a b":[1,"c \" d"]}"#),
        ("json_raw('{oops')", r#""{oops""#),
        ("json_raw(CAST(NULL AS VARCHAR))", "-"),
        ("list_join('[\"a\",\"b\\u00e9\",null,{\"x\": 1},2.50]', '; ')", "a; bé; {\"x\": 1}; 2.50"),
        ("list_join('[]', ',')", ""),
        ("list_join('plain', ',')", "plain"),
        ("list_join('[broken', ',')", "[broken"),
        ("list_join(['a', NULL, 'b'], ',')", "a,b"),
        ("list_join([1, 2], '|')", "1|2"),
        ("list_join(5, ',')", "5"),
        ("list_join(NULL, ',')", "-"),
        ("list_fits('[\"a\",\"b,c\"]', ',')", "false"),
        ("list_fits('[\"a\",\"b,c\"]', ';')", "true"),
        ("list_fits(['a,b'], ',')", "false"),
        ("list_fits('a,b', ',')", "false"),
        ("list_fits(NULL, ',')", "true"),
        // CIO-17: the slug of an event's name.
        ("snake_case('Report Submitted')", "report_submitted"),
        ("snake_case('orderPlaced')", "order_placed"),
        ("snake_case('HTTPRequest v2Done')", "http_request_v2_done"),
        ("snake_case('  Été — à la PLAGE! ')", "été_à_la_plage"),
        ("snake_case('日本 語')", "日本_語"),
        ("snake_case('--')", ""),
        ("snake_case('E\u{301}te\u{301}')", "été"),
        ("snake_case(NULL)", "-"),
    ] {
        let frame = session.sql(&format!("SELECT {expression} AS r")).await;
        assert_eq!(
            rows(frame.unwrap_or_else(|error| panic!("{expression}: {error}"))).await,
            [expected],
            "{expression}"
        );
    }
}

#[tokio::test]
async fn columns_and_groups() {
    let session = session(64 << 20);
    for (query, expected) in [
        (
            "SELECT json_object('id', id, 'd', data) FROM input",
            vec![
                r#"{"id":1,"d":{"k": [1, 2]}}"#,
                r#"{"id":1,"d":7}"#,
                r#"{"id":2,"d":null}"#,
                r#"{"id":1,"d":"not json"}"#,
                r#"{"id":3,"d":true}"#,
            ],
        ),
        ("SELECT json_text(data) FROM input", vec![r#"{"k":[1,2]}"#, "7", "-", r#""not json""#, "true"]),
        (
            "SELECT list_join(tags, ';'), list_fits(tags, ',') FROM input",
            vec!["x;y,z;1.10|false", "|true", "-|true", "plain|true", "[broken|true"],
        ),
        (
            "SELECT id, json_object_agg(name, data), json_array_agg(name) FROM input GROUP BY id ORDER BY id",
            vec![r#"1|{"a":"not json","b\"x":7}|["a","b\"x","a"]"#, r#"2|{"c":null}|["c"]"#, r#"3|{"d":true}|["d"]"#],
        ),
        (
            "SELECT json_array_agg(id) FILTER (WHERE name <> 'a'), json_array_agg(id) FILTER (WHERE id > 9) FROM input",
            vec!["[1,2,3]|-"],
        ),
        (
            "SELECT id, json_array_agg(name) FILTER (WHERE name <> 'a') FROM input GROUP BY id ORDER BY id",
            vec![r#"1|["b\"x"]"#, r#"2|["c"]"#, r#"3|["d"]"#],
        ),
        (
            "SELECT json_object_agg(CAST(id AS VARCHAR), inner_one) FROM (SELECT id, json_object_agg(name, id) AS inner_one \
             FROM input WHERE id > 1 GROUP BY id ORDER BY id)",
            vec![r#"{"2":{"c":2},"3":{"d":3}}"#],
        ),
    ] {
        let frame = session.sql(query).await.unwrap_or_else(|error| panic!("{query}: {error}"));
        assert_eq!(rows(frame).await, expected, "{query}");
    }
}

#[tokio::test]
async fn results_are_json_to_whoever_writes_them() {
    let session = session(64 << 20);
    let query = "SELECT json_object('a', id), json_text(name), json_raw(tags), list_join(tags, ',') FROM input";
    let grouped =
        "SELECT json_array_agg(id), json_object_agg(name, id), json_array_agg(id) || '', min(name) FROM input";
    for (query, expected) in [(query, [true, true, true, false]), (grouped, [true, true, false, false])] {
        let frame = session.sql(query).await.unwrap();
        let batches = frame.clone().collect().await.unwrap();
        let marked = |field: &Arc<Field>| field.metadata().contains_key(JSON_METADATA);
        assert_eq!(frame.schema().fields().iter().map(marked).collect::<Vec<_>>(), expected, "{query}");
        assert_eq!(batches[0].schema().fields().iter().map(marked).collect::<Vec<_>>(), expected, "{query}");
    }
}

#[tokio::test]
async fn mistakes_are_errors() {
    let session = session(64 << 20);
    for (query, message) in [
        ("SELECT json_object('a') FROM input", "the last key has no value"),
        ("SELECT json_object(data, 1) FROM input", "the key of a member is null"),
        ("SELECT json_object_agg(data, 1) FROM input", "the key of a member is null"),
        ("SELECT json_object('a', CAST('NaN' AS DOUBLE)) FROM input", "is not a number"),
    ] {
        let error = match session.sql(query).await {
            Ok(frame) => frame.collect().await.map(|_| ()).unwrap_err(),
            Err(error) => error,
        };
        assert!(error.to_string().contains(message), "{query}: {error}");
    }
}

const GROUPED: &str = "SELECT g, json_array_agg(v) AS a, json_object_agg(CAST(v % 5 AS VARCHAR), v) AS o \
                       FROM (SELECT value % 20011 AS g, value AS v FROM generate_series(1, 200000)) GROUP BY g";

/// With little memory groups are set aside and come back whole, each in order.
#[tokio::test]
async fn groups_keep_their_order_in_little_memory() {
    let mut small = rows(session(16 << 20).sql(GROUPED).await.unwrap()).await;
    let mut large = rows(session(1 << 30).sql(GROUPED).await.unwrap()).await;
    small.sort();
    large.sort();
    assert_eq!(small.len(), 20011);
    assert_eq!(small, large);
    assert!(small.iter().any(|row| row.starts_with("1|[1,20012,40023,60034,")), "{}", small[0]);
}

/// Groups whose rows come from several partitions are put together from their parts.
#[tokio::test]
async fn parts_of_groups_are_merged() {
    let state = session(1 << 30).state();
    let config = state.config().clone().with_target_partitions(4).with_batch_size(1000);
    let state = SessionStateBuilder::new_from_existing(state).with_config(config).build();
    let told = rows(SessionContext::new_with_state(state).sql(GROUPED).await.unwrap()).await;
    assert_eq!(told.len(), 20011);
    for row in told {
        let [_, array, object] = row.split('|').collect::<Vec<_>>()[..] else { panic!("{row}") };
        let array = serde_json::from_str::<Vec<u64>>(array).unwrap();
        let object = serde_json::from_str::<std::collections::BTreeMap<String, u64>>(object).unwrap();
        assert!(array.len() >= 9 && array.iter().all(|value| value % 20011 == array[0] % 20011), "{row}");
        assert!(object.len() == 5 && object.values().all(|value| array.contains(value)), "{row}");
    }
}
