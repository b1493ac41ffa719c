//! Zip files of one path become one archive, whatever outputs they come from. Their bytes are copied, not compressed
//! again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use outflow_formats::file::merge_zips;

use super::{SpooledFile, blocking, format_error};
use crate::error::{Error, Result};

/// Makes one file of all zip files with the same path; its entries are in the order of the files. It stands where the
/// first of them stood.
pub async fn merge(files: Vec<SpooledFile>) -> Result<Vec<SpooledFile>> {
    let mut merged: Vec<Vec<SpooledFile>> = Vec::with_capacity(files.len());
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for file in files {
        let path = file.parts.first().filter(|_| file.is_zip).map(|part| part.name.path.clone());
        match path.as_ref().and_then(|path| places.get(path)) {
            Some(place) => merged[*place].push(file),
            None => {
                places.extend(path.map(|path| (path, merged.len())));
                merged.push(vec![file]);
            }
        }
    }
    blocking(move || merged.into_iter().map(one).collect()).await
}

fn one(mut files: Vec<SpooledFile>) -> Result<SpooledFile> {
    match files.pop() {
        Some(single) if files.is_empty() => return Ok(single),
        last => files.extend(last),
    }
    let Some(algorithm) = files.first().map(SpooledFile::algorithm) else {
        return Err(Error::internal("an archive of no files"));
    };
    let paths = files.iter().map(|file| file.path.clone()).collect::<Vec<_>>();
    let target = paths.first().map(|first| first.with_extension("zip")).unwrap_or_default();
    let mut parts = files.into_iter().flat_map(|file| file.parts).collect::<Vec<_>>();
    let mut entries = BTreeSet::new();
    if let Some(twice) = parts.iter().find(|part| !entries.insert(&part.name.archive_entry)) {
        let (path, entry) = (&twice.name.path, twice.name.archive_entry.as_deref().unwrap_or_default());
        return Err(Error::user(format!("two files of the run are both the entry `{entry}` of `{path}`"))
            .hint("give each entry of an archive its own name"));
    }
    let finished = merge_zips(&paths, &target, algorithm).map_err(format_error)?;
    remove(&paths)?;
    for part in &mut parts {
        part.facts.bytes = finished.bytes;
        part.facts.digest.clone_from(&finished.digest);
    }
    Ok(SpooledFile { path: target, parts, is_parquet: false, is_zip: true })
}

fn remove(paths: &[PathBuf]) -> Result<()> {
    for path in paths {
        std::fs::remove_file(path)
            .map_err(|cause| Error::external(format!("cannot remove `{}`: {cause}", path.display())))?;
    }
    Ok(())
}
