//! Sending a notice: by HTTP, or by e-mail. Errors say what went wrong and never where it was sent, since the URL of a
//! webhook is a secret.

use std::time::Duration;

use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use outflow_spec::notify::{EmailSpec, NotifySpec, SmtpTls};
use outflow_spec::secret::Secret;
use serde_json::{Value, json};

use super::Notice;

/// Longest a server may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Pauses before the second and the third try; a server that refuses is not asked again.
const PAUSES: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(2)];

/// Sends a notice to all that its spec names. Gives what went wrong.
pub async fn send(spec: &NotifySpec, notice: &Notice) -> Vec<String> {
    let mut wrong = Vec::new();
    if let Some(url) = &spec.webhook {
        wrong.extend(post("webhook", url, &json!(notice)).await.err());
    }
    if let Some(url) = &spec.slack {
        let text = slack_text(&format!("outflow: {}", notice.text));
        wrong.extend(post("slack", url, &json!({"text": text})).await.err());
    }
    if let Some(email) = &spec.email {
        wrong.extend(mail(email, notice).await.err());
    }
    wrong
}

/// Slack's own three characters, which begin links and mentions.
fn slack_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

async fn post(what: &str, url: &Secret, body: &Value) -> Result<(), String> {
    let client = reqwest::Client::builder()
        .timeout(PATIENCE)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| format!("{what}: {}", error.without_url()))?;
    let mut pauses = PAUSES.iter();
    loop {
        let request = client.post(url.reveal()).header("content-type", "application/json").body(body.to_string());
        let (why, again) = match request.send().await {
            Ok(answer) if answer.status().is_success() => return Ok(()),
            Ok(answer) => (format!("status {}", answer.status()), answer.status().is_server_error()),
            Err(error) => {
                let again = !error.is_builder();
                (plainest(&error.without_url()), again)
            }
        };
        match pauses.next().filter(|_| again) {
            Some(pause) => tokio::time::sleep(*pause).await,
            None => return Err(format!("{what}: {why}")),
        }
    }
}

/// The last cause is the plainest: "connection refused" rather than "error sending request".
fn plainest(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

async fn mail(spec: &EmailSpec, notice: &Notice) -> Result<(), String> {
    let told = |why: String| format!("email: {why}");
    let address =
        |text: &str| text.parse::<Mailbox>().map_err(|error| told(format!("`{text}` is no address: {error}")));
    let count = if notice.total > 1 { format!(" ({} of {})", notice.failed, notice.total) } else { String::new() };
    let subject = format!("outflow: {}: {}{count}", notice.pipeline, notice.event);
    let mut message = Message::builder().from(address(&spec.from)?).subject(subject).header(ContentType::TEXT_PLAIN);
    for to in &spec.to {
        message = message.to(address(to)?);
    }
    let message = message.body(format!("{}\n", notice.text)).map_err(|error| told(error.to_string()))?;
    let smtp = &spec.smtp;
    let transport = match smtp.tls {
        SmtpTls::Starttls => AsyncSmtpTransport::<Tokio1Executor>::starttls_relay(&smtp.host),
        SmtpTls::Implicit => AsyncSmtpTransport::<Tokio1Executor>::relay(&smtp.host),
        SmtpTls::None => Ok(AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&smtp.host)),
    };
    let mut transport = transport.map_err(|error| told(plainest(&error)))?.timeout(Some(PATIENCE));
    if let Some(port) = smtp.port {
        transport = transport.port(port);
    }
    if let (Some(user), Some(password)) = (&smtp.user, &smtp.password) {
        transport = transport.credentials(Credentials::new(user.clone(), password.reveal().to_owned()));
    }
    transport.build().send(message).await.map(drop).map_err(|error| told(plainest(&error)))
}
