//! Types and glue generated from `wit/v0.1.0`. Nothing here is written by hand.

#![allow(missing_docs)]

wit_bindgen::generate!({
    path: "wit/v0.1.0",
    world: "layout-plugin",
    pub_export_macro: true,
    export_macro_name: "export_layout_component",
    default_bindings_module: "outflow_plugin_sdk::bindings",
    additional_derives: [PartialEq],
});
