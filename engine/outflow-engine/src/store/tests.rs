//! Sinks: what they publish, what they refuse, and what their failures mean.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use object_store::memory::InMemory;
use object_store::{Attribute, GetOptions, ObjectStore, ObjectStoreExt};
use outflow_formats::digest::Algorithm;
use outflow_spec::secret::Secret;
use outflow_spec::store::S3Access;

use super::*;
use crate::error::{Domain, Retry};
use crate::ledger::Role;
use crate::progress::Quiet;

pub(super) fn file(folder: &Path, path: &str, body: &[u8]) -> SealedFile {
    let spool_path = folder.join("spooled");
    fs::write(&spool_path, body).unwrap();
    fs::set_permissions(&spool_path, fs::Permissions::from_mode(0o600)).unwrap();
    SealedFile {
        ordinal: 0,
        role: Role::Data,
        path: path.into(),
        spool_path,
        rows: 1,
        bytes: body.len() as u64,
        digest: Algorithm::Sha256.of(body),
        content_type: Some("text/csv".into()),
        metadata: vec![("Flow".into(), "welcome".into())],
        details: "null".to_owned(),
    }
}

#[test]
fn paths_stay_below_the_target() {
    for good in ["a", "year=2026/day=01/a b.csv", "ünï/ç.csv", ".hidden", "a..b"] {
        check_path(good).unwrap();
    }
    let long = "x".repeat(256);
    for bad in ["", "/a", "a/", "a//b", ".", "..", "a/../b", "./a", "a\0b", "a\nb", "a\\b", &long, &"a/".repeat(600)] {
        assert_eq!(check_path(bad).unwrap_err().domain(), Domain::User, "{bad:?}");
    }
}

#[test]
fn s3_access_is_checked_before_any_request() {
    let with = |endpoint: &str, key: bool, secret: bool| S3Access {
        endpoint: (!endpoint.is_empty()).then(|| endpoint.to_owned()),
        access_key_id: key.then(|| Secret::new("k")),
        secret_access_key: secret.then(|| Secret::new("s")),
        ..S3Access::default()
    };
    s3("acme-feeds", &with("http://127.0.0.1:9000", true, true)).unwrap();
    for (bucket, access, wanted) in [
        ("s3://acme", with("", true, true), "scheme"),
        ("acme/feeds", with("", true, true), "slash"),
        ("", with("", true, true), "name"),
        ("acme", with("", true, false), "go together"),
        ("acme", with("127.0.0.1:9000", true, true), "URL"),
        ("acme", with("ftp://host", true, true), "http"),
        ("acme", with("https://user:hunter2@host", true, true), "credentials"),
    ] {
        let error = s3(bucket, &access).unwrap_err();
        assert_eq!(error.domain(), Domain::User);
        assert!(error.to_string().contains(wanted) && !error.to_string().contains("hunter2"), "{error}");
    }
}

/// An object may take longer than any limit, as long as its bytes keep coming; after a silence the rest is asked for.
#[tokio::test]
async fn a_slow_object_is_read_to_its_end() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut first, _) = listener.accept().unwrap();
        request(&mut first);
        first.write_all(answer("200 OK", "Content-Length: 10\r\n").as_bytes()).unwrap();
        for byte in b"slowly" {
            std::thread::sleep(Duration::from_millis(100));
            first.write_all(&[*byte]).unwrap();
        }
        let (mut second, _) = listener.accept().unwrap();
        let resumed = request(&mut second);
        let range = "Content-Length: 4\r\nContent-Range: bytes 6-9/10\r\n";
        second.write_all(answer("206 Partial Content", range).as_bytes()).unwrap();
        second.write_all(b" but").unwrap();
        resumed
    });
    let access = S3Access {
        endpoint: Some(endpoint),
        access_key_id: Some(Secret::new("k")),
        secret_access_key: Some(Secret::new("s")),
        ..S3Access::default()
    };
    let client = access::reader("acme", &access, Duration::from_millis(300)).unwrap();
    let body = client.get(&"a.csv".into()).await.unwrap().bytes().await.unwrap();
    assert_eq!(body, &b"slowly but"[..]);
    assert!(server.join().unwrap().to_ascii_lowercase().contains("range: bytes=6-9"));
}

fn request(stream: &mut TcpStream) -> String {
    let lines = BufReader::new(stream).lines().map(|line| line.unwrap());
    lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

fn answer(status: &str, length: &str) -> String {
    format!("HTTP/1.1 {status}\r\nETag: \"e\"\r\nLast-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n{length}\r\n")
}

/// SAIL-14: a failure is the client's own, or a general one.
#[test]
fn failures_say_who_acts() {
    let failed = |status: &str, code: &str| {
        let body = format!("<Error><Code>{code}</Code><Message>m</Message><StringToSign>AWS4</StringToSign></Error>");
        let source = format!("Server returned non-2xx status code: {status}: {body}");
        match &status[..3] {
            "403" => object_store::Error::PermissionDenied { path: "k".into(), source: source.into() },
            "404" => object_store::Error::NotFound { path: "k".into(), source: source.into() },
            _ => object_store::Error::Generic { store: "S3", source: source.into() },
        }
    };
    use crate::error::Class::{ClientServiceError as Client, GeneralError as General};
    for (status, code, retry, class, wanted) in [
        ("403 Forbidden", "SignatureDoesNotMatch", Retry::Never, Client, "credentials were refused"),
        ("403 Forbidden", "InvalidAccessKeyId", Retry::Never, Client, "credentials were refused"),
        ("403 Forbidden", "AccessDenied", Retry::Never, Client, "access denied"),
        ("404 Not Found", "NoSuchBucket", Retry::Never, Client, "bucket does not exist"),
        ("400 Bad Request", "AuthorizationHeaderMalformed", Retry::Never, General, "wrong region"),
        ("400 Bad Request", "InvalidRequest", Retry::Never, General, "refused"),
        ("503 Service Unavailable", "SlowDown", Retry::Later, General, "SlowDown"),
        ("500 Internal Server Error", "InternalError", Retry::Later, General, "InternalError"),
        ("429 Too Many Requests", "TooManyRequests", Retry::Later, General, "TooMany"),
    ] {
        let error = describe(&failed(status, code), "writing `s3://acme/a.csv`");
        assert_eq!((error.retry(), error.class()), (retry, class), "{error}");
        assert!(error.to_string().contains(wanted) && error.to_string().contains("s3://acme/a.csv"), "{error}");
        assert!(!error.to_string().contains("AWS4"), "what was signed is not shown");
    }
}

/// What every sink must do.
pub(super) async fn conforms(sink: &dyn Sink, folder: &Path) {
    sink.check().await.unwrap();
    for trust in [Trust::Spool, Trust::Nothing] {
        let path = format!("a/{trust:?}/data.csv");
        let sealed = file(folder, &path, b"one\ntwo\nthree\n");
        assert_eq!(sink.compare(&sealed, trust).await.unwrap(), Proof::Absent);

        fs::write(&sealed.spool_path, b"one\ntwo\n").unwrap();
        let put = sink.put(&sealed, ".part", &Quiet).await.unwrap();
        assert!(matches!(put, Put::Damaged(_)), "{put:?}");
        fs::remove_file(&sealed.spool_path).unwrap();
        let put = sink.put(&sealed, ".part", &Quiet).await.unwrap();
        assert!(matches!(put, Put::Damaged(_)), "{put:?}");
        assert_eq!(sink.compare(&sealed, trust).await.unwrap(), Proof::Absent, "altered bytes are never published");

        let sealed = file(folder, &path, b"one\ntwo\nthree\n");
        let put = sink.put(&sealed, ".part", &Quiet).await.unwrap();
        assert!(matches!(put, Put::Stored), "{put:?}");
        for trust in [Trust::Spool, Trust::Nothing, Trust::Bytes] {
            assert_eq!(sink.compare(&sealed, trust).await.unwrap(), Proof::Same);
        }
        fs::remove_file(&sealed.spool_path).unwrap();
        let other = file(folder, &path, b"one\ntwo\nother\n");
        assert!(matches!(sink.compare(&other, Trust::Nothing).await.unwrap(), Proof::Different(_)));
        let longer = file(folder, &path, b"one\ntwo\nthree\nfour\n");
        assert!(matches!(sink.compare(&longer, Trust::Spool).await.unwrap(), Proof::Different(_)));
        sink.sweep(&sealed, ".part").await.unwrap();
    }
    for path in ["../out.csv", "/etc/x", "a/../../x"] {
        let escaping = file(folder, path, b"x");
        sink.put(&escaping, ".part", &Quiet).await.unwrap_err();
        sink.compare(&escaping, Trust::Spool).await.unwrap_err();
    }
}

#[tokio::test]
async fn sinks_conform() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out/deep");
    conforms(&Folder::new(&out, "out/deep").unwrap(), folder.path()).await;
    for part in [1 << 20, 5] {
        let bucket = Bucket::new(Arc::new(InMemory::new()), "acme", "exports/simon", None).unwrap().with_part(part);
        conforms(&bucket, folder.path()).await;
    }
}

#[tokio::test]
async fn a_folder_never_overwrites_and_never_leaves_itself() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let sink = Folder::new(&out, "out").unwrap();
    let sealed = file(folder.path(), "a/data.csv", b"ours");
    fs::create_dir_all(out.join("a")).unwrap();
    fs::write(out.join("a/data.csv"), b"theirs").unwrap();
    let put = sink.put(&sealed, ".part", &Quiet).await.unwrap();
    assert!(matches!(put, Put::Taken), "{put:?}");
    assert_eq!(fs::read(out.join("a/data.csv")).unwrap(), b"theirs");

    std::os::unix::fs::symlink(folder.path(), out.join("away")).unwrap();
    let escaping = SealedFile { path: "away/data.csv".into(), ..sealed.clone() };
    let error = sink.put(&escaping, ".part", &Quiet).await.unwrap_err();
    assert!(error.to_string().contains("symbolic link"), "{error}");
    assert!(!folder.path().join("data.csv").exists());
    std::os::unix::fs::symlink("/nowhere", out.join("a/link.csv")).unwrap();
    let linked = SealedFile { path: "a/link.csv".into(), ..sealed };
    assert!(matches!(sink.compare(&linked, Trust::Nothing).await.unwrap(), Proof::Different(_)));
}

/// The copy is what other file systems get; a set-group-id folder asks for it too.
#[tokio::test]
async fn a_copy_publishes_like_a_link() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    fs::create_dir(&out).unwrap();
    fs::set_permissions(&out, fs::Permissions::from_mode(0o2755)).unwrap();
    let sink = Folder::new(&out, "out").unwrap();
    let sealed = file(folder.path(), "data.csv", b"ours");
    fs::write(out.join(".part"), b"left by a dead process").unwrap();
    let put = sink.put(&sealed, ".part", &Quiet).await.unwrap();
    assert!(matches!(put, Put::Stored), "{put:?}");
    let put = sink.put(&sealed, ".part", &Quiet).await.unwrap();
    assert!(matches!(put, Put::Taken), "{put:?}");
    fs::write(&sealed.spool_path, b"OURS").unwrap();
    let other = SealedFile { path: "other.csv".into(), ..sealed };
    let put = sink.put(&other, ".part", &Quiet).await.unwrap();
    assert!(matches!(put, Put::Damaged(_)), "{put:?}");
    let names: Vec<_> = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["data.csv"], "no temporary file stays");
}

#[tokio::test]
async fn published_files_are_as_open_as_new_ones() {
    let folder = tempfile::tempdir().unwrap();
    let sink = Folder::new(&folder.path().join("out"), "out").unwrap();
    let sealed = file(folder.path(), "data.csv", b"ours");
    sink.put(&sealed, ".part", &Quiet).await.unwrap();
    fs::write(folder.path().join("new"), b"").unwrap();
    let mode = |path: &str| fs::metadata(folder.path().join(path)).unwrap().permissions().mode();
    assert_eq!(mode("out/data.csv"), mode("new"));
}

#[tokio::test]
async fn an_object_carries_its_digest_type_and_metadata() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(InMemory::new());
    for (part, path) in [(1 << 20, "whole.csv"), (3, "parts.csv")] {
        let sink = Bucket::new(store.clone(), "acme", "p", None).unwrap().with_part(part);
        let sealed = file(folder.path(), path, b"0123456789");
        sink.put(&sealed, "", &Quiet).await.unwrap();
        let found = store.get_opts(&format!("p/{path}").into(), GetOptions::default()).await.unwrap();
        let metadata = |name: &'static str| found.attributes.get(&Attribute::Metadata(name.into())).cloned();
        assert_eq!(metadata("outflow-sha256").as_deref(), sealed.digest.sha256());
        assert_eq!(metadata("flow").as_deref(), Some("welcome"));
        assert_eq!(found.attributes.get(&Attribute::ContentType).map(|value| value.as_ref()), Some("text/csv"));
        assert_eq!(found.bytes().await.unwrap().as_ref(), b"0123456789");
    }
    // Without our metadata the bytes themselves are compared.
    let sink = Bucket::new(store.clone(), "acme", "p", None).unwrap();
    let sealed = file(folder.path(), "bare.csv", b"same");
    for (body, same) in [(&b"same"[..], true), (&b"diff"[..], false)] {
        store.put(&"p/bare.csv".into(), body.to_vec().into()).await.unwrap();
        assert_eq!(sink.compare(&sealed, Trust::Spool).await.unwrap() == Proof::Same, same);
    }
    // With metadata that lies they are too, when asked for.
    for part in [1 << 20, 3] {
        let sink = Bucket::new(store.clone(), "acme", "p", None).unwrap().with_part(part);
        let mut attributes = object_store::Attributes::new();
        attributes.insert(Attribute::Metadata("outflow-sha256".into()), sealed.digest.hex().to_owned().into());
        store.put_opts(&"p/bare.csv".into(), b"lies".to_vec().into(), attributes.into()).await.unwrap();
        assert_eq!(sink.compare(&sealed, Trust::Nothing).await.unwrap(), Proof::Same);
        assert!(matches!(sink.compare(&sealed, Trust::Bytes).await.unwrap(), Proof::Different(_)));
        store.put(&"p/bare.csv".into(), b"same".to_vec().into()).await.unwrap();
        assert_eq!(sink.compare(&sealed, Trust::Bytes).await.unwrap(), Proof::Same);
    }
    let zipped = SealedFile {
        path: "bare.gz".into(),
        metadata: vec![("Content-Encoding".into(), "gzip".into()), ("part".into(), "1".into())],
        ..sealed.clone()
    };
    sink.put(&zipped, "", &Quiet).await.unwrap();
    let found = store.get_opts(&"p/bare.gz".into(), GetOptions::default()).await.unwrap().attributes;
    assert_eq!(found.get(&Attribute::ContentEncoding).map(|value| value.as_ref()), Some("gzip"));
    assert_eq!(found.get(&Attribute::Metadata("part".into())).map(|value| value.as_ref()), Some("1"));
    let odd = SealedFile { metadata: vec![("flow".into(), "naïve".into())], ..sealed };
    sink.put(&odd, "", &Quiet).await.unwrap_err();
}

#[test]
fn identities_tell_targets_apart() {
    let folder = |path: &str| Folder::new(Path::new(path), "out").unwrap().identity().to_owned();
    assert_eq!(folder("/data/x/../out/"), "file:///data/out");
    let bucket =
        |endpoint| Bucket::new(Arc::new(InMemory::new()), "acme", "p", endpoint).unwrap().identity().to_owned();
    assert_eq!(bucket(None), "s3://acme/p");
    assert_ne!(bucket(Some("http://a:1")), bucket(Some("http://b:1")));
}

/// ACT-9, ACT-10: only what holds the sealed bytes is taken away; what is gone already is no error.
#[tokio::test]
async fn only_our_own_file_is_removed() {
    let home = tempfile::tempdir().unwrap();
    let memory = Arc::new(InMemory::new());
    let sinks: [Arc<dyn Sink>; 2] = [
        Arc::new(Folder::new(&home.path().join("out"), "out").unwrap()),
        Arc::new(Bucket::new(memory, "acme", "in", None).unwrap()),
    ];
    for sink in sinks {
        let ours = file(home.path(), "2026/a.csv", b"ours");
        assert_eq!(sink.remove(&ours).await.unwrap(), Proof::Absent);
        assert!(matches!(sink.put(&ours, ".staging", &Quiet).await.unwrap(), Put::Stored));
        let other = SealedFile { digest: Algorithm::Sha256.of(b"other"), ..ours.clone() };
        let longer = SealedFile { bytes: 5, ..ours.clone() };
        for foreign in [other, longer] {
            assert!(matches!(sink.remove(&foreign).await.unwrap(), Proof::Different(_)), "{}", sink.identity());
            assert_eq!(sink.compare(&ours, Trust::Bytes).await.unwrap(), Proof::Same);
        }
        assert_eq!(sink.remove(&ours).await.unwrap(), Proof::Same);
        assert_eq!(sink.compare(&ours, Trust::Bytes).await.unwrap(), Proof::Absent);
        assert_eq!(sink.remove(&ours).await.unwrap(), Proof::Absent);
    }
    // A link that leads out of the folder is not followed.
    let elsewhere = home.path().join("elsewhere");
    fs::create_dir_all(&elsewhere).unwrap();
    fs::write(elsewhere.join("a.csv"), b"ours").unwrap();
    std::os::unix::fs::symlink(&elsewhere, home.path().join("out/link")).unwrap();
    let sink = Folder::new(&home.path().join("out"), "out").unwrap();
    sink.remove(&file(home.path(), "link/a.csv", b"ours")).await.unwrap_err();
    assert!(elsewhere.join("a.csv").exists());
}
