//! Arrow columns to the packed buffers of the interface and back. What comes back is checked to the last offset: a
//! guest can be wrong in any way, and the only thing that may happen is an error.

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Float64Array, Int64Array, ListArray, StringArray,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type};

use super::transform_bindings::outflow::plugin::columns as guest;

/// How values of a type cross: as one of a few plain Arrow types. None for types that cannot.
pub fn carrier(data_type: &DataType) -> Option<DataType> {
    use DataType::{
        Binary, Boolean, Date32, Date64, Decimal128, Decimal256, Duration, Float64, Int64, LargeList, LargeUtf8, List,
        Time32, Time64, Timestamp, Utf8, Utf8View,
    };
    Some(match data_type {
        Boolean => Boolean,
        Date32 | Date64 | Time32(_) | Time64(_) | Timestamp(..) | Duration(_) => Int64,
        Utf8 | LargeUtf8 | Utf8View | Decimal128(..) | Decimal256(..) => Utf8,
        Binary | DataType::LargeBinary | DataType::BinaryView => Binary,
        List(item) | LargeList(item) => match carrier(item.data_type())? {
            List(_) => return None,
            elements => List(Field::new_list_field(elements, true).into()),
        },
        other if other.is_integer() => Int64,
        other if other.is_floating() => Float64,
        _ => return None,
    })
}

/// Packs a column that is of a carrier's type, or text as the engine has it.
pub fn pack(column: &ArrayRef, children: &mut Vec<guest::Array>) -> Result<guest::Array, String> {
    let length = u32::try_from(column.len()).map_err(|_| "a batch of too many rows".to_owned())?;
    let values = match column.data_type() {
        DataType::Boolean => guest::Values::Boolean(bits(column.as_boolean().values())),
        DataType::Int64 => guest::Values::Int64(column.as_primitive::<Int64Type>().values().to_vec()),
        DataType::Float64 => guest::Values::Float64(column.as_primitive::<Float64Type>().values().to_vec()),
        DataType::Utf8View => {
            let texts = column.as_string_view();
            let mut offsets = Vec::with_capacity(texts.len() + 1);
            let mut bytes = Vec::with_capacity(texts.total_bytes_len());
            offsets.push(0);
            for text in texts {
                bytes.extend_from_slice(text.unwrap_or_default().as_bytes());
                offsets.push(bytes.len() as i32);
            }
            if i32::try_from(bytes.len()).is_err() {
                return Err("a batch with more than 2 GiB of text in one column".to_owned());
            }
            guest::Values::Utf8(guest::Varlen { offsets, bytes })
        }
        DataType::Utf8 => {
            let texts = column.as_string::<i32>();
            guest::Values::Utf8(varlen(texts.offsets(), texts.value_data()))
        }
        DataType::Binary => {
            let blobs = column.as_binary::<i32>();
            guest::Values::Binary(varlen(blobs.offsets(), blobs.value_data()))
        }
        DataType::List(_) => {
            let lists = column.as_list::<i32>();
            let (from, to) = (lists.value_offsets()[0], lists.value_offsets()[lists.len()]);
            let elements = lists.values().slice(from as usize, (to - from) as usize);
            let elements = pack(&elements, children)?;
            children.push(elements);
            let offsets = lists.value_offsets().iter().map(|offset| offset - from).collect();
            guest::Values::ListOf((offsets, children.len() as u32 - 1))
        }
        other => return Err(format!("a column of type {other}")),
    };
    let validity = column.nulls().filter(|nulls| nulls.null_count() > 0).map(|nulls| bits(nulls.inner()));
    Ok(guest::Array { len: length, validity, values })
}

fn bits(values: &BooleanBuffer) -> Vec<u8> {
    let length = values.len().div_ceil(8);
    values.sliced().as_slice()[..length].to_vec()
}

fn varlen(offsets: &OffsetBuffer<i32>, bytes: &[u8]) -> guest::Varlen {
    let (from, to) = (offsets[0], offsets[offsets.len() - 1]);
    let bytes = bytes[from as usize..to as usize].to_vec();
    guest::Varlen { offsets: offsets.iter().map(|offset| offset - from).collect(), bytes }
}

/// The elements of the lists of a batch, each to be taken once.
pub struct Children(Vec<Option<guest::Array>>);

impl Children {
    /// Children of a batch.
    pub fn new(children: Vec<guest::Array>) -> Self {
        Self(children.into_iter().map(Some).collect())
    }

    /// Whether one was not taken.
    pub fn are_left(&self) -> bool {
        self.0.iter().any(Option::is_some)
    }

    fn take(&mut self, index: u32) -> Result<guest::Array, String> {
        let count = self.0.len();
        match self.0.get_mut(index as usize) {
            None => Err(format!("its elements are child {index} of {count}")),
            Some(child) => child.take().ok_or_else(|| format!("its elements, child {index}, are another list's too")),
        }
    }
}

/// Unpacks a column of `rows` rows that must be of this carrier's type.
pub fn unpack(
    array: guest::Array,
    rows: usize,
    carrier: &DataType,
    children: &mut Children,
) -> Result<ArrayRef, String> {
    if array.len as usize != rows {
        return Err(format!("it has {} rows and not {rows}", array.len));
    }
    let nulls = array.validity.map(|bytes| mask("validity", bytes, rows).map(NullBuffer::new)).transpose()?;
    let arrow = |error: arrow::error::ArrowError| error.to_string();
    Ok(match (array.values, carrier) {
        (guest::Values::Boolean(bytes), DataType::Boolean) => {
            std::sync::Arc::new(BooleanArray::new(mask("values", bytes, rows)?, nulls)) as ArrayRef
        }
        (guest::Values::Int64(values), DataType::Int64) => {
            exactly(values.len(), rows)?;
            std::sync::Arc::new(Int64Array::try_new(values.into(), nulls).map_err(arrow)?)
        }
        (guest::Values::Float64(values), DataType::Float64) => {
            exactly(values.len(), rows)?;
            std::sync::Arc::new(Float64Array::try_new(values.into(), nulls).map_err(arrow)?)
        }
        (guest::Values::Utf8(text), DataType::Utf8) => {
            let offsets = checked(text.offsets, rows, text.bytes.len())?;
            let texts = StringArray::try_new(offsets, Buffer::from_vec(text.bytes), nulls);
            std::sync::Arc::new(texts.map_err(|_| "it holds text that is not UTF-8".to_owned())?)
        }
        (guest::Values::Binary(blobs), DataType::Binary) => {
            let offsets = checked(blobs.offsets, rows, blobs.bytes.len())?;
            std::sync::Arc::new(BinaryArray::try_new(offsets, Buffer::from_vec(blobs.bytes), nulls).map_err(arrow)?)
        }
        (guest::Values::ListOf((offsets, child)), DataType::List(item)) => {
            let child = children.take(child)?;
            let length = child.len as usize;
            let offsets = checked(offsets, rows, length)?;
            let elements = unpack(child, length, item.data_type(), children);
            let elements = elements.map_err(|why| format!("the elements of its lists: {why}"))?;
            std::sync::Arc::new(ListArray::try_new(item.clone(), offsets, elements, nulls).map_err(arrow)?)
        }
        (values, wanted) => return Err(format!("it holds {} and not {}", kind(&values), words(wanted))),
    })
}

fn exactly(found: usize, rows: usize) -> Result<(), String> {
    if found == rows { Ok(()) } else { Err(format!("it has {found} values in {rows} rows")) }
}

fn mask(what: &str, bytes: Vec<u8>, rows: usize) -> Result<BooleanBuffer, String> {
    if bytes.len() != rows.div_ceil(8) {
        return Err(format!("its {what} are {} bytes and not the {} of {rows} bits", bytes.len(), rows.div_ceil(8)));
    }
    Ok(BooleanBuffer::new(Buffer::from_vec(bytes), 0, rows))
}

/// Offsets that begin at 0, never fall and end inside of what they point into.
fn checked(offsets: Vec<i32>, rows: usize, end: usize) -> Result<OffsetBuffer<i32>, String> {
    if offsets.len() != rows + 1 {
        return Err(format!("it has {} offsets for {rows} rows, and not one more", offsets.len()));
    }
    if offsets[0] != 0 {
        return Err(format!("its offsets begin at {} and not at 0", offsets[0]));
    }
    if let Some(at) = offsets.windows(2).position(|pair| pair[0] > pair[1]) {
        return Err(format!("its offsets fall behind row {at}"));
    }
    let last = offsets[rows];
    if usize::try_from(last).map_or(true, |last| last > end) {
        return Err(format!("its offsets end at {last}, and there are {end}"));
    }
    Ok(OffsetBuffer::new(ScalarBuffer::from(offsets)))
}

fn kind(values: &guest::Values) -> &'static str {
    match values {
        guest::Values::Boolean(_) => "booleans",
        guest::Values::Int64(_) => "integers",
        guest::Values::Float64(_) => "floats",
        guest::Values::Utf8(_) => "text",
        guest::Values::Binary(_) => "bytes",
        guest::Values::ListOf(_) => "lists",
    }
}

fn words(carrier: &DataType) -> &'static str {
    match carrier {
        DataType::Boolean => "booleans",
        DataType::Int64 => "integers",
        DataType::Float64 => "floats",
        DataType::Binary => "bytes",
        DataType::List(_) => "lists",
        _ => "text",
    }
}
