//! The `actito` plugin as the engine meets it: what it plans, and the names of its files.

use outflow_formats::format::{Compression, Format};
use outflow_layout::builtin;
use outflow_layout::layout::FileIntent;
use serde_json::json;

use crate::*;

/// ACT-2, ACT-3, ACT-14, ACT-20, ACT-21, ACT-30: outputs of enabled flows, and their archives.
#[test]
fn plan_and_names() {
    wait(async {
        let flows = json!(["email_sent", {"name": "email_open", "enabled": false}, "sms_sent"]);
        let options = json!({"flows": flows, "profile_tables": ["Customers", "Prospects"]});
        let mut layout = builtin::open("actito", &options, &run("file")).await.expect("good options");
        let columns = ["_outflow_row", "flow", "profileTable", "interactionMoment", "profileId", "score"];
        let outputs = layout.outputs(&[input(&columns)]).await.expect("a plan");
        assert_eq!(outputs.len(), 4);
        for output in &outputs {
            assert!(output.write_when_empty && output.compression == Compression::Zip);
            let Format::Csv(dialect) = &output.format else { panic!("not CSV") };
            assert_eq!(dialect.delimiter, b';');
            assert_eq!(output.input_rules, outputs[0].input_rules);
        }
        let file = FileIntent { dataset: "sms_sent_Prospects".into(), partition: vec![], ..intent("add", 1) };
        let name = layout.name_files(&[(file, None)]).await.expect("a name").remove(0);
        assert_eq!(name.path, "sms_sent_Prospects_20170314.zip");
        assert_eq!(name.archive_entry.as_deref(), Some("sms_sent_Prospects_20170314.csv"));
    });
}
