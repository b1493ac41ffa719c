//! The server that the tests of this source share with those of the ledger.

pub(crate) use crate::ledger::tests::postgres;
