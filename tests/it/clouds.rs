//! Delivery to Azure Blob Storage, against Microsoft's emulator and looked at by Microsoft's client, and to Google Cloud
//! Storage, against the strict server with Google's face: none of Google's emulators speaks the XML API.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::azurite::{self, Azurite};
use crate::support::process::{Outflow, run};
use crate::support::strict_s3::{Action, Fault, StrictS3};

/// A folder with rows of this many bytes each and a pipeline with a sink.
fn feed(sink: &str, rows: usize, width: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let row = |row: usize| format!("contact{row},{}\n", "v".repeat(width));
    let text = "id,note\n".to_owned() + &(0..rows).map(row).collect::<String>();
    std::fs::write(folder.path().join("contacts.csv"), text).unwrap();
    let pipeline = format!(
        "version: 1\nname: clouds\nsource: {{files: {{path: contacts.csv}}}}\nlayout:\n  files:\n    path: \"day/{{{{ at | date('%Y%m%d') }}}}.csv\"\n    \
         format: csv\n    metadata: {{feed: welcome}}\n    companions: [{{path: \"{{{{ file.path }}}}.done\", body: \"{{{{ file.rows }}}}\"}}]\nsink:\n  {sink}\n"
    );
    std::fs::write(folder.path().join("feed.yaml"), pipeline).unwrap();
    folder
}

fn outflow(folder: &Path, arguments: &[&str]) -> Outflow {
    Outflow::in_folder(folder).args(arguments).env("KEY", azurite::KEY)
}

fn azure_sink(azurite: &Azurite, container: &str) -> String {
    let (endpoint, account) = (azurite.endpoint(), azurite::ACCOUNT);
    format!(
        "azure: {{account: {account}, container: \"{container}\", path: exports, endpoint: \"{endpoint}\", access_key: \"${{env:KEY}}\"}}"
    )
}

const LIST: &str = "
(async () => {
  for await (const item of container.listBlobsFlat({ includeMetadata: true })) {
    const body = (await container.getBlobClient(item.name).downloadToBuffer()).toString();
    console.log(JSON.stringify({ name: item.name, metadata: item.metadata, type: item.properties.contentType, body }));
  }
})();";

#[test]
fn azure_holds_what_was_delivered() {
    let azurite = Azurite::with("held");
    let folder = feed(&azure_sink(azurite, "held"), 2, 3);
    let at = ["run", "feed.yaml", "--at", "2026-11-22T02:00:00Z"];
    outflow(folder.path(), &at).run().expect_code(0).expect_stdout("delivered to az://devstoreaccount1/held/exports");
    let listed = azurite.client(LIST, "held", &[]).expect_code(0).stdout;
    let blobs: Vec<serde_json::Value> = listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(blobs.len(), 2, "{listed}");
    let data = blobs.iter().find(|blob| blob["name"].as_str().unwrap().ends_with(".csv")).unwrap();
    assert!(data["name"].as_str().unwrap().starts_with("exports/day/2026"), "{data}");
    assert_eq!(data["body"], "id,note\ncontact0,vvv\ncontact1,vvv\n");
    assert_eq!(data["metadata"]["feed"], "welcome");
    assert_eq!(data["metadata"]["outflow_sha256"].as_str().map(str::len), Some(64), "{data}");
    outflow(folder.path(), &at).run().expect_code(0).expect_stdout("already delivered");
    outflow(folder.path(), &["files", "verify", "feed.yaml"]).run().expect_code(0);
}

/// A blob of blocks appears whole; a death between blocks leaves none.
#[test]
fn a_large_file_goes_to_azure_in_blocks() {
    let azurite = Azurite::with("blocks");
    let folder = feed(&azure_sink(azurite, "blocks"), 400, 50_000);
    let killed = outflow(folder.path(), &["run", "feed.yaml"]).env("OUTFLOW_KILL_AT", "multipart-sent").run();
    assert_eq!(killed.signal, Some(9));
    let count = "(async () => { let n = 0; for await (const item of container.listBlobsFlat()) \
        if (item.properties.contentLength > 16777216) n++; console.log(n); })();";
    assert_eq!(azurite.client(count, "blocks", &[]).stdout.trim(), "0");
    outflow(folder.path(), &["run", "feed.yaml"]).run().expect_code(0);
    assert_eq!(azurite.client(count, "blocks", &[]).stdout.trim(), "1");
}

/// Nobody's blob is overwritten, and a name is given once however many want it.
#[test]
fn azure_refuses_a_second_version() {
    let azurite = Azurite::with("second");
    let folder = feed(&azure_sink(azurite, "second"), 2, 3);
    let doctor = outflow(folder.path(), &["doctor", "feed.yaml", "--format", "json"]).run().expect_code(0);
    let told: serde_json::Value = serde_json::from_str(&doctor.stdout).unwrap();
    assert_eq!(told["targets"][0]["create_if_absent"], true, "{told}");
    assert_eq!(told["targets"][0]["clock_skew_seconds"], 0, "{told}");
    assert_eq!(azurite.client(LIST, "second", &[]).stdout, "", "the probe leaves nothing");
    let at = ["run", "feed.yaml", "--at", "2026-11-22T02:00:00Z"];
    outflow(folder.path(), &at).env("OUTFLOW_KILL_AT", "uploaded-recorded").run();
    let listed = azurite.client(LIST, "second", &[]).stdout;
    let data: serde_json::Value = serde_json::from_str(listed.lines().next().unwrap()).unwrap();
    let companion = format!("{}.done", data["name"].as_str().unwrap());
    let plant = "container.getBlockBlobClient(rest[0]).upload('foreign', 7).then(() => console.log('ok'))";
    azurite.client(plant, "second", &[&companion]).expect_code(0);
    outflow(folder.path(), &at).run().expect_code(3).expect_stderr(".done");
    assert!(azurite.client(LIST, "second", &[]).stdout.contains("foreign"));
}

#[test]
fn a_missing_container_and_a_wrong_key_fail_for_good() {
    let azurite = Azurite::with("refused");
    let folder = feed(&azure_sink(azurite, "missing"), 2, 3);
    outflow(folder.path(), &["run", "feed.yaml"]).run().expect_code(3).expect_stderr("missing");
    let folder = feed(&azure_sink(azurite, "refused"), 2, 3);
    let wrong = "Y2FuYXJ5LWF6dXJlLWtleS1jYW5hcnktYXp1cmUta2V5LTAwMDAwMDAwMDAwMDAwMDAwMDAwMA==";
    let refused = outflow(folder.path(), &["run", "feed.yaml"]).env("KEY", wrong).run().expect_code(3);
    assert!(refused.stderr.contains("refused") && !format!("{refused:?}").contains("Y2FuYXJ5"), "{refused:?}");
    let folder = feed(&azure_sink(azurite, "az://feeds"), 2, 3);
    outflow(folder.path(), &["lint", "feed.yaml"]).run().expect_code(1).expect_stdout("OF401");
}

/// A service account whose key openssl made.
fn service_account(folder: &Path) -> String {
    let key = folder.join("service.pem");
    let mut openssl = Command::new("openssl");
    openssl.args(["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out"]).arg(&key);
    run(&mut openssl, Duration::from_secs(60)).expect_code(0);
    let key = std::fs::read_to_string(key).unwrap();
    serde_json::json!({
        "type": "service_account", "client_email": "feeds@acme.example", "private_key_id": "1", "private_key": key,
    })
    .to_string()
}

fn gcs_sink(server: &StrictS3) -> String {
    format!(
        "gcs: {{bucket: feeds, path: exports, endpoint: \"{}\", service_account_key: \"${{file:service.json}}\"}}",
        server.endpoint()
    )
}

#[test]
fn google_holds_what_was_delivered() {
    let server = StrictS3::start_as_gcs(&["feeds"]);
    let folder = feed(&gcs_sink(&server), 2, 3);
    std::fs::write(folder.path().join("service.json"), service_account(folder.path())).unwrap();
    outflow(folder.path(), &["run", "feed.yaml"]).run().expect_code(0).expect_stdout("delivered to gs://feeds/exports");
    let objects = server.store().objects("feeds");
    assert_eq!(objects.len(), 2, "{:?}", objects.keys());
    let data = objects.iter().find(|(key, _)| key.ends_with(".csv")).unwrap().1;
    assert_eq!(data.metadata["feed"], "welcome");
    assert_eq!(data.metadata["outflow-sha256"].len(), 64);
    outflow(folder.path(), &["files", "verify", "feed.yaml"]).run().expect_code(0);
    let doctor = outflow(folder.path(), &["doctor", "feed.yaml"]).run().expect_code(0);
    doctor.expect_stdout("create if absent  yes").expect_stdout("one version of each name, whoever else writes there");
    assert_eq!(server.store().objects("feeds").len(), 2, "the probe leaves nothing");
}

/// A lost answer is read back, a foreign object left alone, a large file whole or not there: as with S3.
#[test]
fn faults_at_google_end_as_at_s3() {
    let server = StrictS3::start_as_gcs(&["feeds"]);
    let folder = feed(&gcs_sink(&server), 400, 50_000);
    std::fs::write(folder.path().join("service.json"), service_account(folder.path())).unwrap();
    server.fail(Fault::once("CompleteMultipartUpload", "", Action::ActThenDrop));
    server.fail(Fault::once("PutObject", ".done", Action::ActThenRespond(503, "ServiceUnavailable")));
    outflow(folder.path(), &["run", "feed.yaml"]).run().expect_code(0);
    assert_eq!(server.store().objects("feeds").len(), 2);
    std::fs::write(folder.path().join("service.json"), "{\"private_key\": \"canary-google-key\"}").unwrap();
    let refused = outflow(folder.path(), &["run", "feed.yaml", "--at", "2026-01-01T00:00:00Z"]).run().expect_code(2);
    assert!(!format!("{refused:?}").contains("canary"), "{refused:?}");
}
