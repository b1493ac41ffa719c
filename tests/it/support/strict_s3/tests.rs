//! The strict server is calibrated against boto3: what a real bucket refuses, it refuses.

use std::time::Duration;

use super::{ACCESS_KEY, Action, Fault, SECRET_KEY, StrictS3};
use crate::support::moto::boto3;

/// Runs assertions written in Python against a server with the bucket `acme-feeds`.
fn check(server: &StrictS3, script: &str) {
    boto3(&server.endpoint(), ACCESS_KEY, SECRET_KEY, &format!("{PRELUDE}\n{script}"), &[]).expect_code(0);
}

const PRELUDE: &str = r#"
import base64, hashlib, threading
from botocore.exceptions import ClientError
B = "acme-feeds"
def refused(code, call):
    try: call()
    except ClientError as error:
        found = error.response["Error"]["Code"]
        assert found in code.split("|"), f"{found} instead of {code}"
    else: raise AssertionError(f"accepted instead of {code}")
def sha(data): return base64.b64encode(hashlib.sha256(data).digest()).decode()
"#;

#[test]
fn objects_come_back_as_they_went_in() {
    let server = StrictS3::start(&["acme-feeds"]);
    check(
        &server,
        r#"
data = bytes(range(256)) * 100
put = s3.put_object(Bucket=B, Key="a b/ü%.csv", Body=data, Metadata={"of-rows": "6"}, ContentType="text/csv", ChecksumSHA256=sha(data))
got = s3.get_object(Bucket=B, Key="a b/ü%.csv")
assert got["Body"].read() == data and got["ETag"] == put["ETag"] == '"' + hashlib.md5(data).hexdigest() + '"'
assert got["ContentType"] == "text/csv" and got["Metadata"] == {"of-rows": "6"}
assert s3.get_object(Bucket=B, Key="a b/ü%.csv", Range="bytes=10-19")["Body"].read() == data[10:20]
head = s3.head_object(Bucket=B, Key="a b/ü%.csv", ChecksumMode="ENABLED")
assert head["ContentLength"] == len(data) and head["ChecksumSHA256"] == sha(data)
assert "ChecksumSHA256" not in s3.head_object(Bucket=B, Key="a b/ü%.csv")
for n in range(25): s3.put_object(Bucket=B, Key=f"many/{n % 5}/{n:03}", Body=b"x")
pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket=B, Prefix="many/", PaginationConfig={"PageSize": 7}))
assert len(pages) == 4 and sum(len(p["Contents"]) for p in pages) == 25
pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket=B, Prefix="many/", Delimiter="/", PaginationConfig={"PageSize": 2}))
assert [c["Prefix"] for p in pages for c in p.get("CommonPrefixes", [])] == [f"many/{n}/" for n in range(5)]
s3.delete_object(Bucket=B, Key="many/0/000"); s3.delete_object(Bucket=B, Key="many/0/000")
s3.delete_objects(Bucket=B, Delete={"Objects": [{"Key": "many/1/001"}, {"Key": "many/2/002"}]})
assert s3.list_objects_v2(Bucket=B, Prefix="many/")["KeyCount"] == 22
refused("NoSuchKey", lambda: s3.get_object(Bucket=B, Key="many/0/000"))
refused("404", lambda: s3.head_object(Bucket=B, Key="many/0/000"))
refused("NoSuchBucket", lambda: s3.put_object(Bucket="nobody", Key="k", Body=b""))
refused("404", lambda: s3.head_bucket(Bucket="nobody"))
"#,
    );
}

#[test]
fn wrong_credentials_and_wrong_checksums_are_refused() {
    let server = StrictS3::start(&["acme-feeds"]);
    let call = "s3.put_object(Bucket='acme-feeds', Key='k', Body=b'x')";
    for (access, secret) in [(ACCESS_KEY, "wrong"), ("AKIANOBODY", SECRET_KEY)] {
        boto3(&server.endpoint(), access, secret, call, &[]).expect_code(1);
    }
    assert!(server.exchanges().iter().all(|exchange| exchange.answered == Some(403)), "{:?}", server.exchanges());
    check(
        &server,
        r#"
refused("BadDigest|XAmzContentSHA256Mismatch", lambda: s3.put_object(Bucket=B, Key="k", Body=b"right", ChecksumSHA256=sha(b"wrong")))
refused("BadDigest|InvalidDigest", lambda: s3.put_object(Bucket=B, Key="k", Body=b"right", ContentMD5=base64.b64encode(hashlib.md5(b"wrong").digest()).decode()))
assert s3.list_objects_v2(Bucket=B)["KeyCount"] == 0
"#,
    );
    assert!(server.store().objects("acme-feeds").is_empty());
}

#[test]
fn one_of_many_conditional_writers_wins() {
    let server = StrictS3::start(&["acme-feeds"]);
    check(
        &server,
        r#"
for round in range(10):
    won, lost, gate = [], [], threading.Barrier(8)
    def write(n):
        gate.wait()
        try: s3.put_object(Bucket=B, Key=f"k{round}", Body=f"writer {n}".encode(), IfNoneMatch="*"); won.append(n)
        except ClientError as error: lost.append(error.response["Error"]["Code"])
    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    [t.start() for t in threads]; [t.join() for t in threads]
    assert len(won) == 1 and lost == ["PreconditionFailed"] * 7, (won, lost)
    assert s3.get_object(Bucket=B, Key=f"k{round}")["Body"].read() == f"writer {won[0]}".encode()
etag = s3.head_object(Bucket=B, Key="k0")["ETag"]
s3.put_object(Bucket=B, Key="k0", Body=b"next", IfMatch=etag)
refused("PreconditionFailed", lambda: s3.put_object(Bucket=B, Key="k0", Body=b"late", IfMatch=etag))
"#,
    );
}

#[test]
fn multipart_uploads_are_invisible_until_complete() {
    let server = StrictS3::start(&["acme-feeds"]);
    check(
        &server,
        r#"
part, rest = b"a" * (5 << 20), b"tail"
def start(key): return s3.create_multipart_upload(Bucket=B, Key=key, ChecksumAlgorithm="SHA256", Metadata={"m": "1"})["UploadId"]
def send(key, upload, number, body):
    sent = s3.upload_part(Bucket=B, Key=key, UploadId=upload, PartNumber=number, Body=body, ChecksumSHA256=sha(body))
    return {"PartNumber": number, "ETag": sent["ETag"], "ChecksumSHA256": sha(body)}
def complete(key, upload, parts, **more):
    return s3.complete_multipart_upload(Bucket=B, Key=key, UploadId=upload, MultipartUpload={"Parts": parts}, **more)
up = start("big"); parts = [send("big", up, 1, part), send("big", up, 2, rest)]
assert s3.list_objects_v2(Bucket=B)["KeyCount"] == 0
assert [u["UploadId"] for u in s3.list_multipart_uploads(Bucket=B)["Uploads"]] == [up]
assert [p["Size"] for p in s3.list_parts(Bucket=B, Key="big", UploadId=up)["Parts"]] == [len(part), len(rest)]
refused("InvalidPartOrder", lambda: complete("big", up, parts[::-1]))
refused("InvalidPart", lambda: complete("big", up, [dict(parts[0], ETag='"0"')]))
done = complete("big", up, parts, IfNoneMatch="*")
assert done["ETag"].endswith('-2"') and s3.get_object(Bucket=B, Key="big")["Body"].read() == part + rest
assert s3.head_object(Bucket=B, Key="big")["Metadata"] == {"m": "1"}
refused("NoSuchUpload", lambda: complete("big", up, parts))
up = start("big"); parts = [send("big", up, 1, rest)]
refused("PreconditionFailed", lambda: complete("big", up, parts, IfNoneMatch="*"))
s3.abort_multipart_upload(Bucket=B, Key="big", UploadId=up)
refused("NoSuchUpload", lambda: complete("big", up, parts))
up = start("small"); parts = [send("small", up, 1, rest), send("small", up, 2, rest)]
refused("EntityTooSmall", lambda: complete("small", up, parts))
refused("BadDigest", lambda: s3.upload_part(Bucket=B, Key="small", UploadId=up, PartNumber=3, Body=b"x", ChecksumSHA256=sha(b"y")))
"#,
    );
    assert_eq!(server.store().uploads().len(), 1, "the upload that was neither completed nor aborted");
}

#[test]
fn faults_fire_when_told_and_the_log_tells_what_happened() {
    let server = StrictS3::start(&["acme-feeds"]);
    server.fail(Fault::once("PutObject", "control_", Action::Respond(503, "SlowDown")));
    server.fail(Fault::once("PutObject", "drop", Action::ActThenDrop));
    server.fail(Fault::once("PutObject", "lost", Action::Drop).nth(2));
    server.fail(Fault::always("HeadObject", "", Action::ActThenRespond(500, "InternalError")));
    server.fail(Fault::once("PutObject", "slow", Action::Delay(Duration::from_millis(300))));
    check(
        &server,
        r#"
import time
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, HTTPClientError
def cut(key):
    try: s3.put_object(Bucket=B, Key=key, Body=b"x")
    except (HTTPClientError, ConnectionClosedError, EndpointConnectionError): return
    raise AssertionError("answered")
s3.put_object(Bucket=B, Key="data", Body=b"x")
refused("SlowDown", lambda: s3.put_object(Bucket=B, Key="control_data", Body=b"x"))
s3.put_object(Bucket=B, Key="control_data", Body=b"x")
cut("drop")
s3.put_object(Bucket=B, Key="lost", Body=b"1"); cut("lost")
refused("500", lambda: s3.head_object(Bucket=B, Key="data"))
began = time.time(); s3.put_object(Bucket=B, Key="slow", Body=b"x"); assert time.time() - began > 0.29
"#,
    );
    let told: Vec<(String, Option<u16>, Option<u16>)> = server
        .exchanges_of("PutObject")
        .into_iter()
        .map(|exchange| (exchange.key, exchange.decided, exchange.answered))
        .collect();
    let ok = Some(200);
    let expected = [
        ("data", ok, ok),
        ("control_data", None, Some(503)),
        ("control_data", ok, ok),
        ("drop", ok, None),
        ("lost", ok, ok),
        ("lost", None, None),
        ("slow", ok, ok),
    ];
    let expected: Vec<_> =
        expected.into_iter().map(|(key, decided, answered)| (key.to_owned(), decided, answered)).collect();
    assert_eq!(told, expected);
    let objects = server.store().objects("acme-feeds");
    assert!(objects.contains_key("drop") && objects["lost"].bytes == "1".as_bytes());
    assert!(objects["data"].order < objects["control_data"].order);
}
