//! Contracts of data sets, as in `schemas/events`: which columns a file starts with and which of them rows must bring.
//! What is made of a value is the layout's business.

use serde::Deserialize;

use crate::Dataset;

/// A contract, read.
#[derive(Clone, Debug, Deserialize)]
pub struct Contract {
    /// Name of the data set.
    pub name: String,
    /// Its family, in the vendor's terms.
    pub kind: String,
    /// Its columns, in order.
    pub columns: Vec<ContractColumn>,
}

/// A column of a contract.
#[derive(Clone, Debug, Deserialize)]
pub struct ContractColumn {
    /// Its name.
    pub name: String,
    /// How its cells read.
    #[serde(rename = "type")]
    pub kind: ColumnType,
    /// Whether rows must bring it.
    pub required: bool,
}

/// How cells read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnType {
    /// Text, and ids of any kind.
    Text,
    /// A whole number.
    Integer,
    /// A decimal number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// An instant.
    Timestamp,
    /// Several values.
    List,
    /// JSON.
    Json,
}

impl Contract {
    /// Reads a contract that is part of the plugin.
    pub fn read(text: &'static str) -> Self {
        serde_json::from_str(text).expect("the contract is a constant that the plugin's tests read")
    }

    /// The required columns that the rows lack.
    pub fn missing<'a>(&'a self, input: &'a Dataset) -> impl Iterator<Item = &'a str> {
        let required = self.columns.iter().filter(|column| column.required);
        required.map(|column| column.name.as_str()).filter(|name| input.column(name).is_none())
    }

    /// Whether the contract has a column of that name.
    pub fn has(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column.name == name)
    }
}

/// The column by whose value the rows of one input belong to data sets: the one that the options name, else `usual`
/// where rows have it. None when all rows belong together, which they only do while there is a single data set.
pub fn sharing_column(
    input: &Dataset,
    named: Option<&str>,
    usual: &str,
    single: bool,
) -> Result<Option<String>, String> {
    let name = named.unwrap_or(usual);
    match (input.column(name), named) {
        (Some(_), _) => Ok(Some(name.to_string())),
        (None, None) if single => Ok(None),
        (None, _) => Err(format!("the rows have no column `{name}`, which tells where each belongs")),
    }
}

#[cfg(test)]
mod tests;
