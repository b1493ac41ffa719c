//! Text to SQL, quoted: the only safe way for an option or a column name into an expression.

/// A string literal.
pub fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// A column, by its exact name.
pub fn column(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A list of string literals.
pub fn list<'a>(values: impl IntoIterator<Item = &'a str>) -> String {
    let values: Vec<String> = values.into_iter().map(text).collect();
    format!("make_array({})", values.join(", "))
}

#[cfg(test)]
mod tests;
