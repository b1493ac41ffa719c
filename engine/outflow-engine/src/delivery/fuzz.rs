//! Recovery on what any bytes make of a ledger, a spool and a target: a delivery that died in any state, with files on
//! either side whole, cut, changed, missing or foreign. Whatever is found, what is not ours is left as it is, a final
//! name has the sealed bytes or none of ours, and doing it again changes nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use outflow_formats::digest::Algorithm;

use super::{recover, seal};
use crate::ledger::{
    FileState, Ledger, Manifest, PlanRecord, Role, SealedFile, Slot, SlotKey, SlotState, spool_folder,
};
use crate::progress::Quiet;
use crate::store::{Folder, Sink};

#[cfg(test)]
mod tests;

/// Final names and what is sealed for them; the last is a companion.
const FILES: [(&str, &str); 3] =
    [("day/a.csv", "a,b\n1,2\n"), ("day/b.csv", "a,b\n3,4\n5,6\n"), ("day/control.json", "{\"files\":2}")];

/// What a dead run may have reached.
const REACHED: [SlotState; 7] = [
    SlotState::Planned,
    SlotState::Spooled,
    SlotState::Sealed,
    SlotState::Uploading,
    SlotState::Uploaded,
    SlotState::Verified,
    SlotState::Publishing,
];

/// Recovers a world made of bytes. Without a runtime or a disk there is nothing to find out.
pub fn run(bytes: &[u8]) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    let Ok(folder) = tempfile::tempdir() else { return };
    runtime.block_on(async {
        let state = folder.path().join("state");
        let ledger = Ledger::open(None, &state).await.expect("a new ledger opens");
        let target = folder.path().join("out");
        fs::create_dir_all(&target).expect("the folder can be made");
        let sink: Arc<dyn Sink> = Arc::new(Folder::new(&target, "out").expect("a folder that is there"));
        let mut bytes = bytes.iter().copied();
        let mut byte = || bytes.next().unwrap_or_default();
        let reached = REACHED[usize::from(byte()) % REACHED.len()];
        let (mut slot, spool) = died_at(reached, &ledger, &state, sink.as_ref()).await;
        for (number, (path, body)) in FILES.iter().enumerate() {
            disturb(&target.join(path), body, byte());
            if let Some(spool) = &spool {
                disturb_spooled(&spool.join(number.to_string()), body, byte());
            }
        }
        let before = below(&target);
        for _ in 0..2 {
            let _ = recover(&ledger, std::slice::from_ref(&sink), &state, "p", &Quiet).await;
            slot = ledger.slot_by_id(slot.id).await.expect("the ledger answers").expect("no slot is removed");
            check(&before, &target, &slot, &collected(&ledger, &slot).await);
        }
        let once = below(&target);
        let _ = recover(&ledger, std::slice::from_ref(&sink), &state, "p", &Quiet).await;
        assert_eq!(below(&target), once, "a further recovery changes the target");
        ledger.close().await;
    });
}

/// A slot in a state, with its spool where there is one.
async fn died_at(
    reached: SlotState,
    ledger: &Ledger,
    state: &Path,
    sink: &dyn Sink,
) -> (Slot, Option<std::path::PathBuf>) {
    let key = SlotKey { pipeline: "p".into(), target: sink.identity().into(), window: "w".into() };
    let text = String::new;
    let plan = PlanRecord {
        run_id: "r".into(),
        scheduled_ms: 0,
        config_hash: text(),
        layout_digest: text(),
        nonce_seed: text(),
    };
    let mut slot = ledger.plan(&key, &plan, "r").await.expect("a new slot is planned");
    if reached == SlotState::Planned {
        return (slot, None);
    }
    let spool = spool_folder(state, &slot);
    fs::create_dir_all(&spool).expect("the spool can be made");
    let files = FILES.iter().zip(0..).map(|((path, body), ordinal)| sealed(&spool, ordinal, path, body)).collect();
    ledger.spooled(&mut slot).await.expect("a planned slot is spooled");
    if reached != SlotState::Spooled {
        let manifest = Manifest { files, counters: Vec::new(), remembered: Vec::new(), seen: Vec::new() };
        seal(ledger, state, &mut slot, &manifest).await.expect("a spooled slot is sealed");
        for next in REACHED.into_iter().skip_while(|next| *next != SlotState::Uploading) {
            if slot.state == reached {
                break;
            }
            ledger.transition(&mut slot, next).await.expect("states follow one another");
            ledger.mark_files(&slot, marks(next)).await.expect("files of the slot are marked");
        }
    }
    (slot, Some(spool))
}

/// What is noted of the files when a slot has just got to a state.
fn marks(state: SlotState) -> &'static [(u32, FileState)] {
    match state {
        SlotState::Uploading => &[(0, FileState::Sending), (1, FileState::Sending)],
        SlotState::Uploaded => &[(0, FileState::Uploaded), (1, FileState::Uploaded)],
        SlotState::Verified => &[(0, FileState::Verified), (1, FileState::Verified)],
        SlotState::Publishing => &[(2, FileState::Sending)],
        _ => &[],
    }
}

fn sealed(spool: &Path, ordinal: u32, path: &str, body: &str) -> SealedFile {
    let spool_path = spool.join(ordinal.to_string());
    fs::write(&spool_path, body).expect("the spool can be written");
    SealedFile {
        ordinal,
        role: if path.ends_with(".json") { Role::Companion } else { Role::Data },
        path: path.into(),
        spool_path,
        rows: 1,
        bytes: body.len() as u64,
        digest: Algorithm::Sha256.of(body.as_bytes()),
        content_type: None,
        metadata: Vec::new(),
        details: "null".to_owned(),
    }
}

/// Makes of a final name what somebody may have left there.
fn disturb(path: &Path, body: &str, how: u8) {
    let folder = path.parent().expect("every name has a folder");
    let write = |bytes: &[u8]| fs::create_dir_all(folder).and_then(|()| fs::write(path, bytes));
    let done = match how % 7 {
        1 => write(body.as_bytes()),
        2 => write(b"somebody else's"),
        3 => write(&body.as_bytes()[..body.len() / 2]),
        4 => write(b""),
        5 => fs::create_dir_all(path),
        6 => write(&[body.as_bytes(), b"\n"].concat()),
        _ => Ok(()),
    };
    done.expect("the target can be written");
}

/// Makes of a spooled file what a disk may have left of it.
fn disturb_spooled(path: &Path, body: &str, how: u8) {
    let done = match how % 6 {
        1 => fs::remove_file(path),
        2 => fs::write(path, &body.as_bytes()[..body.len() / 2]),
        3 => fs::write(path, body.replace('1', "7")),
        4 => fs::write(path, [body, body].concat()),
        _ => Ok(()),
    };
    done.expect("the spool can be written");
}

/// Every file below a folder; folders with their name alone.
fn below(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(next) = waiting.pop() {
        for path in fs::read_dir(next).into_iter().flatten().flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                waiting.push(path);
            } else {
                found.insert(path.to_string_lossy().into_owned(), fs::read(&path).expect("a file of the target"));
            }
        }
    }
    found
}

/// Files that their reader took, as the ledger has it.
async fn collected(ledger: &Ledger, slot: &Slot) -> Vec<u32> {
    let states = ledger.file_states(slot).await.expect("the ledger answers");
    states.into_iter().filter(|(_, state)| *state == FileState::Collected).map(|(ordinal, _)| ordinal).collect()
}

fn check(before: &BTreeMap<String, Vec<u8>>, target: &Path, slot: &Slot, collected: &[u32]) {
    let now = below(target);
    for (path, bytes) in before {
        assert_eq!(now.get(path), Some(bytes), "`{path}` was there, and is not as it was");
    }
    for ((path, body), ordinal) in FILES.into_iter().zip(0..) {
        let path = target.join(path).to_string_lossy().into_owned();
        if !before.contains_key(&path) {
            assert!(now.get(&path).is_none_or(|bytes| bytes == body.as_bytes()), "`{path}` has a version of its own");
        }
        if slot.state == SlotState::Published && !collected.contains(&ordinal) {
            assert_eq!(now.get(&path).map(Vec::as_slice), Some(body.as_bytes()), "published without `{path}`");
        }
    }
    let control = target.join(FILES[2].0).to_string_lossy().into_owned();
    if now.contains_key(&control) && !before.contains_key(&control) {
        let data = FILES[..2].iter().all(|(path, body)| {
            now.get(&*target.join(path).to_string_lossy()).is_some_and(|bytes| bytes == body.as_bytes())
        });
        assert!(data, "the companion is there before its data");
    }
}
