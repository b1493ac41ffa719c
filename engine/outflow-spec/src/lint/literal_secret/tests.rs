//! Tests of what counts as a secret.

use crate::lint::literal_secret::{credential, outside_placeholders};

#[test]
fn credentials_are_told_from_other_text() {
    for (text, kind) in [
        ("AKIAIOSFODNN7EXAMPLE", Some("an AWS access key")),
        ("key=ghp_0123456789abcdefghijklmnopqrstuvwxyz", Some("a GitHub token")),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE", Some("a private key")),
        ("https://user:pass@host/", Some("a URL with a password")),
        ("q7Rk2ZpX9vLmT4bWcY8sNfJ1hGdA6eUo", Some("a random key")),
        ("https://user:${env:P}@host/", None),
        ("https://user@host/", None),
        ("AKIA is how they start", None),
        ("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", None),
        ("550e8400-e29b-41d4-a716-446655440000", None),
        ("SELECT customer, count(*) AS orders FROM input GROUP BY customer", None),
        ("exports/Simon2026/AcmeFeeds/WelcomeFlow/Contacts", None),
        ("CustomerRelationshipManagementExport2026", None),
    ] {
        assert_eq!(credential(text).map(|found| found.0), kind, "{text}");
    }
}

#[test]
fn defaults_are_written_in_the_file() {
    for (text, literal) in
        [("${env:A}", ""), ("${env:A:-b}", "b"), ("a${file:x}b", "ab"), ("${env:A", ""), ("plain", "plain")]
    {
        assert_eq!(outside_placeholders(text), literal, "{text}");
    }
}
