//! A JSON Lines file: see `src/jsonl.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| outflow_fuzz::jsonl::run(bytes));
