//! Instances: how they are read, named, filled, and what is said of each.

use crate::fill::Lookup;
use crate::matrix::{Matrix, load_every};
use crate::{Language, LoadOptions};

struct Table;

impl Lookup for Table {
    fn env(&self, name: &str) -> Option<String> {
        (name == "KEY_A").then(|| "secret-a".to_owned())
    }

    fn file(&self, path: &str) -> Result<String, String> {
        match path {
            "clients.yaml" => Ok("# two\n- {client: acme, bucket: b1}\n- {client: beta, bucket: b2/}\n".to_owned()),
            "broken.yaml" => {
                Ok("- acme\n- {client: [1]}\n- {client: 'a b'}\n- {client: x, y: '${env:NONE}'}\n".to_owned())
            }
            "map.yaml" => Ok("a: 1\n".to_owned()),
            _ => Err("no such file".to_owned()),
        }
    }

    fn param(&self, _: &str) -> Option<String> {
        None
    }
}

fn text(matrix: &str, sink: &str) -> String {
    format!(
        "version: 1\nname: a\nsource: {{files: {{path: a.csv}}}}\nlayout: {{files: {{path: '{{{{ nonce }}}}', format: \
         csv}}}}\nsink: {{{sink}}}\nmatrix: {matrix}\n"
    )
}

const S3: &str = "s3: {bucket: '${matrix:bucket}', access_key_id: '${matrix:key}', secret_access_key: '${matrix:key}'}";

fn findings(text: &str) -> Vec<String> {
    let language = Language::new(&[]).expect("the built-in schema is one");
    let loaded = load_every(text, &LoadOptions { language: &language, lookup: &Table, project: None });
    loaded.findings.iter().map(|finding| format!("{} {}", finding.code.code, finding.message)).collect()
}

#[test]
fn each_instance_is_filled_with_its_own_values() {
    let text =
        text("[{client: '0001', bucket: b1, key: '${env:KEY_A}'}, {instance: x, bucket: 22, key: '${env:KEY_A}'}]", S3);
    let matrix = Matrix::read(&text, &Table).expect("there is one");
    assert!(!matrix.common.contains("0001") && matrix.common.contains("access_key_id"));
    let language = Language::new(&[]).expect("the built-in schema is one");
    let options = LoadOptions { language: &language, lookup: &Table, project: None };
    let specs = matrix.instances.iter().map(|instance| {
        let loaded = instance.load(&text, &options);
        assert!(loaded.findings.is_empty(), "{:?}", loaded.findings);
        assert!(!instance.written.contains("secret-a"));
        (instance.name.clone(), format!("{:?}", loaded.spec.expect("it loads").sink))
    });
    let specs = specs.collect::<Vec<_>>();
    assert_eq!((specs[0].0.as_str(), specs[1].0.as_str()), ("0001", "x"));
    assert!(specs[0].1.contains("\"b1\"") && specs[1].1.contains("\"22\""), "{specs:?}");
    assert_eq!(matrix.pick(&["x".to_owned()]).expect("it is there").len(), 1);
    assert!(matrix.pick(&["y".to_owned()]).expect_err("it is not").contains("`0001`, `x`"));
}

/// Names are told, values are not; what one instance lacks is told of it alone.
#[test]
fn findings_say_which_instance() {
    let local = "local: {path: '${matrix:dir}'}";
    for (matrix, sink, expected) in [
        (
            "[{c: a, dir: x}, {c: b, dir: '${env:NONE}'}]",
            local,
            vec!["OF201 environment variable `NONE` is not set (instance `b`)"],
        ),
        (
            "[{c: a, dir: x}, {c: b}, {c: d}]",
            local,
            vec!["OF201 `dir` is no value of an instance in `matrix` (instances `b`, `d`)"],
        ),
        ("[{c: a}, {c: b}]", local, vec!["OF201 `dir` is no value of an instance in `matrix`"]),
        (
            "[{c: a, bucket: b, key: hunter2-literal}]",
            S3,
            vec!["OF301 `access_key_id` is written out", "OF301 `secret_access_key` is written out"],
        ),
        ("[{c: a, dir: x}, {c: A, dir: y}]", local, vec!["OF213 `matrix`: two instances are called `A`"]),
        (
            "[{c: '${env:KEY_A}', dir: x}]",
            local,
            vec![
                "OF201 `dir` is no value of an instance in `matrix`",
                "OF213 `matrix`: `c` names the instance, and names are written as they are",
            ],
        ),
        (
            "[{c: ../x, dir: x}, {c: b, dir: x}]",
            local,
            vec!["OF213 `matrix`: \"../x\" is no name: names have letters, digits, `-`, `_` and `.`"],
        ),
        ("{file: none.yaml}", "local: {path: out}", vec!["OF213 `matrix`: the file cannot be read: no such file"]),
        ("{file: map.yaml}", "local: {path: out}", vec!["OF213 `matrix`: the file holds no list"]),
    ] {
        let found = findings(&text(matrix, sink));
        let fits = found.len() == expected.len()
            && found.iter().all(|found| expected.iter().any(|wanted| found.starts_with(wanted)));
        assert!(fits, "{matrix}\n{found:#?}");
        assert!(!found.concat().contains("secret-a"), "{found:?}");
    }
}

#[test]
fn entries_may_lie_in_a_file() {
    let sink = "s3: {bucket: '${matrix:bucket}'}";
    let matrix = Matrix::read(&text("{file: clients.yaml}", sink), &Table).expect("there is one");
    assert_eq!(matrix.instances.iter().map(|instance| instance.name.as_str()).collect::<Vec<_>>(), ["acme", "beta"]);
    assert_eq!(matrix.file.as_deref(), Some("clients.yaml"));
    let found = findings(&text("{file: clients.yaml}", sink));
    assert!(
        matches!(found.as_slice(), [one] if one.starts_with("OF401") && one.ends_with("(instance `beta`)")),
        "{found:?}"
    );
    let found = findings(&text("{file: broken.yaml}", "local: {path: out}"));
    for line in [
        "line 1 of the file: an entry",
        "line 2 of the file: `client` names",
        "line 3 of the file: \"a b\"",
        "line 4 of the file, column",
    ] {
        assert!(found.iter().any(|found| found.contains(line)), "{line}: {found:#?}");
    }
}
