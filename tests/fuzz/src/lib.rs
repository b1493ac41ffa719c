//! What the fuzz targets do with their bytes. A finding is a panic: of the code itself, or of what is asserted here
//! about its answer. The integration tests include this file and replay what the corpus keeps.

pub mod csv;
pub mod jsonl;
pub mod names;
pub mod pipeline;
