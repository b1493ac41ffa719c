//! `json_object_agg` and `json_array_agg`: the rows of a group as one JSON text, in order of arrival. What is gathered
//! is charged to the memory of the query and can be set aside and merged again, as all state of groups.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, LargeBinaryBuilder, StringViewBuilder};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err, not_impl_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility};

use super::column::{Column, append, is_json, json_field};
use super::json::push_key;

/// What is made of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Shape {
    Object,
    Array,
}

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct JsonAggregate {
    shape: Shape,
    signature: Signature,
}

impl JsonAggregate {
    pub(super) fn new(shape: Shape) -> Self {
        let arguments = if shape == Shape::Object { 2 } else { 1 };
        Self { shape, signature: Signature::any(arguments, Volatility::Immutable) }
    }

    fn groups(&self, args: &AccumulatorArgs) -> Result<Groups> {
        if args.is_distinct {
            return not_impl_err!("`{}` takes no DISTINCT", self.name());
        }
        if !args.order_bys.is_empty() {
            return not_impl_err!("`{}` takes no ORDER BY: it follows the order of the rows", self.name());
        }
        let json = args.expr_fields.iter().map(|field| is_json(field)).collect();
        Ok(Groups { shape: self.shape, json, parts: Vec::new(), bytes: 0 })
    }
}

impl AggregateUDFImpl for JsonAggregate {
    fn name(&self) -> &str {
        match self.shape {
            Shape::Object => "json_object_agg",
            Shape::Array => "json_array_agg",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn return_field(&self, _: &[FieldRef]) -> Result<FieldRef> {
        Ok(Arc::new(json_field(self.name())))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format!("{}[parts]", args.name), DataType::LargeBinary, true))])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(One(self.groups(&args)?)))
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        !args.is_distinct
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(self.groups(&args)?))
    }
}

/// What was gathered of each group: the elements of an array with commas between them, or the members of an object,
/// each after the lengths of its key and value. A group without rows has nothing.
#[derive(Debug)]
struct Groups {
    shape: Shape,
    json: Vec<bool>,
    parts: Vec<Vec<u8>>,
    bytes: usize,
}

impl Groups {
    fn resize(&mut self, groups: usize) {
        if groups > self.parts.len() {
            self.parts.resize_with(groups, Vec::new);
        }
    }

    fn change(&mut self, group: usize, change: impl FnOnce(&mut Vec<u8>) -> Result<()>) -> Result<()> {
        let parts = &mut self.parts[group];
        let before = parts.capacity();
        let changed = change(parts);
        self.bytes += parts.capacity() - before;
        changed
    }

    fn take(&mut self, emit_to: EmitTo) -> Vec<Vec<u8>> {
        let taken = emit_to.take_needed(&mut self.parts);
        self.bytes -= taken.iter().map(Vec::capacity).sum::<usize>().min(self.bytes);
        taken
    }
}

impl GroupsAccumulator for Groups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.resize(total_num_groups);
        let columns = values.iter().zip(&self.json).map(|(values, json)| Column::new(values.clone(), *json));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let shape = self.shape;
        for (row, &group) in group_indices.iter().enumerate() {
            if opt_filter.is_some_and(|filter| filter.is_null(row) || !filter.value(row)) {
                continue;
            }
            self.change(group, |parts| match (shape, columns.as_slice()) {
                (Shape::Object, [key, value]) => push_member(key, value, row, parts),
                (_, columns) => columns.iter().try_for_each(|column| {
                    if !parts.is_empty() {
                        parts.push(b',');
                    }
                    column.push_json(row, parts)
                }),
            })?;
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let groups = self.take(emit_to);
        let mut texts = StringViewBuilder::with_capacity(groups.len());
        let mut out = Vec::new();
        for parts in groups {
            out.clear();
            match self.shape {
                _ if parts.is_empty() => {
                    texts.append_null();
                    continue;
                }
                Shape::Array => {
                    out.push(b'[');
                    out.extend_from_slice(&parts);
                    out.push(b']');
                }
                Shape::Object => object(&parts, &mut out),
            }
            append(&mut texts, &out)?;
        }
        Ok(Arc::new(texts.finish()))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let groups = self.take(emit_to);
        let mut states = LargeBinaryBuilder::with_capacity(groups.len(), groups.iter().map(Vec::len).sum());
        for parts in groups {
            states.append_option((!parts.is_empty()).then_some(parts));
        }
        Ok(vec![Arc::new(states.finish())])
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.resize(total_num_groups);
        let [states] = datafusion::common::utils::take_function_args("json", values)?;
        let states = states.as_binary::<i64>();
        let shape = self.shape;
        for (row, &group) in group_indices.iter().enumerate() {
            if states.is_valid(row) {
                self.change(group, |parts| {
                    if shape == Shape::Array && !parts.is_empty() {
                        parts.push(b',');
                    }
                    parts.extend_from_slice(states.value(row));
                    Ok(())
                })?;
            }
        }
        Ok(())
    }

    fn convert_to_state(&self, values: &[ArrayRef], opt_filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let mut rows = Self { shape: self.shape, json: self.json.clone(), parts: Vec::new(), bytes: 0 };
        let count = values.first().map_or(0, |values| values.len());
        rows.update_batch(values, &(0..count).collect::<Vec<_>>(), opt_filter, count)?;
        rows.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.parts.capacity() * size_of::<Vec<u8>>() + self.bytes
    }
}

/// The rows of a query that has no groups.
#[derive(Debug)]
struct One(Groups);

impl Accumulator for One {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let rows = values.first().map_or(0, |values| values.len());
        self.0.update_batch(values, &vec![0; rows], None, 1)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.0.resize(1);
        ScalarValue::try_from_array(&self.0.evaluate(EmitTo::All)?, 0)
    }

    fn size(&self) -> usize {
        self.0.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.0.resize(1);
        self.0.state(EmitTo::All)?.iter().map(|state| ScalarValue::try_from_array(state, 0)).collect()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let rows = states.first().map_or(0, |states| states.len());
        self.0.merge_batch(states, &vec![0; rows], 1)
    }
}

const LENGTH: usize = size_of::<u32>();

fn push_member(key: &Column, value: &Column, row: usize, parts: &mut Vec<u8>) -> Result<()> {
    let start = parts.len();
    parts.resize(start + 2 * LENGTH, 0);
    push_key(key, row, parts)?;
    let middle = parts.len();
    value.push_json(row, parts)?;
    for (at, length) in [(start, middle - start - 2 * LENGTH), (start + LENGTH, parts.len() - middle)] {
        let length = u32::try_from(length).map_err(|_| exec_datafusion_err!("a member is longer than 4 GiB"))?;
        parts[at..at + LENGTH].copy_from_slice(&length.to_le_bytes());
    }
    Ok(())
}

fn object(mut parts: &[u8], out: &mut Vec<u8>) {
    let mut members: Vec<(&[u8], &[u8])> = Vec::new();
    let mut known: HashMap<&[u8], usize> = HashMap::new();
    while let Some(((key, value), rest)) = member(parts) {
        let place = *known.entry(key).or_insert(members.len());
        match members.get_mut(place) {
            Some(member) => member.1 = value,
            None => members.push((key, value)),
        }
        parts = rest;
    }
    let mut separator = b'{';
    for (key, value) in members {
        out.push(separator);
        out.extend_from_slice(key);
        out.push(b':');
        out.extend_from_slice(value);
        separator = b',';
    }
    out.push(b'}');
}

/// The first member and what follows it.
#[expect(clippy::type_complexity, reason = "a pair of slices and the rest")]
fn member(parts: &[u8]) -> Option<((&[u8], &[u8]), &[u8])> {
    let (key, rest) = parts.split_first_chunk::<LENGTH>()?;
    let (value, rest) = rest.split_first_chunk::<LENGTH>()?;
    let (key, rest) = rest.split_at_checked(u32::from_le_bytes(*key) as usize)?;
    let (value, rest) = rest.split_at_checked(u32::from_le_bytes(*value) as usize)?;
    Some(((key, value), rest))
}
