//! What the ledger remembers of a delivery: its slot, its plan, its sealed files, and the states it may pass through.
//! Plain values; the SQL that keeps them is in `slots` and `files`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use outflow_formats::digest::Digest;
use serde::{Deserialize, Serialize};

use crate::source::arrivals::Known;
use crate::window::Watermark;

/// Where a delivery stands. `Published` is never left; `Quarantined` only by a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlotState {
    /// Names, times and counters are drawn.
    Planned,
    /// Every file lies in the spool.
    Spooled,
    /// The manifest is fixed, and with it every byte.
    Sealed,
    /// Data files are being sent.
    Uploading,
    /// Every data file was sent.
    Uploaded,
    /// Every data file was read back and is equal.
    Verified,
    /// Companion files are being sent.
    Publishing,
    /// An answer of the target got lost, and it could not be asked again yet: reading back will tell what is there.
    Unknown,
    /// The target cannot take it for now. A later run goes on, as often as it takes.
    Deferred,
    /// All of it is there and committed.
    Published,
    /// Something at the target is not ours, or ours is damaged: a person has to look.
    Quarantined,
}

impl SlotState {
    /// Every state, in the order a delivery passes through them.
    pub const ALL: [Self; 11] = [
        Self::Planned,
        Self::Spooled,
        Self::Sealed,
        Self::Uploading,
        Self::Uploaded,
        Self::Verified,
        Self::Publishing,
        Self::Unknown,
        Self::Deferred,
        Self::Published,
        Self::Quarantined,
    ];

    /// Its name in the ledger and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Spooled => "spooled",
            Self::Sealed => "sealed",
            Self::Uploading => "uploading",
            Self::Uploaded => "uploaded",
            Self::Verified => "verified",
            Self::Publishing => "publishing",
            Self::Unknown => "unknown",
            Self::Deferred => "deferred",
            Self::Published => "published",
            Self::Quarantined => "quarantined",
        }
    }

    /// The state of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether the bytes are fixed and not yet committed: the delivery must be finished, never started anew.
    pub fn is_pinned(self) -> bool {
        self.is_on_its_way() || self.is_waiting()
    }

    /// Whether it waits for its target. It goes on from `Sealed`, for what the target holds is read back then.
    pub fn is_waiting(self) -> bool {
        matches!(self, Self::Unknown | Self::Deferred)
    }

    fn is_on_its_way(self) -> bool {
        matches!(self, Self::Sealed | Self::Uploading | Self::Uploaded | Self::Verified | Self::Publishing)
    }

    /// Whether a delivery may go from here to `next`.
    /// Going back to `Planned` from a pinned state needs proof that the target holds nothing of it.
    pub fn may_become(self, next: Self) -> bool {
        match (self, next) {
            (Self::Planned | Self::Spooled | Self::Sealed | Self::Uploading, Self::Planned) => true,
            (Self::Planned, Self::Spooled)
            | (Self::Spooled, Self::Sealed)
            | (Self::Sealed, Self::Uploading)
            | (Self::Uploading, Self::Uploaded)
            | (Self::Uploaded, Self::Verified)
            | (Self::Verified, Self::Publishing)
            | (Self::Publishing, Self::Published) => true,
            (state, Self::Unknown | Self::Deferred) => state.is_on_its_way(),
            (state, Self::Sealed) => state.is_waiting(),
            (state, Self::Quarantined) => state.is_pinned(),
            _ => false,
        }
    }
}

impl fmt::Display for SlotState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Identity of a delivery: one publication each, for ever.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SlotKey {
    /// Name of the pipeline.
    pub pipeline: String,
    /// Identity of the sink, as its `identity()` gives it.
    pub target: String,
    /// What is delivered. Example: digest of the input snapshot.
    pub window: String,
}

/// What is drawn once for a slot and reused by every retry. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRecord {
    /// The run that planned it (UUID v7).
    pub run_id: String,
    /// The logical instant, in milliseconds since 1970-01-01T00:00:00Z.
    pub scheduled_ms: i64,
    /// Digest of the pipeline as resolved, secrets left out; of the latest attempt.
    pub config_hash: String,
    /// Digest of the layout's code; of the latest attempt.
    pub layout_digest: String,
    /// Seed of every nonce.
    pub nonce_seed: String,
}

/// How far the numbers of a pipeline's deliveries to a target have come.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LastNumbers {
    /// The last number used of each counter.
    pub values: BTreeMap<String, u64>,
    /// A delivery that holds numbers, and is sealed but not finished.
    pub held_by: Option<i64>,
}

/// Since when a delivery waits for its target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Deferral {
    /// The first time that it failed (RFC 3339).
    pub since: String,
    /// From when on another try makes sense; runs try whenever they are started.
    pub next: String,
    /// Tries so far.
    pub tries: u32,
}

/// How far a file of a delivery has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileState {
    /// In the spool; nothing was sent.
    Sealed,
    /// Being sent, or it was when its process died.
    Sending,
    /// Sent, and the answer got lost.
    Unknown,
    /// The target confirmed it.
    Uploaded,
    /// Read back, and equal.
    Verified,
    /// Its delivery is committed.
    Published,
    /// Taken away when its time was over.
    Retired,
    /// Found to be gone after the target had shown it: its reader has taken it.
    Collected,
}

impl FileState {
    /// Every state, in the order a file passes through them.
    pub const ALL: [Self; 8] = [
        Self::Sealed,
        Self::Sending,
        Self::Unknown,
        Self::Uploaded,
        Self::Verified,
        Self::Published,
        Self::Retired,
        Self::Collected,
    ];

    /// Its name in the ledger and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sealed => "sealed",
            Self::Sending => "sending",
            Self::Unknown => "unknown",
            Self::Uploaded => "uploaded",
            Self::Verified => "verified",
            Self::Published => "published",
            Self::Retired => "retired",
            Self::Collected => "collected",
        }
    }

    /// The state of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether it is proven that the target showed the file: it is never sent again.
    pub fn was_shown(self) -> bool {
        !matches!(self, Self::Sealed | Self::Sending | Self::Unknown)
    }
}

/// A delivery as held by this process. Ledger writes through it fail once another process has taken it over.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Slot {
    /// Row id; names the spool folder.
    pub id: i64,
    /// Its identity.
    pub key: SlotKey,
    /// Where it stands.
    pub state: SlotState,
    /// Grows with each attempt and each recovery.
    pub epoch: i64,
    /// The attempt that writes it; 0 when none does.
    pub attempt: i64,
    /// Its stored plan.
    pub plan: PlanRecord,
    /// Why it is quarantined, or waits.
    pub reason: Option<String>,
    /// Since when it waits for its target, if it does.
    pub deferral: Option<Deferral>,
    /// When it was published (RFC 3339).
    pub published_at: Option<String>,
}

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Rows.
    Data,
    /// A control file, manifest or marker: shown only after all data of the slot is verified.
    Companion,
}

impl Role {
    /// Its name in the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Companion => "companion",
        }
    }
}

/// One sealed file. Never changes after the seal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SealedFile {
    /// Order of publication within the slot, from 0; companions come after all data whatever theirs is.
    pub ordinal: u32,
    /// What it is for.
    pub role: Role,
    /// Final path below the target.
    pub path: String,
    /// Where its bytes lie until published.
    pub spool_path: PathBuf,
    /// Records; 0 for companions.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
    /// Digest of the bytes.
    pub digest: Digest,
    /// Media type.
    pub content_type: Option<String>,
    /// Metadata of the object, where the target keeps any.
    pub metadata: Vec<(String, String)>,
    /// What the layout said of it (dataset, partition, part) as JSON, for reports; `null` where nothing. Text, as a
    /// delivery may have very many files.
    pub details: String,
}

/// Everything a slot publishes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Manifest {
    /// Its files.
    pub files: Vec<SealedFile>,
    /// Counters that the commit sets, by name.
    pub counters: Vec<(String, u64)>,
    /// What the commit remembers for the pipeline and its target, by name.
    pub remembered: Vec<(String, String)>,
    /// What the window saw of the input files, by name; the commit takes it over.
    pub seen: Vec<(String, Known)>,
}

impl Manifest {
    /// Where the next window begins after this delivery, if it moves that.
    pub fn watermark(&self) -> Option<String> {
        let is_mark = |name: &str| name.split(' ').next() == Some(Watermark::NAME);
        let (_, text) = self.remembered.iter().find(|(name, _)| is_mark(name))?;
        serde_json::from_str::<Watermark>(text).ok().map(|mark| mark.position)
    }

    /// The files of a role in order of publication.
    pub fn of(&self, role: Role) -> Vec<&SealedFile> {
        let mut files: Vec<_> = self.files.iter().filter(|file| file.role == role).collect();
        files.sort_by_key(|file| file.ordinal);
        files
    }
}
