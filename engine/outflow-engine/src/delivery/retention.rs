//! Taking away delivered files whose time is over: only what the ledger says was published here, and only while the
//! target shows those very bytes. Control files go before the data they speak of, so that none is ever left without.
//! Nothing here fails a run; what could not be done is tried again by the next.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::error::{Error, Result};
use crate::ledger::{Expired, Fate, Ledger, Role};
use crate::store::{Proof, Sink};

/// Files that are told one by one.
const NAMED: usize = 5;

/// What was done.
#[derive(Debug, Default)]
pub struct Retired {
    /// Files taken away.
    pub removed: u64,
    /// Files that were gone already.
    pub collected: u64,
    /// What is to be told.
    pub warnings: Vec<String>,
}

/// Takes away what a pipeline published at a target before an instant.
pub async fn retire(ledger: &Ledger, sink: &dyn Sink, pipeline: &str, before: Timestamp) -> Result<Retired> {
    let mut deliveries: BTreeMap<i64, Vec<Expired>> = BTreeMap::new();
    for file in ledger.expired(pipeline, sink.identity(), before).await? {
        deliveries.entry(file.slot).or_default().push(file);
    }
    let mut retired = Retired::default();
    let mut foreign = Vec::new();
    for mut files in deliveries.into_values() {
        // The last published goes first: control files, from the end, then the data.
        files.sort_by_key(|expired| (expired.file.role == Role::Data, std::cmp::Reverse(expired.file.ordinal)));
        if let Err(error) = delivery(ledger, sink, &files, &mut retired, &mut foreign).await {
            retired.warnings.push(format!("files whose time is over could not be taken away: {error}"));
            break;
        }
    }
    for told in foreign.iter().take(NAMED) {
        retired.warnings.push(format!("a file whose time is over is left as it is: {told}"));
    }
    if foreign.len() > NAMED {
        retired.warnings.push(format!("and {} more files are left as they are", foreign.len() - NAMED));
    }
    Ok(retired)
}

/// One delivery. Where a control file is not ours to remove, the data stays too: somebody may go by that file.
async fn delivery(
    ledger: &Ledger,
    sink: &dyn Sink,
    files: &[Expired],
    retired: &mut Retired,
    foreign: &mut Vec<String>,
) -> Result<(), Error> {
    for Expired { slot, file } in files {
        let fate = match sink.remove(file).await? {
            Proof::Same => Fate::Retired,
            Proof::Absent => Fate::Collected,
            Proof::Different(how) => {
                foreign.push(format!("`{}` {how}", file.path));
                if file.role == Role::Companion {
                    return Ok(());
                }
                continue;
            }
        };
        ledger.note_fate(*slot, file.ordinal, fate).await?;
        match fate {
            Fate::Retired => retired.removed += 1,
            Fate::Collected => retired.collected += 1,
        }
    }
    Ok(())
}
