//! Readers that take files away: right after publication, before anything was read back, or too early.

use std::sync::Mutex;

use async_trait::async_trait;
use outflow_layout::layout::Target;

use super::*;
use crate::error::Error;
use crate::ledger::FileFilter;
use crate::progress::Progress;
use crate::store::Put;

/// What a reader takes, and when.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Takes {
    /// Nothing.
    Nothing,
    /// Every file as soon as it is there.
    Each,
    /// Everything, as soon as the control file is there.
    AllWithControl,
    /// Data, and it does not wait for the control file.
    DataEarly,
}

/// A target whose reader is always faster than the read-back.
struct Visited {
    inner: Arc<dyn Sink>,
    takes: Takes,
    /// The answer to the control file gets lost.
    loses_answer: bool,
    sent: Mutex<Vec<SealedFile>>,
}

impl Visited {
    fn new(inner: Arc<dyn Sink>, takes: Takes, loses_answer: bool) -> Arc<Self> {
        Arc::new(Self { inner, takes, loses_answer, sent: Mutex::default() })
    }

    /// What was sent, in no order: data goes several at a time.
    fn sent(&self) -> Vec<String> {
        let mut sent: Vec<_> = self.sent.lock().unwrap().iter().map(|file| file.path.clone()).collect();
        sent.sort();
        sent
    }
}

#[async_trait]
impl Sink for Visited {
    fn target(&self) -> &Target {
        self.inner.target()
    }

    fn identity(&self) -> &str {
        self.inner.identity()
    }

    async fn check(&self) -> Result<()> {
        self.inner.check().await
    }

    async fn compare(&self, file: &SealedFile, trust: Trust) -> Result<Proof> {
        self.inner.compare(file, trust).await
    }

    async fn put(&self, file: &SealedFile, staging: &str, progress: &dyn Progress) -> Result<Put> {
        let put = self.inner.put(file, staging, progress).await?;
        self.sent.lock().unwrap().push(file.clone());
        let is_control = file.role == Role::Companion;
        let taken = match self.takes {
            Takes::Each => vec![file.clone()],
            Takes::AllWithControl if is_control => self.sent.lock().unwrap().clone(),
            Takes::DataEarly if !is_control => vec![file.clone()],
            _ => vec![],
        };
        for file in taken {
            self.inner.remove(&file).await?;
        }
        Ok(if is_control && self.loses_answer { Put::Unknown(Error::transient("no answer")) } else { put })
    }

    async fn persist(&self, files: &[&SealedFile]) -> Result<()> {
        self.inner.persist(files).await
    }

    async fn sweep(&self, file: &SealedFile, staging: &str) -> Result<()> {
        self.inner.sweep(file, staging).await
    }

    async fn remove(&self, file: &SealedFile) -> Result<Proof> {
        self.inner.remove(file).await
    }
}

async fn states(ledger: &Ledger) -> Vec<FileState> {
    ledger.files(&FileFilter::default()).await.unwrap().into_iter().map(|record| record.progress).collect()
}

/// The sinks of a world, without the store that forbids every removal.
fn sinks(world: &World) -> [Arc<dyn Sink>; 2] {
    [Arc::new(Bucket::new(world.store.clone(), "acme", "p", None).unwrap().with_part(9)), world.folder_sink()]
}

/// F51: whoever takes files away before they are read back has them; they count as delivered and never come twice.
#[tokio::test]
async fn f51_what_its_reader_took_is_not_sent_again() {
    use FileState::{Collected, Published};
    for (files, takes, loses_answer, ends) in [
        (2, Takes::Each, false, vec![Collected, Collected]),
        (3, Takes::AllWithControl, false, vec![Published, Published, Collected]),
        (3, Takes::AllWithControl, true, vec![Published, Published, Collected]),
    ] {
        for number in [0, 1] {
            let world = World::new().await;
            let visited = Visited::new(sinks(&world)[number].clone(), takes, loses_answer);
            let mut slot =
                prepare_some(&world.ledger, &world.state(), visited.as_ref(), "r1", &FILES[..files]).await.unwrap();
            let published = publish(&world.ledger, visited.as_ref(), &world.state(), &mut slot, &Quiet).await.unwrap();
            let collected = ends.iter().filter(|state| **state == Collected).count() as u64;
            assert_eq!((slot.state, published.collected), (SlotState::Published, collected), "{takes:?}");
            assert!(published.warning().unwrap().contains("reader has taken them"));
            let sink: Arc<dyn Sink> = visited.clone();
            run(&world.ledger, &world.state(), &sink, "r2").await.unwrap();
            assert_eq!(states(&world.ledger).await, ends, "{takes:?}");
            assert_eq!(visited.sent(), FILES[..files].iter().map(|(path, _)| *path).collect::<Vec<_>>(), "{takes:?}");
        }
    }
}

/// F51: data that is gone before its control file is there may have been read, and may not: nothing comes twice, no
/// control file speaks of it, a person looks.
#[tokio::test]
async fn f51_data_taken_before_its_control_file_waits_for_a_person() {
    for number in [0, 1] {
        let world = World::new().await;
        let visited = Visited::new(sinks(&world)[number].clone(), Takes::DataEarly, false);
        let sink: Arc<dyn Sink> = visited.clone();
        let error = run(&world.ledger, &world.state(), &sink, "r1").await.unwrap_err();
        assert!(error.to_string().contains("`day/a.csv` was at the target and is gone before"), "{error}");
        let slot = run(&world.ledger, &world.state(), &sink, "r2").await.unwrap();
        assert_eq!(slot.state, SlotState::Quarantined);
        assert_eq!(visited.sent(), ["day/a.csv", "day/b.csv"]);
    }
}

/// F51: a process dies with files at the target, and before the next one looks their reader has been there. What the
/// ledger knows to have been shown is not sent again; of the rest nobody can know, and it is.
#[tokio::test]
async fn f51_a_reader_comes_while_no_process_looks() {
    use FileState::{Collected, Published, Sending, Unknown, Uploaded, Verified};
    let gone_for_good = [
        (2, vec![Uploaded, Uploaded], vec![], vec![Collected, Collected]),
        (2, vec![Verified, Sending], vec!["day/b.csv"], vec![Collected, Published]),
        (3, vec![Verified, Verified, Uploaded], vec![], vec![Collected; 3]),
        // Nobody takes all data without its control file.
        (3, vec![Verified, Verified, Unknown], vec![], vec![Collected; 3]),
        (3, vec![Verified, Verified, Sending], vec![], vec![Collected; 3]),
    ];
    for (files, reached, sent, ends) in gone_for_good {
        let world = World::new().await;
        let visited = Visited::new(world.folder_sink(), Takes::Nothing, false);
        let slot = prepare_some(&world.ledger, &world.state(), visited.as_ref(), "r1", &FILES[..files]).await.unwrap();
        let marks: Vec<_> = (0..).zip(reached.iter().copied()).collect();
        world.ledger.mark_files(&slot, &marks).await.unwrap();
        let sink: Arc<dyn Sink> = visited.clone();
        let recovery = recover(&world.ledger, std::slice::from_ref(&sink), &world.state(), "p", &Quiet).await.unwrap();
        assert_eq!(recovery.published.len(), 1, "{reached:?}: {recovery:?}");
        assert_eq!(
            (visited.sent(), states(&world.ledger).await),
            (sent.iter().map(ToString::to_string).collect(), ends)
        );
    }
}
