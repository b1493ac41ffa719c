//! One template, checked and compiled: Jinja2 as Simon speaks it, on the minijinja engine.
//! It knows names and values, not columns or batches.

use std::collections::BTreeSet;

use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State, UndefinedBehavior};
use outflow_spec::transform::OnUndefined;

use super::filters::{self, Clock};
use super::python_text;
use super::segments::{Segment, Token, position, segments, tokens};

/// Steps of one rendering, so that no template runs for ever.
const FUEL: u64 = 100_000;

/// The name of the template in its environment.
const NAME: &str = "context";

/// The name under which Simon's templates have the row.
pub(super) const ROW: &str = "contact";

/// A compiled template.
#[derive(Debug)]
pub(super) struct Template {
    environment: Environment<'static>,
    /// The names of values that it reads; `None` when only a rendering can tell.
    pub(super) names: Option<BTreeSet<String>>,
}

/// Why a row could not be rendered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// A name has no value.
    Undefined(String),
    /// Anything else.
    Render(String),
}

impl Template {
    /// Checks and compiles a template. The error says where it is wrong.
    pub(super) fn compile(source: &str, on_undefined: OnUndefined, clock: &Clock) -> Result<Self, String> {
        let behavior = match on_undefined {
            OnUndefined::Error => UndefinedBehavior::SemiStrict,
            OnUndefined::Empty | OnUndefined::Keep => UndefinedBehavior::Lenient,
        };
        let mut environment = environment(clock, behavior);
        environment.add_template_owned(NAME, source.to_owned()).map_err(|error| at_position(source, &error))?;
        check_callables(&environment, source)?;
        let names = names(&environment, source);
        if on_undefined == OnUndefined::Keep {
            let (rewritten, outputs) = keep(source);
            add_keep(&mut environment, outputs, clock).map_err(|error| error.to_string())?;
            environment.add_template_owned(NAME, rewritten).map_err(|error| error.to_string())?;
        }
        Ok(Self { environment, names })
    }

    /// Renders it for a row.
    pub(super) fn render(&self, row: Value) -> Result<String, Failure> {
        let rendered = self.environment.get_template(NAME).and_then(|template| template.render(row));
        rendered.map_err(|error| match error.kind() {
            ErrorKind::UndefinedError => Failure::Undefined(words(&error)),
            ErrorKind::OutOfFuel => Failure::Render("the template takes too many steps".into()),
            _ => Failure::Render(words(&error)),
        })
    }
}

/// The functions and values that templates have without any row.
pub(super) fn globals(clock: &Clock) -> BTreeSet<String> {
    environment(clock, UndefinedBehavior::Lenient).globals().map(|(name, _)| name.to_owned()).collect()
}

/// Where a name of a value stands in a template: line and column.
pub(super) fn find_name(source: &str, name: &str) -> Option<(usize, usize)> {
    let parts = segments(source);
    let mut words = parts
        .iter()
        .filter_map(Segment::inside)
        .flat_map(|(inside, start)| tokens(inside).into_iter().map(move |(token, offset)| (token, start + offset)));
    let at = words.find(|(token, _)| matches!(token, Token::Name(word) | Token::Text(word) if *word == name));
    at.map(|(_, offset)| position(source, offset))
}

fn environment(clock: &Clock, behavior: UndefinedBehavior) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_debug(true);
    environment.set_fuel(Some(FUEL));
    environment.set_undefined_behavior(behavior);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.set_formatter(|out, state, value| {
        if value.is_undefined() && state.undefined_behavior() != UndefinedBehavior::Lenient {
            return Err(Error::from(ErrorKind::UndefinedError));
        }
        let mut text = String::new();
        python_text::write_str(&mut text, value);
        out.write_str(&text).map_err(Error::from)
    });
    // It would show the whole row.
    environment.remove_global("debug");
    filters::add(&mut environment, clock);
    environment
}

/// Filters, tests and functions that do not exist would fail at every row: they are errors of the template.
fn check_callables(environment: &Environment<'_>, source: &str) -> Result<(), String> {
    let mut state = environment.empty_state();
    let mut known: BTreeSet<&str> = environment.globals().map(|(name, _)| name).chain(CALLED_WORDS).collect();
    for (inside, start) in segments(source).iter().filter_map(Segment::inside) {
        let words = tokens(inside);
        for (index, (token, offset)) in words.iter().enumerate() {
            let Token::Name(name) = *token else { continue };
            let before = |steps: usize| index.checked_sub(steps).map(|index| &words[index].0);
            let is_test = before(1) == Some(&Token::Name("is"))
                || (before(1) == Some(&Token::Name("not")) && before(2) == Some(&Token::Name("is")));
            let unknown = match before(1) {
                Some(Token::Sign('|')) | Some(Token::Name("filter")) => {
                    is_kind(state.apply_filter(name, &[]).err(), ErrorKind::UnknownFilter).then_some("filter")
                }
                _ if is_test && name != "not" => {
                    is_kind(state.perform_test(name, &[]).err(), ErrorKind::UnknownTest).then_some("test")
                }
                Some(Token::Name("macro")) => {
                    known.insert(name);
                    None
                }
                Some(Token::Sign('.')) => None,
                _ => {
                    let called = words.get(index + 1).is_some_and(|(next, _)| *next == Token::Sign('('));
                    (called && !known.contains(name)).then_some("function")
                }
            };
            if let Some(what) = unknown {
                let (line, column) = position(source, start + offset);
                return Err(format!("unknown {what} `{name}` at line {line}, column {column} of the template"));
            }
        }
    }
    Ok(())
}

fn is_kind(error: Option<Error>, kind: ErrorKind) -> bool {
    error.is_some_and(|error| error.kind() == kind)
}

/// Words that may stand before an opening bracket without being called, and what loops and macros bring.
const CALLED_WORDS: [&str; 15] =
    ["and", "or", "not", "in", "is", "if", "elif", "else", "for", "set", "loop", "caller", "call", "do", "recursive"];

/// The names of values that the template reads, row prefix removed.
fn names(environment: &Environment<'_>, source: &str) -> Option<BTreeSet<String>> {
    let template = environment.get_template(NAME).ok()?;
    let globals: BTreeSet<&str> = environment.globals().map(|(name, _)| name).collect();
    let mut names = BTreeSet::new();
    for path in template.undeclared_variables(true) {
        let (first, rest) = path.split_once('.').unwrap_or((&path, ""));
        match (first, rest) {
            (ROW, "") => {
                // `contact["first name"]` and the like: every text might be a name.
                let texts = quoted_names(source)?;
                names.extend(texts);
            }
            (ROW, rest) => {
                names.insert(rest.split_once('.').map_or(rest, |(name, _)| name).to_owned());
            }
            (first, _) if globals.contains(first) => {}
            (first, _) => {
                names.insert(first.to_owned());
            }
        }
    }
    Some(names)
}

/// The names in `contact["…"]`; `None` when `contact` is used in any other way than by name.
fn quoted_names(source: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    for (inside, _) in segments(source).iter().filter_map(Segment::inside) {
        let words: Vec<Token<'_>> = tokens(inside).into_iter().map(|(token, _)| token).collect();
        for (index, word) in words.iter().enumerate() {
            match (word, words.get(index + 1..)) {
                (Token::Name(ROW), Some([Token::Sign('['), Token::Text(name), Token::Sign(']'), ..]))
                    if !name.contains('\\') =>
                {
                    names.push(String::from(*name));
                }
                (Token::Name(ROW), Some([Token::Sign('.'), ..])) => {}
                (Token::Name(ROW), _) => return None,
                _ => {}
            }
        }
    }
    Some(names)
}

/// An output that stays as written when something in it is undefined.
struct Output {
    source: String,
    inside: String,
}

const KEEP: &str = "_outflow_keep";

/// Replaces every output by a call that renders it, or gives it back as written. A call of a macro cannot leave its
/// template, and is always defined.
fn keep(source: &str) -> (String, Vec<Output>) {
    let mut outputs = Vec::new();
    let mut rewritten = String::new();
    let mut macros = vec!["caller"];
    for segment in segments(source) {
        let words = segment.inside().map(|(inside, _)| tokens(inside)).unwrap_or_default();
        if let [(Token::Name("macro"), _), (Token::Name(name), _), ..] = words.as_slice() {
            macros.push(name);
        }
        let calls_macro = words.iter().any(|(word, _)| matches!(word, Token::Name(name) if macros.contains(name)));
        let Segment::Output { source, inside, .. } = segment else {
            rewritten.push_str(segment.source());
            continue;
        };
        if calls_macro {
            rewritten.push_str(source);
            continue;
        }
        let open = &source[..source.find(inside).unwrap_or(2)];
        let close = &source[open.len() + inside.len()..];
        rewritten.push_str(&format!("{open} {KEEP}({}) {close}", outputs.len()));
        outputs.push(Output { source: source.into(), inside: inside.into() });
    }
    (rewritten, outputs)
}

/// Adds the function that `keep` calls. Each output is a template of its own, where undefined is an error.
fn add_keep(environment: &mut Environment<'static>, outputs: Vec<Output>, clock: &Clock) -> Result<(), Error> {
    let mut strict = self::environment(clock, UndefinedBehavior::SemiStrict);
    let mut names = Vec::new();
    for (index, output) in outputs.iter().enumerate() {
        strict.add_template_owned(index.to_string(), format!("{{{{ {} }}}}", output.inside))?;
        names.push(strict.get_template(&index.to_string())?.undeclared_variables(false));
    }
    environment.add_function(KEEP, move |state: &State, index: usize| -> Result<Value, Error> {
        let (Some(output), Some(names)) = (outputs.get(index), names.get(index)) else {
            return Err(Error::from(ErrorKind::UnknownFunction));
        };
        let values = names.iter().filter_map(|name| Some((name.as_str(), state.lookup(name)?)));
        let values = Value::from_pairs(values.filter(|(_, value)| !value.is_undefined()));
        match strict.get_template(&index.to_string())?.render(values) {
            Ok(text) => Ok(Value::from(text)),
            Err(error) if error.kind() == ErrorKind::UndefinedError => Ok(Value::from(output.source.as_str())),
            Err(error) => Err(error),
        }
    });
    Ok(())
}

/// What went wrong, without the names of our own templates.
fn words(error: &Error) -> String {
    match error.detail() {
        Some(detail) if matches!(error.kind(), ErrorKind::InvalidOperation | ErrorKind::UndefinedError) => {
            detail.into()
        }
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}

fn at_position(source: &str, error: &Error) -> String {
    let place = match (error.range(), error.line()) {
        (Some(range), _) => {
            let (line, column) = position(source, range.start);
            format!(" at line {line}, column {column} of the template")
        }
        (None, Some(line)) => format!(" at line {line} of the template"),
        (None, None) => String::new(),
    };
    format!("{}{place}", words(error))
}
