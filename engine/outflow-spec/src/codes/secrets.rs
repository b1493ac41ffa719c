//! Codes of the OF3 family: secrets and personal data.

use crate::codes::{CodeDoc, RaisedBy, Severity};

/// Secret in the file.
pub static OF301: CodeDoc = CodeDoc {
    code: "OF301",
    title: "secret in the file",
    severity: Severity::Error,
    raised_by: RaisedBy::Rule,
    explanation: "Pipeline files are shared and versioned; a secret in one is public to all who can read the \
        repository, for ever. Name the place that holds it: `${env:NAME}` or `${file:/run/secrets/name}`. A secret \
        that was written here once should be revoked.",
    bad: "sink:
  s3: {bucket: acme-feeds, secret_access_key: correct-horse-battery}
",
    good: r#"sink:
  s3: {bucket: acme-feeds, secret_access_key: "${env:OF_TEST_SET}"}
"#,
};

/// Looks like a secret.
pub static OF302: CodeDoc = CodeDoc {
    code: "OF302",
    title: "looks like a secret",
    severity: Severity::Error,
    raised_by: RaisedBy::Rule,
    explanation: "The text has the form of a credential, such as a cloud access key, a token with a known prefix, \
        a private key, or a password in a URL. Take it from outside, and revoke it.",
    bad: "description: uses AKIAIOSFODNN7EXAMPLE
",
    good: "description: uses the key of the integration team
",
};

/// Personal data leaves unhashed.
pub static OF303: CodeDoc = CodeDoc {
    code: "OF303",
    title: "personal data leaves unhashed",
    severity: Severity::Warning,
    raised_by: RaisedBy::Columns,
    explanation: "The name of the column says that it identifies a person, and it reaches the files as plain text. \
        If the partner needs it so, say why in a comment; else hash it or leave it out.",
    bad: "transforms:
  - select: {columns: [email, total]}
",
    good: "transforms:
  - hash: {columns: [email]}
  - select: {columns: [email, total]}
",
};

/// Keyed digest without key.
pub static OF304: CodeDoc = CodeDoc {
    code: "OF304",
    title: "keyed digest without key",
    severity: Severity::Error,
    raised_by: RaisedBy::Rule,
    explanation: "HMAC is a digest under a key. Without one there is nothing to compute.",
    bad: "transforms:
  - hash: {columns: [order_id], algorithm: hmac_sha256}
",
    good: r#"transforms:
  - hash: {columns: [order_id], algorithm: hmac_sha256, key: "${env:OF_TEST_SET}"}
"#,
};

/// Key without keyed digest.
pub static OF305: CodeDoc = CodeDoc {
    code: "OF305",
    title: "key without keyed digest",
    severity: Severity::Warning,
    raised_by: RaisedBy::Rule,
    explanation: "Only `hmac_sha256` uses a key. With another algorithm the digest can be guessed from a list of \
        addresses, although the key suggests otherwise.",
    bad: r#"transforms:
  - hash: {columns: [order_id], algorithm: sha256, key: "${env:OF_TEST_SET}"}
"#,
    good: "transforms:
  - hash: {columns: [order_id], algorithm: sha256}
",
};

/// Digest used as text.
pub static OF306: CodeDoc = CodeDoc {
    code: "OF306",
    title: "digest used as text",
    severity: Severity::Warning,
    raised_by: RaisedBy::Columns,
    explanation: "Transforms run in order. After `hash` the column holds the digest; a template or an expression \
        that reads it gets 64 hexadecimal digits.",
    bad: r#"transforms:
  - hash: {columns: [city]}
  - contexts: {greeting: "Hello {{ city }}"}
"#,
    good: r#"transforms:
  - contexts: {greeting: "Hello {{ city }}"}
  - hash: {columns: [city]}
"#,
};

/// Identity read although the layout hashes it.
pub static OF307: CodeDoc = CodeDoc {
    code: "OF307",
    title: "identity read although the layout hashes it",
    severity: Severity::Warning,
    raised_by: RaisedBy::Columns,
    explanation: "The layout hashes the columns that identify a contact when it writes the files. Transforms run \
        before that, so a template that reads such a column puts the plain text beside the digest.",
    bad: r#"transforms:
  - contexts: {profile: "https://shop.example/{{ identifier }}"}
layout:
  simon:
    client: acme
    segment_name: Buyers
    flow: {id: "1", name: Welcome}
    format: csv
    hash_identity: true
"#,
    good: r#"transforms:
  - contexts: {profile: "https://shop.example/{{ order_id }}"}
layout:
  simon:
    client: acme
    segment_name: Buyers
    flow: {id: "1", name: Welcome}
    format: csv
    hash_identity: true
"#,
};

/// Host key not pinned.
pub static OF308: CodeDoc = CodeDoc {
    code: "OF308",
    title: "host key not pinned",
    severity: Severity::Error,
    raised_by: RaisedBy::Rule,
    explanation: "Whoever can answer in place of the server gets the password and the files, unless outflow knows \
        the key that the server must show. Name a known_hosts file, or write the fingerprint of the key itself: its \
        owner tells it, and `ssh-keyscan HOST | ssh-keygen -lf -` shows the one that answers now. There is no way \
        to trust what answers first.",
    bad: r#"sink:
  sftp: {host: sftp.acme.example, user: feeds, password: "${env:OF_TEST_SET}"}
"#,
    good: r#"sink:
  sftp:
    host: sftp.acme.example
    user: feeds
    password: "${env:OF_TEST_SET}"
    host_keys: ["SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"]
"#,
};
