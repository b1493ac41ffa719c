//! Who is told what of failing runs: over HTTP, to Slack, and by e-mail.

use std::path::Path;

use serde_json::Value;

use crate::support::listener::Listener;
use crate::support::mail::{MailServer, PASSWORD, USER};
use crate::support::process::{Outcome, Outflow};

/// Three clients whose folders fail while a file of their name stands in the way.
fn feed(notify: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rows.csv"), "id\n1\n").unwrap();
    let pipeline = format!(
        "version: 1\nname: feed\nsource: {{files: {{path: rows.csv}}}}\nlayout: {{files: {{path: \"{{{{ nonce }}}}.csv\", format: \
         csv}}}}\nsink: {{local: {{path: \"out-${{matrix:client}}\"}}}}\nmatrix: [{{client: a}}, {{client: b}}, {{client: \
         c}}]\nnotify:\n{notify}"
    );
    std::fs::write(folder.path().join("feed.yaml"), pipeline).unwrap();
    folder
}

fn run(folder: &Path, url: &str) -> Outcome {
    Outflow::in_folder(folder).args(["run", "feed.yaml"]).env("HOOK", url).run()
}

fn block(folder: &Path, clients: &[&str]) {
    clients.iter().for_each(|client| std::fs::write(folder.join(format!("out-{client}")), "").unwrap());
}

fn mend(folder: &Path, client: &str) {
    std::fs::remove_file(folder.join(format!("out-{client}"))).unwrap();
}

/// SAIL-18, SAIL-19: what a webhook gets over six runs: nothing for the client that is mended soon, one notice when
/// enough clients fail for long enough, one when they work again.
#[test]
fn a_webhook_is_told_when_failures_begin_and_end() {
    let listener = Listener::start(&[500]);
    let notice = "  - on: [failure, partial, recovery]\n    webhook: \"${env:HOOK}\"\n    after: {consecutive: 2, share_of_clients: 0.5}\n";
    let folder = feed(notice);
    let url = listener.url("canary-hook-token");
    block(folder.path(), &["a"]);
    run(folder.path(), &url).expect_code(5);
    mend(folder.path(), "a");
    run(folder.path(), &url).expect_code(0);
    assert!(listener.take().is_empty());
    // What is delivered is not checked again, so new rows come.
    std::fs::write(folder.path().join("rows.csv"), "id\n1\n2\n").unwrap();
    for client in ["a", "b"] {
        std::fs::remove_dir_all(folder.path().join(format!("out-{client}"))).unwrap();
    }
    block(folder.path(), &["a", "b"]);
    run(folder.path(), &url).expect_code(5);
    assert!(listener.take().is_empty());
    let told = run(folder.path(), &url).expect_code(5);
    // The first answer was 500, so it came twice.
    let bodies = listener.take();
    assert_eq!(bodies.len(), 2, "{told:?}");
    let notice: Value = serde_json::from_str(&bodies[1]).unwrap();
    assert_eq!((&notice["schema"], &notice["event"]), (&"outflow/notice/v1".into(), &"partial".into()));
    assert_eq!((&notice["failed"], &notice["total"]), (&2.into(), &3.into()));
    assert_eq!(notice["instances"][0]["class"], "client_service_error");
    assert_eq!(notice["instances"][0]["consecutive"], 2);
    assert!(notice["text"].as_str().unwrap().starts_with("feed: 2 of 3 instances fail, the others deliver\na: "));
    run(folder.path(), &url).expect_code(5);
    assert!(listener.take().is_empty(), "it is known already");
    mend(folder.path(), "b");
    run(folder.path(), &url).expect_code(5);
    let bodies = listener.take();
    assert!(
        matches!(bodies.as_slice(), [one] if one.contains("\"recovery\"") && one.contains("b: delivered")),
        "{bodies:?}"
    );
}

/// A notice that cannot be sent is a warning; it changes no outcome and shows no URL.
#[test]
fn a_notice_that_fails_fails_nothing_else() {
    let folder = feed("  - webhook: \"${env:HOOK}\"\n  - {on: [recovery], slack: \"${env:HOOK}\"}\n");
    block(folder.path(), &["c"]);
    let refused = run(folder.path(), &Listener::start(&[403]).url("canary-hook-token")).expect_code(5);
    let refused = refused.expect_stderr("warning: the notice of `notify[0]` was not sent: webhook: status 403");
    assert!(!format!("{refused:?}").contains("canary-hook-token"), "{refused:?}");
    mend(folder.path(), "c");
    let listener = Listener::start(&[]);
    run(folder.path(), &listener.url("x")).expect_code(0);
    let bodies = listener.take();
    let slack: Value = serde_json::from_str(&bodies[0]).unwrap();
    assert!(slack["text"].as_str().unwrap().starts_with("outflow: feed: works again"), "{bodies:?}");
    let folder = feed("  - webhook: \"${env:HOOK}\"\n");
    block(folder.path(), &["a", "b", "c"]);
    let silent = run(folder.path(), "http://127.0.0.1:1/canary-hook-token").expect_code(3).expect_stderr("not sent");
    assert!(!silent.stderr.contains("canary-hook-token"), "{}", silent.stderr);
}

/// The mail server is a real one that demands TLS and a login; where its certificate is not known, nothing is sent.
#[test]
fn a_mail_is_sent_over_tls_or_not_at_all() {
    let server = MailServer::start();
    let folder = feed(&format!(
        "  - email:\n      to: [Oncall <oncall@acme.example>, b@acme.example]\n      from: outflow@acme.example\n      smtp: {{host: \
         localhost, port: {}, user: {USER}, password: \"${{env:MAIL_PASSWORD}}\"}}\n",
        server.port()
    ));
    block(folder.path(), &["b"]);
    let call = || Outflow::in_folder(folder.path()).args(["run", "feed.yaml"]).env("MAIL_PASSWORD", PASSWORD);
    let refused = call().run().expect_code(5).expect_stderr("not sent: email");
    assert!(server.mails().is_empty() && !format!("{refused:?}").contains(PASSWORD), "{refused:?}");
    std::fs::remove_dir_all(folder.path().join(".outflow")).unwrap();
    std::fs::remove_dir_all(folder.path().join("out-a")).unwrap();
    std::fs::remove_dir_all(folder.path().join("out-c")).unwrap();
    call().env("SSL_CERT_FILE", server.authority()).run().expect_code(5);
    let mails = server.mails();
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert_eq!(mails[0]["to"], serde_json::json!(["oncall@acme.example", "b@acme.example"]));
    assert_eq!(mails[0]["tls"], true);
    let content = mails[0]["content"].as_str().unwrap();
    assert!(
        content.contains("Subject: outflow: feed: failure (1 of 3)") && content.contains("is not a folder"),
        "{content}"
    );
}
