//! The text form of values that are not text: plain decimals, ISO 8601, and JSON for what has parts.

use std::io::Write;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, Float16Type,
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, Time32MillisecondType, Time32SecondType,
    Time64MicrosecondType, Time64NanosecondType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};

use crate::jsonl::write::push_string;

#[cfg(test)]
mod tests;

/// Where a value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// A cell of its own; texts without quotes.
    Plain,
    /// A place in JSON.
    Json,
}

/// Whether values of the type are text.
pub(crate) fn is_text(data_type: &DataType) -> bool {
    use DataType::{Dictionary, LargeUtf8, Utf8, Utf8View};
    match data_type {
        Utf8 | LargeUtf8 | Utf8View => true,
        Dictionary(_, values) => matches!(values.as_ref(), Utf8 | LargeUtf8 | Utf8View),
        _ => false,
    }
}

/// Whether [`write`] has a form for values of the type.
pub(crate) fn supported(data_type: &DataType) -> bool {
    use DataType::{
        Boolean, Date32, Date64, FixedSizeList, LargeList, List, Map, Null, Struct, Time32, Time64, Timestamp,
    };
    match data_type {
        Null | Boolean | Date32 | Date64 | Time32(_) | Time64(_) | Timestamp(..) => true,
        List(field) | LargeList(field) | FixedSizeList(field, _) => supported(field.data_type()),
        Struct(fields) => fields.iter().all(|field| supported(field.data_type())),
        Map(entries, _) => match entries.data_type() {
            Struct(fields) => fields.len() == 2 && is_text(fields[0].data_type()) && supported(fields[1].data_type()),
            _ => false,
        },
        other => other.is_numeric() || is_text(other),
    }
}

/// Appends one value. Errors say what the value is that cannot be written.
pub(crate) fn write(array: &dyn Array, row: usize, style: Style, out: &mut Vec<u8>) -> Result<(), &'static str> {
    use DataType::{
        Boolean, Date32, Date64, Decimal32, Decimal64, Decimal128, Decimal256, Dictionary, FixedSizeList, Float16,
        Float32, Float64, LargeList, LargeUtf8, List, Map, Null, Struct, Time32, Time64, Timestamp, Utf8, Utf8View,
    };
    if array.is_null(row) || matches!(array.data_type(), Null) {
        if style == Style::Json {
            out.extend_from_slice(b"null");
        }
        return Ok(());
    }
    match array.data_type() {
        Boolean => out.extend_from_slice(if array.as_boolean().value(row) { b"true" } else { b"false" }),
        Float16 => float(f64::from(get::<Float16Type>(array, row).to_f32()), None, style, out)?,
        Float32 => {
            let value = get::<Float32Type>(array, row);
            float(f64::from(value), Some(value), style, out)?;
        }
        Float64 => float(get::<Float64Type>(array, row), None, style, out)?,
        Decimal32(_, scale) => decimal(get::<Decimal32Type>(array, row).into(), *scale, out),
        Decimal64(_, scale) => decimal(get::<Decimal64Type>(array, row).into(), *scale, out),
        Decimal128(_, scale) => decimal(get::<Decimal128Type>(array, row), *scale, out),
        Decimal256(..) => out.extend_from_slice(array.as_primitive::<Decimal256Type>().value_as_string(row).as_bytes()),
        Utf8 => text(array.as_string::<i32>().value(row), style, out),
        LargeUtf8 => text(array.as_string::<i64>().value(row), style, out),
        Utf8View => text(array.as_string_view().value(row), style, out),
        Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            return write(dictionary.values().as_ref(), dictionary.normalized_keys()[row], style, out);
        }
        Date32 | Date64 | Time32(_) | Time64(_) | Timestamp(..) => {
            if style == Style::Json {
                out.push(b'"');
            }
            moment(array, row, out)?;
            if style == Style::Json {
                out.push(b'"');
            }
        }
        List(_) | LargeList(_) | FixedSizeList(..) | Struct(_) | Map(..) => parts(array, row, out)?,
        _ => integer(array, row, out)?,
    }
    Ok(())
}

fn get<T: ArrowPrimitiveType>(array: &dyn Array, row: usize) -> T::Native {
    array.as_primitive::<T>().value(row)
}

fn text(text: &str, style: Style, out: &mut Vec<u8>) {
    match style {
        Style::Plain => out.extend_from_slice(text.as_bytes()),
        Style::Json => push_string(out, text.as_bytes()),
    }
}

fn display(array: &ArrayRef, row: usize) -> Result<String, &'static str> {
    let mut out = Vec::new();
    write(array.as_ref(), row, Style::Plain, &mut out)?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// A value that has parts, as JSON.
fn parts(array: &dyn Array, row: usize, out: &mut Vec<u8>) -> Result<(), &'static str> {
    use DataType::{FixedSizeList, LargeList, List, Map, Struct};
    match array.data_type() {
        List(_) => list(&array.as_list::<i32>().value(row), out)?,
        LargeList(_) => list(&array.as_list::<i64>().value(row), out)?,
        FixedSizeList(..) => list(&array.as_fixed_size_list().value(row), out)?,
        Struct(fields) => {
            let names = fields.iter().map(|field| field.name().as_str());
            members(names.zip(array.as_struct().columns().iter().map(|column| (column, row))), out)?;
        }
        Map(..) => {
            let entries = array.as_map().value(row);
            let (keys, values) = (entries.column(0), entries.column(1));
            let keys: Vec<_> = (0..entries.len()).map(|entry| display(keys, entry)).collect::<Result<_, _>>()?;
            let values = (0..entries.len()).map(|entry| (values, entry));
            members(keys.iter().map(String::as_str).zip(values), out)?;
        }
        _ => return Err("has a type without text form"),
    }
    Ok(())
}

fn list(values: &ArrayRef, out: &mut Vec<u8>) -> Result<(), &'static str> {
    out.push(b'[');
    for row in 0..values.len() {
        if row > 0 {
            out.push(b',');
        }
        write(values.as_ref(), row, Style::Json, out)?;
    }
    out.push(b']');
    Ok(())
}

fn members<'a>(
    members: impl Iterator<Item = (&'a str, (&'a ArrayRef, usize))>,
    out: &mut Vec<u8>,
) -> Result<(), &'static str> {
    out.push(b'{');
    for (number, (name, (values, row))) in members.enumerate() {
        if number > 0 {
            out.push(b',');
        }
        push_string(out, name.as_bytes());
        out.push(b':');
        write(values.as_ref(), row, Style::Json, out)?;
    }
    out.push(b'}');
    Ok(())
}

fn integer(array: &dyn Array, row: usize, out: &mut Vec<u8>) -> Result<(), &'static str> {
    use DataType::{Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64};
    let mut buffer = itoa::Buffer::new();
    let digits = match array.data_type() {
        Int8 => buffer.format(get::<Int8Type>(array, row)),
        Int16 => buffer.format(get::<Int16Type>(array, row)),
        Int32 => buffer.format(get::<Int32Type>(array, row)),
        Int64 => buffer.format(get::<Int64Type>(array, row)),
        UInt8 => buffer.format(get::<UInt8Type>(array, row)),
        UInt16 => buffer.format(get::<UInt16Type>(array, row)),
        UInt32 => buffer.format(get::<UInt32Type>(array, row)),
        UInt64 => buffer.format(get::<UInt64Type>(array, row)),
        _ => return Err("has a type without text form"),
    };
    out.extend_from_slice(digits.as_bytes());
    Ok(())
}

/// The shortest decimal that reads back as the same number, never with an exponent.
fn float(value: f64, single: Option<f32>, style: Style, out: &mut Vec<u8>) -> Result<(), &'static str> {
    if !value.is_finite() {
        if style == Style::Json {
            return Err("is not a number, which JSON cannot hold");
        }
        let word: &[u8] = if value.is_nan() { b"NaN" } else { b"Infinity" };
        out.extend_from_slice(if value < 0.0 { b"-" } else { b"" });
        out.extend_from_slice(word);
        return Ok(());
    }
    let mut buffer = ryu::Buffer::new();
    let digits = match single {
        Some(value) => buffer.format_finite(value),
        None => buffer.format_finite(value),
    };
    if !digits.contains('e') {
        // The same digits, but a whole number gets a fraction there.
        out.extend_from_slice(digits.strip_suffix(".0").unwrap_or(digits).as_bytes());
        return Ok(());
    }
    let written = match single {
        Some(value) => write!(out, "{value}"),
        None => write!(out, "{value}"),
    };
    written.map_err(|_| "cannot be formatted")
}

/// `value` / 10^`scale`, with all the digits of its fraction and at least one before them.
fn decimal(value: i128, scale: i8, out: &mut Vec<u8>) {
    let mut buffer = itoa::Buffer::new();
    // Numbers of 64 bits are taken apart faster.
    let digits = match u64::try_from(value.unsigned_abs()) {
        Ok(value) => buffer.format(value),
        Err(_) => buffer.format(value.unsigned_abs()),
    };
    let digits = digits.as_bytes();
    if value < 0 {
        out.push(b'-');
    }
    let Ok(scale) = usize::try_from(scale) else {
        out.extend_from_slice(digits);
        out.extend(std::iter::repeat_n(b'0', scale.unsigned_abs().into()));
        return;
    };
    let (whole, fraction) = digits.split_at(digits.len().saturating_sub(scale));
    out.extend_from_slice(if whole.is_empty() { b"0" } else { whole });
    if scale > 0 {
        out.push(b'.');
        out.extend(std::iter::repeat_n(b'0', scale - fraction.len()));
        out.extend_from_slice(fraction);
    }
}

/// A date, time or timestamp.
fn moment(array: &dyn Array, row: usize, out: &mut Vec<u8>) -> Result<(), &'static str> {
    use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    let written = match array.data_type() {
        DataType::Date32 => date(i64::from(get::<Date32Type>(array, row)), out),
        DataType::Date64 => date(get::<Date64Type>(array, row).div_euclid(86_400_000), out),
        DataType::Time32(Second) => time(get::<Time32SecondType>(array, row).into(), 0, out),
        DataType::Time32(_) => time(get::<Time32MillisecondType>(array, row).into(), 3, out),
        DataType::Time64(Microsecond) => time(get::<Time64MicrosecondType>(array, row), 6, out),
        DataType::Time64(_) => time(get::<Time64NanosecondType>(array, row), 9, out),
        DataType::Timestamp(unit, zone) => {
            let (ticks, digits) = match unit {
                Second => (get::<TimestampSecondType>(array, row), 0),
                Millisecond => (get::<TimestampMillisecondType>(array, row), 3),
                Microsecond => (get::<TimestampMicrosecondType>(array, row), 6),
                Nanosecond => (get::<TimestampNanosecondType>(array, row), 9),
            };
            let day = 86_400 * 10i64.pow(digits);
            date(ticks.div_euclid(day), out)
                .and_then(|()| out.write_all(if zone.is_some() { b"T" } else { b" " }))
                .and_then(|()| time(ticks.rem_euclid(day), digits, out))
                .and_then(|()| out.write_all(if zone.is_some() { b"Z" } else { b"" }))
        }
        _ => return Err("has a type without text form"),
    };
    written.map_err(|_| "cannot be formatted")
}

/// `ticks` since midnight, 10^`digits` a second; the fraction only when there is one.
fn time(ticks: i64, digits: u32, out: &mut Vec<u8>) -> std::io::Result<()> {
    let second = 10i64.pow(digits);
    let (seconds, fraction) = (ticks.div_euclid(second), ticks.rem_euclid(second));
    // Times of Arrow are within a day; what is not is shown as it is.
    match seconds {
        0..360_000 => {
            let [hour, minute, second] = [seconds / 3600, seconds / 60 % 60, seconds % 60].map(pair);
            out.extend_from_slice(&[hour[0], hour[1], b':', minute[0], minute[1], b':', second[0], second[1]]);
        }
        _ => write!(out, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)?,
    }
    if fraction != 0 {
        write!(out, ".{fraction:0width$}", width = digits as usize)?;
        while out.last() == Some(&b'0') {
            out.pop();
        }
    }
    Ok(())
}

/// `days` since 1970-01-01 in the proleptic Gregorian calendar.
fn date(days: i64, out: &mut Vec<u8>) -> std::io::Result<()> {
    // Years are counted from March, so that the leap day is the last one of a year; eras have 400 years.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = year + era * 400 + next;
    match year {
        0..=9999 => {
            let [century, year, month, day] = [year / 100, year % 100, month, day].map(pair);
            let digits = [century[0], century[1], year[0], year[1], b'-', month[0], month[1], b'-', day[0], day[1]];
            out.extend_from_slice(&digits);
            Ok(())
        }
        _ => write!(out, "{year:+05}-{month:02}-{day:02}"),
    }
}

/// The two digits of a number below 100.
fn pair(number: i64) -> [u8; 2] {
    [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8]
}
