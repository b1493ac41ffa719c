//! Names of files, asked of the layout in lists: when files are opened, or once their facts are known.

use outflow_layout::layout::{FileFacts, FileIntent, FileName, Layout, Output};
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use super::SpooledFile;
use super::place::Placer;
use crate::error::{Error, Result};
use crate::lane::lock;

/// Files in one question, so that a layout of bounded memory and time can answer.
const AT_ONCE: usize = 1000;

/// 32 hex characters that stand for "random" in file names, yet are equal on every retry.
pub fn nonce(seed: &str, dataset: &str, partition: &[(String, String)], part: u32) -> String {
    let mut hasher = Sha256::new();
    hasher.update(format!("{seed}\0{dataset}\0{part}"));
    for (key, value) in partition {
        hasher.update(format!("\0{key}\0{value}"));
    }
    hasher.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Names files that have none yet, unless their names need their facts; gives the entries in archives of these.
pub(super) async fn before(
    layout: &Mutex<&mut dyn Layout>,
    output: &Output,
    placer: &std::sync::Mutex<Placer>,
    names: &mut Vec<FileName>,
) -> Result<Vec<Option<String>>> {
    let named = names.len();
    let new = lock(placer).files[named..].iter().map(|file| (file.intent.clone(), None)).collect::<Vec<_>>();
    if output.name_after {
        names.resize(named + new.len(), FileName::default());
    } else {
        for new in new.chunks(AT_ONCE) {
            names.extend(ask(layout, new).await?);
        }
    }
    Ok(names[named..].iter().map(|name| name.archive_entry.clone()).collect())
}

/// Names files that are complete.
pub(super) async fn after(layout: &Mutex<&mut dyn Layout>, files: &mut [SpooledFile]) -> Result<()> {
    let mut parts = files.iter_mut().flat_map(|file| &mut file.parts).collect::<Vec<_>>();
    for parts in parts.chunks_mut(AT_ONCE) {
        let intents = parts.iter().map(|part| (part.intent.clone(), Some(part.facts.clone()))).collect::<Vec<_>>();
        parts.iter_mut().zip(ask(layout, &intents).await?).for_each(|(part, name)| part.name = name);
    }
    Ok(())
}

async fn ask(layout: &Mutex<&mut dyn Layout>, intents: &[(FileIntent, Option<FileFacts>)]) -> Result<Vec<FileName>> {
    let names = layout.lock().await.name_files(intents).await?;
    if names.len() != intents.len() {
        let (asked, given) = (intents.len(), names.len());
        return Err(Error::internal(format!("the layout gave {given} names for {asked} files")));
    }
    Ok(names)
}
