//! Arrow to JSON: one object a row, members in the order of the columns, no space. The objects are lines, the
//! elements of one array, or the members of one object.

use arrow::datatypes::Schema;
use arrow::record_batch::RecordBatch;

use super::{is_value, scan::plain_length};
use crate::copy::{Care, PADDING, Page, Window};
use crate::encode::{AHEAD, Cells, Columns, Encoder, Rows, Span};
use crate::error::{Error, Result};
use crate::format::{Format, JsonStyle};
use crate::simd::{self, Kernel, Work};
use crate::value::{self, Style};
use crate::{JSON_METADATA, JSON_RAW};

/// Writes JSON Lines and JSON documents.
pub(crate) struct JsonEncoder {
    style: JsonStyle,
    columns: Vec<Member>,
    /// The column that names the row's member of the document.
    key: Option<usize>,
    header: Vec<u8>,
    /// What begins a row, and is left out before the first.
    separator: &'static [u8],
    /// What comes before a row even if it is the first.
    line_start: &'static [u8],
    /// What ends a row.
    line_end: &'static [u8],
    footer: &'static [u8],
}

struct Member {
    name: String,
    /// What leads up to a text: a comma, the name as JSON, a colon, a quote; and room behind it.
    lead: Vec<u8>,
    /// Bytes of the lead.
    length: usize,
    /// Whether texts go out as the JSON they are.
    raw: bool,
}

impl Member {
    /// What leads up to a text.
    #[inline(always)]
    fn before_text(&self) -> Window<'_> {
        Window::new(&self.lead, 0, self.length)
    }

    /// What leads up to any other value.
    #[inline(always)]
    fn before_value(&self) -> Window<'_> {
        Window::new(&self.lead, 0, self.length - 1)
    }
}

impl JsonEncoder {
    /// An encoder for batches with the columns of `schema`. The format is one of JSON.
    pub(crate) fn new(format: &Format, schema: &Schema) -> Result<Self> {
        let columns = schema.fields().iter().map(|field| {
            let mut lead = b",".to_vec();
            push_string(&mut lead, field.name().as_bytes());
            lead.extend_from_slice(b":\"");
            let length = lead.len();
            lead.resize(length + PADDING, 0);
            let raw = field.metadata().get(JSON_METADATA).is_some_and(|kind| kind == JSON_RAW);
            Member { name: field.name().clone(), lead, length, raw }
        });
        let columns = columns.collect::<Vec<_>>();
        let document = |style, key, header, footer| Self {
            style,
            columns: Vec::new(),
            key,
            header,
            separator: b",",
            line_start: b"\n",
            line_end: b"",
            footer,
        };
        let encoder = match format {
            Format::JsonLines(style) => Self {
                separator: b"",
                line_start: b"",
                line_end: b"\n",
                ..document(*style, None, Vec::new(), &b""[..])
            },
            Format::JsonArray(style) => document(*style, None, b"[".to_vec(), b"]\n"),
            Format::JsonObject(object) => {
                let key = columns.iter().position(|column| column.name == object.key);
                if key.is_none() {
                    let name = &object.key;
                    return Err(Error::data(format!(
                        "the members of the JSON document are named by the column `{name}`, which is not written"
                    )));
                }
                let mut header = b"{".to_vec();
                if let Some(root) = &object.root {
                    push_string(&mut header, root.as_bytes());
                    header.extend_from_slice(b":{");
                }
                document(object.style, key, header, if object.root.is_some() { b"}}\n" } else { b"}\n" })
            }
            Format::Csv(_) | Format::Parquet => return Err(Error::data("the format is not JSON")),
        };
        Ok(Self { columns, ..encoder })
    }

    #[inline(always)]
    fn member<K: Kernel>(
        kernel: K,
        member: &Member,
        cells: &Cells<'_>,
        row: usize,
        scratch: &mut Vec<u8>,
        out: &mut Page,
    ) -> Result<(), &'static str> {
        match cells {
            Cells::Text(text) => {
                match text.get(row) {
                    // Texts that are marked raw but are not JSON any more, since something has changed them, are
                    // strings.
                    Some(cell) if member.raw && is_value(cell.text()) => {
                        out.paste(member.before_value());
                        out.paste(cell);
                    }
                    Some(cell) => {
                        out.paste(member.before_text());
                        if !out.copy(kernel, cell, &ESCAPED, b'"') {
                            string(kernel, cell, out);
                            out.push(b'"');
                        }
                    }
                    None => Self::null(member, out),
                }
                Ok(())
            }
            Cells::Other(array, _) => {
                scratch.clear();
                value::write(array.as_ref(), row, Style::Json, scratch)?;
                out.paste(member.before_value());
                out.put(scratch);
                Ok(())
            }
        }
    }

    #[inline(always)]
    fn null(member: &Member, out: &mut Page) {
        out.paste(member.before_value());
        out.put_few(b"null");
    }

    /// The name of the member of the document that the row is; it must not be the one before, `last`.
    fn open_member<'a>(cells: &Cells<'_>, row: usize, last: &'a mut Vec<u8>) -> Result<&'a [u8], String> {
        if cells.is_null(row) {
            return Err("is null, and names a member of the JSON document".to_owned());
        }
        let mut name = Vec::new();
        cells.write_plain(row, &mut name)?;
        let mut key = Vec::new();
        push_string(&mut key, &name);
        if key == *last {
            let name = String::from_utf8_lossy(&name);
            return Err(format!("`{name}` is that of the row before, and both name a member of the JSON document"));
        }
        *last = key;
        Ok(last)
    }
}

impl Work for Rows<'_, JsonEncoder> {
    type Output = Result<Page>;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> Result<Page> {
        let Self { encoder, columns, rows, before, mut out } = self;
        let (begin, mut last_key, mut scratch, mut fetched) = (rows.start, Vec::new(), Vec::new(), 0);
        for row in rows {
            fetched = out.fetch(fetched);
            let failed = |number: usize, refusal: &str| {
                let (name, row) = (&encoder.columns[number].name, before + (row - begin) as u64 + 1);
                Error::data(format!("row {row}, column `{name}`: the value {refusal}"))
            };
            out.put_few(encoder.separator);
            out.put_few(encoder.line_start);
            if let Some(key) = encoder.key {
                let name = JsonEncoder::open_member(&columns[key], row, &mut last_key);
                out.put(name.map_err(|refusal| failed(key, &refusal))?);
                out.push(b':');
            }
            let begin_of_object = out.len();
            for (number, (member, cells)) in encoder.columns.iter().zip(columns).enumerate() {
                cells.prefetch(row + AHEAD);
                let null = cells.is_null(row);
                if Some(number) == encoder.key || (null && encoder.style.omit_null) {
                    continue;
                }
                if null {
                    JsonEncoder::null(member, &mut out);
                } else {
                    JsonEncoder::member(kernel, member, cells, row, &mut scratch, &mut out)
                        .map_err(|refusal| failed(number, refusal))?;
                }
            }
            // Where the comma of the first member stands.
            out.set(begin_of_object, b'{');
            out.push(b'}');
            out.put_few(encoder.line_end);
        }
        Ok(out)
    }
}

impl Encoder for JsonEncoder {
    fn header(&self) -> Result<Vec<u8>> {
        Ok(self.header.clone())
    }

    fn separator(&self) -> &[u8] {
        self.separator
    }

    fn footer(&self, rows: u64) -> Vec<u8> {
        let last_line = if rows == 0 { b"" } else { self.line_start };
        [last_line, self.footer].concat()
    }

    fn key(&self, batch: &RecordBatch, row: usize) -> Result<Option<Vec<u8>>> {
        let Some(key) = self.key else { return Ok(None) };
        let columns = Columns::of(batch, self.columns.len())?;
        let mut name = Vec::new();
        // A null or a value without text is told when the row is encoded.
        let _ = columns.cells()[key].write_plain(row, &mut name);
        Ok(Some(name))
    }

    fn encode_spans(&self, batch: &RecordBatch, spans: &[Span], out: &mut Page) -> Result<Vec<usize>> {
        let columns = Columns::of(batch, self.columns.len())?;
        let columns = columns.cells();
        let mut ends = Vec::with_capacity(spans.len());
        let mut page = std::mem::take(out);
        for (span, rows) in Span::places(spans) {
            page = simd::run(Rows { encoder: self, columns: &columns, rows, before: span.before, out: page })?;
            ends.push(page.len());
        }
        *out = page;
        Ok(ends)
    }
}

/// What a JSON string can only hold behind a back-slash.
const ESCAPED: Care<2> = Care::new([b'"', b'\\'], 0x20);

/// Appends what stands between the quotes of a JSON string.
#[inline(always)]
fn string<K: Kernel>(kernel: K, mut text: Window<'_>, out: &mut Page) {
    loop {
        let plain = out.copy_until(kernel, text, &ESCAPED);
        let Some(&byte) = text.text().get(plain) else { return };
        escape(byte, |byte| out.push(byte));
        text = text.behind(plain + 1);
    }
}

/// Appends `text`, which is UTF-8, as a JSON string. Only what must be escaped is.
pub(crate) fn push_string(out: &mut Vec<u8>, mut text: &[u8]) {
    out.push(b'"');
    loop {
        let (plain, rest) = text.split_at(plain_length(text));
        out.extend_from_slice(plain);
        let Some((&byte, rest)) = rest.split_first() else { break };
        escape(byte, |byte| out.push(byte));
        text = rest;
    }
    out.push(b'"');
}

/// Gives what stands for a byte that must be escaped.
#[inline(always)]
fn escape(byte: u8, mut push: impl FnMut(u8)) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let short = match byte {
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        byte => byte,
    };
    push(b'\\');
    if short >= 0x20 {
        return push(short);
    }
    let (high, low) = (DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]);
    [b'u', b'0', b'0', high, low].into_iter().for_each(push);
}
