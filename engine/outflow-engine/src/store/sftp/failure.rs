//! What a failure of an SFTP server means: who has to act, and whether waiting helps.

use outflow_sftp::Kind;

use crate::error::Error;

/// Turns a failure into the engine's error; `what` says what was done where, as "writing `sftp://host/path`".
pub(super) fn describe(error: &outflow_sftp::Error, what: &str) -> Error {
    let message = format!("{what}: {error}");
    match error.kind() {
        Kind::Setup => Error::user(message).hint("check the credentials and keys of the sink"),
        Kind::Source => Error::external(message),
        Kind::Unreachable => Error::transient(message).hint("check `host` and `port`, and that the server is up"),
        Kind::Lost => Error::transient(message),
        Kind::HostKey => Error::external(message).hint(
            "nothing was sent; ask the owner of the server which key is right, and only then change `known_hosts` or \
             `host_keys`",
        ),
        Kind::Login => Error::external(message).hint("check `user` and `password`, `private_key` or `agent`"),
        Kind::Missing => Error::external(message).hint("check `path` of the sink"),
        Kind::Denied => Error::external(message).hint("the user must be allowed to write and read in the folder"),
        Kind::Failed => Error::external(message).hint("the server does not say why; a name may be too long for it"),
        Kind::Unwritten => Error::transient(message).hint("free some space there, or have the quota raised"),
        Kind::Unsupported => Error::external(message),
    }
}
