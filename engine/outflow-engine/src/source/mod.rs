//! Sources: where rows come from. A source is listed and its columns are learnt before anything is planned;
//! rows flow only when the plan runs.

pub mod files;
pub mod heads;
pub mod listing;

/// Prefix of the columns that travel with rows but are not the user's.
pub const HIDDEN: &str = "_outflow_";
/// Column with the file a row comes from.
pub const FILE: &str = "_outflow_file";
/// Column with the line (text) or row (Parquet) a row comes from, from 1.
pub const ROW: &str = "_outflow_row";
