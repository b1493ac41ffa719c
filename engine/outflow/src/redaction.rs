//! Keeps values that `${env:…}` and `${file:…}` brought into a pipeline out of messages. Knows nothing of where a
//! message comes from; a piece of a value passes, only the whole of it is recognised.

use std::cmp::Reverse;

/// Shorter values are no secrets, and hiding them would spoil messages.
const SHORTEST: usize = 4;

/// Values that must not show, longest first, each with the placeholder that shows in its place.
#[derive(Clone, Default)]
pub struct Redaction(Vec<(String, String)>);

impl Redaction {
    /// Hides a value from now on. SQL folds names to lower case, so that spelling is hidden too.
    pub fn remember(&mut self, value: &str, placeholder: &str) {
        let value = value.trim();
        if value.chars().count() >= SHORTEST {
            self.0.push((value.to_owned(), placeholder.to_owned()));
            self.0.push((value.to_lowercase(), placeholder.to_owned()));
            self.0.sort_by_key(|(value, _)| Reverse(value.len()));
        }
    }

    /// The values with their placeholders, longest first.
    pub fn pairs(&self) -> Vec<(String, String)> {
        self.0.clone()
    }

    /// The message without the values.
    pub fn hide(&self, message: &str) -> String {
        self.0.iter().fold(message.to_owned(), |text, (value, placeholder)| text.replace(value, placeholder))
    }
}

#[cfg(test)]
mod tests;
