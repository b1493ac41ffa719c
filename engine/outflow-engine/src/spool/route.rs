//! Which rows of a batch go to which partition. The batch is put in the order of its partitions once, and encoded in
//! one go; what is cut are its bytes.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, StringViewArray, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::SchemaRef;
use outflow_formats::encode::{Encoder, Span};
use outflow_layout::layout::{Output, Roll};

use super::pages::{Lent, Pages};
use super::{blocking, format_error};
use crate::error::{Error, Result};

/// Tells rows by their partition values.
pub(super) struct Router {
    schema: SchemaRef,
    encoder: Option<Arc<dyn Encoder>>,
    pages: Arc<Pages>,
    keys: Vec<String>,
    /// Whether the place of each row in the bytes matters.
    rolls: bool,
    /// Partitions by their values, each with its length before it.
    known: HashMap<Box<[u8]>, usize>,
    /// Rows of each partition so far.
    rows: Vec<u64>,
    /// The group of each partition in the batch at hand, and the number of that batch.
    groups: Vec<(u64, usize)>,
    batches: u64,
}

/// A batch on its way to its place.
pub(super) enum Portion {
    /// As it came.
    Rows(RecordBatch),
    /// Encoded before its place was known, since all of it goes to one.
    Encoded(Encoded),
}

/// Encodes batches of an output that has one partition, wherever they are.
#[derive(Clone)]
pub(super) struct Ahead {
    schema: SchemaRef,
    encoder: Option<Arc<dyn Encoder>>,
    pages: Arc<Pages>,
}

/// A batch whose partitions are known.
pub(super) enum Routed {
    /// To be encoded.
    Rows(Box<Split>),
    /// Encoded.
    Encoded(Encoded),
}

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
}

/// The rows of one partition in a batch.
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// Partitions are numbered as they appear.
    pub(super) partition: usize,
    /// How many rows.
    pub(super) rows: usize,
    /// Rows of the partition before these.
    before: u64,
    /// The keys of the first and the last row, in formats that have such.
    pub(super) keys: Option<(Vec<u8>, Vec<u8>)>,
}

/// A batch in the order of its groups, encoded.
pub(super) struct Encoded {
    /// How many rows.
    pub(super) rows: usize,
    /// Groups in order.
    pub(super) groups: Vec<Group>,
    /// Values of partitions that were not seen before.
    pub(super) new: Vec<Vec<(String, String)>>,
    /// Where in the bytes each row (if files roll) or group ends; empty for Parquet.
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
            rows: Vec::new(),
            groups: Vec::new(),
            batches: 0,
        }
    }

    /// What encodes batches before they come here.
    pub(super) fn ahead(&self) -> Ahead {
        let whole = self.keys.is_empty() && !self.rolls;
        Ahead {
            schema: self.schema.clone(),
            encoder: self.encoder.clone().filter(|_| whole),
            pages: self.pages.clone(),
        }
    }

    /// Finds the partitions of a portion.
    pub(super) fn route(&mut self, portion: Portion) -> Result<Routed> {
        match portion {
            Portion::Rows(batch) => Ok(Routed::Rows(Box::new(self.split(&batch)?))),
            Portion::Encoded(mut encoded) => {
                for group in &encoded.groups {
                    let partition = self.partition(&[], std::iter::empty, &mut encoded.new);
                    self.rows[partition] += group.rows as u64;
                }
                Ok(Routed::Encoded(encoded))
            }
        }
    }

    /// Finds the partition of each row.
    fn split(&mut self, batch: &RecordBatch) -> Result<Split> {
        let data = written(&self.schema, batch)?;
        let width = self.schema.fields().len();
        let keys = batch.columns()[width..].iter().map(|column| column.as_string_view()).collect::<Vec<_>>();
        self.batches += 1;
        let (mut groups, mut new) = (Vec::new(), Vec::new());
        let mut group_of = Vec::with_capacity(data.num_rows());
        let (mut values, mut current) = (Vec::new(), 0);
        for row in 0..data.num_rows() {
            if row == 0
                || !keys
                    .iter()
                    .all(|key| key.is_null(row - 1) == key.is_null(row) && key.value(row - 1) == key.value(row))
            {
                values.clear();
                keys.iter().for_each(|key| push_value(text(key, row), &mut values));
                let partition = self.partition(&values, || keys.iter().map(|key| text(key, row)), &mut new);
                current = self.group(partition, &mut groups);
            }
            groups[current].rows += 1;
            group_of.push(current);
        }
        for group in &groups {
            self.rows[group.partition] += group.rows as u64;
        }
        let order = (groups.len() > 1).then(|| order(&groups, &group_of));
        Ok(Split {
            data,
            order,
            groups,
            new,
            encoder: self.encoder.clone(),
            pages: self.pages.clone(),
            rolls: self.rolls,
        })
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
        self.known.insert(key.into(), self.rows.len());
        new.push(self.keys.iter().cloned().zip(values().map(str::to_owned)).collect());
        self.rows.push(0);
        self.groups.push((0, 0));
        self.rows.len() - 1
    }

    /// The group of a partition in the batch at hand.
    fn group(&mut self, partition: usize, groups: &mut Vec<Group>) -> usize {
        let known = &mut self.groups[partition];
        if known.0 != self.batches {
            *known = (self.batches, groups.len());
            groups.push(Group { partition, rows: 0, before: self.rows[partition], keys: None });
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

/// The columns of a batch that are written.
fn written(schema: &SchemaRef, batch: &RecordBatch) -> Result<RecordBatch> {
    RecordBatch::try_new(schema.clone(), batch.columns()[..schema.fields().len()].to_vec())
        .map_err(|cause| Error::internal("a batch does not fit its schema").caused_by(cause))
}

impl Ahead {
    /// Encodes a batch if it can be. What is wrong with it is told where its place is known.
    pub(super) fn encode(&self, batch: RecordBatch) -> Result<Portion> {
        let Some(encoder) = &self.encoder else { return Ok(Portion::Rows(batch)) };
        let data = written(&self.schema, &batch)?;
        let rows = data.num_rows();
        let group = Group { partition: 0, rows, before: 0, keys: None };
        let groups = if rows == 0 { Vec::new() } else { vec![group] };
        match encoded(&data, groups, encoder.as_ref(), &self.pages, false) {
            Ok(encoded) => Ok(Portion::Encoded(encoded)),
            Err(_) => Ok(Portion::Rows(batch)),
        }
    }
}

/// Orders and encodes a batch on another thread, unless that is done.
pub(super) async fn encode(routed: Routed) -> Result<Encoded> {
    let split = match routed {
        Routed::Encoded(encoded) => return Ok(encoded),
        Routed::Rows(split) => split,
    };
    blocking(move || {
        let Split { data, order, groups, new, encoder, pages, rolls } = *split;
        let batch = match order {
            None => data,
            Some(order) => take_record_batch(&data, &order)
                .map_err(|cause| Error::internal("cannot put a batch in order").caused_by(cause))?,
        };
        match encoder {
            None => {
                let rows = batch.num_rows();
                Ok(Encoded { rows, groups, new, ends: Vec::new(), content: Content::Rows(batch) })
            }
            Some(encoder) => Ok(Encoded { new, ..encoded(&batch, groups, encoder.as_ref(), &pages, rolls)? }),
        }
    })
    .await
}

/// Encodes a batch in the order of its groups.
fn encoded(
    batch: &RecordBatch,
    mut groups: Vec<Group>,
    encoder: &dyn Encoder,
    pages: &Arc<Pages>,
    rolls: bool,
) -> Result<Encoded> {
    let span = |group: &Group| Span { rows: group.rows, before: group.before };
    let single = |group: &Group| {
        (0..group.rows as u64).map({
            let before = group.before;
            move |row| Span { rows: 1, before: before + row }
        })
    };
    let spans =
        if rolls { groups.iter().flat_map(single).collect::<Vec<_>>() } else { groups.iter().map(span).collect() };
    let mut lent = pages.lend();
    let ends = encoder.encode_spans(batch, &spans, &mut lent.page).map_err(format_error)?;
    set_keys(&mut groups, batch, encoder)?;
    Ok(Encoded { rows: batch.num_rows(), groups, new: Vec::new(), ends, content: Content::Text(lent) })
}

fn set_keys(groups: &mut [Group], batch: &RecordBatch, encoder: &dyn Encoder) -> Result<()> {
    let mut begin = 0;
    for group in groups {
        let key = |row| encoder.key(batch, row).map_err(format_error);
        let Some(first) = key(begin)? else { return Ok(()) };
        begin += group.rows;
        group.keys = key(begin - 1)?.map(|last| (first, last));
    }
    Ok(())
}
