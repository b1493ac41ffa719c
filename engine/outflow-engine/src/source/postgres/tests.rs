//! The server that the tests of this source share.

#[path = "../../../../../tests/it/support/postgres.rs"]
pub mod postgres;
