//! The other source of a lookup, in memory: its keys and the columns that are wanted of it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, new_empty_array};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, UInt64Type};
use datafusion::common::Result as QueryResult;
use datafusion::execution::context::SessionState;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use outflow_spec::transform::{LookupTransform, RepeatedSpec};

use super::super::{Place, TransformContext, columns, keys};
use super::placed;
use crate::error::{Error, Result};
use crate::progress::Quiet;
use crate::source::{FILE, Input, ROW, Reading as Rows};
use crate::spool::running;

#[derive(Debug)]
pub(super) struct Table {
    /// The wanted columns as the source calls them.
    pub(super) fields: Vec<FieldRef>,
    /// Their values.
    pub(super) columns: Vec<ArrayRef>,
    rows: HashMap<u128, u32>,
    _held: Option<MemoryReservation>,
}

impl Table {
    /// Reads the source. Nothing is read of it when the pipeline is only checked: its columns, where it is at hand.
    pub(super) async fn read(
        spec: &LookupTransform,
        state: &SessionState,
        context: &TransformContext,
        place: Place,
    ) -> Result<Self> {
        if context.offline && !Input::is_at_hand(&spec.source) {
            return Ok(Self::unknown(spec));
        }
        let failed = |error: Error| if error.is_config() { placed(place, &error) } else { error };
        let mut input = match Input::find(&spec.source, &context.base, &[]).await {
            Err(_) if context.offline => return Ok(Self::unknown(spec)),
            found => found.map_err(failed)?,
        };
        input.open().await.map_err(failed)?;
        let names = input.column_names();
        for (_, name) in spec.on.0.iter().chain(&spec.columns.0) {
            if !names.contains(name) {
                return Err(columns::unknown_in("lookup: ", name, &names, place));
            }
        }
        loop {
            let rows = Rows { dead_letter: context.rejects.clone(), limit: None, progress: Arc::new(Quiet) };
            let table = input.table(rows);
            let schema = wanted(&table.provider().schema(), spec);
            if context.offline {
                return Ok(Self { fields: added(&schema, spec), ..Self::unknown(spec) });
            }
            let mut reading = Reading {
                held: MemoryConsumer::new("lookup").register(&state.runtime_env().memory_pool),
                batches: Vec::new(),
            };
            let session = SessionContext::new_with_state(state.clone());
            let rows = session.read_table(table.provider()).and_then(|frame| {
                frame.select(schema.fields().iter().map(|field| columns::column(field.name())).collect::<Vec<_>>())
            });
            let mut rows = rows.map_err(running)?.execute_stream().await.map_err(running)?;
            while let Some(batch) = rows.next().await {
                reading.take(batch.map_err(running)?).map_err(running)?;
            }
            if !input.widen(&table)? {
                return reading.finish(&schema, spec, place);
            }
        }
    }

    /// Text columns without rows.
    fn unknown(spec: &LookupTransform) -> Self {
        let field = |(_, name): &(String, String)| Arc::new(Field::new(name, DataType::Utf8View, true));
        let fields = spec.columns.0.iter().map(field).collect::<Vec<_>>();
        let columns = fields.iter().map(|field| new_empty_array(field.data_type())).collect();
        Self { fields, columns, rows: HashMap::new(), _held: None }
    }

    /// The row of each key.
    pub(super) fn find(&self, keys: &[Option<u128>]) -> Vec<Option<u32>> {
        keys.iter().map(|key| key.as_ref().and_then(|key| self.rows.get(key).copied())).collect()
    }
}

/// The columns to read: keys, wanted ones, and the place of each row.
fn wanted(schema: &SchemaRef, spec: &LookupTransform) -> SchemaRef {
    let named = spec.on.0.iter().chain(&spec.columns.0).map(|(_, name)| name.as_str()).chain([FILE, ROW]);
    let named = named.collect::<Vec<_>>();
    let fields = schema.fields().iter().filter(|field| named.contains(&field.name().as_str())).cloned();
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The fields of the columns that the rows get.
fn added(schema: &SchemaRef, spec: &LookupTransform) -> Vec<FieldRef> {
    let field = |(_, name): &(String, String)| schema.fields().iter().find(|field| field.name() == name).cloned();
    spec.columns.0.iter().filter_map(field).collect()
}

/// A source that is being read.
struct Reading {
    held: MemoryReservation,
    batches: Vec<RecordBatch>,
}

impl Reading {
    fn take(&mut self, batch: RecordBatch) -> QueryResult<()> {
        self.held.try_grow(batch.get_array_memory_size() + batch.num_rows() * keys::BYTES)?;
        self.batches.push(batch);
        Ok(())
    }

    fn finish(self, schema: &SchemaRef, spec: &LookupTransform, place: Place) -> Result<Table> {
        let batch = concat_batches(schema, &self.batches)
            .map_err(|cause| Error::internal("the rows of a lookup do not fit together").caused_by(cause))?;
        if u32::try_from(batch.num_rows()).is_err() {
            return Err(place.error("the lookup has more than 4294967295 rows"));
        }
        let on = spec.on.0.iter().map(|(_, name)| name.clone()).collect::<Vec<_>>();
        let found = keys::columns(&batch, &on).and_then(|columns| keys::keys(&columns)).map_err(running)?;
        let mut rows = HashMap::with_capacity(found.len());
        for (row, key) in (0..).zip(found) {
            // A row without a key is found by nothing.
            let Some(key) = key else { continue };
            match rows.entry(key) {
                Entry::Vacant(entry) => {
                    entry.insert(row);
                }
                Entry::Occupied(first) if spec.on_duplicate == RepeatedSpec::Error => {
                    return Err(repeated(&batch, &on, *first.get() as usize, row as usize, place));
                }
                Entry::Occupied(_) => {}
            }
        }
        let columns = spec.columns.0.iter().filter_map(|(_, name)| batch.column_by_name(name).cloned()).collect();
        Ok(Table { fields: added(schema, spec), columns, rows, _held: Some(self.held) })
    }
}

fn repeated(batch: &RecordBatch, on: &[String], first: usize, second: usize, place: Place) -> Error {
    let text = |name: &str, row: usize| {
        let column = batch.column_by_name(name).and_then(|column| cast(column, &DataType::Utf8View).ok());
        column.map(|column| column.as_string_view().value(row).to_owned()).unwrap_or_default()
    };
    let place_of = |row: usize| {
        let number = batch.column_by_name(ROW).and_then(|column| column.as_primitive_opt::<UInt64Type>());
        let number = number.map_or(0, |numbers| numbers.value(row));
        format!("row {number} of `{}`", text(FILE, row))
    };
    let key = on.iter().map(|name| format!("{name} = `{}`", text(name, second))).collect::<Vec<_>>().join(", ");
    let (first, second) = (place_of(first), place_of(second));
    place
        .error(format!("two rows of the lookup have {key}: {first} and {second}"))
        .hint("correct one of them, or set `on_duplicate: first`")
}
