//! The target of a simulated history: a map of names to bytes that misbehaves as its seed says, and the observer who
//! looks at it after every write.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use outflow_formats::digest::Algorithm;
use outflow_layout::layout::Target;
use tokio::sync::{Notify, mpsc};

use crate::error::{Error, Result};
use crate::ledger::{SealedFile, SlotState};
use crate::progress::Progress;
use crate::store::{Proof, Put, Sink, Trust};

/// What a history is like; drawn from its seed.
#[derive(Clone, Copy, Debug)]
pub struct Nature {
    /// Its seed.
    pub seed: u64,
    /// A control file follows the data.
    pub control: bool,
    /// Each extraction gives other bytes.
    pub varies: bool,
    /// The target refuses to put a second file under a name.
    pub create_if_absent: bool,
    /// Of a hundred steps at the target, so many go wrong.
    pub trouble: u64,
    /// Somebody else puts a file under one of the names.
    pub foreign: bool,
    /// Files are taken away by their reader: all with the control file, or each at any time where there is none.
    pub reader: bool,
}

impl Nature {
    /// The nature that a seed stands for.
    pub fn of(seed: u64) -> Self {
        let mut state = seed ^ 0x5EED;
        let mut draw = |below| random(&mut state) % below;
        Self {
            seed,
            control: draw(3) > 0,
            varies: draw(2) == 0,
            create_if_absent: draw(3) > 0,
            trouble: [5, 15, 30, 50][draw(4) as usize],
            foreign: draw(20) == 0,
            reader: draw(3) == 0,
        }
    }
}

/// What a process tells whoever plays the history.
#[derive(Debug)]
pub enum Signal {
    /// It died at a step of the target.
    Died,
    /// It stopped at one, and may go on later.
    Froze,
}

/// SplitMix64.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[derive(Default)]
struct State {
    random: u64,
    calm: bool,
    shown: BTreeMap<String, Vec<u8>>,
    /// Every version that a name ever showed.
    versions: BTreeMap<String, BTreeSet<Vec<u8>>>,
    foreign: BTreeSet<String>,
    /// What its reader took.
    taken: BTreeSet<String>,
    /// Names that the ledger knew to have been shown when it was looked at last.
    settled: BTreeSet<String>,
    staging: BTreeSet<String>,
    /// Names that a power cut at the target takes back.
    unpersisted: BTreeSet<String>,
    /// Writes that got stuck on the way and may take effect later.
    late: Vec<(String, Vec<u8>)>,
    /// Names and digests of all that anybody tried to write.
    written: BTreeSet<(String, String)>,
    epoch: i64,
    needs_a_person: bool,
    ended: Option<SlotState>,
}

/// The target as both workers, frozen ones too, see it.
pub struct Shared {
    nature: Nature,
    target: Target,
    /// What the ledger calls it.
    pub identity: String,
    state: Mutex<State>,
}

/// How a step goes.
enum Way {
    Well,
    /// It does not take effect, and says so.
    Refused,
    /// It takes effect, but its answer is lost.
    AnswerLost,
    /// It takes effect later, or never.
    Late,
    /// The target says that the name is in use, though it need not be.
    Conflict,
}

impl Shared {
    /// An empty target.
    pub fn new(nature: Nature) -> Self {
        let identity = format!("sim://{}", nature.seed);
        let target = Target { scheme: "sim".into(), container: nature.seed.to_string(), prefix: String::new() };
        let state = State { random: nature.seed, ..State::default() };
        let shared = Self { nature, target, identity, state: Mutex::new(state) };
        if nature.foreign {
            let mut state = shared.state.lock().unwrap();
            state.needs_a_person = true;
            state.foreign.insert("b.csv".into());
            state.shown.insert("b.csv".into(), b"theirs".to_vec());
        }
        shared
    }

    /// A number below another, by the seed.
    pub fn draw(&self, below: u64) -> u64 {
        random(&mut self.state.lock().unwrap().random) % below
    }

    /// From here on nothing goes wrong.
    pub fn calm(&self) {
        self.state.lock().unwrap().calm = true;
    }

    /// Notes that sealed bytes got lost.
    pub fn may_need_a_person(&self) {
        self.state.lock().unwrap().needs_a_person = true;
    }

    /// Whether it may end with a delivery set aside.
    pub fn needs_a_person(&self) -> bool {
        self.state.lock().unwrap().needs_a_person
    }

    /// Notes how it ended.
    pub fn count(&self, state: SlotState) {
        self.state.lock().unwrap().ended = Some(state);
    }

    /// How it ended.
    pub fn ended(&self) -> SlotState {
        self.state.lock().unwrap().ended.expect("it has ended")
    }

    /// I9: an epoch never goes back.
    pub fn see_epoch(&self, epoch: i64) {
        let mut state = self.state.lock().unwrap();
        assert!(epoch >= state.epoch, "I9: from {} to {epoch} in {:?}", state.epoch, self.nature);
        state.epoch = epoch;
    }

    /// From here on nobody shows these files again.
    pub fn settle(&self, names: impl Iterator<Item = String>) {
        self.state.lock().unwrap().settled.extend(names);
    }

    /// I3: what the ledger says is published is what the target shows, or what its reader took.
    pub fn expect_all(&self, files: &[SealedFile]) {
        let state = self.state.lock().unwrap();
        for file in files {
            let taken = state.versions.get(&file.path).filter(|_| state.taken.contains(&file.path));
            let body = state.shown.get(&file.path).or(taken.and_then(|versions| versions.first()));
            let shown = body.map(|body| digest(body));
            assert_eq!(shown, Some(file.digest.to_string()), "I3: `{}` in {:?}", file.path, self.nature);
        }
        assert!(!state.versions.is_empty());
    }

    /// I7: whatever was written had been sealed.
    pub fn expect_sealed(&self, sealed: &[(String, String)]) {
        for written in &self.state.lock().unwrap().written {
            assert!(sealed.contains(written), "I7: `{}` was not sealed, in {:?}", written.0, self.nature);
        }
    }

    /// The power of the target is cut: of what nobody made last, some is gone.
    pub fn cut(&self) {
        let mut state = self.state.lock().unwrap();
        let state = &mut *state;
        for name in std::mem::take(&mut state.unpersisted) {
            if random(&mut state.random).is_multiple_of(2) {
                state.shown.remove(&name);
            }
        }
        self.watch(state);
    }

    /// Shows bytes under a name, as far as the target's rules allow, and looks at all of it.
    fn show(&self, state: &mut State, name: &str, body: Vec<u8>) -> bool {
        if state.shown.contains_key(name) && self.nature.create_if_absent {
            return false;
        }
        let again = state.settled.contains(name) && !state.shown.contains_key(name);
        assert!(!again, "`{name}` was taken, and came again in {:?}", self.nature);
        assert!(!state.foreign.contains(name), "I8: a file of somebody else was overwritten in {:?}", self.nature);
        state.versions.entry(name.to_owned()).or_default().insert(body.clone());
        if state.shown.insert(name.to_owned(), body).is_none() {
            state.unpersisted.insert(name.to_owned());
        }
        self.watch(state);
        true
    }

    fn watch(&self, state: &State) {
        for (name, versions) in &state.versions {
            assert_eq!(versions.len(), 1, "I1: `{name}` showed {} versions in {:?}", versions.len(), self.nature);
            let body = String::from_utf8_lossy(versions.first().expect("one"));
            let whole = body.starts_with(name.as_str()) && body.lines().count() == 2 && body.ends_with('\n');
            assert!(whole, "I6: `{name}` showed {body:?} in {:?}", self.nature);
        }
        let content = |name: &str| state.shown.get(name).and_then(|body| body.split(|byte| *byte == b'\n').nth(1));
        if let Some(told) = content("control.json") {
            for name in ["a.csv", "b.csv"] {
                assert_eq!(
                    content(name),
                    Some(told),
                    "I2: the control file is there, `{name}` is not, {:?}",
                    self.nature
                );
            }
        }
    }

    /// The reader comes, or not.
    fn visit(&self, state: &mut State) {
        let told = !self.nature.control || state.shown.contains_key("control.json");
        if !self.nature.reader || !told || !random(&mut state.random).is_multiple_of(4) {
            return;
        }
        let most = if self.nature.control { usize::MAX } else { 1 };
        let ours = state.shown.keys().filter(|name| !state.foreign.contains(*name)).take(most);
        for name in ours.cloned().collect::<Vec<_>>() {
            state.shown.remove(&name);
            state.taken.insert(name);
        }
    }

    fn way(&self) -> Way {
        let mut state = self.state.lock().unwrap();
        let state = &mut *state;
        self.visit(state);
        // What got stuck arrives whenever it likes.
        if !state.late.is_empty() && random(&mut state.random).is_multiple_of(3) {
            let (name, body) = state.late.remove(0);
            self.show(state, &name, body);
        }
        if state.calm || random(&mut state.random) % 100 >= self.nature.trouble {
            return Way::Well;
        }
        match random(&mut state.random) % 4 {
            0 => Way::Refused,
            1 => Way::AnswerLost,
            2 => Way::Late,
            _ => Way::Conflict,
        }
    }
}

fn digest(bytes: &[u8]) -> String {
    Algorithm::Sha256.of(bytes).to_string()
}

fn away() -> Error {
    Error::transient("the target does not answer")
}

/// The target as one process sees it.
pub struct SimTarget {
    /// What all see.
    pub shared: Arc<Shared>,
    /// Tells the player how the process is.
    pub tell: mpsc::UnboundedSender<Signal>,
    /// Lets a frozen process go on.
    pub thaw: Arc<Notify>,
    /// The process was frozen once: what it sends since then nobody can fence.
    pub froze: AtomicBool,
}

impl SimTarget {
    /// The process may die before or after any step, or freeze for as long as the history likes.
    async fn moment(&self) {
        let (calm, chance) = {
            let mut state = self.shared.state.lock().unwrap();
            (state.calm, random(&mut state.random) % 100)
        };
        match chance {
            _ if calm => {}
            0..5 => {
                let _ = self.tell.send(Signal::Died);
                std::future::pending::<()>().await;
            }
            5..12 => {
                let thaw = self.thaw.notified();
                self.froze.store(true, Ordering::Relaxed);
                let _ = self.tell.send(Signal::Froze);
                thaw.await;
            }
            _ => {}
        }
    }
}

#[async_trait]
impl Sink for SimTarget {
    fn target(&self) -> &Target {
        &self.shared.target
    }

    fn identity(&self) -> &str {
        &self.shared.identity
    }

    async fn check(&self) -> Result<()> {
        Ok(())
    }

    async fn compare(&self, file: &SealedFile, _: Trust) -> Result<Proof> {
        self.moment().await;
        if !matches!(self.shared.way(), Way::Well | Way::Conflict) {
            return Err(away());
        }
        let state = self.shared.state.lock().unwrap();
        Ok(match state.shown.get(&file.path) {
            None => Proof::Absent,
            Some(body) if digest(body) == file.digest.to_string() => Proof::Same,
            Some(_) => Proof::Different("has other content".into()),
        })
    }

    async fn put(&self, file: &SealedFile, staging: &str, _: &dyn Progress) -> Result<Put> {
        self.moment().await;
        let body = match std::fs::read(&file.spool_path) {
            Ok(body) if digest(&body) == file.digest.to_string() => body,
            Ok(_) => return Ok(Put::Damaged("the spool was altered".into())),
            Err(error) => return Ok(Put::Damaged(error.to_string())),
        };
        self.shared.state.lock().unwrap().written.insert((file.path.clone(), file.digest.to_string()));
        let put = match self.shared.way() {
            Way::Refused => Put::Unknown(away()),
            Way::Conflict => Put::Taken,
            Way::Late => {
                let mut state = self.shared.state.lock().unwrap();
                state.staging.insert(staging.to_owned());
                // What arrives after a reader was there is beyond any protocol.
                if !self.shared.nature.reader {
                    state.late.push((file.path.clone(), body));
                }
                Put::Unknown(away())
            }
            way => {
                let mut state = self.shared.state.lock().unwrap();
                if self.froze.load(Ordering::Relaxed) && state.taken.contains(&file.path) {
                    return Ok(Put::Unknown(away()));
                }
                match self.shared.show(&mut state, &file.path, body) {
                    false => Put::Taken,
                    true if matches!(way, Way::AnswerLost) => Put::Unknown(away()),
                    true => Put::Stored,
                }
            }
        };
        self.moment().await;
        Ok(put)
    }

    async fn persist(&self, files: &[&SealedFile]) -> Result<()> {
        if files.is_empty() {
            return Ok(());
        }
        self.moment().await;
        let way = self.shared.way();
        if !matches!(way, Way::Refused | Way::Late) {
            let mut state = self.shared.state.lock().unwrap();
            state.unpersisted.retain(|name| !files.iter().any(|file| file.path == *name));
        }
        self.moment().await;
        if matches!(way, Way::Well | Way::Conflict) { Ok(()) } else { Err(away()) }
    }

    async fn remove(&self, file: &SealedFile) -> Result<Proof> {
        panic!("I8: nothing in these histories takes `{}` away", file.path)
    }

    async fn sweep(&self, _: &SealedFile, staging: &str) -> Result<()> {
        assert!(staging.starts_with(".outflow-"), "I8: `{staging}` is not ours by name");
        self.shared.state.lock().unwrap().staging.remove(staging);
        Ok(())
    }
}
