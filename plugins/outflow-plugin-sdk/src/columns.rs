//! The columns of a batch: views of those that came in, builders for those that go out. No Arrow is needed: the
//! interface has Arrow's buffers, and these types are all there is to know about them.

use std::ops::Range;

pub use crate::bindings::transform::outflow::plugin::columns::{Array, Batch, Values, Varlen};

/// The columns of `Io::reads`, in that order.
pub struct Columns(Batch);

impl Columns {
    /// The columns of a batch.
    pub fn new(batch: Batch) -> Self {
        Self(batch)
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.0.rows as usize
    }

    /// The column at a place, as what it holds: `input.column::<Text>(0)?`.
    pub fn column<'a, V: View<'a>>(&'a self, index: usize) -> Result<V, String> {
        let array = self.0.columns.get(index).ok_or_else(|| format!("there is no column {index}"))?;
        V::of(array, &self.0.children).map_err(|why| format!("column {index}: {why}"))
    }
}

/// A way to look at a column.
pub trait View<'a>: Sized {
    /// The view of an array of a batch with these children.
    fn of(array: &'a Array, children: &'a [Array]) -> Result<Self, String>;
}

/// Which rows are null.
#[derive(Clone, Copy)]
struct Nulls<'a>(Option<&'a [u8]>);

impl<'a> Nulls<'a> {
    fn of(array: &'a Array) -> Self {
        Self(array.validity.as_deref())
    }

    fn is_null(self, row: usize) -> bool {
        self.0.is_some_and(|bits| !bit(bits, row))
    }
}

fn bit(bits: &[u8], row: usize) -> bool {
    bits.get(row / 8).is_some_and(|byte| byte >> (row % 8) & 1 == 1)
}

/// From where to where a row reaches.
fn range(offsets: &[i32], row: usize) -> Option<Range<usize>> {
    Some(*offsets.get(row)? as usize..*offsets.get(row + 1)? as usize)
}

/// A column of text.
#[derive(Clone, Copy)]
pub struct Text<'a> {
    nulls: Nulls<'a>,
    offsets: &'a [i32],
    text: &'a str,
}

impl<'a> View<'a> for Text<'a> {
    fn of(array: &'a Array, _: &'a [Array]) -> Result<Self, String> {
        let Values::Utf8(values) = &array.values else { return Err("it is not text".to_string()) };
        let text = std::str::from_utf8(&values.bytes).map_err(|error| error.to_string())?;
        Ok(Self { nulls: Nulls::of(array), offsets: &values.offsets, text })
    }
}

impl<'a> Text<'a> {
    /// The text of a row; none when it is null.
    #[inline]
    pub fn get(&self, row: usize) -> Option<&'a str> {
        if self.nulls.is_null(row) { None } else { self.text.get(range(self.offsets, row)?) }
    }

    /// All rows.
    pub fn iter(&self) -> impl Iterator<Item = Option<&'a str>> + '_ {
        (0..self.offsets.len().saturating_sub(1)).map(|row| self.get(row))
    }

    /// Bytes of text in all rows.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }
}

/// A column of bytes.
#[derive(Clone, Copy)]
pub struct Binary<'a> {
    nulls: Nulls<'a>,
    offsets: &'a [i32],
    bytes: &'a [u8],
}

impl<'a> View<'a> for Binary<'a> {
    fn of(array: &'a Array, _: &'a [Array]) -> Result<Self, String> {
        let Values::Binary(values) = &array.values else { return Err("it is not bytes".to_string()) };
        Ok(Self { nulls: Nulls::of(array), offsets: &values.offsets, bytes: &values.bytes })
    }
}

impl<'a> Binary<'a> {
    /// The bytes of a row; none when it is null.
    pub fn get(&self, row: usize) -> Option<&'a [u8]> {
        if self.nulls.is_null(row) { None } else { self.bytes.get(range(self.offsets, row)?) }
    }
}

/// A column of numbers: `i64` for integers, dates and times, `f64` for floats.
#[derive(Clone, Copy)]
pub struct Numbers<'a, T> {
    nulls: Nulls<'a>,
    values: &'a [T],
}

impl<'a> View<'a> for Numbers<'a, i64> {
    fn of(array: &'a Array, _: &'a [Array]) -> Result<Self, String> {
        let Values::Int64(values) = &array.values else { return Err("it is not integers".to_string()) };
        Ok(Self { nulls: Nulls::of(array), values })
    }
}

impl<'a> View<'a> for Numbers<'a, f64> {
    fn of(array: &'a Array, _: &'a [Array]) -> Result<Self, String> {
        let Values::Float64(values) = &array.values else { return Err("it is not floats".to_string()) };
        Ok(Self { nulls: Nulls::of(array), values })
    }
}

impl<T: Copy> Numbers<'_, T> {
    /// The number of a row; none when it is null.
    pub fn get(&self, row: usize) -> Option<T> {
        if self.nulls.is_null(row) { None } else { self.values.get(row).copied() }
    }
}

/// A column of truth values.
#[derive(Clone, Copy)]
pub struct Booleans<'a> {
    nulls: Nulls<'a>,
    bits: &'a [u8],
}

impl<'a> View<'a> for Booleans<'a> {
    fn of(array: &'a Array, _: &'a [Array]) -> Result<Self, String> {
        let Values::Boolean(bits) = &array.values else { return Err("it is not booleans".to_string()) };
        Ok(Self { nulls: Nulls::of(array), bits })
    }
}

impl Booleans<'_> {
    /// The value of a row; none when it is null.
    pub fn get(&self, row: usize) -> Option<bool> {
        if self.nulls.is_null(row) { None } else { Some(bit(self.bits, row)) }
    }
}

/// A column of lists.
#[derive(Clone, Copy)]
pub struct List<'a, V> {
    nulls: Nulls<'a>,
    offsets: &'a [i32],
    /// The elements of all lists, one behind the other.
    pub elements: V,
}

impl<'a, V: View<'a>> View<'a> for List<'a, V> {
    fn of(array: &'a Array, children: &'a [Array]) -> Result<Self, String> {
        let Values::ListOf((offsets, child)) = &array.values else { return Err("it is not lists".to_string()) };
        let child = children.get(*child as usize).ok_or("its elements are missing")?;
        Ok(Self { nulls: Nulls::of(array), offsets, elements: V::of(child, children)? })
    }
}

impl<V> List<'_, V> {
    /// Where the elements of a row are; none when the list is null.
    pub fn get(&self, row: usize) -> Option<Range<usize>> {
        if self.nulls.is_null(row) { None } else { range(self.offsets, row) }
    }
}

/// A column that goes out.
pub trait Build {
    /// Rows so far.
    fn rows(&self) -> usize;
    /// The array; elements of lists go to `children`.
    fn build(self, children: &mut Vec<Array>) -> Array;
}

impl Build for Array {
    fn rows(&self) -> usize {
        self.len as usize
    }

    fn build(self, _: &mut Vec<Array>) -> Array {
        self
    }
}

/// Bits, appended one by one.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    len: usize,
    unset: bool,
}

impl Bits {
    fn push(&mut self, bit: bool) {
        if self.len.is_multiple_of(8) {
            self.bytes.push(0);
        }
        if let Some(last) = self.bytes.last_mut() {
            *last |= u8::from(bit) << (self.len % 8);
        }
        self.unset |= !bit;
        self.len += 1;
    }

    fn array(self, values: Values) -> Array {
        Array { len: self.len as u32, validity: self.unset.then_some(self.bytes), values }
    }
}

/// Builds a column of text.
pub struct TextBuilder {
    valid: Bits,
    offsets: Vec<i32>,
    text: String,
}

impl Default for TextBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl TextBuilder {
    /// No rows yet.
    pub fn new() -> Self {
        Self { valid: Bits::default(), offsets: vec![0], text: String::new() }
    }

    /// No rows yet, and room for so many with so many bytes of text in all.
    pub fn with_capacity(rows: usize, bytes: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self { valid: Bits::default(), offsets, text: String::with_capacity(bytes) }
    }

    /// Appends a row.
    pub fn push(&mut self, text: Option<&str>) {
        self.text.push_str(text.unwrap_or_default());
        self.close(text.is_some());
    }

    /// Appends a row whose text is what `write` appends.
    #[inline]
    pub fn push_with(&mut self, write: impl FnOnce(&mut String)) {
        write(&mut self.text);
        self.close(true);
    }

    #[inline]
    fn close(&mut self, valid: bool) {
        self.valid.push(valid);
        self.offsets.push(self.text.len() as i32);
    }
}

impl Build for TextBuilder {
    fn rows(&self) -> usize {
        self.valid.len
    }

    fn build(self, _: &mut Vec<Array>) -> Array {
        let values = Varlen { offsets: self.offsets, bytes: self.text.into_bytes() };
        self.valid.array(Values::Utf8(values))
    }
}

impl<'a> FromIterator<Option<&'a str>> for TextBuilder {
    fn from_iter<I: IntoIterator<Item = Option<&'a str>>>(rows: I) -> Self {
        let mut builder = Self::new();
        rows.into_iter().for_each(|row| builder.push(row));
        builder
    }
}

/// Builds a column of bytes.
#[derive(Default)]
pub struct BinaryBuilder {
    valid: Bits,
    ends: Vec<i32>,
    bytes: Vec<u8>,
}

impl BinaryBuilder {
    /// Appends a row.
    pub fn push(&mut self, bytes: Option<&[u8]>) {
        self.bytes.extend_from_slice(bytes.unwrap_or_default());
        self.valid.push(bytes.is_some());
        self.ends.push(self.bytes.len() as i32);
    }
}

impl Build for BinaryBuilder {
    fn rows(&self) -> usize {
        self.valid.len
    }

    fn build(self, _: &mut Vec<Array>) -> Array {
        let offsets = std::iter::once(0).chain(self.ends).collect();
        self.valid.array(Values::Binary(Varlen { offsets, bytes: self.bytes }))
    }
}

/// Builds a column of numbers.
#[derive(Default)]
pub struct NumberBuilder<T> {
    valid: Bits,
    values: Vec<T>,
}

impl<T: Default> NumberBuilder<T> {
    /// Appends a row.
    pub fn push(&mut self, value: Option<T>) {
        self.valid.push(value.is_some());
        self.values.push(value.unwrap_or_default());
    }
}

impl Build for NumberBuilder<i64> {
    fn rows(&self) -> usize {
        self.valid.len
    }

    fn build(self, _: &mut Vec<Array>) -> Array {
        self.valid.array(Values::Int64(self.values))
    }
}

impl Build for NumberBuilder<f64> {
    fn rows(&self) -> usize {
        self.valid.len
    }

    fn build(self, _: &mut Vec<Array>) -> Array {
        self.valid.array(Values::Float64(self.values))
    }
}

/// Builds a column of truth values.
#[derive(Default)]
pub struct BooleanBuilder {
    valid: Bits,
    values: Bits,
}

impl BooleanBuilder {
    /// Appends a row.
    pub fn push(&mut self, value: Option<bool>) {
        self.valid.push(value.is_some());
        self.values.push(value.unwrap_or_default());
    }
}

impl Build for BooleanBuilder {
    fn rows(&self) -> usize {
        self.valid.len
    }

    fn build(self, _: &mut Vec<Array>) -> Array {
        self.valid.array(Values::Boolean(self.values.bytes))
    }
}

/// Builds a column of lists: append elements to `elements`, then close the row.
#[derive(Default)]
pub struct ListBuilder<B> {
    /// The elements of all lists.
    pub elements: B,
    valid: Bits,
    ends: Vec<i32>,
}

impl<B: Build> ListBuilder<B> {
    /// Ends a row, whose elements are those appended since the last one ended.
    pub fn close(&mut self) {
        self.valid.push(true);
        self.ends.push(self.elements.rows() as i32);
    }

    /// Appends a row that is null.
    pub fn push_null(&mut self) {
        self.valid.push(false);
        self.ends.push(self.ends.last().copied().unwrap_or_default());
    }
}

impl<B: Build> Build for ListBuilder<B> {
    fn rows(&self) -> usize {
        self.valid.len
    }

    fn build(self, children: &mut Vec<Array>) -> Array {
        let elements = self.elements.build(children);
        children.push(elements);
        let offsets = std::iter::once(0).chain(self.ends).collect();
        self.valid.array(Values::ListOf((offsets, children.len() as u32 - 1)))
    }
}
