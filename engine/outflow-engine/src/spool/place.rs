//! Which file each row goes to: one a partition, and the next part when it is full. Counts, and moves no bytes.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::HashMap;
use outflow_formats::encode::{Encoder, Page};
use outflow_layout::layout::{FileIntent, Output, Roll};

use super::format_error;
use super::name::nonce;
use super::route::{Content, Encoded, Group, Values, spans};
use crate::counters::OutputCounters;
use crate::error::{Error, Result};

/// Places the rows of an output.
pub(super) struct Placer {
    dataset: String,
    counters: OutputCounters,
    roll: Roll,
    seed: String,
    encoder: Option<Arc<dyn Encoder>>,
    /// Bytes of the header, of the separator and of the footer.
    header: u64,
    separator: usize,
    footer: u64,
    partitions: Vec<Partition>,
    /// Their numbers by their values.
    known: HashMap<Values, usize>,
    /// Every file, in the order of their first rows.
    pub(super) files: Vec<Placed>,
}

struct Partition {
    values: Values,
    rows: u64,
    part: u32,
    /// The file of the current part.
    file: Option<usize>,
    /// Key of the last row.
    last_key: Option<Vec<u8>>,
}

/// A file and what goes into it.
pub(super) struct Placed {
    /// What it is.
    pub(super) intent: FileIntent,
    /// Its rows.
    pub(super) rows: u64,
    /// Its bytes before its container, without footer.
    bytes: u64,
}

/// Rows of a batch that go to one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Placement {
    /// The number of the file.
    pub(super) file: usize,
    /// The rows, in the order of the encoded batch.
    pub(super) rows: Range<usize>,
    /// Their bytes, for text.
    pub(super) bytes: Range<usize>,
    /// Whether no more rows come.
    pub(super) complete: bool,
}

impl Placer {
    /// A placer for an output; text formats have an encoder.
    pub(super) fn new(
        output: &Output,
        counters: OutputCounters,
        seed: &str,
        encoder: Option<Arc<dyn Encoder>>,
    ) -> Result<Self> {
        let header = encoder.as_ref().map(|encoder| encoder.header().map_err(format_error)).transpose()?;
        Ok(Self {
            dataset: output.dataset.clone(),
            counters,
            roll: output.roll,
            seed: seed.to_owned(),
            header: header.map_or(0, |header| header.len() as u64),
            separator: encoder.as_ref().map_or(0, |encoder| encoder.separator().len()),
            footer: encoder.as_ref().map_or(0, |encoder| encoder.footer(1).len() as u64),
            encoder,
            partitions: Vec::new(),
            known: HashMap::default(),
            files: Vec::new(),
        })
    }

    /// Opens the one file of an output without rows.
    pub(super) fn open_empty(&mut self) {
        let partition = self.partition(&Values::default());
        self.open(partition);
    }

    /// The number of a partition.
    fn partition(&mut self, values: &Values) -> usize {
        if let Some(number) = self.known.get(values) {
            return *number;
        }
        let number = self.partitions.len();
        self.known.insert(values.clone(), number);
        self.partitions.push(Partition { values: values.clone(), rows: 0, part: 0, file: None, last_key: None });
        number
    }

    /// Places the rows of a batch; files that did not exist are appended to `files`.
    pub(super) fn place(&mut self, encoded: &Encoded) -> Result<Vec<Placement>> {
        if let Content::Refused(batch) = &encoded.content {
            return Err(self.refused(batch, &encoded.groups));
        }
        let rolls = self.roll != Roll::default();
        let mut placements: Vec<Placement> = Vec::with_capacity(encoded.groups.len());
        let (mut row, mut unit) = (0, 0);
        let end_of = |unit: usize| if unit == 0 { 0 } else { encoded.ends.get(unit - 1).copied().unwrap_or(0) };
        for group in &encoded.groups {
            let partition = self.partition(&group.values);
            self.check_keys(partition, group)?;
            self.partitions[partition].rows += group.rows as u64;
            // What is never taken apart: a row if files roll, else the group.
            let (units, rows_each) = if rolls { (group.rows, 1) } else { (1, group.rows) };
            let end = unit + units;
            while unit < end {
                let file = match self.partitions[partition].file {
                    Some(file) => file,
                    None => self.open(partition),
                };
                let fit = if rolls { self.fit(file, unit..end, &end_of) } else { units };
                if fit == 0 {
                    // Nothing of this batch may be in the file; an empty placement completes it all the same.
                    placements.push(Placement { file, rows: row..row, bytes: 0..0, complete: true });
                    self.partitions[partition].file = None;
                    continue;
                }
                let rows = row..row + fit * rows_each;
                let placed = &mut self.files[file];
                let skipped = if placed.rows == 0 { self.separator } else { 0 };
                let bytes = (end_of(unit) + skipped).min(end_of(unit + fit))..end_of(unit + fit);
                placed.rows += rows.len() as u64;
                placed.bytes += bytes.len() as u64;
                (row, unit) = (rows.end, unit + fit);
                placements.push(Placement { file, rows, bytes, complete: false });
            }
        }
        Ok(placements)
    }

    /// How many of the rows the file can take; at least one if it is empty.
    fn fit(&self, file: usize, rows: Range<usize>, end_of: &impl Fn(usize) -> usize) -> usize {
        let placed = &self.files[file];
        let by_rows = self.roll.max_rows.map_or(u64::MAX, |most| most.saturating_sub(placed.rows));
        let most = usize::try_from(by_rows).unwrap_or(usize::MAX).min(rows.len());
        let Some(max_bytes) = self.roll.max_bytes else { return most };
        let skipped = if placed.rows == 0 { self.separator as u64 } else { 0 };
        let room = (max_bytes + skipped).saturating_sub(placed.bytes + self.footer);
        let begin = end_of(rows.start);
        let (mut fit, mut beyond) = (0, most + 1);
        while beyond - fit > 1 {
            let middle = fit.midpoint(beyond);
            if (end_of(rows.start + middle) - begin) as u64 <= room {
                fit = middle;
            } else {
                beyond = middle;
            }
        }
        if placed.rows == 0 { fit.max(1) } else { fit }
    }

    fn open(&mut self, partition: usize) -> usize {
        let file = self.files.len();
        let place = &mut self.partitions[partition];
        place.part += 1;
        place.file = Some(file);
        let intent = FileIntent {
            nonce: nonce(&self.seed, &self.dataset, &place.values, place.part),
            dataset: self.dataset.clone(),
            partition: place.values.to_vec(),
            part: place.part,
            counters: self.counters.next_file(),
        };
        self.files.push(Placed { intent, rows: 0, bytes: self.header });
        file
    }

    /// Equal keys of neighbours that an encoder does not see together.
    fn check_keys(&mut self, partition: usize, group: &Group) -> Result<()> {
        let Some((first, last)) = &group.keys else { return Ok(()) };
        let partition = &mut self.partitions[partition];
        if partition.last_key.as_ref() == Some(first) {
            let key = String::from_utf8_lossy(first);
            return Err(Error::user(format!(
                "two rows, one after the other, both name the member `{key}` of a JSON document"
            ))
            .hint("group the rows by the column that names the members"));
        }
        partition.last_key = Some(last.clone());
        Ok(())
    }

    /// What is wrong with rows that cannot be encoded, told with their places in their partitions.
    fn refused(&self, batch: &RecordBatch, groups: &[Group]) -> Error {
        let before = |group: &Group| self.known.get(&group.values).map_or(0, |number| self.partitions[*number].rows);
        let spans = spans(groups, self.roll != Roll::default(), before);
        let again = self.encoder.as_ref().map(|encoder| encoder.encode_spans(batch, &spans, &mut Page::default()));
        match again {
            Some(Err(cause)) => format_error(cause),
            _ => Error::internal("rows that could not be encoded can be now"),
        }
    }
}
