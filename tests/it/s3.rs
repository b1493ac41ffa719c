//! Delivery to S3 over the wire: against moto, which owes us nothing, and against a strict server that checks
//! signatures, decides conditions under a lock, and fails on command.

use std::path::Path;

use crate::support::moto::Moto;
use crate::support::process::{Outcome, Outflow};
use crate::support::strict_s3::{self, Action, Fault, StrictS3};

/// Objects that are worth several threads, of which any may come to open one.
#[test]
fn large_objects_are_a_source() {
    let moto = Moto::start(&["feeds"]);
    let put = "
for name in 'abc':
    rows = ''.join(f'{name}{row},{\"x\" * 60}\\n' for row in range(100_000))
    s3.put_object(Bucket='feeds', Key=f'in/{name}.csv', Body='id,filler\\n' + rows)
";
    moto.boto3(put, &[]).expect_code(0);
    let folder = tempfile::tempdir().unwrap();
    let pipeline = format!(
        "version: 1\nname: s3\nsource:\n  files: {{path: \"s3://feeds/in/*.csv\", s3: {{endpoint: \"{}\", \
         access_key_id: \"${{env:KEY}}\", secret_access_key: \"${{env:SECRET}}\"}}}}\nlayout:\n  files: {{path: \"{{{{ at | \
         date('%Y') }}}}.csv\", format: csv, columns: [id]}}\nsink: {{local: {{path: out}}}}\n",
        moto.endpoint()
    );
    std::fs::write(folder.path().join("s3.yaml"), pipeline).unwrap();
    let run = Outflow::in_folder(folder.path()).args(["run", "s3.yaml", "--at", "2026-09-01T00:00:00Z"]);
    run.env("KEY", &moto.access_key).env("SECRET", &moto.secret_key).run().expect_code(0);
    let delivered = std::fs::read_to_string(folder.path().join("out/2026.csv")).unwrap();
    let ids = ["a", "b", "c"].into_iter().flat_map(|name| (0..100_000).map(move |row| format!("{name}{row}")));
    assert!(delivered.lines().skip(1).eq(ids), "the rows are not those of the objects, in their order");
}

/// A folder with two contacts and a pipeline for an S3 service.
struct Feed {
    folder: tempfile::TempDir,
}

impl Feed {
    fn new(endpoint: &str, bucket: &str, path: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let rows = "identifier,variant,operation\njane@example.com,A,add\njoe@example.com,,remove\n";
        std::fs::write(folder.path().join("contacts.csv"), rows).unwrap();
        let pipeline = format!(
            "version: 1\nname: s3\nsource: {{files: {{path: contacts.csv}}}}\nlayout:\n  simon: {{client: acme, segment_name: All, \
             flow: {{id: 7, name: Flow, actions: [mail]}}, format: csv}}\nsink:\n  s3: {{bucket: \"{bucket}\", path: \"{path}\", \
             endpoint: \"{endpoint}\", access_key_id: \"${{env:KEY}}\", secret_access_key: \"${{env:SECRET}}\"}}\n"
        );
        std::fs::write(folder.path().join("s3.yaml"), pipeline).unwrap();
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn run(&self, key: &str, secret: &str) -> Outcome {
        self.call(key, secret).run()
    }

    fn call(&self, key: &str, secret: &str) -> Outflow {
        Outflow::in_folder(self.path()).args(["run", "s3.yaml"]).env("KEY", key).env("SECRET", secret)
    }

    fn strict(&self) -> Outcome {
        self.run(strict_s3::ACCESS_KEY, strict_s3::SECRET_KEY)
    }
}

fn keys(server: &StrictS3) -> Vec<String> {
    server.store().objects("feeds").into_keys().collect()
}

/// SIMON-1, SIMON-9, SIMON-30, SIMON-31, SIMON-33: what boto3 reads back of a delivery to a bucket.
#[test]
fn boto3_reads_back_what_moto_was_sent() {
    let moto = Moto::start(&["feeds"]);
    let feed = Feed::new(&moto.endpoint(), "feeds", "exports/simon");
    feed.run(&moto.access_key, &moto.secret_key).expect_code(0).expect_stdout("delivered");
    let script = "
for page in s3.get_paginator('list_objects_v2').paginate(Bucket='feeds'):
    for item in page['Contents']:
        body = s3.get_object(Bucket='feeds', Key=item['Key'])['Body'].read().decode()
        print(json.dumps({'key': item['Key'], 'modified': item['LastModified'].timestamp(), 'body': body}))
";
    let listed = moto.boto3(script, &[]).expect_code(0);
    let objects: Vec<serde_json::Value> =
        listed.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects.len(), 4, "{}", listed.stdout);
    for control in objects.iter().filter(|object| object["key"].as_str().unwrap().contains("/control_")) {
        let told: serde_json::Value = serde_json::from_str(control["body"].as_str().unwrap()).unwrap();
        let file = &told["files"][0];
        assert_eq!((file["bucket"].as_str(), file["path"].as_str()), (Some("feeds"), Some("exports/simon")));
        let key = file["file"].as_str().unwrap().strip_prefix("s3://feeds/").unwrap();
        let data = objects.iter().find(|object| object["key"] == key).unwrap();
        assert_eq!(file["rows"], data["body"].as_str().unwrap().lines().count() - 1);
        assert!(data["modified"].as_f64() <= control["modified"].as_f64());
    }
    feed.run(&moto.access_key, &moto.secret_key).expect_code(0).expect_stdout("already delivered");
    assert_eq!(moto.boto3(script, &[]).stdout, listed.stdout);
}

/// SIMON-39: the control objects are sent after all data was read back, on the condition that nobody was there before.
#[test]
fn control_objects_follow_their_data() {
    let server = StrictS3::start(&["feeds"]);
    let feed = Feed::new(&server.endpoint(), "feeds", "");
    feed.strict().expect_code(0);
    let puts = server.exchanges_of("PutObject");
    let (control, data): (Vec<_>, Vec<_>) = puts.iter().partition(|put| put.key.contains("control_"));
    assert_eq!((data.len(), control.len()), (2, 2));
    let last = data.iter().map(|put| put.sequence).max().unwrap();
    assert!(control.iter().all(|put| put.sequence > last));
    server.clear_exchanges();
    feed.strict().expect_code(0).expect_stdout("already delivered");
    assert!(server.exchanges_of("PutObject").is_empty());
}

#[test]
fn wrong_credentials_and_missing_buckets_fail_for_good() {
    let moto = Moto::start_with_authentication(&["feeds"]);
    let feed = Feed::new(&moto.endpoint(), "feeds", "");
    let refused = feed.run("AKIAIOSFODNN7EXAMPLE", "canary-secret-0123456789").expect_code(3).expect_stderr("feeds");
    assert!(!format!("{refused:?}").contains("canary-secret"), "{refused:?}");
    let server = StrictS3::start(&["feeds"]);
    let feed = Feed::new(&server.endpoint(), "feeds", "");
    feed.run(strict_s3::ACCESS_KEY, "canary-secret-0123456789").expect_code(3).expect_stderr("feeds");
    let feed = Feed::new(&server.endpoint(), "missing-bucket", "");
    feed.strict().expect_code(3).expect_stderr("missing-bucket");
    let nobody = Feed::new("http://127.0.0.1:1", "feeds", "");
    nobody.strict().expect_code(4);
}

/// SIMON-7, SIMON-8: the bucket has no scheme and no slash, the path no slash at its ends.
#[test]
fn a_bucket_with_a_scheme_or_a_slash_is_a_finding() {
    for (bucket, path) in [("s3://feeds", ""), ("feeds/", ""), ("feeds", "/exports"), ("feeds", "exports/")] {
        let feed = Feed::new("http://127.0.0.1:1", bucket, path);
        let refused = feed.run("key", "secret").expect_code(2).expect_stderr("OF4");
        assert!(refused.stderr.contains("s3.yaml:"), "{}", refused.stderr);
    }
}

/// F21, F22: an answer that never came, or was an error after the fact.
#[test]
fn a_lost_reply_is_read_back_and_adopted() {
    let cases = [
        ("acme_", Action::ActThenDrop),
        ("control_", Action::ActThenDrop),
        ("control_", Action::ActThenRespond(500, "InternalError")),
    ];
    for (key, action) in cases {
        let server = StrictS3::start(&["feeds"]);
        let feed = Feed::new(&server.endpoint(), "feeds", "");
        server.fail(Fault::once("PutObject", key, action.clone()));
        feed.strict().expect_code(0);
        assert_eq!(keys(&server).len(), 4, "{key} {action:?}");
    }
}

/// F23: S3's 409 is not taken for success.
#[test]
fn a_conflict_with_nothing_stored_is_tried_again() {
    let server = StrictS3::start(&["feeds"]);
    let feed = Feed::new(&server.endpoint(), "feeds", "");
    server.fail(Fault::once("PutObject", "control_", Action::Respond(409, "ConditionalRequestConflict")));
    feed.strict().expect_code(0);
    assert_eq!(keys(&server).len(), 4);
}

/// F24: a name that somebody else has taken.
#[test]
fn a_foreign_object_under_a_control_name_is_left_alone() {
    let server = StrictS3::start(&["feeds"]);
    let feed = Feed::new(&server.endpoint(), "feeds", "");
    feed.call(strict_s3::ACCESS_KEY, strict_s3::SECRET_KEY).env("OUTFLOW_KILL_AT", "uploaded-recorded").run();
    let data = keys(&server).into_iter().next().unwrap();
    let (folder, name) = data.rsplit_once('/').unwrap();
    let control = format!("{folder}/control_{}.json", name.trim_end_matches(".csv"));
    server.store().plant("feeds", &control, b"foreign");
    feed.strict().expect_code(3).expect_stderr("control_");
    assert_eq!(server.store().objects("feeds")[&control].bytes, b"foreign"[..]);
}

/// A file above the size of one request goes in parts; a death between parts leaves no half object, and F27: what it
/// left of its upload is aborted by the next run, nobody else's.
#[test]
fn a_large_file_goes_in_parts() {
    let server = StrictS3::start(&["feeds"]);
    let feed = Feed::new(&server.endpoint(), "feeds", "big");
    let row = |row: usize| format!("contact{row}@example.com,{},add\n", "v".repeat(400));
    let rows = "identifier,variant,operation\n".to_owned() + &(0..45_000).map(row).collect::<String>();
    std::fs::write(feed.path().join("contacts.csv"), rows).unwrap();
    let foreign = server.store().create_upload("feeds", "big/foreign", Default::default()).unwrap();
    for point in ["multipart-begun", "multipart-part", "multipart-sent"] {
        let killed = feed.call(strict_s3::ACCESS_KEY, strict_s3::SECRET_KEY).env("OUTFLOW_KILL_AT", point).run();
        assert_eq!(killed.signal, Some(9), "{point}");
        assert!(keys(&server).len() <= 1, "{point}");
    }
    assert!(server.store().uploads().len() > 1);
    feed.strict().expect_code(0);
    assert_eq!(server.store().uploads().into_keys().collect::<Vec<_>>(), [foreign]);
    let objects = server.store().objects("feeds");
    assert_eq!(objects.len(), 2);
    let data = objects.iter().find(|(key, _)| !key.contains("control_")).unwrap().1;
    assert_eq!(data.bytes.iter().filter(|byte| **byte == b'\n').count(), 1 + 2 * 45_000);
    assert!(server.exchanges_of("UploadPart").len() >= 2);
}
