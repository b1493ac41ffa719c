//! A pipeline file: see `src/pipeline.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| outflow_fuzz::pipeline::run(bytes));
