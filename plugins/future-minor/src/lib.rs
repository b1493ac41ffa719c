//! A layout that asks its host for a function that came after this one. It is built, and never started.

#![allow(missing_docs, reason = "the glue is generated")]

wit_bindgen::generate!({ path: "wit", world: "layout-plugin" });

use exports::outflow::plugin::layout::Guest;
use outflow::plugin::host::locale;

struct Future;

impl Guest for Future {
    fn describe() -> String {
        locale()
    }
}

export!(Future);
