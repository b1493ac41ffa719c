//! What a target can do, found out by doing it with files of its own that are always taken away again. A run asks for
//! the cheap part of it before it reads anything, and stops where a target has lost an ability it had.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

use super::{Proof, Put, Sink, Trust};
use crate::error::{Error, Result};
use crate::ledger::{Role, SealedFile, make_private};
use crate::progress::Quiet;

#[cfg(test)]
mod tests;

/// Writers that try to give one name at the same moment.
const RACERS: usize = 8;
/// File of the state folder that remembers abilities.
const MEMORY: &str = "abilities.json";

/// What a target can do.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Abilities {
    /// Whether a name in use is refused and what it holds stays as it is, also when several write at once.
    pub create_if_absent: bool,
    /// What shows that a file is there as it was sealed.
    pub verified_by: &'static str,
    /// How far the target's clock is ahead of this machine's, in whole seconds; none where it does not tell.
    pub clock_skew: Option<i64>,
    /// What else is to be known, such as the server's certificate.
    pub facts: Vec<(&'static str, String)>,
}

/// What publication amounts to at a target with these abilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Guarantee {
    /// The target itself refuses a second version of a name.
    CreateIfAbsent,
    /// A second version is kept away by pinned bytes and the ledger alone.
    PinnedBytes,
}

impl Guarantee {
    /// What that means, for people.
    pub fn explanation(self) -> &'static str {
        match self {
            Self::CreateIfAbsent => {
                "one version of each name, whoever else writes there: the target refuses a second one"
            }
            Self::PinnedBytes => {
                "one version of each name by pinned bytes and the ledger only: the target would let others overwrite it"
            }
        }
    }
}

impl Abilities {
    /// What follows for deliveries.
    pub fn guarantee(&self) -> Guarantee {
        if self.create_if_absent { Guarantee::CreateIfAbsent } else { Guarantee::PinnedBytes }
    }
}

/// Tries everything: writing, reading back, writing over it, a race for one name, removing.
pub async fn probe(sink: &dyn Sink) -> Result<Abilities> {
    tried(sink, RACERS).await
}

/// Writes, reads, tries to write over and removes one file before a run, and compares with what the target could do
/// before. The first time, what it can do is remembered in the state folder.
pub async fn preflight(sink: &dyn Sink, state: &Path) -> Result<()> {
    let abilities = tried(sink, 0).await?;
    let mut known = memory(state)?;
    match known.get(sink.identity()) {
        Some(true) if !abilities.create_if_absent => Err(Error::external(format!(
            "{} used to refuse a second version of a name and does not any more",
            sink.identity()
        ))
        .fault_of_client()
        .hint("ask its owner what changed; `outflow doctor` takes the new state as given, and deliveries go on")),
        Some(_) => Ok(()),
        None => {
            known.insert(sink.identity().to_owned(), abilities.create_if_absent);
            remember_all(state, &known)
        }
    }
}

/// Takes what a target can do now as what it has to keep.
pub fn remember(state: &Path, sink: &dyn Sink, abilities: &Abilities) -> Result<()> {
    let mut known = memory(state)?;
    known.insert(sink.identity().to_owned(), abilities.create_if_absent);
    remember_all(state, &known)
}

/// Whether targets, by identity, refused a second version when last asked.
fn memory(state: &Path) -> Result<BTreeMap<String, bool>> {
    let path = state.join(MEMORY);
    let wrong = |why: String| {
        Error::external(format!("`{}` cannot be read: {why}", path.display()))
            .hint("remove it, and run `outflow doctor` to learn anew what targets can do")
    };
    match std::fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text).map_err(|error| wrong(error.to_string())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(wrong(error.to_string())),
    }
}

fn remember_all(state: &Path, known: &BTreeMap<String, bool>) -> Result<()> {
    make_private(state)?;
    let path = state.join(MEMORY);
    let written = || -> std::io::Result<()> {
        let mut new = tempfile::NamedTempFile::new_in(state)?;
        serde_json::to_writer_pretty(&mut new, known)?;
        new.as_file().sync_all()?;
        new.persist(&path)?;
        Ok(())
    };
    written().map_err(|error| Error::external(format!("cannot write `{}`: {error}", path.display())))
}

async fn tried(sink: &dyn Sink, racers: usize) -> Result<Abilities> {
    let folder = tempfile::tempdir()
        .map_err(|error| Error::external(format!("cannot make a temporary folder for the probe: {error}")))?;
    let nonce = uuid::Uuid::now_v7().simple().to_string();
    let probe = Probe { sink, folder, nonce, written: Mutex::default() };
    let abilities = probe.abilities(racers).await;
    let cleaned = probe.clean().await;
    let abilities = abilities?;
    cleaned?;
    Ok(abilities)
}

struct Probe<'a> {
    sink: &'a dyn Sink,
    folder: TempDir,
    nonce: String,
    /// Every file that may be at the target, with its staging name.
    written: Mutex<Vec<(SealedFile, String)>>,
}

impl Probe<'_> {
    async fn abilities(&self, racers: usize) -> Result<Abilities> {
        let first = self.file("a", 0)?;
        let began = Timestamp::now();
        self.write(&first).await?;
        let took = began.duration_until(Timestamp::now());
        if self.sink.compare(&first, Trust::Bytes).await? != Proof::Same {
            return Err(Error::external(format!("{} does not show what was written there", self.sink.identity()))
                .hint("something between here and there changes or delays files; outflow cannot deliver so"));
        }
        let skew = self.sink.modified(&first).await?.map(|at| skew(began, took, at));
        let second = self.file("a", 1)?;
        let refused = matches!(self.put(&second).await?, Put::Taken);
        let unchanged = self.sink.compare(&first, Trust::Bytes).await? == Proof::Same;
        let raced = match self.sink.creates_if_absent() && racers > 0 {
            true => self.race(racers).await?,
            false => self.sink.creates_if_absent(),
        };
        Ok(Abilities {
            create_if_absent: refused && unchanged && raced,
            verified_by: self.sink.verified_by(),
            clock_skew: skew,
            facts: self.sink.facts(),
        })
    }

    /// Whether exactly one of many writers gets a name.
    async fn race(&self, racers: usize) -> Result<bool> {
        let files = (0..racers).map(|racer| self.file("race", racer)).collect::<Result<Vec<_>>>()?;
        let puts = join_all(files.iter().map(|file| self.put(file))).await;
        let mut stored = 0;
        for put in puts {
            stored += usize::from(matches!(put?, Put::Stored));
        }
        let mut shown = 0;
        for file in &files {
            shown += usize::from(self.sink.compare(file, Trust::Bytes).await? == Proof::Same);
        }
        Ok((stored, shown) == (1, 1))
    }

    /// A file of the probe's own. Names are flat, for a folder would stay behind.
    fn file(&self, name: &str, number: usize) -> Result<SealedFile> {
        let body = format!("outflow probe {} {name} {number}\n", self.nonce);
        let spool_path = self.folder.path().join(format!("{name}-{number}"));
        std::fs::write(&spool_path, &body)
            .map_err(|error| Error::external(format!("cannot write `{}`: {error}", spool_path.display())))?;
        Ok(SealedFile {
            ordinal: number as u32,
            role: Role::Data,
            path: format!(".outflow-probe-{}-{name}", self.nonce),
            spool_path,
            rows: 0,
            bytes: body.len() as u64,
            digest: self.sink.digest().of(body.as_bytes()),
            content_type: None,
            metadata: Vec::new(),
            details: "null".to_owned(),
        })
    }

    async fn put(&self, file: &SealedFile) -> Result<Put> {
        let staging = format!("{}-{}.part", file.path, file.ordinal);
        self.written.lock().unwrap_or_else(PoisonError::into_inner).push((file.clone(), staging.clone()));
        self.sink.put(file, &staging, &Quiet).await
    }

    async fn write(&self, file: &SealedFile) -> Result<()> {
        match self.put(file).await? {
            Put::Stored => Ok(()),
            Put::Unknown(error) => match self.sink.compare(file, Trust::Bytes).await? {
                Proof::Same => Ok(()),
                _ => Err(error),
            },
            Put::Taken => Err(Error::external(format!("{} says that a new name is in use", self.sink.identity()))),
            Put::Damaged(why) => Err(Error::internal(why)),
        }
    }

    /// Takes away whatever the probe may have written.
    async fn clean(&self) -> Result<()> {
        let written = std::mem::take(&mut *self.written.lock().unwrap_or_else(PoisonError::into_inner));
        let mut gone: BTreeMap<&str, bool> = BTreeMap::new();
        let mut failed = None;
        for (file, staging) in &written {
            failed = self.sink.sweep(file, staging).await.err().or(failed);
            let gone = gone.entry(&file.path).or_default();
            if !*gone {
                match self.sink.remove(file).await {
                    Ok(proof) => *gone = matches!(proof, Proof::Same | Proof::Absent),
                    Err(error) => failed = Some(error),
                }
            }
        }
        match (failed, gone.iter().find(|(_, gone)| !**gone)) {
            (_, Some((path, _))) => {
                let place = self.sink.target().url(path);
                Err(Error::external(format!("the probe left `{place}` behind, which could not be removed"))
                    .fault_of_client()
                    .hint("the user or key must be allowed to delete; then remove that file"))
            }
            (Some(error), None) => Err(error),
            (None, None) => Ok(()),
        }
    }
}

/// How far the target's clock is ahead. It tells whole seconds, so less than two are none.
fn skew(began: Timestamp, took: SignedDuration, at: Timestamp) -> i64 {
    let after = began.duration_until(at).as_secs();
    match after {
        _ if after < -1 => after,
        _ if after > took.as_secs() + 1 => after - took.as_secs(),
        _ => 0,
    }
}
