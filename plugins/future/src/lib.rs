//! A layout of a version of the interface that no outflow speaks yet. It is built, and never started.

#![allow(missing_docs, reason = "the glue is generated")]

wit_bindgen::generate!({ path: "wit", world: "layout-plugin" });

use exports::outflow::plugin::layout::{Guest, Manifest};
use outflow::plugin::host::{Level, log};

struct Future;

impl Guest for Future {
    fn describe() -> Manifest {
        log(Level::Trace, "described", &[]);
        Manifest { name: "future".into(), version: "0.1.0".into(), summary: String::new(), licence: None }
    }

    fn outputs(_config: String) -> Result<Vec<String>, String> {
        Ok(Vec::new())
    }
}

export!(Future);
