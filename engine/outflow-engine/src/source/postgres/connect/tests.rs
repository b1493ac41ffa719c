//! What a spec makes of the connection: where to, as whom, how it is protected; nothing is connected to.

use super::*;

fn source(value: serde_json::Value) -> PostgresSource {
    serde_json::from_value(value).unwrap()
}

fn told(value: serde_json::Value) -> Result<(String, String)> {
    let source = source(value);
    let options = options(&source, Path::new("/nowhere"))?;
    Ok((place(&source, &options), format!("{:?}", options.get_ssl_mode())))
}

#[test]
fn a_connection_is_verified_unless_the_author_says_otherwise() {
    for (value, place, mode) in [
        (
            serde_json::json!({"url": "postgres://a:b@db/shop", "table": "t"}),
            "postgres://db:5432/shop (t)",
            "VerifyFull",
        ),
        (
            serde_json::json!({"url": "postgres://a:b@db:6000/shop?sslmode=require", "query": "SELECT 1"}),
            "postgres://db:6000/shop (query)",
            "VerifyFull",
        ),
        (
            serde_json::json!({"url": "postgresql://a@db?sslmode=disable", "table": "t"}),
            "postgres://db:5432/a (t)",
            "Disable",
        ),
        (
            serde_json::json!({"url": "postgres://a@db/s?sslmode=disable", "table": "t", "tls": {"mode": "verify_ca"}}),
            "postgres://db:5432/s (t)",
            "VerifyCa",
        ),
        (
            serde_json::json!({"host": "/run/db", "database": "s", "user": "a", "table": "t"}),
            "postgres:///run/db:5432/s (t)",
            "Disable",
        ),
        (
            serde_json::json!({"host": "db", "port": 1, "database": "s", "user": "a", "table": "t"}),
            "postgres://db:1/s (t)",
            "VerifyFull",
        ),
    ] {
        assert_eq!(told(value).unwrap(), (place.to_owned(), mode.to_owned()));
    }
}

#[test]
fn what_cannot_be_used_is_refused_without_being_shown() {
    for (value, words) in [
        (serde_json::json!({"url": "swordfish", "table": "t"}), "is no URL"),
        (serde_json::json!({"url": "mysql://a:swordfish@db/s", "table": "t"}), "does not begin with"),
        (serde_json::json!({"url": "postgres:///s", "table": "t"}), "no host"),
        (serde_json::json!({"url": "postgres://db/s", "table": "t"}), "no user"),
        (serde_json::json!({"url": "postgres://a:swordfish@db/s?optoins=1", "table": "t"}), "`optoins`"),
        (serde_json::json!({"host": "db", "table": "t"}), "where to connect"),
        (serde_json::json!({"url": "postgres://a@db/s", "table": "t", "tls": {"ca": "ca.pem"}}), "ca.pem"),
    ] {
        let error = told(value).unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains(words) && !text.contains("swordfish"), "{text}");
    }
}
