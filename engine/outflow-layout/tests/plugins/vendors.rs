//! The built-in plugins beside `simon` as the engine meets them; what each of them computes is tested in its crate.

use outflow_formats::format::{Compression, Escape, Format};
use outflow_layout::builtin;
use outflow_layout::layout::{CounterScope, Layout};
use serde_json::{Value, json};

use crate::*;

async fn open(name: &str, options: &Value) -> Box<dyn Layout> {
    let plugin = HOST.load(name, builtin::component(name).expect("built in")).expect("it loads");
    Box::new(plugin.open(options, &run("s3")).await.expect("good options"))
}

fn documented(name: &str, schema: &Value) {
    for (option, schema) in schema["properties"].as_object().into_iter().flatten() {
        assert!(schema["description"].is_string(), "{name}: `{option}` has no description");
        documented(name, schema);
        documented(name, &schema["items"]);
    }
}

/// The text beside each plugin is what its component says of itself, and every option is documented.
#[test]
fn manifests() {
    for manifest in builtin::manifests() {
        let plugin = HOST.load(&manifest.name, builtin::component(&manifest.name).expect("built in"));
        let described = wait(plugin.expect("it loads").describe()).expect("a manifest");
        assert_eq!(format!("{described:?}"), format!("{manifest:?}"));
        documented(&manifest.name, &manifest.config_schema);
    }
}

/// CIO-1, CIO-9, CIO-10, CIO-11, CIO-14, CIO-23: what crosses the border of the plugin.
#[test]
fn customerio() {
    wait(async {
        let options = json!({"integration_id": 2184, "action_id": 13699, "format": "csv", "escape": "backslash"});
        let mut customerio = open("customerio", &options).await;
        let outputs = customerio.outputs(&[input(&["_outflow_row", "type", "messageId"])]).await.expect("a plan");
        assert_eq!(outputs.len(), 6);
        for output in &outputs {
            assert_eq!(output.input_rules, outputs[0].input_rules);
            assert!(output.rules.is_empty() && !output.write_when_empty);
            let Format::Csv(dialect) = &output.format else { panic!("not CSV") };
            assert_eq!(dialect.escape, Escape::Backslash);
            let counter = &output.counters[0];
            assert_eq!((counter.name.as_str(), counter.scope, counter.first), ("2184.13699", CounterScope::Run, 1));
        }
        let mut file = intent("", 1);
        file.dataset = "track".into();
        file.counters = vec![("2184.13699".into(), 1)];
        let name = customerio.name_files(&[(file, None)]).await.expect("a name").remove(0);
        assert_eq!(name.path, "2184.13699.1.track.csv");
    });
}

/// APSIS-14, APSIS-15, APSIS-17: the document and its container.
#[test]
fn apsis() {
    wait(async {
        let options = json!({"sections": [{"section": "s", "tags": ["vip"]}], "compression": "gzip"});
        let mut apsis = open("apsis", &options).await;
        let outputs = apsis.outputs(&[input(&["profile", "section", "kind", "id"])]).await.expect("a plan");
        let [output] = <[_; 1]>::try_from(outputs).expect("one document");
        let Format::JsonObject(object) = output.format else { panic!("not a document") };
        assert_eq!((object.key.as_str(), object.root.as_deref()), ("profile", Some("profiles")));
        assert!(output.query.is_some() && output.write_when_empty && output.compression == Compression::Gzip);
        assert_eq!(output.input_rules.len(), 2);
        let name = apsis.name_files(&[(intent("", 1), None)]).await.expect("a name").remove(0);
        assert_eq!(name.path, "welcome-flow_20170314T175413Z.json.gz");
    });
}
