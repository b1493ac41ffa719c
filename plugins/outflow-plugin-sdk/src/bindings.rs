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

/// The same for transforms.
pub mod transform {
    wit_bindgen::generate!({
        path: "wit/v0.1.0",
        world: "transform-plugin",
        with: {
            "outflow:plugin/types@0.1.0": crate::bindings::outflow::plugin::types,
            "outflow:plugin/host@0.1.0": crate::bindings::outflow::plugin::host,
        },
        pub_export_macro: true,
        export_macro_name: "export_transform_component",
        default_bindings_module: "outflow_plugin_sdk::bindings::transform",
        additional_derives: [PartialEq],
    });
}
