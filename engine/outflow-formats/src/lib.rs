//! Bytes to Arrow and back at machine speed: CSV, JSON Lines, Parquet, and the containers around them.
//!
//! Everything here is synchronous and knows neither pipelines nor queries. A text file is read by one thread with a
//! [`chunk::Chunker`], its chunks are decoded by as many threads as there are ([`csv::Decoder`], [`jsonl::Decoder`]),
//! put in order by the caller, encoded again by any thread ([`encode::Encoder`]) and appended by one
//! ([`file::OutputFile`]).

#![deny(unsafe_code)]

pub mod chunk;
pub mod container;
mod copy;
pub mod csv;
mod deflate;
pub mod digest;
pub mod encode;
pub mod error;
pub mod file;
pub mod format;
pub mod join;
pub mod json;
pub mod jsonl;
pub mod memory;
pub mod packed;
pub mod parquet;
pub mod reject;
mod scan;
mod simd;
pub mod text;
mod value;
pub mod views;
pub mod workers;
mod zip;

pub use error::{Error, Result};

/// Name of the hidden column that holds the number of the physical line (text) or row (Parquet) a row came from.
pub const ROW_COLUMN: &str = "_outflow_row";

/// Field metadata key that tells how a text column goes to JSON; see [`JSON_RAW`].
pub const JSON_METADATA: &str = "outflow.json";

/// Value of [`JSON_METADATA`]: the texts of the column are JSON source and are written as they are, not as strings.
pub const JSON_RAW: &str = "raw";
