//! Every type that has a text form, in a cell and in JSON.

use std::sync::Arc;

use super::*;
use arrow::array::*;
use arrow::datatypes::{Field, Fields, Int32Type as Int32};

use crate::scan::tests::Random;

fn texts(array: &dyn Array, style: Style) -> Vec<String> {
    (0..array.len())
        .map(|row| {
            let mut out = Vec::new();
            match write(array, row, style, &mut out) {
                Ok(()) => String::from_utf8(out).unwrap(),
                Err(refusal) => format!("! {refusal}"),
            }
        })
        .collect()
}

fn check(array: impl Array + 'static, plain: &[&str], json: &[&str]) {
    assert!(supported(array.data_type()), "{}", array.data_type());
    assert_eq!(texts(&array, Style::Plain), plain);
    assert_eq!(texts(&array, Style::Json), json);
}

#[test]
fn numbers_are_plain_decimals() {
    check(
        Int64Array::from(vec![Some(i64::MIN), None]),
        &["-9223372036854775808", ""],
        &["-9223372036854775808", "null"],
    );
    check(UInt64Array::from(vec![u64::MAX]), &["18446744073709551615"], &["18446744073709551615"]);
    check(Int8Array::from(vec![-1]), &["-1"], &["-1"]);
    check(BooleanArray::from(vec![true, false]), &["true", "false"], &["true", "false"]);
    let floats = vec![0.1, 1e21, -2.5e-7, 5.0, -0.0];
    let plain = ["0.1", "1000000000000000000000", "-0.00000025", "5", "-0"];
    check(Float64Array::from(floats), &plain, &plain);
    check(Float32Array::from(vec![0.1, 16777216.0]), &["0.1", "16777216"], &["0.1", "16777216"]);
    let refusal = "! is not a number, which JSON cannot hold";
    check(
        Float64Array::from(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY]),
        &["NaN", "Infinity", "-Infinity"],
        &[refusal; 3],
    );
    let decimals = Decimal128Array::from(vec![1999, -5, 100]).with_precision_and_scale(10, 2).unwrap();
    check(decimals, &["19.99", "-0.05", "1.00"], &["19.99", "-0.05", "1.00"]);
    check(NullArray::new(1), &[""], &["null"]);
}

/// As Arrow itself writes them, for any precision.
#[test]
fn decimals_are_those_of_arrow() {
    let mut random = Random(7);
    for scale in -3..=20 {
        let values = (0..200).map(|_| {
            let (high, low) = (random.below(1 << 31) as i128, random.below(1 << 31) as i128);
            let wide = (high << 62 | low << 31 | high ^ low) % 10i128.pow(random.below(28) as u32 + 1);
            if random.below(2) == 0 { wide } else { -wide }
        });
        let decimals = Decimal128Array::from_iter_values(values).with_precision_and_scale(38, scale).unwrap();
        for row in 0..decimals.len() {
            let mut written = Vec::new();
            write(&decimals, row, Style::Plain, &mut written).unwrap();
            assert_eq!(String::from_utf8(written).unwrap(), decimals.value_as_string(row), "scale {scale}");
        }
    }
}

#[test]
fn moments_are_iso_8601() {
    check(
        Date32Array::from(vec![0, 20_697, -719_529, 11_016]),
        &["1970-01-01", "2026-09-01", "-0001-12-31", "2000-02-29"],
        &["\"1970-01-01\"", "\"2026-09-01\"", "\"-0001-12-31\"", "\"2000-02-29\""],
    );
    let micros = TimestampMicrosecondArray::from(vec![1_788_220_800_000_000, 1_788_220_800_120_000, -1]);
    check(
        micros.clone(),
        &["2026-09-01 00:00:00", "2026-09-01 00:00:00.12", "1969-12-31 23:59:59.999999"],
        &["\"2026-09-01 00:00:00\"", "\"2026-09-01 00:00:00.12\"", "\"1969-12-31 23:59:59.999999\""],
    );
    check(
        micros.with_timezone("Europe/Brussels").slice(0, 2),
        &["2026-09-01T00:00:00Z", "2026-09-01T00:00:00.12Z"],
        &["\"2026-09-01T00:00:00Z\"", "\"2026-09-01T00:00:00.12Z\""],
    );
    check(TimestampSecondArray::from(vec![0]), &["1970-01-01 00:00:00"], &["\"1970-01-01 00:00:00\""]);
    check(Time64NanosecondArray::from(vec![3_600_000_000_001]), &["01:00:00.000000001"], &["\"01:00:00.000000001\""]);
    for extreme in [i64::MIN, i64::MAX] {
        assert_eq!(texts(&TimestampSecondArray::from(vec![extreme]), Style::Plain).len(), 1);
    }
}

#[test]
fn parts_are_json() {
    let list = ListArray::from_iter_primitive::<Int32, _, _>([Some(vec![Some(1), None]), None]);
    check(list, &["[1,null]", ""], &["[1,null]", "null"]);
    let names: ArrayRef = Arc::new(StringArray::from(vec![Some("a \"b\"\n"), None]));
    let counts: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
    let fields =
        Fields::from(vec![Field::new("name", DataType::Utf8, true), Field::new("count", DataType::Int32, false)]);
    let json = [r#"{"name":"a \"b\"\n","count":1}"#, r#"{"name":null,"count":2}"#];
    check(StructArray::new(fields, vec![names, counts], None), &json, &json);
    let mut map = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
    map.keys().append_value("k");
    map.values().append_value(7);
    map.append(true).unwrap();
    check(map.finish(), &[r#"{"k":7}"#], &[r#"{"k":7}"#]);
    let words: DictionaryArray<Int32> = vec!["x", "y", "x"].into_iter().collect();
    check(words, &["x", "y", "x"], &["\"x\"", "\"y\"", "\"x\""]);
    assert!(!supported(&DataType::Binary));
    assert!(!supported(&DataType::Duration(TimeUnit::Second)));
}

#[test]
fn floats_read_back_and_are_as_short_as_can_be() {
    let mut random = crate::scan::tests::Random(3);
    for round in 0..200_000u64 {
        let bits = (random.below(1 << 30) as u64) << 34 | (random.below(1 << 30) as u64) << 4 | (round % 16);
        let value = if round % 2 == 0 { f64::from_bits(bits) } else { (bits >> 40) as f64 / 100.0 };
        if value.is_finite() {
            let mut out = Vec::new();
            float(value, None, Style::Plain, &mut out).unwrap();
            let text = String::from_utf8(out).unwrap();
            assert_eq!(text.parse::<f64>().unwrap().to_bits(), value.to_bits(), "{text}");
            // Two texts may be as short and as near: there the last digit may differ.
            assert_eq!(text.len(), value.to_string().len(), "{text} for {value}");
        }
    }
}
