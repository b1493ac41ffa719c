//! Canaries: a secret that a pipeline takes from outside shows nowhere, whatever goes wrong: not on a stream, not in a
//! report, the ledger, the dead letters, a log, a delivered file or the message of a panic. Delivery over the wire is
//! each sink's own test; here is that nobody tells what it was done with.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use outflow_spec::fill::Lookup;
use outflow_spec::{Language, LoadOptions};
use serde_json::Value;

use crate::plugins::{GUESTS, digest};
use crate::support::process::{Outflow, files_below, repository};
use crate::support::strict_s3::{self, StrictS3};

/// What `${env:CANARY}` gives. Capitals and signs, since SQL folds and formats escape.
const CANARY: &str = "Canary/Env+c41f09d2=7Be";
/// What `${file:secret/canary}` gives.
const FILE_CANARY: &str = "Canary.File-93ab_E07c55";
/// Folder of the file; the one place where a canary may stand.
const OUTSIDE: &str = "secret/";

/// A pipeline with secrets in it. Whoever brings a field for a secret adds a line: the schema is asked which there are.
struct Case {
    name: &'static str,
    /// `transforms:`, a list, or nothing. `EVIL` is the component of the hostile transform with its pin.
    transforms: &'static str,
    /// `sink:`, one mapping, with further blocks below it. `STORE` is the URL of an S3 service that knows neither key.
    sink: &'static str,
    /// How `run` ends.
    code: i32,
    /// What standard error says, so that the case is known to get where it should.
    says: &'static str,
}

const LOCAL: &str = "{local: {path: out}}";

const CASES: &[Case] = &[
    Case {
        name: "keys of a bucket that refuses them",
        transforms: "",
        sink: "{s3: {bucket: feeds, endpoint: \"STORE\", access_key_id: \"${env:CANARY}\", \
               secret_access_key: \"${file:secret/canary}\", session_token: \"${env:CANARY}\"}}",
        code: 3,
        says: "feeds",
    },
    Case {
        name: "secret key that signs the requests of a right access key",
        transforms: "",
        sink: "{s3: {bucket: feeds, endpoint: \"STORE\", access_key_id: \"${env:RIGHT}\", \
               secret_access_key: \"${env:CANARY}\"}}",
        code: 3,
        says: "feeds",
    },
    Case {
        name: "key of a keyed digest",
        transforms: "  - hash: {columns: [mail], algorithm: hmac_sha256, key: \"${file:secret/canary}\"}",
        sink: LOCAL,
        code: 0,
        says: "",
    },
    Case {
        name: "value in an expression that does not plan",
        transforms: "  - derive: {x: \"nonsense(${env:CANARY}, '${env:CANARY}')\"}",
        sink: LOCAL,
        code: 2,
        says: "",
    },
    Case {
        name: "value in an expression that fails for a row",
        transforms: "  - derive: {x: \"CAST('${env:CANARY}' || mail AS BIGINT)\"}",
        sink: LOCAL,
        code: 3,
        says: "${env:CANARY}",
    },
    Case {
        name: "option that a plugin's panic tells",
        transforms: "  - derive: {a: mail}\n  - plugin: {EVIL, options: {attack: \"panic: ${env:CANARY}\"}}",
        sink: LOCAL,
        code: 3,
        says: "plugin/panic",
    },
    Case {
        name: "option that a plugin refuses a batch with",
        transforms: "  - derive: {a: mail}\n  - plugin: {EVIL, options: {attack: \"refuse: ${file:secret/canary}\"}}",
        sink: LOCAL,
        code: 3,
        says: "${file:secret/canary}",
    },
    Case {
        name: "option that a failing plugin writes to the dead letter",
        transforms: "  - derive: {a: mail}\n  - plugin: {EVIL, on_error: reject, \
                     options: {attack: \"refuse: ${env:CANARY}\"}}",
        sink: LOCAL,
        code: 0,
        says: "",
    },
    Case {
        name: "option that a plugin rejects a row with",
        transforms: "  - derive: {a: mail}\n  - plugin: {EVIL, options: {attack: \"reject: ${env:CANARY}\"}}",
        sink: LOCAL,
        code: 0,
        says: "",
    },
    Case {
        name: "option that a plugin logs",
        transforms: "  - derive: {a: mail}\n  - plugin: {EVIL, options: {attack: \"log: ${env:CANARY}\"}}",
        sink: LOCAL,
        code: 0,
        says: "",
    },
    Case {
        name: "keys of a container that is away",
        transforms: "",
        sink: "{azure: {account: acme, container: feeds, endpoint: \"http://127.0.0.1:1\", access_key: \"${env:CANARY}\"}}",
        code: 2,
        says: "access_key",
    },
    Case {
        name: "signature of a container that is away",
        transforms: "",
        sink: "{azure: {account: acme, container: feeds, endpoint: \"http://127.0.0.1:1\", sas_token: \"${env:CANARY}\"}}",
        code: 4,
        says: "az://feeds",
    },
    Case {
        name: "secret of a registered client beside a key",
        transforms: "",
        sink: "{azure: {account: acme, container: feeds, endpoint: \"http://127.0.0.1:1\", \
               access_key: \"${env:CANARY}\", client: {tenant_id: t, client_id: c, client_secret: \"${env:CANARY}\"}}}",
        code: 2,
        says: "exclude",
    },
    Case {
        name: "key of a service account that is none",
        transforms: "",
        sink: "{gcs: {bucket: feeds, endpoint: \"http://127.0.0.1:1\", service_account_key: \"${env:CANARY}\"}}",
        code: 2,
        says: "service_account_key",
    },
    Case {
        name: "credentials for a server that is away",
        transforms: "",
        sink: "{sftp: {host: 127.0.0.1, port: 1, user: joe, password: \"${env:CANARY}\", private_key: \"${env:CANARY}\", \
               passphrase: \"${file:secret/canary}\", path: in, \
               host_keys: [\"SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"]}}",
        code: 4,
        says: "127.0.0.1",
    },
    Case {
        name: "address of a database that is away",
        transforms: "  - lookup: {source: {postgres: {url: \"${env:CANARY}\", table: t}}, on: [id], columns: [x]}",
        sink: LOCAL,
        code: 2,
        says: "url",
    },
    Case {
        name: "keys that sign nothing, and where it is told",
        transforms: "",
        sink: "{local: {path: out}}\n\
               delivery: {encrypt: {pgp: {keys: [keys/none.asc], \
               sign: {key: \"${env:CANARY}\", passphrase: \"${file:secret/canary}\"}}}}\n\
               notify: [{webhook: \"${env:CANARY}\", slack: \"${file:secret/canary}\", \
               email: {to: [ann@example.org], from: joe@example.org, \
               smtp: {host: 127.0.0.1, port: 1, user: joe, password: \"${env:CANARY}\"}}}]",
        code: 2,
        says: "notice",
    },
];

/// A folder with the pipeline of a case.
fn project(case: &Case, store: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("secret")).unwrap();
    fs::write(folder.path().join("secret/canary"), format!("{FILE_CANARY}\n")).unwrap();
    fs::write(folder.path().join("contacts.csv"), "id,mail\n1,ann@example.org\n2,joe@example.org\n").unwrap();
    fs::copy(GUESTS.join("evil_transform.wasm"), folder.path().join("evil.wasm")).unwrap();
    let evil = format!("component: evil.wasm, sha256: {}", digest(folder.path(), "evil.wasm"));
    let transforms = match case.transforms {
        "" => String::new(),
        list => format!("transforms:\n{}\n", list.replace("EVIL", &evil)),
    };
    let sink = case.sink.replace("STORE", store);
    let text = format!(
        "version: 1\nname: canary\nsource: {{files: {{path: contacts.csv}}}}\n{transforms}\
         layout: {{files: {{path: 'f_{{{{ nonce[:8] }}}}.csv', format: csv}}}}\nsink: {sink}\n"
    );
    fs::write(folder.path().join("feed.yaml"), text).unwrap();
    folder
}

/// Fails when bytes hold a canary in any spelling that a format may give it.
#[track_caller]
fn clean(case: &Case, place: &str, bytes: &[u8]) {
    let lower = bytes.to_ascii_lowercase();
    for canary in [CANARY, FILE_CANARY] {
        let encode = |byte: u8| match byte.is_ascii_alphanumeric() || b".-_".contains(&byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02x}"),
        };
        let encoded: String = canary.bytes().map(encode).collect();
        let hex: String = canary.bytes().map(|byte| format!("{byte:02x}")).collect();
        for spelling in [canary.to_ascii_lowercase(), encoded.to_ascii_lowercase(), hex, base64(canary).to_lowercase()]
        {
            let found = lower.windows(spelling.len()).position(|window| window == spelling.as_bytes());
            assert!(
                found.is_none(),
                "{}: {place} shows it: {}",
                case.name,
                String::from_utf8_lossy(&bytes[found.unwrap_or_default().saturating_sub(200)..])
            );
        }
    }
}

/// The beginning in Base64, as an authorization header would have it.
fn base64(text: &str) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let whole = text.as_bytes().chunks_exact(3);
    let four = |three: &[u8]| {
        let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        [18, 12, 6, 0].map(|shift| char::from(SIGNS[(bits >> shift) as usize & 63]))
    };
    whole.flat_map(four).collect()
}

#[test]
fn no_secret_shows() {
    let server = StrictS3::start(&["feeds"]);
    for case in CASES {
        let folder = project(case, &server.endpoint());
        let call = |arguments: &[&str]| {
            let call = Outflow::in_folder(folder.path()).args(arguments).env("CANARY", CANARY);
            let call = call.env("RIGHT", strict_s3::ACCESS_KEY);
            call.env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full").run()
        };
        let run = ["run", "feed.yaml", "--at", "2026-03-14T09:26:53Z", "--report", "report.json", "--format", "json"];
        let mut said = Vec::new();
        for (number, arguments) in [
            &["lint", "feed.yaml"] as &[&str],
            &["lint", "feed.yaml", "--format", "json"],
            &["preview", "feed.yaml"],
            &["preview", "feed.yaml", "--format", "json"],
            &run,
            &["run", "feed.yaml", "--at", "2026-03-14T09:26:53Z"],
            &["runs", "list", "--format", "json"],
            &["files", "list", "--format", "json"],
            &["files", "verify", "feed.yaml"],
        ]
        .into_iter()
        .enumerate()
        {
            let outcome = call(arguments);
            clean(case, &format!("{arguments:?}"), format!("{}{}", outcome.stdout, outcome.stderr).as_bytes());
            if number == 4 {
                assert_eq!(outcome.code, Some(case.code), "{}: {}", case.name, outcome.stderr);
                assert!(outcome.stderr.contains(case.says), "{}: {}", case.name, outcome.stderr);
            }
            said.push(outcome);
        }
        for id in ids(&said[6].stdout) {
            let shown = call(&["runs", "show", &id]);
            clean(case, "runs show", format!("{}{}", shown.stdout, shown.stderr).as_bytes());
        }
        let files = files_below(folder.path());
        assert!(files.iter().any(|(name, _)| name.ends_with("report.json")), "{}", case.name);
        for (name, bytes) in files.iter().filter(|(name, _)| !name.starts_with(OUTSIDE)) {
            clean(case, name, name.as_bytes());
            clean(case, name, bytes);
        }
    }
}

fn ids(listed: &str) -> Vec<String> {
    let read = |line: &str| serde_json::from_str::<Value>(line).ok();
    let values = listed.lines().filter_map(read).flat_map(|value| match value {
        Value::Array(values) => values,
        one => vec![one],
    });
    values.filter_map(|value| value["run_id"].as_str().or(value["id"].as_str()).map(str::to_owned)).collect()
}

/// The canaries, for a pipeline that is loaded here.
struct Canaries;

impl Lookup for Canaries {
    fn env(&self, _: &str) -> Option<String> {
        Some(CANARY.to_owned())
    }

    fn file(&self, _: &str) -> Result<String, String> {
        Ok(FILE_CANARY.to_owned())
    }

    fn param(&self, _: &str) -> Option<String> {
        None
    }
}

/// A panic prints what it holds by `Debug`: the fields for secrets print themselves as such.
#[test]
fn no_secret_is_in_the_message_of_a_panic() {
    let language = Language::new(&[]).unwrap();
    let mut seen = 0;
    for case in CASES.iter().filter(|case| !case.transforms.contains("plugin") && !case.transforms.contains("derive")) {
        let folder = project(case, "http://127.0.0.1:1");
        let text = fs::read_to_string(folder.path().join("feed.yaml")).unwrap();
        let loaded = outflow_spec::load(&text, &LoadOptions { language: &language, lookup: &Canaries, project: None });
        let spec = loaded.spec.clone().unwrap_or_else(|| panic!("{}: {:?}", case.name, loaded.findings));
        let panic = std::panic::catch_unwind(move || panic!("{loaded:?} {spec:#?}")).unwrap_err();
        let message = panic.downcast_ref::<String>().unwrap();
        assert!(message.contains("[secret]"), "{}: {message}", case.name);
        clean(case, "a panic", message.as_bytes());
        seen += 1;
    }
    assert!(seen >= 3, "the cases were left out");
}

/// Every field of the language that is for a secret stands in a case.
#[test]
fn every_field_for_a_secret_has_its_canary() {
    fn walk(value: &Value, found: &mut BTreeSet<String>) {
        if let Some(properties) = value["properties"].as_object() {
            let secret = |schema: &&Value| schema.to_string().contains("\"#/$defs/Secret\"");
            found.extend(properties.iter().filter(|(_, schema)| secret(schema)).map(|(name, _)| name.clone()));
        }
        match value {
            Value::Object(members) => members.values().for_each(|member| walk(member, found)),
            Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
            _ => {}
        }
    }
    let read = |path: &Path| serde_json::from_str::<Value>(&fs::read_to_string(path).unwrap()).unwrap();
    let mut fields = BTreeSet::new();
    walk(&read(&repository().join("schemas/pipeline.schema.json")), &mut fields);
    assert!(fields.contains("secret_access_key"), "{fields:?}");
    let used = |field: &&String| {
        CASES.iter().any(|case| {
            let text = format!("{} {}", case.transforms, case.sink);
            text.contains(&format!("{field}: \"${{"))
        })
    };
    let missing: Vec<_> = fields.iter().filter(|field| !used(field)).collect();
    assert!(missing.is_empty(), "add a case with a canary for {missing:?}");
}
