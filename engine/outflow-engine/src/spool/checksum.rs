//! Checksums beside data files, as `sha256sum --check` reads them in the folder of the file.

use outflow_layout::layout::Artifact;
use outflow_spec::delivery::ChecksumKind;

use super::SpooledFile;
use crate::error::{Error, Result};

/// A checksum file for each data file, in their order.
pub fn checksums(kind: Option<ChecksumKind>, files: &[SpooledFile]) -> Result<Vec<Artifact>> {
    let Some(ChecksumKind::Sha256) = kind else { return Ok(Vec::new()) };
    let parts = files.iter().filter_map(|file| file.parts.first());
    parts
        .map(|part| {
            let path = &part.name.path;
            let name = path.rsplit_once('/').map_or(path.as_str(), |(_, name)| name);
            let sha256 = part.facts.digest.sha256();
            let sha256 = sha256.ok_or_else(|| Error::internal("files with checksums have another digest"))?;
            Ok(Artifact {
                path: format!("{path}.sha256"),
                content_type: "text/plain".to_owned(),
                body: format!("{sha256}  {name}\n").into_bytes(),
            })
        })
        .collect()
}
