//! What plugins answer: see `wasm::v0_1::fuzz` of outflow-layout, which has it because guests' types are private.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| outflow_layout::wasm::fuzz(bytes));
