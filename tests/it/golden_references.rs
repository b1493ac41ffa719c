//! The reference pipelines of vendors that need no plugin: what each delivers equals, byte for byte, what
//! `tests/golden/references.py` works out from the same rows and the vendor's rules.

use crate::support::moto::Moto;
use crate::support::process::{Outflow, copy_folder, files_below, repository};
use crate::support::tree::difference;

/// The instant of every run.
const AT: &str = "2019-01-03T13:05:32Z";

/// Pipeline, and the folder of what it must deliver.
const CASES: [(&str, &str); 10] = [
    ("braze/currents.yaml", "braze"),
    ("google/customer-match.yaml", "google"),
    ("liveramp/new-buyers.yaml", "liveramp"),
    ("meta/custom-audience.yaml", "meta"),
    ("responsys/ced.yaml", "responsys"),
    ("salesforce/tracking-extract.yaml", "salesforce"),
    ("segment/logs.yaml", "segment"),
    ("tiktok/audience-phone-digits.yaml", "tiktok-digits"),
    ("tiktok/audience-phone-plus.yaml", "tiktok-plus"),
    ("uid2/identity-map.yaml", "uid2"),
];

#[test]
fn every_reference_pipeline_delivers_what_its_vendor_reads() {
    let faults = CASES.iter().filter_map(|(pipeline, golden)| {
        let (vendor, file) = pipeline.split_once('/').unwrap();
        let folder = tempfile::tempdir().unwrap();
        copy_folder(&repository().join("pipelines").join(vendor), folder.path());
        let outcome = Outflow::in_folder(folder.path()).args(["run", file, "--at", AT]).run();
        if outcome.code != Some(0) {
            return Some(format!("{pipeline}: exit code {:?}\n{}", outcome.code, outcome.stderr));
        }
        let expected = repository().join("tests/golden").join(golden).join("expected");
        difference(&expected, &folder.path().join("out")).map(|difference| format!("{pipeline}:\n{difference}"))
    });
    let faults: Vec<String> = faults.collect();
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

/// Digests that vendors print in their documents: whose, of what, and the golden files that hold them.
#[test]
fn digests_are_those_that_vendors_print() {
    for (vendor, plain, digest, golden) in [
        ("Meta", "john_smith@gmail.com", "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f", "meta"),
        ("Meta", "16505551212", "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176", "meta"),
        ("Meta", "mary", "6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec", "meta"),
        ("Meta", "valéry", "08e1996b5dd49e62a4b4c010d44e4345592a863bb9f8e3976219bac29417149c", "meta"),
        ("Meta", "정", "8fa8cd9c440be61d0151429310034083132b35975c4bea67fdd74158eb51db14", "meta"),
        (
            "TikTok",
            "janedoe@gmail.com",
            "d6117306485ed0e50afab3ac871e98f81699151f30281527d63ff5f233656c69",
            "tiktok-plus",
        ),
        ("X", "adsapi", "49e0be2aeccfb51a8dee4c945c8a70a9ac500cf6f5cb08112575f74db9b1470d", "google"),
        ("UID2", "user@example.com", "tMmiiTI7IaAcPpQPFQ65uMVCWH8av9jw4cwf/F5HVRQ=", "uid2"),
    ] {
        let files = files_below(&repository().join("tests/golden").join(golden).join("expected"));
        let held = files.iter().any(|(_, bytes)| String::from_utf8_lossy(bytes).contains(digest));
        assert!(held, "{vendor}: the digest of `{plain}` is not in tests/golden/{golden}");
    }
}

/// One pass over the rows: Braze's three outputs and Salesforce's five read the source once, and the report says so.
#[test]
fn several_outputs_read_the_source_once() {
    for (vendor, file, rows, outputs) in
        [("braze", "currents.yaml", 4, 3), ("salesforce", "tracking-extract.yaml", 5, 5)]
    {
        let folder = tempfile::tempdir().unwrap();
        copy_folder(&repository().join("pipelines").join(vendor), folder.path());
        let outflow = Outflow::in_folder(folder.path());
        let told = outflow.args(["run", file, "--at", AT, "--format", "json"]).run().expect_code(0);
        let report: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
        assert_eq!((&report["rows"]["read"], &report["reads"]), (&rows.into(), &1.into()), "{vendor}: {report:#}");
        assert_eq!(report["outputs"].as_array().map(Vec::len), Some(outputs), "{vendor}: {report:#}");
    }
}

/// Segment's objects are text to whoever reads them over HTTP, and undone on the way; boto3 reads the headers.
#[test]
fn objects_for_segment_have_its_headers() {
    let moto = Moto::start(&["feeds"]);
    let folder = tempfile::tempdir().unwrap();
    copy_folder(&repository().join("pipelines/segment"), folder.path());
    let pipeline = folder.path().join("logs.yaml");
    let sink = format!(
        "s3: {{bucket: feeds, endpoint: \"{}\", access_key_id: \"${{env:KEY}}\", secret_access_key: \"${{env:SECRET}}\"}}",
        moto.endpoint()
    );
    let text = std::fs::read_to_string(&pipeline).unwrap().replace("local: {path: out}", &sink);
    std::fs::write(&pipeline, text).unwrap();
    let outflow = Outflow::in_folder(folder.path()).env("KEY", &moto.access_key).env("SECRET", &moto.secret_key);
    outflow.args(["run", "logs.yaml", "--at", AT]).run().expect_code(0);
    let script = "
for item in s3.list_objects_v2(Bucket='feeds')['Contents']:
    head = s3.head_object(Bucket='feeds', Key=item['Key'])
    print(item['Key'], head['ContentType'], head.get('ContentEncoding'))
";
    let told = moto.boto3(script, &[]).expect_code(0).stdout;
    let expected = "segment-logs/8ZcXDFXLxk/1546387200/20190103130532-0001.gz text/plain gzip\n\
                    segment-logs/8ZcXDFXLxk/1546473600/20190103130532-0001.gz text/plain gzip\n\
                    segment-logs/hQ2pWrT7nB/1546473600/20190103130532-0001.gz text/plain gzip\n";
    assert_eq!(told, expected);
}
