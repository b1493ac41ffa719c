//! The comparison itself: keys of the last snapshot in memory, rows of the input against them, then the rows of the
//! snapshot that nothing met. The new snapshot is written on the way.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, StringViewArray, new_null_array};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use datafusion::common::Result as QueryResult;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use futures::{Stream, StreamExt};
use outflow_formats::digest::Algorithm;
use outflow_formats::file::OutputFile;
use outflow_formats::format::{Compression, Format};
use outflow_formats::parquet;

use super::{Changes, REMOVE};
use crate::error::{Error, Result};
use crate::operator::failed;
use crate::reject::Records;
use crate::transform::keys;

/// What is known of a key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Member {
    /// The last snapshot has it.
    Before,
    /// The input has it.
    Now,
}

pub(super) struct Difference {
    changes: Changes,
    rows: SendableRecordBatchStream,
    schema: SchemaRef,
    /// The columns of a member, as snapshots have them.
    fields: Vec<FieldRef>,
    known: HashMap<u128, Member>,
    held: MemoryReservation,
    snapshot: Option<OutputFile>,
    gone: Option<parquet::Batches>,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Begin,
    Input,
    Gone,
}

impl Difference {
    pub(super) fn new(
        changes: Changes,
        rows: SendableRecordBatchStream,
        schema: SchemaRef,
        pool: &Arc<dyn MemoryPool>,
    ) -> Self {
        let field = |name: &String| schema.field_with_name(name).ok().map(|field| Arc::new(field.clone()));
        let fields = changes.members.iter().filter_map(field).collect();
        let held = MemoryConsumer::new("changes").register(pool);
        let (known, phase) = (HashMap::new(), Phase::Begin);
        Self { changes, rows, schema, fields, known, held, snapshot: None, gone: None, phase }
    }

    pub(super) fn batches(self) -> impl Stream<Item = QueryResult<RecordBatch>> + Send {
        futures::stream::try_unfold(
            self,
            |mut state| async move { Ok(state.next().await?.map(|batch| (batch, state))) },
        )
    }

    async fn next(&mut self) -> QueryResult<Option<RecordBatch>> {
        if self.phase == Phase::Begin {
            self.begin()?;
        }
        while self.phase == Phase::Input {
            match self.rows.next().await {
                None => self.turn().map_err(failed)?,
                Some(batch) => {
                    let new = self.compare(&batch?)?;
                    if new.num_rows() > 0 {
                        return Ok(Some(new));
                    }
                }
            }
        }
        while let Some(batch) = self.gone.as_mut().and_then(Iterator::next) {
            let gone = self.gone(&batch.map_err(|cause| failed(unreadable(&cause)))?)?;
            if gone.num_rows() > 0 {
                return Ok(Some(gone));
            }
        }
        // Only who asks until nothing is left has seen every change.
        self.changes.notes.membership.set_complete(true);
        Ok(None)
    }

    /// Learns the keys of the last snapshot and opens the new one.
    fn begin(&mut self) -> QueryResult<()> {
        let changes = self.changes.clone();
        let membership = &changes.notes.membership;
        membership.set_complete(false);
        if let Some(path) = &membership.previous {
            let key = |name: &String| self.fields.iter().find(|field| field.name() == name).cloned();
            let fields = changes.key.iter().filter_map(key).collect::<Vec<_>>();
            for batch in open(path, &fields, &changes).map_err(failed)? {
                let batch = batch.map_err(|cause| failed(unreadable(&cause)))?;
                let found = keys::keys(batch.columns())?;
                self.known.extend(found.into_iter().flatten().map(|key| (key, Member::Before)));
                self.charge()?;
            }
        }
        if let Some(path) = &membership.next {
            let schema = Schema::new(self.fields.clone());
            let file = OutputFile::create(path, &Format::Parquet, Compression::None, None, &schema, Algorithm::Xxh3);
            self.snapshot = Some(file.map_err(|cause| failed(unwritable(&cause)))?);
        }
        self.phase = Phase::Input;
        Ok(())
    }

    /// The rows of a batch that are new members. Every member goes to the new snapshot, by its first row.
    fn compare(&mut self, batch: &RecordBatch) -> QueryResult<RecordBatch> {
        let found = keys::keys(&keys::columns(batch, &self.changes.key)?)?;
        let (mut new, mut member) = (Vec::with_capacity(found.len()), Vec::with_capacity(found.len()));
        let mut duplicates = 0;
        for (row, key) in found.into_iter().enumerate() {
            let (is_new, is_member) = match key.map(|key| self.known.entry(key)) {
                None => {
                    self.reject(batch, row)?;
                    (false, false)
                }
                Some(Entry::Vacant(entry)) => {
                    entry.insert(Member::Now);
                    (true, true)
                }
                Some(Entry::Occupied(mut entry)) => {
                    let is_first = entry.insert(Member::Now) == Member::Before;
                    duplicates += u64::from(!is_first);
                    (false, is_first)
                }
            };
            new.push(is_new);
            member.push(is_member);
        }
        self.charge()?;
        self.changes.notes.tally.add(self.changes.place, Changes::DUPLICATES, duplicates);
        if let Some(snapshot) = &mut self.snapshot {
            let columns = keys::columns(batch, &self.changes.members)?;
            let members = RecordBatch::try_new(Arc::new(Schema::new(self.fields.clone())), columns)?;
            let members = filter_record_batch(&members, &BooleanArray::from(member))?;
            snapshot.write_batch(&members).map_err(|cause| failed(unwritable(&cause)))?;
        }
        Ok(filter_record_batch(batch, &BooleanArray::from(new))?)
    }

    fn reject(&self, batch: &RecordBatch, row: usize) -> QueryResult<()> {
        let key = self.changes.key.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let message = format!("a member needs its key, and here {key} is null");
        let reject = Records::of(batch)?.reject(row, "changes/key", &message);
        self.changes.rejects.push(reject).map_err(failed)
    }

    fn charge(&mut self) -> QueryResult<()> {
        self.held.try_resize(self.known.capacity() * keys::BYTES)
    }

    /// From the input to those that are gone.
    fn turn(&mut self) -> Result<()> {
        let membership = &self.changes.notes.membership;
        if let Some(snapshot) = self.snapshot.take() {
            snapshot.finish().map_err(|cause| unwritable(&cause))?;
            if let Some(folder) = membership.next.as_ref().and_then(|path| path.parent()) {
                let synced = File::open(folder).and_then(|folder| folder.sync_all());
                synced
                    .map_err(|cause| Error::transient(format!("cannot keep the snapshot of the members: {cause}")))?;
            }
        }
        if let Some(path) = &membership.previous {
            self.gone = Some(open(path, &self.fields, &self.changes)?);
        }
        self.phase = Phase::Gone;
        Ok(())
    }

    /// The rows of a batch of the last snapshot that nothing of the input met.
    fn gone(&mut self, batch: &RecordBatch) -> QueryResult<RecordBatch> {
        let found = keys::keys(&keys::columns(batch, &self.changes.key)?)?;
        let is_gone = |key: Option<u128>| Some(key.is_some_and(|key| self.known.get(&key) == Some(&Member::Before)));
        let gone = filter_record_batch(batch, &found.into_iter().map(is_gone).collect::<BooleanArray>())?;
        let rows = gone.num_rows();
        let column = |field: &FieldRef| -> ArrayRef {
            match gone.column_by_name(field.name()) {
                Some(column) => Arc::clone(column),
                None if *field.name() == self.changes.column => {
                    Arc::new(std::iter::repeat_n(Some(REMOVE), rows).collect::<StringViewArray>())
                }
                // Where the row was read is not known any more.
                None => new_null_array(field.data_type(), rows),
            }
        };
        let columns = self.schema.fields().iter().map(column).collect();
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}

/// The rows of a snapshot, with these columns.
fn open(path: &Path, fields: &[FieldRef], changes: &Changes) -> Result<parquet::Batches> {
    let file = File::open(path).map_err(|cause| {
        Error::external(format!("the members of the last delivery cannot be read from `{}`: {cause}", path.display()))
            .hint("restore the file: without it nobody knows who was delivered")
    })?;
    let snapshot = parquet::open(file).map_err(|cause| unreadable(&cause))?;
    if let Some(name) = changes.key.iter().find(|name| snapshot.schema().index_of(name).is_err()) {
        return Err(changes
            .place
            .error(format!(
                "the members of the last delivery have no column `{name}`, so they cannot be told apart by it"
            ))
            .hint("go on with the old `key`, or begin anew under another pipeline name"));
    }
    snapshot.batches(fields, false).map_err(|cause| unreadable(&cause))
}

fn unreadable(cause: &outflow_formats::Error) -> Error {
    Error::external(format!("the snapshot of the members of the last delivery cannot be read: {cause}"))
}

fn unwritable(cause: &outflow_formats::Error) -> Error {
    Error::transient(format!("the snapshot of the members cannot be written: {cause}"))
        .hint("check the disk of the state folder")
}
