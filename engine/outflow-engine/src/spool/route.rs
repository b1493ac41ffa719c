//! Which rows of a batch go to which partition. The batch is put in the order of its partitions once, and encoded in
//! one go; what is cut are its bytes.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, StringViewArray, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::SchemaRef;
use datafusion::common::HashMap;
use outflow_formats::encode::{Encoder, Page, Span};
use outflow_layout::layout::{Output, Roll};

use super::pages::{Lent, Pages};
use crate::error::{Error, Result};

/// Tells rows by their partition values. Several may do so for the rows of one output.
pub(super) struct Router {
    schema: SchemaRef,
    encoder: Option<Arc<dyn Encoder>>,
    pages: Arc<Pages>,
    keys: Vec<String>,
    /// Whether the place of each row in the bytes matters.
    rolls: bool,
    /// Partitions by their values, each with its length before it.
    known: HashMap<Box<[u8]>, usize>,
    partitions: Vec<Partition>,
    batches: u64,
}

struct Partition {
    values: Values,
    /// The last batch that had rows of it, and the number of their group there.
    group: (u64, usize),
}

/// The names and values that make a partition.
pub(super) type Values = Arc<[(String, String)]>;

/// A batch whose rows are known by partition, not yet in their order.
pub(super) struct Split {
    data: RecordBatch,
    /// Places of the rows in their new order; none = as they are.
    order: Option<UInt32Array>,
    groups: Vec<Group>,
    encoder: Option<Arc<dyn Encoder>>,
    pages: Arc<Pages>,
    rolls: bool,
}

/// The rows of one partition in a batch.
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// The partition.
    pub(super) values: Values,
    /// How many rows.
    pub(super) rows: usize,
    /// The keys of the first and the last row, in formats that have such.
    pub(super) keys: Option<(Vec<u8>, Vec<u8>)>,
}

/// A batch in the order of its groups, encoded.
pub(super) struct Encoded {
    /// How many rows.
    pub(super) rows: usize,
    /// Groups in order.
    pub(super) groups: Vec<Group>,
    /// Where in the bytes each row (if files roll) or group ends; empty for what is no text.
    pub(super) ends: Vec<usize>,
    /// What files get.
    pub(super) content: Content,
}

/// What files get.
pub(super) enum Content {
    /// Encoded rows.
    Text(Lent),
    /// Rows, for Parquet.
    Rows(RecordBatch),
    /// Rows that cannot be encoded. What is wrong is told where they are placed, for it names rows of a partition by their number.
    Refused(RecordBatch),
}

impl Router {
    /// A router for the rows of an output, which have the columns of `schema` and then the partition values.
    pub(super) fn new(
        output: &Output,
        schema: SchemaRef,
        encoder: Option<Arc<dyn Encoder>>,
        pages: Arc<Pages>,
    ) -> Self {
        Self {
            schema,
            encoder,
            pages,
            keys: output.partition_by.iter().map(|key| key.name.clone()).collect(),
            rolls: output.roll != Roll::default(),
            known: HashMap::default(),
            partitions: Vec::new(),
            batches: 0,
        }
    }

    /// Finds the partition of each row.
    pub(super) fn split(&mut self, batch: &RecordBatch) -> Result<Split> {
        let width = self.schema.fields().len();
        let (written, keys) = batch.columns().split_at(width);
        let data = RecordBatch::try_new(self.schema.clone(), written.to_vec())
            .map_err(|cause| Error::internal("a batch does not fit its schema").caused_by(cause))?;
        let keys = keys.iter().map(|column| column.as_string_view()).collect::<Vec<_>>();
        self.batches += 1;
        let rows = data.num_rows();
        let mut groups = Vec::new();
        let order = if keys.is_empty() {
            groups.extend((rows > 0).then(|| Group { values: Values::default(), rows, keys: None }));
            None
        } else {
            let group_of = self.tell_apart(&keys, rows, &mut groups);
            (groups.len() > 1).then(|| order(&groups, &group_of))
        };
        Ok(Split { data, order, groups, encoder: self.encoder.clone(), pages: self.pages.clone(), rolls: self.rolls })
    }

    /// The group of each row.
    fn tell_apart(&mut self, keys: &[&StringViewArray], rows: usize, groups: &mut Vec<Group>) -> Vec<usize> {
        let mut group_of = Vec::with_capacity(rows);
        let (mut values, mut current) = (Vec::new(), 0);
        for row in 0..rows {
            if row == 0
                || !keys
                    .iter()
                    .all(|key| key.is_null(row - 1) == key.is_null(row) && key.value(row - 1) == key.value(row))
            {
                values.clear();
                keys.iter().for_each(|key| push_value(text(key, row), &mut values));
                let partition = self.partition(&values, || keys.iter().map(|key| text(key, row)));
                current = self.group(partition, groups);
            }
            groups[current].rows += 1;
            group_of.push(current);
        }
        group_of
    }

    fn partition<'a, T: Iterator<Item = &'a str>>(&mut self, key: &[u8], values: impl FnOnce() -> T) -> usize {
        if let Some(partition) = self.known.get(key) {
            return *partition;
        }
        let number = self.partitions.len();
        self.known.insert(key.into(), number);
        let values = self.keys.iter().cloned().zip(values().map(str::to_owned)).collect();
        self.partitions.push(Partition { values, group: (0, 0) });
        number
    }

    /// The group of a partition in the batch at hand.
    fn group(&mut self, partition: usize, groups: &mut Vec<Group>) -> usize {
        let Partition { values, group } = &mut self.partitions[partition];
        if group.0 != self.batches {
            *group = (self.batches, groups.len());
            groups.push(Group { values: values.clone(), rows: 0, keys: None });
        }
        group.1
    }
}

/// Null and empty text are one value.
fn text(key: &StringViewArray, row: usize) -> &str {
    if key.is_null(row) { "" } else { key.value(row) }
}

/// Appends a value so that no two lists of values have the same bytes.
fn push_value(value: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&value.len().to_le_bytes());
    out.extend_from_slice(value.as_bytes());
}

/// The places of the rows group by group, each group in input order.
fn order(groups: &[Group], group_of: &[usize]) -> UInt32Array {
    let mut next =
        groups.iter().scan(0, |next, group| Some(std::mem::replace(next, *next + group.rows))).collect::<Vec<usize>>();
    let mut order = vec![0; group_of.len()];
    for (row, group) in group_of.iter().enumerate() {
        order[next[*group]] = row as u32;
        next[*group] += 1;
    }
    UInt32Array::from(order)
}

impl Split {
    /// Puts the rows in order and encodes them.
    pub(super) fn encode(self) -> Result<Encoded> {
        let Self { data, order, mut groups, encoder, pages, rolls } = self;
        let batch = match order {
            None => data,
            Some(order) => take_record_batch(&data, &order)
                .map_err(|cause| Error::internal("cannot put a batch in order").caused_by(cause))?,
        };
        let (rows, mut ends) = (batch.num_rows(), Vec::new());
        let content = match encoder {
            None => Content::Rows(batch),
            Some(encoder) => {
                let mut lent = pages.lend();
                match encode(&batch, &mut groups, encoder.as_ref(), rolls, &mut lent.page) {
                    Ok(found) => {
                        ends = found;
                        Content::Text(lent)
                    }
                    Err(_) => Content::Refused(batch),
                }
            }
        };
        Ok(Encoded { rows, groups, ends, content })
    }
}

/// Encodes a batch in the order of its groups, and finds their keys.
fn encode(
    batch: &RecordBatch,
    groups: &mut [Group],
    encoder: &dyn Encoder,
    rolls: bool,
    page: &mut Page,
) -> outflow_formats::Result<Vec<usize>> {
    let ends = encoder.encode_spans(batch, &spans(groups, rolls, |_| 0), page)?;
    let mut begin = 0;
    for group in groups {
        let Some(first) = encoder.key(batch, begin)? else { break };
        begin += group.rows;
        group.keys = encoder.key(batch, begin - 1)?.map(|last| (first, last));
    }
    Ok(ends)
}

/// What an encoder keeps apart: the rows if files roll, else the groups. `before` tells how many rows of its partition are before
/// a group.
pub(super) fn spans(groups: &[Group], rolls: bool, before: impl Fn(&Group) -> u64) -> Vec<Span> {
    let spans = groups.iter().flat_map(|group| {
        let (count, rows) = if rolls { (group.rows, 1) } else { (1, group.rows) };
        let before = before(group);
        (0..count as u64).map(move |number| Span { rows, before: before + number })
    });
    spans.collect()
}
