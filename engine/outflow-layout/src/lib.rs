//! Rows to named files: the [`layout::Layout`] trait, the built-in `files` layout, and the WebAssembly host.
//! Nothing here reads files, writes files or knows a vendor; the engine acts on what a layout or transform answers.

#![deny(unsafe_code)]

pub mod builtin;
mod dialect;
pub mod files;
pub mod layout;
pub mod name;
pub mod transform;
pub mod wasm;
