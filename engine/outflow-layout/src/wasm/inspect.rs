//! What the bytes of a component tell before anything of it is compiled or run: its world, the version of the
//! interface it was built for, and what it imports.

use wasmparser::{ComponentExternalKind, Parser, Payload};

use crate::layout::LayoutError;

/// Version of the plugin interface that this host speaks.
pub const INTERFACE: &str = "0.1.0";

/// What a plugin does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World {
    /// It turns rows into named files, and sees no row.
    Layout,
    /// It turns rows into rows.
    Transform,
}

impl World {
    /// Its name in the interface.
    pub fn name(self) -> &'static str {
        match self {
            Self::Layout => "layout",
            Self::Transform => "transform",
        }
    }
}

/// A component as [`Host::inspect`](super::Host::inspect) finds it.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// What it does.
    pub world: World,
    /// Version of the plugin interface it was built for. Example: `0.1.0`.
    pub interface: String,
    /// The interfaces it imports: all that it could ask of its host.
    pub imports: Vec<String>,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// One line for people.
    pub summary: String,
    /// JSON Schema (2020-12) of its options.
    pub config_schema: serde_json::Value,
    /// SHA-256 of the component, lower-case hex.
    pub digest: String,
    /// Its size.
    pub bytes: usize,
}

/// The outside of a component.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surface {
    /// What it exports of the plugin interface, and for which version.
    pub exported: Option<(World, String)>,
    /// Names of its imports.
    pub imports: Vec<String>,
}

impl Surface {
    /// Reads the imports and exports. What does not parse is left for the compiler to complain about.
    pub fn of(wasm: &[u8]) -> Self {
        let mut surface = Self::default();
        let mut depth = 0;
        for payload in Parser::new(0).parse_all(wasm) {
            match payload {
                Ok(Payload::Version { .. }) => depth += 1,
                Ok(Payload::End(_)) => depth -= 1,
                Ok(Payload::ComponentImportSection(section)) if depth == 1 => {
                    surface.imports.extend(section.into_iter().flatten().map(|import| import.name.name.to_owned()));
                }
                Ok(Payload::ComponentExportSection(section)) if depth == 1 => {
                    let instances = section.into_iter().flatten();
                    let instances = instances.filter(|export| export.kind == ComponentExternalKind::Instance);
                    surface.exported = surface.exported.or(instances.into_iter().find_map(|it| world(it.name.name)));
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
        surface
    }

    /// Why it does not load, with both versions where a later one of this series is what it was built for.
    pub fn explain(&self, why: &str) -> String {
        match &self.exported {
            Some((_, theirs)) if theirs != INTERFACE => format!(
                "{why}; it is built for version {theirs} of the plugin interface, and this outflow speaks version \
                 {INTERFACE}"
            ),
            _ => why.to_owned(),
        }
    }

    /// Refuses a component built for another version of the interface.
    pub fn check_version(&self, name: &str) -> Result<(), LayoutError> {
        let (ours, _) = INTERFACE.rsplit_once('.').unwrap_or((INTERFACE, ""));
        match &self.exported {
            Some((_, theirs)) if theirs.rsplit_once('.').is_none_or(|(series, _)| series != ours) => {
                Err(LayoutError::Plugin {
                    code: "plugin/interface",
                    message: format!(
                        "the plugin `{name}` is built for version {theirs} of the plugin interface, and this outflow \
                         speaks version {INTERFACE}; use an outflow that speaks {theirs}, or build the plugin with \
                         the kit of this one"
                    ),
                })
            }
            _ => Ok(()),
        }
    }
}

/// The world and version behind the name of an export.
fn world(export: &str) -> Option<(World, String)> {
    let (name, version) = export.strip_prefix("outflow:plugin/")?.split_once('@')?;
    let world = [World::Layout, World::Transform].into_iter().find(|world| world.name() == name)?;
    Some((world, version.to_owned()))
}
