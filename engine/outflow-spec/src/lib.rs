//! What a pipeline file says: loading, linting, schema. Pure: no component, clock, file, network or environment.

#![forbid(unsafe_code)]

pub mod codes;
mod component;
pub mod delivery;
pub mod diagnostic;
pub mod duration;
pub mod fill;
mod ignores;
pub mod incremental;
pub mod layout;
pub mod ledger;
pub mod lint;
pub mod load;
pub mod matrix;
pub mod node;
pub mod notify;
pub mod pipeline;
mod prepare;
pub mod project;
pub mod render;
pub mod schema;
pub mod secret;
pub mod sink;
pub mod source;
pub mod store;
pub mod text;
pub mod transform;
mod written;
pub mod yaml;

pub use codes::explain;
pub use delivery::DeliverySpec;
pub use diagnostic::Finding;
pub use fill::Lookup;
pub use lint::check_columns;
pub use load::{Language, LoadOptions, Loaded, load};
pub use matrix::{Instance, Matrix};
pub use pipeline::PipelineSpec;
pub use project::{Project, ProjectSpec};
pub use schema::{LayoutSchema, PluginOptions, project_schema, schema};
