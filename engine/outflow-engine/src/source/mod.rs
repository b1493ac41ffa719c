//! Sources: where rows come from. A source is found and its columns are learnt before anything is planned;
//! rows flow only when the plan runs. What reads rows knows an [`Input`], not which kind of source it is.

pub mod arrivals;
pub mod files;
pub mod heads;
mod input;
pub mod listing;
mod order;
pub mod postgres;
mod reader;
pub mod table;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};

pub use input::{Input, InputTable, Reading};
pub use reader::Whole;

use crate::error::{Error, Result};
use crate::unseen::Unseen;

/// What is asked of files.
#[derive(Clone)]
pub struct Asked {
    /// The columns.
    pub schema: SchemaRef,
    /// Those of them that nothing looks at.
    pub unseen: Unseen,
}

/// Prefix of the columns that travel with rows but are not the user's.
pub const HIDDEN: &str = "_outflow_";
/// Column with the file a row comes from.
pub const FILE: &str = "_outflow_file";
/// Column with the line (text) or row (Parquet) a row comes from, from 1.
pub const ROW: &str = "_outflow_row";

/// The columns of a source and, after them, those that tell where a row comes from.
fn with_place(columns: &[FieldRef]) -> SchemaRef {
    let place = [Field::new(FILE, DataType::Utf8View, true), Field::new(ROW, DataType::UInt64, true)].map(Arc::new);
    Arc::new(Schema::new(columns.iter().cloned().chain(place).collect::<Vec<_>>()))
}

fn refuse_hidden(columns: &[FieldRef]) -> Result<()> {
    match columns.iter().find(|field| field.name().starts_with(HIDDEN)) {
        None => Ok(()),
        Some(field) => Err(Error::user(format!(
            "the source has a column `{}`; names that start with `{HIDDEN}` are reserved",
            field.name()
        ))),
    }
}
