//! Plugins from files: which files a pipeline names, and that each is the one that was pinned. No byte of a file is
//! compiled or run before its digest is known to be right.

mod describe;
pub mod lock;

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use outflow_layout::layout::LayoutError;
use outflow_layout::wasm::{Host, Plugin, TransformPlugin};
use outflow_spec::PipelineSpec;
use outflow_spec::layout::LayoutSpec;
use outflow_spec::transform::TransformSpec;
use sha2::{Digest, Sha256};

pub use describe::{Described, describe, layout_manifest};

use crate::error::Error;
use crate::pipeline::hex;
use lock::Lock;

/// Largest component.
const MAX_BYTES: u64 = 64 << 20;

/// A plugin as a pipeline names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference<'a> {
    /// JSON pointer to its block. Example: `/transforms/0/plugin`.
    pub pointer: String,
    /// Its file, as written.
    pub component: &'a str,
    /// The digest, where the pipeline itself has it.
    pub sha256: Option<&'a str>,
    /// Whether it stands for a layout; else for a transform.
    pub is_layout: bool,
}

/// The plugins from files that a pipeline names.
pub fn references(spec: &PipelineSpec) -> Vec<Reference<'_>> {
    let mut found = Vec::new();
    for (index, transform) in spec.transforms.iter().enumerate() {
        if let TransformSpec::Plugin(plugin) = transform {
            found.push(Reference {
                pointer: format!("/transforms/{index}/plugin"),
                component: &plugin.component,
                sha256: plugin.sha256.as_deref(),
                is_layout: false,
            });
        }
    }
    if let LayoutSpec::Component(plugin) = &spec.layout {
        found.push(Reference {
            pointer: "/layout/plugin".to_owned(),
            component: &plugin.component,
            sha256: plugin.sha256.as_deref(),
            is_layout: true,
        });
    }
    found
}

/// Why a plugin is not used.
#[derive(Clone, Debug)]
pub enum Refusal {
    /// Nothing says which file it has to be.
    NotPinned {
        /// The file, as written.
        component: String,
        /// What it is now.
        digest: String,
    },
    /// It is another file than the pinned one.
    Changed {
        /// The file, as written.
        component: String,
        /// The digest that was pinned.
        pinned: String,
        /// The digest that it has.
        found: String,
    },
    /// It cannot be read, loaded or asked.
    Unusable(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPinned { component, .. } => write!(f, "the plugin `{component}` is not pinned"),
            Self::Changed { component, pinned, found } => {
                write!(f, "the plugin `{component}` has changed: pinned is {pinned}, the file is {found}")
            }
            Self::Unusable(why) => f.write_str(why),
        }
    }
}

impl Refusal {
    /// What to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotPinned { digest, .. } => {
                Some(format!("if you trust the file as it is, add `sha256: {digest}`, or pin it in `{}`", lock::FILE))
            }
            Self::Changed { .. } => Some("put the pinned file back, or pin the new one if you trust it".to_owned()),
            Self::Unusable(_) => None,
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let error = Self::user(refusal.to_string());
        match refusal.hint() {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

impl From<LayoutError> for Refusal {
    fn from(error: LayoutError) -> Self {
        Self::Unusable(error.to_string())
    }
}

/// A component whose bytes are the pinned ones.
#[derive(Clone, Debug)]
pub struct Component {
    /// What messages call it: the file's name without its ending.
    pub name: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl Component {
    /// Reads a component, found from the folder of the pipeline file, and compares it with its pin.
    pub fn pinned(component: &str, sha256: Option<&str>, base: &Path) -> Result<Self, Refusal> {
        let bytes = read(component, base)?;
        let found = hex(&Sha256::digest(&bytes));
        let pinned = match sha256 {
            Some(digest) => Some(digest.to_owned()),
            None => {
                let lock = Lock::read(base).map_err(|error| Refusal::Unusable(error.to_string()))?;
                lock.digest(component).map(str::to_owned)
            }
        };
        match pinned {
            None => Err(Refusal::NotPinned { component: component.to_owned(), digest: found }),
            Some(pinned) if pinned != found => Err(Refusal::Changed { component: component.to_owned(), pinned, found }),
            Some(_) => {
                let stem = Path::new(component).file_stem().unwrap_or_default();
                Ok(Self { name: stem.to_string_lossy().into_owned(), bytes })
            }
        }
    }

    /// The layout in it.
    pub fn layout(&self) -> Result<Plugin, LayoutError> {
        Host::shared()?.load(&self.name, &self.bytes)
    }

    /// The transform in it.
    pub fn transform(&self) -> Result<TransformPlugin, LayoutError> {
        Host::shared()?.load_transform(&self.name, &self.bytes)
    }
}

/// The bytes of a component's file.
pub fn read(component: &str, base: &Path) -> Result<Vec<u8>, Refusal> {
    let path = base.join(component);
    let failed = |error: std::io::Error| Refusal::Unusable(format!("cannot read the plugin `{component}`: {error}"));
    let mut bytes = Vec::new();
    // One byte more than is allowed shows that there are more, however large the file says it is.
    File::open(&path).map_err(failed)?.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        let mib = MAX_BYTES >> 20;
        return Err(Refusal::Unusable(format!("the plugin `{component}` is larger than {mib} MiB, the most allowed")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
