//! A name template and values of the data: see `src/names.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| outflow_fuzz::names::run(bytes));
