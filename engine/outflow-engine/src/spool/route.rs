//! Which rows of a batch go to which partition. The batch is put in the order of its partitions once, and encoded in
//! one go; what is cut are its bytes.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, StringViewArray, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::SchemaRef;
use outflow_formats::encode::{Encoder, Page, Span};
use outflow_layout::layout::{Output, Roll};

use super::Shared;
use super::pages::{Lent, Pages};
use crate::error::{Error, Result};

/// Tells rows by their partition values, and encodes them. Several may work on the rows of one output.
pub(super) struct Router {
    schema: SchemaRef,
    encoder: Option<Arc<dyn Encoder>>,
    pages: Arc<Pages>,
    keys: Vec<String>,
    /// Whether the place of each row in the bytes matters.
    rolls: bool,
    /// Partitions by their values, each with its length before it.
    known: HashMap<Box<[u8]>, usize>,
    /// The group of each partition in the batch at hand, and the number of that batch.
    groups: Vec<(u64, usize)>,
    batches: u64,
    numbers: Numbers,
}

/// What the partitions of a router are to whoever places their rows.
pub(super) type Numbers = Shared<Vec<usize>>;

/// A batch whose rows are known by partition, not yet in their order.
pub(super) struct Split {
    data: RecordBatch,
    /// Places of the rows in their new order; none = as they are.
    order: Option<UInt32Array>,
    groups: Vec<Group>,
    /// Values of partitions that were not seen before.
    new: Vec<Vec<(String, String)>>,
    encoder: Option<Arc<dyn Encoder>>,
    pages: Arc<Pages>,
    rolls: bool,
    numbers: Numbers,
}

/// The rows of one partition in a batch.
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// Partitions are numbered as they appear to their router.
    pub(super) partition: usize,
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
    /// Values of partitions that its router had not seen before.
    pub(super) new: Vec<Vec<(String, String)>>,
    /// Of that router.
    pub(super) numbers: Numbers,
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
    /// Rows that cannot be encoded. Which of a file they are, and so what is wrong, is told where they are placed.
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
            known: HashMap::new(),
            groups: Vec::new(),
            batches: 0,
            numbers: Numbers::default(),
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
        let (mut groups, mut new) = (Vec::new(), Vec::new());
        let order = if keys.is_empty() {
            self.whole(data.num_rows(), &mut groups, &mut new);
            None
        } else {
            let group_of = self.tell_apart(&keys, data.num_rows(), &mut groups, &mut new);
            (groups.len() > 1).then(|| order(&groups, &group_of))
        };
        Ok(Split {
            data,
            order,
            groups,
            new,
            encoder: self.encoder.clone(),
            pages: self.pages.clone(),
            rolls: self.rolls,
            numbers: self.numbers.clone(),
        })
    }

    /// All rows are of one partition.
    fn whole(&mut self, rows: usize, groups: &mut Vec<Group>, new: &mut Vec<Vec<(String, String)>>) {
        if rows > 0 {
            let partition = self.partition(&[], std::iter::empty, new);
            groups.push(Group { partition, rows, keys: None });
        }
    }

    /// The group of each row.
    fn tell_apart(
        &mut self,
        keys: &[&StringViewArray],
        rows: usize,
        groups: &mut Vec<Group>,
        new: &mut Vec<Vec<(String, String)>>,
    ) -> Vec<usize> {
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
                let partition = self.partition(&values, || keys.iter().map(|key| text(key, row)), new);
                current = self.group(partition, groups);
            }
            groups[current].rows += 1;
            group_of.push(current);
        }
        group_of
    }

    fn partition<'a, T: Iterator<Item = &'a str>>(
        &mut self,
        key: &[u8],
        values: impl FnOnce() -> T,
        new: &mut Vec<Vec<(String, String)>>,
    ) -> usize {
        if let Some(partition) = self.known.get(key) {
            return *partition;
        }
        self.known.insert(key.into(), self.groups.len());
        new.push(self.keys.iter().cloned().zip(values().map(str::to_owned)).collect());
        self.groups.push((0, 0));
        self.groups.len() - 1
    }

    /// The group of a partition in the batch at hand.
    fn group(&mut self, partition: usize, groups: &mut Vec<Group>) -> usize {
        let known = &mut self.groups[partition];
        if known.0 != self.batches {
            *known = (self.batches, groups.len());
            groups.push(Group { partition, rows: 0, keys: None });
        }
        known.1
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
        let Self { data, order, mut groups, new, encoder, pages, rolls, numbers } = self;
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
        Ok(Encoded { rows, groups, new, numbers, ends, content })
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
    let span = |rows| Span { rows, before: 0 };
    let spans = if rolls {
        vec![span(1); batch.num_rows()]
    } else {
        groups.iter().map(|group| span(group.rows)).collect::<Vec<_>>()
    };
    let ends = encoder.encode_spans(batch, &spans, page)?;
    let mut begin = 0;
    for group in groups {
        let Some(first) = encoder.key(batch, begin)? else { break };
        begin += group.rows;
        group.keys = encoder.key(batch, begin - 1)?.map(|last| (first, last));
    }
    Ok(ends)
}
