//! Where a `postgres` source connects, who it is there, and how the connection is protected. Nothing connects here.

use std::path::Path;
use std::str::FromStr;

use outflow_spec::source::{PostgresSource, PostgresTlsMode};
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::error::{Error, Result};

#[cfg(test)]
mod tests;

/// What the driver needs to connect.
pub fn options(source: &PostgresSource, base: &Path) -> Result<PgConnectOptions> {
    let (mut options, asked) = match &source.url {
        Some(url) => of_url(url.reveal())?,
        None => (of_parts(source)?, None),
    };
    let tls = &source.tls;
    let mode = match tls.mode {
        None if is_socket(&options) => PgSslMode::Disable,
        None => asked.unwrap_or(PgSslMode::VerifyFull),
        Some(PostgresTlsMode::VerifyFull) => PgSslMode::VerifyFull,
        Some(PostgresTlsMode::VerifyCa) => PgSslMode::VerifyCa,
        Some(PostgresTlsMode::Disable) => PgSslMode::Disable,
    };
    options = options.ssl_mode(mode);
    options = match &tls.ca {
        Some(path) => options.ssl_root_cert_from_pem(certificates(&base.join(path))?),
        // Said so that nothing in the environment stands in for it.
        None => options.ssl_root_cert_from_pem(Vec::new()),
    };
    if let (Some(certificate), Some(key)) = (&tls.certificate, &tls.key) {
        options = options.ssl_client_cert(base.join(certificate)).ssl_client_key(base.join(key));
    }
    let name = source.application_name.as_deref().unwrap_or("outflow");
    Ok(options.application_name(name).disable_statement_logging())
}

/// The server, database and what is read, as people may see it.
pub fn place(source: &PostgresSource, options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or(options.get_username());
    let read = source.table.as_deref().unwrap_or("query");
    format!("postgres://{}:{}/{database} ({read})", options.get_host(), options.get_port())
}

/// The file, which must hold a certificate: without one every server would be refused for another reason.
fn certificates(path: &Path) -> Result<Vec<u8>> {
    let pem = std::fs::read(path)
        .map_err(|cause| Error::user(format!("cannot read the certificates `{}`: {cause}", path.display())))?;
    if !String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----") {
        return Err(Error::user(format!("`{}` holds no certificate in PEM form", path.display())));
    }
    Ok(pem)
}

fn is_socket(options: &PgConnectOptions) -> bool {
    options.get_socket().is_some() || options.get_host().starts_with('/')
}

fn of_parts(source: &PostgresSource) -> Result<PgConnectOptions> {
    let (Some(host), Some(database), Some(user)) = (&source.host, &source.database, &source.user) else {
        return Err(Error::user("the source does not say where to connect")
            .hint("write `url`, or `host`, `database`, `user` and `password`"));
    };
    let password = source.password.as_ref().map_or("", |password| password.reveal());
    let options = PgConnectOptions::new_without_pgpass().host(host).port(source.port.unwrap_or(5432));
    Ok(options.database(database).username(user).password(password))
}

/// A URL, and what it says itself of TLS. It may hold a password, so no error repeats any of it.
fn of_url(text: &str) -> Result<(PgConnectOptions, Option<PgSslMode>)> {
    let refused = |why: &str| {
        Error::user(format!("the `url` of the source {why}"))
            .hint("write `postgres://user:password@host:5432/database`, with `%40` for an `@` in the password")
    };
    let url = url::Url::parse(text).map_err(|_| refused("is no URL"))?;
    if !matches!(url.scheme(), "postgres" | "postgresql") {
        return Err(refused("does not begin with `postgres://`"));
    }
    let told = |name: &str| url.query_pairs().any(|(key, _)| key == name);
    if (url.host_str().is_none_or(str::is_empty) && !told("host")) || (url.username().is_empty() && !told("user")) {
        return Err(refused("names no host or no user"));
    }
    let known = ["sslmode", "host", "port", "user", "password", "dbname", "application_name"];
    if let Some((name, _)) = url.query_pairs().find(|(key, _)| !known.contains(&key.as_ref())) {
        return Err(refused(&format!("has a parameter `{name}`, which is not known")));
    }
    let mode = url.query_pairs().find(|(key, _)| key == "sslmode").map(|(_, mode)| match mode.as_ref() {
        "disable" => PgSslMode::Disable,
        "verify-ca" => PgSslMode::VerifyCa,
        _ => PgSslMode::VerifyFull,
    });
    let mut options = PgConnectOptions::from_str(text).map_err(|_| refused("cannot be used"))?;
    if url.password().is_none() && !told("password") {
        options = options.password("");
    }
    if options.get_database().is_none() {
        let user = options.get_username().to_owned();
        options = options.database(&user);
    }
    Ok((options, mode))
}
