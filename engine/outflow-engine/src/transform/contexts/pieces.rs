//! Templates made only of text, columns and `default("…")`, which need no template engine at run time.

use super::segments::{Segment, Token, tokens};

/// A part of a simple template.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    /// Text as it is.
    Text(String),
    /// The value of a name, or the default; `source` is the output as written.
    Column { name: String, default: Option<String>, source: String },
}

/// Words that are not names of columns.
const KEYWORDS: [&str; 8] = ["true", "True", "false", "False", "none", "None", "not", "loop"];

/// The pieces of a simple template, or `None` when it needs the template engine. `reserved` are names that mean
/// something else than a column.
pub(super) fn pieces(segments: &[Segment<'_>], reserved: impl Fn(&str) -> bool) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    for (index, segment) in segments.iter().enumerate() {
        match segment {
            Segment::Text(text) => {
                let last = index + 1 == segments.len();
                // The template engine drops one line end at the end of a template.
                let text = if last { text.strip_suffix('\n').unwrap_or(text) } else { text };
                pieces.push(Piece::Text(text.into()));
            }
            Segment::Output { source, inside, trims: false, .. } => pieces.push(output(source, inside, &reserved)?),
            Segment::Comment { trims: false, .. } => {}
            _ => return None,
        }
    }
    Some(pieces)
}

fn output(source: &str, inside: &str, reserved: &impl Fn(&str) -> bool) -> Option<Piece> {
    let tokens: Vec<Token<'_>> = tokens(inside).into_iter().map(|(token, _)| token).collect();
    match tokens.as_slice() {
        [Token::Text(text)] => return plain(text).map(Piece::Text),
        [Token::Number(digits)] => return integer(digits).map(Piece::Text),
        _ => {}
    }
    let (name, rest) = match tokens.as_slice() {
        [Token::Name("contact"), Token::Sign('.'), Token::Name(name), rest @ ..] => (plain(name)?, rest),
        [Token::Name("contact"), Token::Sign('['), Token::Text(name), Token::Sign(']'), rest @ ..] => {
            (plain(name)?, rest)
        }
        [Token::Name(name), rest @ ..] if !(*name == "contact" || KEYWORDS.contains(name) || reserved(name)) => {
            (plain(name)?, rest)
        }
        _ => return None,
    };
    let default = match rest {
        [] => None,
        [Token::Sign('|'), Token::Name("default" | "d"), Token::Sign('('), Token::Text(text), Token::Sign(')')] => {
            Some(plain(text)?)
        }
        _ => return None,
    };
    Some(Piece::Column { name, default, source: source.into() })
}

/// A text without escapes.
fn plain(text: &str) -> Option<String> {
    (!text.contains('\\')).then(|| text.into())
}

fn integer(digits: &str) -> Option<String> {
    digits.parse::<u64>().ok().filter(|number| number.to_string() == digits).map(|number| number.to_string())
}
