//! A template cut into text, outputs, tags and comments, and the inside of an output into tokens.
//! It does not judge: templates come here after the template engine has accepted them.

/// A part of a template.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Segment<'a> {
    /// Text as it is.
    Text(&'a str),
    /// `{{ … }}`: all of it, its inside, where the inside starts, and whether it trims white space around it.
    Output { source: &'a str, inside: &'a str, start: usize, trims: bool },
    /// `{% … %}`, or a whole raw block (its inside is empty then).
    Tag { source: &'a str, inside: &'a str, start: usize },
    /// `{# … #}`.
    Comment { source: &'a str, trims: bool },
}

/// A word of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'a> {
    Name(&'a str),
    Number(&'a str),
    /// The text between quotes, escapes as written.
    Text(&'a str),
    Sign(char),
}

/// Cuts a template.
pub(super) fn segments(template: &str) -> Vec<Segment<'_>> {
    let mut segments = Vec::new();
    let mut at = 0;
    while at < template.len() {
        let rest = &template[at..];
        let open = rest
            .match_indices('{')
            .map(|(index, _)| index)
            .find(|&index| matches!(rest.as_bytes().get(index + 1), Some(b'{' | b'%' | b'#')));
        let Some(open) = open else {
            segments.push(Segment::Text(rest));
            break;
        };
        if open > 0 {
            segments.push(Segment::Text(&rest[..open]));
        }
        at += open;
        let segment = bracket(template, at);
        at += segment.source().len();
        segments.push(segment);
    }
    segments
}

impl<'a> Segment<'a> {
    /// The segment as written.
    pub(super) fn source(&self) -> &'a str {
        match self {
            Self::Text(source)
            | Self::Output { source, .. }
            | Self::Tag { source, .. }
            | Self::Comment { source, .. } => source,
        }
    }

    /// The expression inside, with its place in the template.
    pub(super) fn inside(&self) -> Option<(&'a str, usize)> {
        match self {
            Self::Output { inside, start, .. } | Self::Tag { inside, start, .. } => Some((inside, *start)),
            _ => None,
        }
    }
}

/// The bracket that opens at `at`.
fn bracket(template: &str, at: usize) -> Segment<'_> {
    let kind = template.as_bytes()[at + 1];
    if kind == b'#' {
        let end = template[at..].find("#}").map_or(template.len(), |end| at + end + 2);
        let source = &template[at..end];
        return Segment::Comment { source, trims: source.starts_with("{#-") || source.ends_with("-#}") };
    }
    let close = if kind == b'{' { "}}" } else { "%}" };
    let start = at + 2 + usize::from(matches!(template.as_bytes().get(at + 2), Some(b'-' | b'+')));
    let inner = closing(&template[start..], close);
    let end = (start + inner + 2).min(template.len());
    let inside = &template[start..start + inner];
    let (inside, trimmed) = match inside.strip_suffix(['-', '+']) {
        Some(inside) => (inside, true),
        None => (inside, false),
    };
    if kind == b'{' {
        let trims = trimmed || start > at + 2;
        return Segment::Output { source: &template[at..end], inside, start, trims };
    }
    if inside.trim() == "raw" {
        let end = raw_end(template, end);
        return Segment::Tag { source: &template[at..end], inside: "", start };
    }
    Segment::Tag { source: &template[at..end], inside, start }
}

/// Where the raw block ends whose content starts at `from`.
fn raw_end(template: &str, from: usize) -> usize {
    let mut at = from;
    while let Some(open) = template[at..].find("{%") {
        let start = at + open + 2;
        let inner = closing(&template[start..], "%}");
        let end = (start + inner + 2).min(template.len());
        if template[start..start + inner].trim_matches(['-', '+']).trim() == "endraw" {
            return end;
        }
        at = start;
    }
    template.len()
}

/// The length of the inside that `close` ends, outside of quotes and brackets.
fn closing(text: &str, close: &str) -> usize {
    let mut depth = 0_usize;
    let mut quote = None;
    let mut escaped = false;
    for (index, character) in text.char_indices() {
        match (quote, character) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), _) if character == open => quote = None,
            (Some(_), _) => {}
            (None, _) if depth == 0 && text[index..].starts_with(close) => return index,
            (None, '"' | '\'') => quote = Some(character),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth = depth.saturating_sub(1),
            (None, _) => {}
        }
    }
    text.len()
}

/// The words of an expression, each with its place in it.
pub(super) fn tokens(expression: &str) -> Vec<(Token<'_>, usize)> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = expression[at..].chars().next() {
        let rest = &expression[at..];
        let (token, length) = match first {
            '"' | '\'' => {
                let length = quoted(rest, first);
                (Some(Token::Text(&rest[1..length.saturating_sub(1).max(1)])), length)
            }
            _ if first.is_ascii_digit() => {
                let length = run(rest, |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'));
                (Some(Token::Number(&rest[..length])), length)
            }
            _ if first.is_alphabetic() || first == '_' => {
                let length = run(rest, |c| c.is_alphanumeric() || c == '_');
                (Some(Token::Name(&rest[..length])), length)
            }
            _ if first.is_whitespace() => (None, first.len_utf8()),
            _ => (Some(Token::Sign(first)), first.len_utf8()),
        };
        tokens.extend(token.map(|token| (token, at)));
        at += length;
    }
    tokens
}

fn run(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

/// The length of the quoted text that `text` starts with, quotes included.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (index, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return index + 1,
            _ => {}
        }
    }
    text.len()
}

/// Line and column of a byte of the template, both from 1.
pub(super) fn position(template: &str, offset: usize) -> (usize, usize) {
    let before = template.get(..offset).unwrap_or(template);
    let line = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line..].chars().count() + 1)
}
