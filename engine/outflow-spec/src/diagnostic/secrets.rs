//! Constructors of the OF3 family: secrets and personal data.

use crate::codes;
use crate::diagnostic::Finding;
use crate::text::Span;

impl Finding {
    /// A secret written into the file.
    pub fn literal_secret(span: Span, field: &str) -> Self {
        Self::new(&codes::OF301, span, format!("`{field}` is written out in the file"), "a secret in plain text")
            .with_help(format!("take it from outside: `${{env:{}}}`, and revoke this one", field.to_uppercase()))
    }

    /// Text that looks like a credential.
    pub fn looks_like_secret(span: Span, kind: &str) -> Self {
        Self::new(&codes::OF302, span, format!("this looks like {kind}"), "a secret in plain text")
            .with_help("take it from outside: `${env:NAME}`, and revoke this one")
    }

    /// A personal column that reaches the files as it is.
    pub fn personal_column(span: Span, column: &str) -> Self {
        Self::new(&codes::OF303, span, format!("column `{column}` leaves unhashed"), "looks like personal data")
            .with_help(format!(
                "hash it (`- hash: {{columns: [{column}]}}`), leave it out with `select`, or say why it may leave: \
             `# outflow: ignore[OF303] reason`"
            ))
    }

    /// A keyed digest without its key.
    pub fn hash_needs_key(span: Span) -> Self {
        Self::new(&codes::OF304, span, "`hmac_sha256` needs a `key`", "`key` is missing")
            .with_help("add `key: ${env:HASH_KEY}`")
    }

    /// A key that the digest does not use.
    pub fn hash_ignores_key(span: Span) -> Self {
        Self::new(&codes::OF305, span, "`key` is not used by this algorithm", "without effect")
            .with_help("write `algorithm: hmac_sha256`, or remove the key")
    }

    /// A hashed column read as if it were the text.
    pub fn hashed_used_as_plain(span: Span, column: &str, hashed: Option<Span>) -> Self {
        let finding = Self::new(
            &codes::OF306,
            span,
            format!("column `{column}` holds a digest here, not its text"),
            "reads the digest",
        )
        .with_help("put this step before `hash`, or use another column");
        match hashed {
            Some(place) => finding.with_secondary(place, "hashed here"),
            None => finding,
        }
    }

    /// An SFTP server whose key is not known, or known twice.
    pub fn host_key_not_pinned(span: Span, message: &str) -> Self {
        Self::new(&codes::OF308, span, message, "any server could answer").with_help(
            "write `known_hosts: FILE`, or `host_keys: [\"SHA256:…\"]` with what the owner of the server tells you",
        )
    }

    /// A template that reads what the layout hashes later.
    pub fn identity_in_template(span: Span, column: &str) -> Self {
        Self::new(
            &codes::OF307,
            span,
            format!("the layout hashes `{column}`, yet this template writes it out"),
            "leaves as plain text",
        )
        .with_help("use another column, or hash this one before with `hash`")
    }
}
