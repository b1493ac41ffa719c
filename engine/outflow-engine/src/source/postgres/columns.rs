//! Types of PostgreSQL: how a column is asked for, what crosses the wire, and the Arrow column it becomes. Integers,
//! floats and booleans keep their type; all else is the text that `psql` shows.

use arrow::datatypes::{DataType, Field, FieldRef};
use outflow_formats::{JSON_METADATA, JSON_RAW};
use sqlx::postgres::{PgColumn, PgTypeInfo, PgTypeKind};
use sqlx::{Column as _, TypeInfo as _};

/// A column of a query's result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its place among the columns, from 0.
    pub place: usize,
    /// What its type is called.
    pub type_name: String,
    /// What its values are on the wire.
    pub wire: Wire,
    asked: Asked,
}

/// What the bytes of a value are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// One byte.
    Bool,
    /// Two bytes.
    Int2,
    /// Four bytes.
    Int4,
    /// Eight bytes.
    Int8,
    /// Four bytes without sign.
    Oid,
    /// Eight bytes without sign.
    Xid8,
    /// Four bytes, IEEE 754.
    Float4,
    /// Eight bytes, IEEE 754.
    Float8,
    /// Text.
    Text,
    /// Text that is JSON.
    Json,
    /// A version, then text that is JSON.
    Jsonb,
    /// Digits to the base 10000.
    Numeric,
    /// 16 bytes.
    Uuid,
    /// Days.
    Date,
    /// Microseconds of a day.
    Time,
    /// Microseconds, without zone.
    Timestamp,
    /// Microseconds, in UTC.
    TimestampTz,
}

/// How the query asks for a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// As it is.
    Itself,
    /// As the text that `psql` shows.
    Shown,
    /// As JSON.
    Json,
}

impl Column {
    /// A column as the server describes it.
    pub fn of(column: &PgColumn) -> Self {
        let (wire, asked) = wire(column.type_info());
        Self {
            name: column.name().to_owned(),
            place: column.ordinal(),
            type_name: column.type_info().name().to_lowercase(),
            wire,
            asked,
        }
    }

    /// A column that is an expression of its own, of a known form.
    pub fn telling(name: &str, wire: Wire) -> Self {
        Self { name: name.to_owned(), place: 0, type_name: String::new(), wire, asked: Asked::Itself }
    }

    /// What the column is called within the query that the source sends: names of the author's query may repeat.
    pub fn alias(place: usize) -> String {
        format!("outflow_{place}")
    }

    /// The expression that asks for its values.
    pub fn expression(&self) -> String {
        let alias = Self::alias(self.place);
        match self.asked {
            Asked::Itself => alias,
            Asked::Shown => format!("CASE WHEN {alias} IS NULL THEN NULL ELSE pg_catalog.format('%s', {alias}) END"),
            Asked::Json => format!("pg_catalog.to_json({alias})::text"),
        }
    }

    /// The Arrow column. Numbers that are text are marked as JSON: they stand in it as they are.
    pub fn field(&self) -> FieldRef {
        let data_type = match self.wire {
            Wire::Bool => DataType::Boolean,
            Wire::Int2 => DataType::Int16,
            Wire::Int4 => DataType::Int32,
            Wire::Int8 => DataType::Int64,
            Wire::Oid => DataType::UInt32,
            Wire::Xid8 => DataType::UInt64,
            Wire::Float4 => DataType::Float32,
            Wire::Float8 => DataType::Float64,
            _ => DataType::Utf8View,
        };
        let field = Field::new(&self.name, data_type, true);
        let field = match self.wire {
            Wire::Json | Wire::Jsonb | Wire::Numeric => {
                field.with_metadata([(JSON_METADATA.to_owned(), JSON_RAW.to_owned())].into())
            }
            _ => field,
        };
        field.into()
    }
}

fn wire(info: &PgTypeInfo) -> (Wire, Asked) {
    let known = match info.oid().map_or(0, |oid| oid.0) {
        16 => Wire::Bool,
        20 => Wire::Int8,
        21 => Wire::Int2,
        23 => Wire::Int4,
        26 => Wire::Oid,
        700 => Wire::Float4,
        701 => Wire::Float8,
        // name, text, character(n), character varying
        19 | 25 | 1042 | 1043 => Wire::Text,
        114 => Wire::Json,
        3802 => Wire::Jsonb,
        1082 => Wire::Date,
        1083 => Wire::Time,
        1114 => Wire::Timestamp,
        1184 => Wire::TimestampTz,
        1700 => Wire::Numeric,
        2950 => Wire::Uuid,
        5069 => Wire::Xid8,
        _ => {
            return match info.kind() {
                PgTypeKind::Enum(_) => (Wire::Text, Asked::Itself),
                PgTypeKind::Array(_) | PgTypeKind::Composite(_) => (Wire::Json, Asked::Json),
                // The server resolves domains; this is for those it keeps.
                PgTypeKind::Domain(base) => wire(base),
                PgTypeKind::Simple | PgTypeKind::Pseudo | PgTypeKind::Range(_) => (Wire::Text, Asked::Shown),
            };
        }
    };
    (known, Asked::Itself)
}
