//! Connections: what a pipeline gets of them, and what is found wrong on either side.

use crate::fill::Lookup;
use crate::sink::SinkSpec;
use crate::{Language, LoadOptions, Loaded, Project, load};

struct Key;

impl Lookup for Key {
    fn env(&self, name: &str) -> Option<String> {
        (name == "KEY").then(|| "topsecretvalue".to_owned())
    }

    fn file(&self, _: &str) -> Result<String, String> {
        Err("no such file".to_owned())
    }

    fn param(&self, _: &str) -> Option<String> {
        None
    }
}

const PROJECT: &str = r#"version: 1
connections:
  bucket: {s3: {bucket: acme-feeds, access_key_id: "${env:KEY}", secret_access_key: "${env:KEY}"}}
  prefixed: {s3: {bucket: acme-feeds, path: root}}
  folder: {local: {path: out}}
  elsewhere: {local: {path: /srv/out}}
"#;

fn project(text: &str) -> Project {
    Project::load(text, &Language::of_projects().unwrap(), &Key)
}

fn pipeline(sink: &str, project: Option<&Project>) -> Loaded {
    let text = format!(
        "version: 1\nname: a\nsource: {{files: {{path: a.csv}}}}\n\
         layout: {{files: {{path: \"{{{{ at }}}}.csv\", format: csv}}}}\nsink: {sink}\n"
    );
    load(&text, &LoadOptions { language: &Language::new(&[]).unwrap(), lookup: &Key, project })
}

fn codes<T>(loaded: &Loaded<T>) -> Vec<&'static str> {
    loaded.findings.iter().map(|finding| finding.code.code).collect()
}

/// ACT-8: server and place are declared by themselves and used by name.
#[test]
fn a_connection_stands_for_its_sink() {
    let project = project(PROJECT).seen_from_below(2);
    assert!(project.loaded.findings.is_empty(), "{:?}", project.loaded.findings);
    for (sink, container, path) in [
        ("{connection: bucket}", "acme-feeds", ""),
        ("{connection: bucket, path: in/actito}", "acme-feeds", "in/actito"),
        ("{connection: prefixed, path: in}", "acme-feeds", "root/in"),
        ("{connection: folder}", "", "../../out"),
        ("{connection: folder, path: in}", "", "../../out/in"),
        ("{connection: elsewhere, path: in}", "", "/srv/out/in"),
    ] {
        let loaded = pipeline(sink, Some(&project));
        assert!(loaded.findings.is_empty(), "{sink}: {:?}", loaded.findings);
        match loaded.spec.unwrap().sink.unwrap() {
            SinkSpec::S3(s3) => assert_eq!((s3.bucket.as_str(), s3.path.as_str()), (container, path)),
            SinkSpec::Local(local) => assert_eq!(local.path, path),
            #[allow(unreachable_patterns, reason = "other sinks are not in the project above")]
            _ => unreachable!("{sink}"),
        }
    }
}

#[test]
fn a_use_that_cannot_be_followed_is_a_finding() {
    let sound = project(PROJECT);
    for (sink, code, words) in [
        ("{connection: buckt}", "OF212", "`bucket`"),
        ("{connection: bucket, pth: in}", "OF101", "`path`"),
        ("{connection: 7}", "OF103", "quotes"),
        ("{connection: bucket, path: /in}", "OF402", "`in`"),
        ("{connection: bucket, path: ../in}", "OF403", "below the sink"),
        ("{connection: prefixed, path: /in}", "OF402", "slash"),
    ] {
        let loaded = pipeline(sink, Some(&sound));
        assert_eq!(codes(&loaded), [code], "{sink}");
        let finding = &loaded.findings[0];
        assert!(finding.help.as_deref().unwrap_or_default().contains(words), "{sink}: {finding:?}");
        assert!(finding.span.start > 0);
    }
    let loaded = pipeline("{connection: bucket}", None);
    assert!(loaded.findings[0].help.as_deref().unwrap().contains("outflow.yaml"), "{:?}", loaded.findings);
}

#[test]
fn a_project_file_is_linted_like_a_pipeline() {
    for (text, wanted) in [
        ("version: 1\n", vec![]),
        ("version: 2\n", vec!["OF104"]),
        ("version: 1\nconections: {}\n", vec!["OF101"]),
        ("version: 1\nconnections: {a: {s4: {bucket: b}}}\n", vec!["OF105"]),
        ("version: 1\nconnections: {a: {s3: {bucket: \"s3://b\"}}}\n", vec!["OF401"]),
        ("version: 1\nconnections: {a: {s3: {bucket: b, path: /x}}}\n", vec!["OF402"]),
        ("version: 1\nconnections: {a: {s3: {bucket: b, secret_access_key: plain}}}\n", vec!["OF301"]),
        ("version: 1\nconnections: {a: {s3: {bucket: b, access_key_id: \"${env:NONE}\"}}}\n", vec!["OF201"]),
    ] {
        let project = project(text);
        let found = codes(&project.loaded);
        assert_eq!(found.is_empty(), wanted.is_empty(), "{text}: {found:?}");
        assert!(wanted.iter().all(|code| found.contains(code)) || text.contains("version: 2"), "{text}: {found:?}");
        // A pipeline does not repeat what is wrong there, and does not run.
        let loaded = pipeline("{connection: a}", Some(&project));
        assert!(loaded.spec.is_none());
    }
}

/// Values of a connection are not in the pipeline file, and no finding about the pipeline shows them.
#[test]
fn values_of_a_connection_do_not_show() {
    let project = project("version: 1\nconnections: {a: {s3: {bucket: \"s3://topsecretvalue\"}}}\n");
    let loaded = pipeline("{connection: a}", Some(&project));
    assert!(!format!("{:?}", loaded.findings).contains("topsecretvalue"), "{:?}", loaded.findings);
}
