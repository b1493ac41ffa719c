//! Constructors of the OF1 family: fields, types and components.

use crate::codes;
use crate::diagnostic::{Finding, listed, similar};
use crate::text::Span;

impl Finding {
    /// A key that the block does not have.
    pub fn unknown_field(span: Span, field: &str, block: &str, known: &[&str]) -> Self {
        Self::new(&codes::OF101, span, format!("unknown field `{field}` in {block}"), format!("not a field of {block}"))
            .with_similar(field, known.iter().copied(), span)
    }

    /// A key that the block needs.
    pub fn missing_field(span: Span, field: &str, block: &str) -> Self {
        Self::new(
            &codes::OF102,
            span,
            format!("field `{field}` is missing in {block}"),
            format!("`{field}` is missing"),
        )
        .with_help(format!("add `{field}: …`"))
    }

    /// A value of another type than wanted.
    pub fn wrong_type(span: Span, subject: &str, expected: &str, found: &str) -> Self {
        let finding = Self::new(
            &codes::OF103,
            span,
            format!("{subject} must be {expected}, not {found}"),
            format!("expected {expected}"),
        );
        match (expected, found) {
            ("text", "a number" | "a fraction" | "true or false") => finding.with_help("put it in quotes"),
            ("text", "nothing") => finding.with_help("write a value behind the colon, or remove the key"),
            ("a list", _) => finding.with_help("write a list: `[…]`"),
            _ => finding,
        }
    }

    /// A value that is none of the allowed ones.
    pub fn not_allowed(span: Span, subject: &str, written: &str, allowed: &[&str]) -> Self {
        let finding = Self::new(
            &codes::OF104,
            span,
            format!("{subject} cannot be `{written}`"),
            format!("expected {}", listed(allowed.iter().copied())),
        );
        match similar(written, allowed.iter().copied()) {
            Some(name) => finding.with_help(format!("a similar value exists: `{name}`")).with_fix(span, name),
            None => finding,
        }
    }

    /// A component that does not exist.
    pub fn unknown_component(span: Span, kind: &str, name: &str, known: &[&str]) -> Self {
        let finding =
            Self::new(&codes::OF105, span, format!("unknown {kind} `{name}`"), format!("no {kind} has this name"));
        match (kind, name) {
            ("sink", "ftp" | "ftps") => finding.with_help(format!(
                "write `sftp`: `{name}` is not spoken, its relative over SSH is the one that vendors offer"
            )),
            _ => finding.with_similar(name, known.iter().copied(), span),
        }
    }

    /// A block that names no component.
    pub fn no_component(span: Span, kind: &str, known: &[&str]) -> Self {
        let example = known.first().copied().unwrap_or("name");
        Self::new(&codes::OF106, span, format!("the {kind} names no component"), "one key was expected here")
            .with_help(format!("write `{example}: …` below; possible: {}", listed(known.iter().copied())))
    }

    /// A block that names several components.
    pub fn several_components(span: Span, kind: &str, second: &str, first: (&str, Span)) -> Self {
        let message = format!("a {kind} has exactly one key, here are `{}` and `{second}`", first.0);
        let finding = Self::new(&codes::OF106, span, message, "one too many").with_secondary(first.1, "the first one");
        match kind {
            "transform" => finding.with_help(format!("start a list item of its own: `- {second}: …`")),
            _ => finding.with_help("keep one of them; fields belong one level deeper"),
        }
    }

    /// Text that has not the shape wanted.
    pub fn wrong_shape(span: Span, subject: &str, pattern: &str) -> Self {
        let finding = Self::new(
            &codes::OF107,
            span,
            format!("{subject} has characters it cannot have"),
            "not of the shape wanted",
        );
        match pattern {
            crate::pipeline::NAME_PATTERN => finding.with_help(
                "use lower-case letters, digits and single hyphens between them, such as `simon-welcome-flow`",
            ),
            crate::incremental::SPAN_PATTERN => {
                finding.with_help("write a whole number and `s`, `m`, `h` or `d`, such as `10m`")
            }
            crate::source::ASCII_PATTERN => finding.with_help("use one printable ASCII character or a tab"),
            _ => finding.with_help(format!("it must match `{pattern}`")),
        }
    }

    /// Text or a list that is too short or too long.
    pub fn wrong_length(span: Span, subject: &str, wanted: &str) -> Self {
        Self::new(&codes::OF108, span, format!("{subject} must have {wanted}"), format!("expected {wanted}"))
    }

    /// A number outside of its range.
    pub fn out_of_range(span: Span, subject: &str, wanted: &str) -> Self {
        Self::new(&codes::OF109, span, format!("{subject} must be {wanted}"), format!("expected {wanted}"))
    }

    /// The layout itself refused an option; the words are the plugin's.
    pub fn layout_option(span: Span, layout: &str, message: &str) -> Self {
        Self::new(&codes::OF110, span, format!("layout `{layout}`: {message}"), "refused by the layout")
    }

    /// A `${…}` whose value does not fit the field.
    pub fn filled_value(span: Span, subject: &str, wanted: &str) -> Self {
        Self::new(
            &codes::OF111,
            span,
            format!("what `${{…}}` fills into {subject} does not fit"),
            format!("expected {wanted}"),
        )
        .with_help("correct the variable, parameter or file; its value is not shown here")
    }

    /// A rule of the schema that has no better words.
    pub fn other_rule(span: Span, subject: &str, rule: &str) -> Self {
        Self::new(&codes::OF112, span, format!("{subject} breaks a rule of its schema: `{rule}`"), "refused")
    }

    /// A value that fits the schema but cannot be held.
    pub fn not_loadable(span: Span, reason: &str) -> Self {
        Self::new(&codes::OF113, span, format!("the pipeline cannot be loaded: {reason}"), "in this file")
    }

    /// An option that has no meaning beside another.
    pub fn option_does_not_apply(span: Span, option: &str, reason: &str) -> Self {
        Self::new(&codes::OF114, span, format!("`{option}` does not apply here"), reason.to_owned())
            .with_help("remove it")
    }

    /// Options of a CSV dialect that contradict each other.
    pub fn dialect_conflict(span: Span, message: &str, help: &str) -> Self {
        Self::new(&codes::OF115, span, message, "cannot be read back").with_help(help)
    }

    /// A rule without condition.
    pub fn no_condition(span: Span) -> Self {
        Self::new(&codes::OF116, span, "the rule has no condition", "expected `when` or `unless`")
            .with_help("write `when: …` for what bad rows meet, or `unless: …` for what good rows meet")
    }

    /// A rule with two conditions.
    pub fn two_conditions(span: Span, first: Span) -> Self {
        Self::new(&codes::OF116, span, "the rule has two conditions", "one too many")
            .with_secondary(first, "the first one")
            .with_help("make two rules of them")
    }

    /// A transform that a pipeline can have once.
    pub fn transform_repeated(span: Span, name: &str, first: Span) -> Self {
        Self::new(&codes::OF117, span, format!("a pipeline has `{name}` once"), "second time")
            .with_secondary(first, "first time")
            .with_help("keep one of the two")
    }

    /// Options that need or exclude one another.
    pub fn options_disagree(span: Span, message: &str, help: &str) -> Self {
        Self::new(&codes::OF118, span, message, "does not fit together").with_help(help)
    }

    /// A source with a statement that does more than read.
    pub fn not_a_query(span: Span) -> Self {
        Self::new(&codes::OF119, span, "the query of a source only reads", "expected a `SELECT`")
            .with_help("write one `SELECT`, or `WITH … SELECT`; the source runs it in a read-only transaction")
    }
}
