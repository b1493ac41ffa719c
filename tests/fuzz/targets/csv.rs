//! A CSV file, and cells to write as one: see `src/csv.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| outflow_fuzz::csv::run(bytes));
