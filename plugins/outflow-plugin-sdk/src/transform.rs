//! The [`Transform`] trait, and short ways to the records it answers with.

use std::marker::PhantomData;

use crate::bindings::transform::exports::outflow::plugin::transform as wit;
use crate::columns::{Batch, Build, Columns};
use crate::component::{ManifestFile, read};
use crate::{Column, Diagnostic};

pub use wit::{Io, Mode, Reject, Step};

/// A transform: rows to rows, for what SQL cannot say. A value is the options of one pipeline, read.
/// Every method computes from its arguments alone: the host hands batches to as many instances as it likes.
pub trait Transform: Sized + 'static {
    /// The manifest as JSON: `name`, `version`, `summary`, `config_schema`.
    const MANIFEST: &'static str;

    /// The options as written.
    type Options: serde::de::DeserializeOwned;

    /// Checks what the schema cannot say, against the columns that the rows have.
    fn open(options: Self::Options, input: &[Column]) -> Result<Self, Vec<Diagnostic>>;

    /// The columns read, written and dropped.
    fn io(&self) -> Io;

    /// Transforms a batch: `input` has the columns of `Io::reads`, in that order; the answer has those of
    /// `Io::writes`. An error is about the batch as a whole; single rows are rejected in the answer.
    fn apply(&self, input: &Columns) -> Result<Step, String>;
}

/// Makes the component's exports from a type that implements [`Transform`].
#[macro_export]
macro_rules! export_transform {
    ($transform:ty) => {
        #[cfg(target_arch = "wasm32")]
        mod exported {
            use super::*;
            type ExportedTransform = $crate::TransformComponent<$transform>;
            $crate::bindings::transform::export_transform_component!(
                ExportedTransform with_types_in $crate::bindings::transform
            );
        }
    };
}

/// The component of a transform.
pub struct TransformComponent<T>(PhantomData<T>);

/// A transform that is open, as a resource.
pub struct OpenedTransform<T>(T);

impl<T: Transform> wit::Guest for TransformComponent<T> {
    type Instance = OpenedTransform<T>;

    fn describe() -> wit::Manifest {
        let file = ManifestFile::read(T::MANIFEST);
        wit::Manifest {
            name: file.name,
            version: file.version,
            summary: file.summary,
            config_schema: file.config_schema.get().to_string(),
            extras: Vec::new(),
        }
    }
}

impl<T: Transform> wit::GuestInstance for OpenedTransform<T> {
    fn open(config: String, input: Vec<Column>) -> Result<wit::Instance, Vec<Diagnostic>> {
        let transform = T::open(read(&config)?, &input)?;
        Ok(wit::Instance::new(Self(transform)))
    }

    fn io(&self) -> Io {
        self.0.io()
    }

    fn apply(&self, input: Batch) -> Result<Step, String> {
        self.0.apply(&Columns::new(input))
    }
}

impl Io {
    /// Reads and writes nothing yet; batches are as large as the host likes.
    pub fn new(mode: Mode) -> Self {
        Self { reads: Vec::new(), writes: Vec::new(), drops: Vec::new(), mode, rows_per_batch: 0, extras: Vec::new() }
    }

    /// Reads a column of the input as this Arrow type: `Utf8`, `Int64`, `Timestamp(ms)`, `List(Utf8)`.
    pub fn read(mut self, name: &str, data_type: &str) -> Self {
        self.reads.push(column(name, data_type));
        self
    }

    /// Writes a column of this Arrow type, in the place of the input's column of that name or at the end.
    pub fn write(mut self, name: &str, data_type: &str) -> Self {
        self.writes.push(column(name, data_type));
        self
    }

    /// Lets a column of the input end here.
    pub fn drop(mut self, name: &str) -> Self {
        self.drops.push(name.to_string());
        self
    }

    /// Takes so many rows at once and no more.
    pub fn rows_per_batch(mut self, rows: u32) -> Self {
        self.rows_per_batch = rows;
        self
    }
}

fn column(name: &str, data_type: &str) -> Column {
    Column { name: name.to_string(), data_type: data_type.to_string(), nullable: true, doc: None }
}

impl Step {
    /// An answer of so many rows, without columns yet.
    pub fn new(rows: usize) -> Self {
        let batch = Batch { rows: rows as u32, columns: Vec::new(), children: Vec::new() };
        Self { batch, source_row: None, rejects: Vec::new() }
    }

    /// Adds the next column of `Io::writes`.
    pub fn column(mut self, column: impl Build) -> Self {
        let array = column.build(&mut self.batch.children);
        self.batch.columns.push(array);
        self
    }

    /// Says which row of the input each row came from, in its order. For `filter` and `expand`.
    pub fn from_rows(mut self, rows: Vec<u32>) -> Self {
        self.batch.rows = rows.len() as u32;
        self.source_row = Some(rows);
        self
    }

    /// Sends rows of the input to the dead letter; what the answer holds of them is left out.
    pub fn rejects(mut self, rejects: Vec<Reject>) -> Self {
        self.rejects = rejects;
        self
    }
}

impl Reject {
    /// A row that cannot be transformed. A code is `plugin-name/reason`.
    pub fn new(row: usize, code: &str, message: impl Into<String>) -> Self {
        Self { row: row as u32, code: code.to_string(), message: message.into() }
    }
}
