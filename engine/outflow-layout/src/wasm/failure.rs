//! From what went wrong inside the runtime to what a user can act on.

use std::time::Duration;

use wasmtime::{Error, Trap};
use wasmtime_wasi::I32Exit;

use super::guest::Guest;
use super::v0_1::readable;
use crate::layout::LayoutError;

/// Why a call into a guest brought no answer.
pub enum Failure {
    /// It took too long to start.
    Late(Duration),
    /// It took too long to answer.
    Timeout(Duration),
    /// It ended in a trap.
    Trapped(Error),
}

/// A plugin that cannot be used at all.
pub fn load(name: &str, why: &str) -> LayoutError {
    LayoutError::Plugin { code: "plugin/load", message: format!("the plugin `{name}` does not load: {why}") }
}

/// An answer that breaks a rule.
pub fn answer(name: &str, why: &str) -> LayoutError {
    // It may quote the guest, which may say anything.
    let why = readable(why);
    LayoutError::Plugin { code: "plugin/answer", message: format!("the plugin `{name}` gave a wrong answer: {why}") }
}

/// What happened in a guest, with the message of its panic when there is one.
pub fn explain(name: &str, failure: &Failure, guest: &Guest, limit: usize) -> LayoutError {
    let plugin = |code, what: String| LayoutError::Plugin { code, message: format!("the plugin `{name}` {what}") };
    let error = match failure {
        Failure::Late(limit) => {
            return plugin("plugin/timeout", format!("did not start within its limit of {} ms", limit.as_millis()));
        }
        Failure::Timeout(limit) => {
            return plugin("plugin/timeout", format!("ran longer than its time limit of {} ms", limit.as_millis()));
        }
        Failure::Trapped(error) => error,
    };
    if let Some(denied) = &guest.memory.refused {
        let mib = |bytes: usize| bytes.div_ceil(1 << 20);
        let asked = mib(denied.asked);
        let what = match &denied.why {
            None => format!("needed more memory than its limit ({asked} MiB asked, limit {} MiB)", mib(limit)),
            Some(why) => format!("needed more memory than the run has left ({asked} MiB asked): {why}"),
        };
        return plugin("plugin/memory", what);
    }
    if let Some(I32Exit(status)) = error.downcast_ref() {
        return plugin("plugin/exit", format!("called exit({status})"));
    }
    if let Some(message) = panic_message(&guest.stderr.text()) {
        return plugin("plugin/panic", message);
    }
    match error.downcast_ref::<Trap>() {
        Some(trap) => plugin("plugin/trap", format!("trapped: {trap}")),
        None => plugin("plugin/trap", format!("trapped: {}", chain(error))),
    }
}

/// An error and its causes on one line, without the frames of WebAssembly functions.
pub fn chain(error: &Error) -> String {
    let mut causes: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        let text = text.lines().next().unwrap_or_default().trim().to_string();
        if !text.is_empty() && !causes.contains(&text) && !text.starts_with("error while executing") {
            causes.push(text);
        }
    }
    causes.join(": ")
}

/// `panicked at <place>: <message>` out of what Rust prints on stderr.
fn panic_message(stderr: &str) -> Option<String> {
    let from = &stderr[stderr.rfind("panicked at ")?..];
    let to = from.find("\nnote: ").unwrap_or(from.len());
    let text: Vec<&str> = from[..to].split_whitespace().collect();
    Some(text.join(" ").chars().filter(|c| !c.is_control()).take(2000).collect())
}
