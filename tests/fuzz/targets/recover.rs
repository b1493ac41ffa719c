//! A ledger, a spool and a target after a crash: see `delivery::fuzz` of outflow-engine.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| outflow_engine::delivery::fuzz(bytes));
