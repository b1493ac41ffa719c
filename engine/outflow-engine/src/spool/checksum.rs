//! Checksums beside data files, as `sha256sum --check` reads them in the folder of the file.

use outflow_layout::layout::Artifact;
use outflow_spec::delivery::ChecksumKind;

use super::SpooledFile;

/// A checksum file for each data file, in their order.
pub fn checksums(kind: Option<ChecksumKind>, files: &[SpooledFile]) -> Vec<Artifact> {
    let Some(ChecksumKind::Sha256) = kind else { return Vec::new() };
    let parts = files.iter().filter_map(|file| file.parts.first());
    parts
        .map(|part| {
            let path = &part.name.path;
            let name = path.rsplit_once('/').map_or(path.as_str(), |(_, name)| name);
            Artifact {
                path: format!("{path}.sha256"),
                content_type: "text/plain".to_owned(),
                body: format!("{}  {name}\n", part.facts.sha256).into_bytes(),
            }
        })
        .collect()
}
