//! Rows to named files: the [`layout::Layout`] trait, the built-in `files` layout, and the WebAssembly host.
//! Nothing here reads rows, writes files or knows a vendor; the engine acts on what a layout answers.

pub mod builtin;
mod dialect;
pub mod files;
pub mod layout;
pub mod name;
pub mod wasm;
