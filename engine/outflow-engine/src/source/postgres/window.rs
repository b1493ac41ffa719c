//! Which rows of a query belong to a window of positions. Transactions commit in another order than they begin, so a
//! row may become visible with a position that a delivered window has passed. A column with the number of the
//! transaction (`xid8`) is bounded by the oldest one that is not over, and misses nothing. Every other column is read
//! again over an overlap, and rows that were delivered from it are told by their key.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{AsArray, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::compute::filter_record_batch;
use arrow::datatypes::SchemaRef;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::columns::{Column, Wire};
use super::quoted_text;
use crate::error::{Error, Result};
use crate::source::arrivals::Wanted;

#[cfg(test)]
mod tests;

/// Rows of an overlap that are remembered at most.
const REMEMBERED: usize = 2_000_000;
/// Column with the key and the position of a row, as text.
pub const IDENTITY: &str = "_outflow_identity";
/// Column that tells whether the next window will read the row again.
pub const AGAIN: &str = "_outflow_again";
/// Column that tells whether the row belongs to an earlier window.
pub const LATE: &str = "_outflow_late";

/// The rows that are wanted: those of a window, the first position included and the last not.
#[derive(Clone, Debug)]
pub struct Positions {
    /// The column that tells a row's position.
    pub cursor: String,
    /// The first position; unset: whatever there is.
    pub lo: Option<String>,
    /// The position after the last.
    pub hi: String,
    /// Where the first window began: older rows are not late, they were never asked for.
    pub floor: Option<String>,
    /// How rows that turn up late are found.
    pub overlap: Option<Overlap>,
}

/// How far before a window its reading begins, and what earlier windows delivered of that.
#[derive(Clone, Debug)]
pub struct Overlap {
    /// Columns that tell rows apart.
    pub key: Vec<String>,
    /// How far back, in seconds for instants and in positions for numbers.
    pub back: u64,
    /// What was delivered and is read again.
    pub seen: Arc<Seen>,
    /// What reading the window comes to.
    pub found: Arc<Mutex<Found>>,
}

/// What reading a window came to.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// What was delivered and will be read again.
    pub again: Seen,
    /// Rows of earlier windows that had not been delivered.
    pub late: u64,
}

/// Rows that were delivered, by a digest of key and position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen(HashSet<u128>);

impl Seen {
    /// As the ledger keeps it.
    pub fn to_text(&self) -> String {
        let mut all = self.0.iter().copied().collect::<Vec<_>>();
        all.sort_unstable();
        STANDARD_NO_PAD.encode(all.into_iter().flat_map(u128::to_le_bytes).collect::<Vec<_>>())
    }

    /// As the ledger has kept it.
    pub fn of_text(text: &str) -> Result<Self> {
        let bytes = STANDARD_NO_PAD.decode(text).ok().filter(|bytes| bytes.len() % 16 == 0);
        let bytes = bytes.ok_or_else(|| Error::internal("the ledger's note about an overlap cannot be read"))?;
        Ok(Self(bytes.as_chunks::<16>().0.iter().map(|chunk| u128::from_le_bytes(*chunk)).collect()))
    }

    /// How many rows are remembered.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rows of an earlier window that are remembered, by the name they have in the ledger.
    pub const NAME: &str = "postgres overlap";
}

/// What positions of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Numbers of transactions.
    Transaction,
    /// Whole numbers.
    Number,
    /// Dates and times.
    Instant,
}

/// What positions of a column are, by its type.
pub fn kind(column: &Column) -> Result<Kind> {
    match column.wire {
        Wire::Xid8 => Ok(Kind::Transaction),
        Wire::Int2 | Wire::Int4 | Wire::Int8 => Ok(Kind::Number),
        Wire::Date | Wire::Timestamp | Wire::TimestampTz => Ok(Kind::Instant),
        _ => Err(Error::user(format!(
            "the cursor `{}` is {}, which has no order of arrival",
            column.name, column.type_name
        ))
        .hint("a cursor is an `xid8` (`DEFAULT pg_current_xact_id()`), an integer, a date or a timestamp")),
    }
}

/// Refuses a cursor that loses rows: all but numbers of transactions need a key and an overlap.
pub fn refuse_losses(column: &Column, kind: Kind, overlaps: bool) -> Result<()> {
    if overlaps || kind == Kind::Transaction {
        return Ok(());
    }
    let message =
        format!("the cursor `{}` cannot tell rows that are committed late, or that share a position", column.name);
    Err(Error::user(message).hint(
        "name the columns that tell rows apart and how long a transaction may take: `key: [id], overlap: 15m`; or use \
         an `xid8` column with `DEFAULT pg_current_xact_id()`",
    ))
}

impl Positions {
    /// The rows of a window.
    pub fn of(wanted: &Wanted) -> Result<Self> {
        let seen = wanted.seen.get(Seen::NAME).map(|known| Seen::of_text(&known.print)).transpose()?;
        let overlap = wanted.overlap.clone().map(|(key, back)| Overlap {
            key,
            back,
            seen: Arc::new(seen.unwrap_or_default()),
            found: Arc::default(),
        });
        let (cursor, floor) = (wanted.cursor.clone(), wanted.late_from.clone());
        Ok(Self { cursor, lo: wanted.window.lo.clone(), hi: wanted.window.hi.clone(), floor, overlap })
    }

    /// The condition that the rows meet, and the columns that tell which of them are new.
    pub fn condition(&self, columns: &[Column]) -> Result<(String, Vec<String>)> {
        let column = find(columns, &self.cursor)?;
        let (kind, cursor) = (kind(column)?, Column::alias(column.place));
        let back = self.overlap.as_ref().map_or(0, |overlap| overlap.back);
        let from = [(&self.lo, back), (&self.floor, 0)].into_iter().filter_map(|(at, back)| Some((at.as_ref()?, back)));
        let from = from.map(|(at, back)| Ok(format!("{cursor} >= {} AND ", literal(kind, at, back)?)));
        let from = from.collect::<Result<String>>()?;
        let condition = format!(" WHERE {from}{cursor} < {}", literal(kind, &self.hi, 0)?);
        let Some(overlap) = &self.overlap else { return Ok((condition, Vec::new())) };
        let names = overlap.key.iter().map(|name| Ok(Column::alias(find(columns, name)?.place)));
        let names = names.chain([Ok(cursor.clone())]).collect::<Result<Vec<_>>>()?.join(", ");
        let again = format!("{cursor} >= {}", literal(kind, &self.hi, back)?);
        let late = match &self.lo {
            None => "false".to_owned(),
            Some(lo) => format!("{cursor} < {}", literal(kind, lo, 0)?),
        };
        Ok((condition, vec![format!("pg_catalog.json_build_array({names})::text"), again, late]))
    }
}

/// A column by its name.
pub fn find<'a>(columns: &'a [Column], name: &str) -> Result<&'a Column> {
    columns.iter().find(|column| column.name == name).ok_or_else(|| {
        let names = columns.iter().map(|column| format!("`{}`", column.name)).collect::<Vec<_>>().join(", ");
        Error::user(format!("`incremental` names a column `{name}`, which the source lacks"))
            .hint(format!("it has {names}"))
    })
}

/// A position as SQL writes it, so far before where it is.
fn literal(kind: Kind, position: &str, back: u64) -> Result<String> {
    let number = || {
        position.parse::<i128>().map_err(|_| {
            Error::user(format!("the position `{position}` is no number, as the cursor's positions are"))
                .hint("`start` is where the first window begins: `0`, say")
        })
    };
    match kind {
        Kind::Transaction => Ok(format!("'{}'::xid8", number()?.max(0))),
        Kind::Number => Ok((number()? - i128::from(back)).to_string()),
        Kind::Instant => {
            let at = position.parse::<Timestamp>().map_err(|_| {
                Error::user(format!("the position `{position}` is no instant, as the cursor's positions are"))
            })?;
            let back = SignedDuration::from_secs(i64::try_from(back).unwrap_or(i64::MAX));
            Ok(format!("{}::timestamptz", quoted_text(&at.checked_sub(back).unwrap_or(Timestamp::MIN).to_string())))
        }
    }
}

impl Overlap {
    /// The rows of a batch that were not delivered, without the columns that tell so.
    pub fn fresh(&self, batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
        let lost = || Error::internal("the rows have lost what tells them apart");
        let identities = batch.column_by_name(IDENTITY).ok_or_else(lost)?.as_string_view();
        let again = batch.column_by_name(AGAIN).ok_or_else(lost)?.as_boolean();
        let late = batch.column_by_name(LATE).ok_or_else(lost)?.as_boolean();
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let mut fresh = Vec::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            let digest = Sha256::digest(identities.value(row));
            let digest = digest.first_chunk().map(|bytes| u128::from_le_bytes(*bytes)).unwrap_or_default();
            // A key that comes twice at one position is no key, but no reason to lose a row.
            fresh.push(!self.seen.0.contains(&digest));
            found.late += u64::from(fresh[row] && late.value(row));
            if again.value(row) {
                found.again.0.insert(digest);
            }
        }
        if found.again.len() > REMEMBERED {
            return Err(Error::user(format!("more than {REMEMBERED} rows lie within the overlap"))
                .hint("make `incremental.overlap` shorter, or use an `xid8` column, which needs none"));
        }
        let places = schema.fields().iter().map(|field| batch.schema().index_of(field.name()));
        let places = places.collect::<Result<Vec<_>, _>>().map_err(|_| lost())?;
        let kept = filter_record_batch(batch, &BooleanArray::from(fresh)).map_err(|_| lost())?;
        let arrays = places.into_iter().map(|place| kept.column(place).clone()).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(kept.num_rows()));
        RecordBatch::try_new_with_options(schema.clone(), arrays, &options).map_err(|_| lost())
    }
}
