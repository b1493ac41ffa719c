//! Constructors of the OF4 family: names of buckets and files.

use crate::codes;
use crate::diagnostic::Finding;
use crate::text::Span;

impl Finding {
    /// A bucket written as URL or path.
    pub fn bucket_not_a_name(span: Span, field: &str, label: &str, repaired: Option<&str>) -> Self {
        let message = format!("`{field}` is a name, without scheme or slash");
        let finding = Self::new(&codes::OF401, span, message, label);
        match repaired {
            Some(name) => finding.with_help(format!("write `{name}`")).with_fix(span, name),
            None => finding.with_help(format!("write the name of the {field} only; folders go to `path`")),
        }
    }

    /// A path with a slash at an end.
    pub fn slash_at_end(span: Span, subject: &str, label: &str, repaired: Option<&str>) -> Self {
        let finding = Self::new(&codes::OF402, span, format!("{subject} has no slash at its ends"), label);
        match repaired {
            Some(path) => finding.with_help(format!("write `{path}`")).with_fix(span, path),
            None => finding.with_help("remove the slash"),
        }
    }

    /// A path that steps out of its folder.
    pub fn path_traversal(span: Span, subject: &str) -> Self {
        Self::new(&codes::OF403, span, format!("{subject} steps out of its folder"), "`.` or `..` as a folder")
            .with_help("name folders below the sink only")
    }

    /// A character that names cannot have.
    pub fn character_in_path(span: Span, subject: &str, character: &str) -> Self {
        Self::new(&codes::OF404, span, format!("{subject} holds {character}"), "cannot stand in a file name")
            .with_help("separate folders with `/`, and use printable characters")
    }

    /// A name that the next run gives again.
    pub fn name_repeats_per_run(span: Span, subject: &str) -> Self {
        Self::new(&codes::OF405, span, format!("{subject} is the same in every run"), "nothing in it changes")
            .with_help("add a time, `{{ at | date('%Y%m%d%H%M%S') }}`, or the token `{{ nonce[:8] }}`")
    }

    /// A name that two partitions share.
    pub fn name_repeats_per_partition(span: Span, subject: &str, columns: &str) -> Self {
        Self::new(
            &codes::OF406,
            span,
            format!("{subject} is the same for several partitions"),
            "does not tell partitions apart",
        )
        .with_help(format!("add {columns}, or the token `{{{{ nonce[:8] }}}}`"))
    }

    /// A name that the next part gives again.
    pub fn name_repeats_per_part(span: Span, subject: &str) -> Self {
        let message = format!("{subject} is the same for every part");
        Self::new(&codes::OF407, span, message, "does not tell the parts of a rotated file apart")
            .with_help("add `{{ part }}`, a counter of scope `file`, or the token `{{ nonce[:8] }}`")
    }

    /// A name that two outputs share.
    pub fn name_repeats_per_output(span: Span, first: Span) -> Self {
        Self::new(&codes::OF408, span, "two outputs give their files the same name", "the second one")
            .with_secondary(first, "the first one")
            .with_help("use `{{ output }}` in `path`, or give each output a `path` of its own")
    }
}
