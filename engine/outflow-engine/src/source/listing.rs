//! Which files a `files` source reads: one file, a glob or a folder, on this machine or in an object store,
//! in name order, with the facts that tell one snapshot of the input from another.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::TryStreamExt;
use object_store::{ObjectStore, ObjectStoreExt};
use outflow_spec::source::FilesSource;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::store;

#[cfg(test)]
mod tests;

/// A file of the input as it was when listed.
#[derive(Clone, Debug)]
pub struct InputFile {
    /// Path as shown to people: relative to the pipeline file, or a URL.
    pub name: String,
    /// Where its bytes are.
    pub location: Location,
    /// Bytes.
    pub size: u64,
    /// What changes when the content does: modification time or entity tag.
    pub version: String,
}

/// Where a file's bytes are.
#[derive(Clone, Debug)]
pub enum Location {
    /// On this machine.
    Local(PathBuf),
    /// In an object store.
    Object(Arc<dyn ObjectStore>, object_store::path::Path),
}

/// Lists the files of a source, in name order. Relative paths start at `base`. What lies below `leave_out`, the folders
/// of local sinks, is never input.
pub async fn list(spec: &FilesSource, base: &Path, leave_out: &[PathBuf]) -> Result<Vec<InputFile>> {
    let mut files = match spec.path.strip_prefix("s3://") {
        Some(rest) => list_s3(spec, rest).await?,
        None => list_local(&spec.path, base, leave_out)?,
    };
    files.sort_by(|a, b| a.name.cmp(&b.name));
    if files.is_empty() {
        return Err(Error::user(format!("no file matches source path `{}`", spec.path))
            .hint("paths are relative to the pipeline file; hidden files are left out"));
    }
    Ok(files)
}

/// Digest of a snapshot of the input: the same files with the same content give the same digest.
pub fn snapshot(files: &[InputFile]) -> String {
    let mut hasher = Sha256::new();
    for file in files {
        hasher.update(format!("{}\0{}\0{}\n", file.name, file.size, file.version));
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn list_local(path: &str, base: &Path, leave_out: &[PathBuf]) -> Result<Vec<InputFile>> {
    let base = plain(base)?;
    let full = plain(&base.join(path))?;
    let candidates = if full.is_dir() {
        found_below(&full, &format!("{}/**/*", glob::Pattern::escape(&full.to_string_lossy())), path)?
    } else if full.exists() {
        vec![full]
    } else if path.contains(['*', '?', '[']) {
        let is_fixed = |part: &std::path::Component<'_>| !part.as_os_str().to_string_lossy().contains(['*', '?', '[']);
        let folder = full.components().take_while(is_fixed).collect::<PathBuf>();
        let pattern = full.strip_prefix(&folder).unwrap_or(&full).to_string_lossy();
        found_below(&folder, &format!("{}/{pattern}", glob::Pattern::escape(&folder.to_string_lossy())), path)?
    } else {
        Vec::new()
    };
    let leave_out = leave_out.iter().map(|folder| plain(folder)).collect::<Result<Vec<_>>>()?;
    let mut files = Vec::new();
    for candidate in candidates {
        let metadata = std::fs::metadata(&candidate)
            .map_err(|cause| Error::external(format!("cannot read `{}`: {cause}", candidate.display())))?;
        if !metadata.is_file() || leave_out.iter().any(|folder| candidate.starts_with(folder)) {
            continue;
        }
        // An absolute path is one name wherever the pipeline is called from; a relative one moves with its project.
        let name = if Path::new(path).is_absolute() {
            &candidate
        } else {
            candidate.strip_prefix(&base).unwrap_or(&candidate)
        };
        let modified = metadata.modified().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
        files.push(InputFile {
            name: name.to_string_lossy().into_owned(),
            size: metadata.len(),
            version: modified.map(|age| age.as_nanos().to_string()).unwrap_or_default(),
            location: Location::Local(candidate),
        });
    }
    Ok(files)
}

/// The path from the root, without `.` components.
fn plain(path: &Path) -> Result<PathBuf> {
    let absolute = std::path::absolute(path)
        .map_err(|cause| Error::user(format!("the path `{}` cannot be used: {cause}", path.display())))?;
    Ok(absolute.components().collect())
}

/// What matches a pattern and is not hidden below `folder`.
fn found_below(folder: &Path, pattern: &str, path: &str) -> Result<Vec<PathBuf>> {
    let mut found = expand(pattern, path)?;
    found.retain(|file| !hidden(file.strip_prefix(folder).unwrap_or(file)));
    Ok(found)
}

fn expand(pattern: &str, path: &str) -> Result<Vec<PathBuf>> {
    glob::glob(pattern)
        .map_err(|cause| Error::user(format!("source path `{path}` is not a glob: {cause}")))?
        .map(|entry| entry.map_err(|cause| Error::external(format!("cannot list source path `{path}`: {cause}"))))
        .collect()
}

/// Writers of partial files hide them behind a dot; markers start with an underscore.
fn hidden(path: &Path) -> bool {
    path.components().any(|part| {
        let std::path::Component::Normal(name) = part else { return false };
        name.to_string_lossy().starts_with(['.', '_'])
    })
}

async fn list_s3(spec: &FilesSource, rest: &str) -> Result<Vec<InputFile>> {
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    let store = store::s3(bucket, &spec.s3.clone().unwrap_or_default())?;
    let external = |cause: object_store::Error| store::describe(&cause, &format!("source `{}`", spec.path));
    let object = |meta: object_store::ObjectMeta| InputFile {
        name: format!("s3://{bucket}/{}", meta.location),
        size: meta.size,
        version: meta.e_tag.unwrap_or_else(|| meta.last_modified.to_string()),
        location: Location::Object(store.clone(), meta.location),
    };
    let parsed = |key: &str| {
        object_store::path::Path::parse(key)
            .map_err(|cause| Error::user(format!("source path `{}` is not a key: {cause}", spec.path)))
    };
    let literal = !key.contains(['*', '?', '[']);
    if literal && !key.is_empty() && !key.ends_with('/') {
        match store.head(&parsed(key)?).await {
            Ok(meta) => return Ok(vec![object(meta)]),
            Err(object_store::Error::NotFound { .. }) => {}
            Err(cause) => return Err(external(cause)),
        }
    }
    let fixed = key.split(['*', '?', '[']).next().unwrap_or_default();
    let folder = if literal { key } else { fixed.rsplit_once('/').map_or("", |(folder, _)| folder) };
    let pattern = glob::Pattern::new(key)
        .map_err(|cause| Error::user(format!("source path `{}` is not a glob: {cause}", spec.path)))?;
    let options = glob::MatchOptions { require_literal_separator: true, ..Default::default() };
    let folder = folder.trim_end_matches('/');
    let metas: Vec<_> = store.list(Some(&parsed(folder)?)).try_collect().await.map_err(external)?;
    Ok(metas
        .into_iter()
        // Consoles make empty objects that stand for folders.
        .filter(|meta| {
            meta.size > 0 && !hidden(Path::new(meta.location.as_ref().strip_prefix(folder).unwrap_or_default()))
        })
        .filter(|meta| literal || pattern.matches_with(meta.location.as_ref(), options))
        .map(object)
        .collect())
}
