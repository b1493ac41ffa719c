//! Answers of plugins made of any bytes: every one of them is taken apart into what the interface can carry, and checked
//! as if a guest had given it. What passes must be sound; what does not must have a message that can be shown.

use arrow::array::Array;
use arrow::datatypes::{DataType, Field, Schema};

use super::bindings::exports::outflow::plugin::layout as plan;
use super::transform_bindings::exports::outflow::plugin::transform as guest;
use super::transform_bindings::outflow::plugin::columns::{Array as Packed, Batch, Values, Varlen};
use super::{answer, convert, io, transform};
use crate::layout::LayoutError;
use crate::transform::{Io, Mode};

#[cfg(test)]
mod tests;

/// Types that a column may be declared to have, of every way to cross.
const TYPES: [&str; 8] = ["Utf8", "Int64", "Float64", "Boolean", "Binary", "List(Utf8)", "Date32", "Decimal128(10, 2)"];

/// Bytes, taken from the front; behind their end all is zero.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    fn seldom(&mut self) -> bool {
        self.byte() & 3 == 3
    }

    /// Small numbers mostly, and the ones at the edges.
    fn number(&mut self) -> u32 {
        match self.byte() {
            255 => u32::MAX,
            254 => i32::MAX as u32,
            253 => u32::from_le_bytes([self.byte(), self.byte(), self.byte(), self.byte()]),
            small => u32::from(small),
        }
    }

    fn bytes(&mut self) -> Vec<u8> {
        let length = usize::from(self.byte()).min(self.0.len());
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken.to_vec()
    }

    fn text(&mut self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    fn list<T>(&mut self, one: impl Fn(&mut Self) -> T) -> Vec<T> {
        (0..self.byte() % 16).map(|_| one(self)).collect()
    }

    fn maybe<T>(&mut self, one: impl Fn(&mut Self) -> T) -> Option<T> {
        self.flag().then(|| one(self))
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::from(self.byte()) % all.len()]
    }

    fn array(&mut self) -> Packed {
        let offsets = |it: &mut Self| it.list(|it| it.number() as i32);
        let varlen = |it: &mut Self| Varlen { offsets: offsets(it), bytes: it.bytes() };
        let values = match self.byte() % 6 {
            0 => Values::Boolean(self.bytes()),
            1 => Values::Int64(self.list(|it| i64::from(it.number()) << (it.byte() % 48))),
            2 => Values::Float64(self.list(|it| f64::from(it.number()) / f64::from(it.byte()))),
            3 => Values::Utf8(varlen(self)),
            4 => Values::Binary(varlen(self)),
            _ => Values::ListOf((offsets(self), self.number())),
        };
        Packed { len: self.number(), validity: self.maybe(Self::bytes), values }
    }

    fn step(&mut self) -> guest::Step {
        let batch = Batch { rows: self.number(), columns: self.list(Self::array), children: self.list(Self::array) };
        let reject = |it: &mut Self| guest::Reject { row: it.number(), code: it.text(), message: it.text() };
        guest::Step { batch, source_row: self.maybe(|it| it.list(Self::number)), rejects: self.list(reject) }
    }

    fn column(&mut self) -> convert::Column {
        let data_type = if self.seldom() { self.text() } else { self.one_of(&TYPES).to_owned() };
        let name = if self.seldom() { self.text() } else { self.one_of(&["a", "b", "c"]).to_owned() };
        convert::Column { name, data_type, nullable: self.flag(), doc: None }
    }

    fn io(&mut self) -> guest::Io {
        guest::Io {
            reads: self.list(Self::column),
            writes: self.list(Self::column),
            drops: self.list(Self::text),
            mode: self.one_of(&[guest::Mode::OneToOne, guest::Mode::Filter, guest::Mode::Expand]),
            rows_per_batch: self.number(),
            extras: Vec::new(),
        }
    }

    fn format(&mut self) -> plan::Format {
        let character = |it: &mut Self| it.text().chars().next().unwrap_or(',');
        let json = |it: &mut Self| plan::Json {
            nested: it.one_of(&[plan::NestedAs::Native, plan::NestedAs::JsonText]),
            omit_null: it.flag(),
        };
        match self.byte() % 5 {
            0 => plan::Format::JsonLines(json(self)),
            1 => plan::Format::JsonArray(json(self)),
            2 => plan::Format::JsonObject((self.text(), json(self))),
            3 => plan::Format::Parquet(Vec::new()),
            _ => plan::Format::Csv(plan::Csv {
                delimiter: character(self),
                quote: character(self),
                escape: character(self),
                terminator: self.one_of(&["\n", "\r\n", "\r", ""]).to_owned(),
                header: self.flag(),
                null_text: self.text(),
                list_separator: self.text(),
                decimal_point: self.one_of(&['.', ',']),
                encoding: if self.flag() { "utf-8".to_owned() } else { self.text() },
                bom: self.flag(),
            }),
        }
    }

    fn output(&mut self) -> plan::Output {
        let key = |it: &mut Self| {
            let known = ["rule", "input-rule", "quote-mode", "newline-in-cell", "json-root"];
            (it.one_of(&known).to_owned(), it.text())
        };
        plan::Output {
            dataset: self.text(),
            kind: self.text(),
            input: self.text(),
            query: self.maybe(Self::text),
            expand: None,
            filter: self.maybe(Self::text),
            fields: Vec::new(),
            pass_through: self.flag(),
            partition_by: Vec::new(),
            order_by: Vec::new(),
            format: self.format(),
            compression: plan::Compression::None,
            roll: plan::Roll { max_rows: self.maybe(|it| it.number().into()), max_bytes: None },
            when_empty: plan::WhenEmpty::Skip,
            naming: plan::Naming::Before,
            counters: Vec::new(),
            extras: self.list(key),
        }
    }
}

/// Checks one answer of each kind.
pub fn run(bytes: &[u8]) {
    let mut bytes = Bytes(bytes);
    let field = |name, data_type| Field::new(name, data_type, true);
    let input = Schema::new(vec![
        field("a", DataType::Utf8View),
        field("b", DataType::Int64),
        field("c", DataType::new_list(DataType::Utf8View, true)),
    ]);
    match bytes.byte() % 3 {
        0 => {
            let answer = bytes.list(Bytes::output);
            if let Err(why) = answer::outputs(answer) {
                shown(&super::failure::answer("fuzz", &why));
            }
        }
        1 => match io::io("fuzz", bytes.io(), &input) {
            Ok(io) => {
                assert!(io.rows_per_batch > 0 && io.reads.iter().all(|it| input.field_with_name(it.name()).is_ok()))
            }
            Err(error) => shown(&error),
        },
        _ => step(&mut bytes),
    }
}

fn step(bytes: &mut Bytes<'_>) {
    let rows = usize::from(bytes.byte() % 32);
    let mode = bytes.one_of(&[Mode::OneToOne, Mode::Filter, Mode::Expand]);
    let declared: Vec<_> = (0..bytes.byte() % 4).map(|number| (number, bytes.one_of(&TYPES), bytes.flag())).collect();
    let writes = declared.into_iter().map(|(number, data_type, nullable)| {
        let data_type = data_type.parse().expect("a known type");
        Field::new(format!("w{number}"), io::engine_type(&data_type), nullable).into()
    });
    let io = Io { reads: Vec::new(), writes: writes.collect(), drops: Vec::new(), mode, rows_per_batch: 1 };
    match transform::answered(bytes.step(), rows, &io) {
        Err(why) => shown(&super::failure::answer("fuzz", &why)),
        Ok(applied) => {
            let length = applied.source.as_ref().map_or(rows, Array::len);
            for (column, field) in applied.columns.iter().zip(&io.writes) {
                assert_eq!((column.len(), column.data_type()), (length, field.data_type()));
                assert!(field.is_nullable() || column.null_count() == 0);
                column.to_data().validate_full().expect("a sound column");
            }
            let sources = applied.source.iter().flat_map(|source| source.values().iter());
            assert!(sources.clone().all(|&row| (row as usize) < rows));
            let refused: Vec<u32> = applied.refused.iter().map(|refused| refused.row).collect();
            assert!(refused.iter().all(|&row| (row as usize) < rows) && refused.is_sorted());
            assert!(sources.clone().all(|row| !refused.contains(row)), "a refused row is used");
        }
    }
}

/// A message for people: not without end, and of one line.
fn shown(error: &LayoutError) {
    let text = error.to_string();
    assert!(text.len() < 20_000 && !text.contains(char::is_control), "{text:?}");
}
