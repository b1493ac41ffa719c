//! The `sailthru` plugin as the engine meets it: what it plans, and the names of its files.

use outflow_layout::builtin;
use outflow_layout::layout::{FileIntent, LayoutError};
use serde_json::json;

use crate::*;

fn intent(dataset: &str, partition: &[(&str, &str)]) -> FileIntent {
    let partition = partition.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    FileIntent { dataset: dataset.into(), partition, ..crate::intent("add", 1) }
}

/// SAIL-1, SAIL-6, SAIL-7, SAIL-8, SAIL-9, SAIL-10, SAIL-12: one output a table; folders by day, hour in UTC, client.
#[test]
fn plan_and_names() {
    wait(async {
        let options = json!({"tables": ["campaign_click", "campaign"]});
        let mut layout = builtin::open("sailthru", &options, &run("s3")).await.expect("good options");
        let columns = ["_outflow_row", "table", "client_id", "event_time", "campaign_id", "url", "new"];
        let outputs = layout.outputs(&[input(&columns)]).await.expect("a plan");
        assert_eq!(outputs.len(), 2);
        let click = &outputs[0];
        assert_eq!(click.input_rules.len(), 2);
        assert_eq!(click.fields.last().map(|field| field.name.as_str()), Some("new"));
        assert_eq!(click.filter.as_deref(), Some("\"table\" = 'campaign_click'"));
        let keys: Vec<_> = click.partition_by.iter().map(|key| key.name.as_str()).collect();
        assert_eq!(keys, ["dt", "client_id"]);
        let files = [
            (intent("campaign_click", &[("dt", "20190926"), ("client_id", "0000")]), None),
            (intent("campaign", &[("client_id", "0000")]), None),
        ];
        let names = layout.name_files(&files).await.expect("names");
        assert_eq!(names[0].path, "campaign_click/dt=20190926/client_id=0000/part-1a2b3c4d.csv");
        assert_eq!(names[1].path, "campaign/dt=20170314/hr=17/client_id=0000/part-1a2b3c4d.csv");
        assert!(layout.files_written(&[]).await.expect("no companions").is_empty());
    });
}

#[test]
fn wrong_options_and_columns() {
    wait(async {
        let refused = builtin::open("sailthru", &json!({"tables": ["blast"]}), &run("s3")).await.err();
        let Some(LayoutError::Options(found)) = refused else { panic!("{refused:?}") };
        assert_eq!(found[0].path, "/tables/0");
        let options = json!({"tables": ["campaign_click"]});
        let mut layout = builtin::open("sailthru", &options, &run("s3")).await.expect("good options");
        let refused = layout.outputs(&[input(&["client_id"])]).await.expect_err("wrong columns").to_string();
        assert!(refused.contains("no column `event_time`, which `campaign_click` needs"), "{refused}");
    });
}
