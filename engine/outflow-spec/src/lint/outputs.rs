//! The outputs of the `files` layout as rules see them: what an output leaves out stands in the layout.
//! A layout without `outputs` is its own and only output.

use serde_json::Value;

use crate::lint::Scope;

/// Where the layout stands.
pub(crate) const LAYOUT: &str = "/layout/files";

/// One output.
pub(crate) struct Output {
    /// Pointer to its item of `outputs`.
    own: Option<String>,
}

impl Output {
    /// Pointer to an option of the output, or to the layout's in its place.
    pub fn at(&self, scope: &Scope<'_>, option: &str) -> String {
        let own = self.own.as_ref().map(|own| format!("{own}/{option}"));
        own.filter(|own| is_set(scope, own)).unwrap_or_else(|| format!("{LAYOUT}/{option}"))
    }

    /// Text of an option.
    pub fn text<'a>(&self, scope: &Scope<'a>, option: &str) -> Option<&'a str> {
        scope.text_at(&self.at(scope, option))
    }

    /// Names of what splits the rows, with the pointers to them.
    pub fn split_names<'a>(&self, scope: &Scope<'a>) -> Vec<(String, &'a str)> {
        let named = |(pointer, item): (String, &'a Value)| match item {
            Value::String(column) => Some((pointer, column.as_str())),
            Value::Object(_) => ["name", "column"]
                .iter()
                .find_map(|member| Some((format!("{pointer}/{member}"), item.get(member).and_then(Value::as_str)?))),
            _ => None,
        };
        scope.items(&self.at(scope, "split_by")).into_iter().filter_map(named).collect()
    }

    /// The output's item of `outputs`.
    pub fn own(&self) -> Option<&str> {
        self.own.as_deref()
    }
}

/// Every output.
pub(crate) fn outputs(scope: &Scope<'_>) -> Vec<Output> {
    let written = scope.items(&format!("{LAYOUT}/outputs"));
    match written.is_empty() {
        true => vec![Output { own: None }],
        false => written.into_iter().map(|(pointer, _)| Output { own: Some(pointer) }).collect(),
    }
}

/// Pointers of an option wherever the layout or an output sets it, each once.
pub(crate) fn places(scope: &Scope<'_>, option: &str) -> Vec<String> {
    let own = scope.items(&format!("{LAYOUT}/outputs")).into_iter().map(|(output, _)| format!("{output}/{option}"));
    let places = std::iter::once(format!("{LAYOUT}/{option}")).chain(own);
    places.filter(|place| is_set(scope, place)).collect()
}

/// Whether an option is written.
pub(crate) fn is_set(scope: &Scope<'_>, pointer: &str) -> bool {
    scope.value.pointer(pointer).is_some_and(|value| !value.is_null())
}
