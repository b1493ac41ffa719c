//! The protocol as a model small enough to look at every state of it: one slot, two workers that may each be frozen,
//! fenced or killed between any two steps, replies that get lost, a ledger that fences and a target that cannot.
//! It shows what makes a publication safe, and that leaving out any one precaution is noticed.

use std::collections::{BTreeSet, HashSet, VecDeque};

use crate::ledger::SlotState::{self, Planned, Published, Publishing, Sealed, Spooled, Uploading, Verified};

/// How the protocol is played.
#[derive(Clone, Copy, Debug)]
struct Rules {
    /// The target refuses to put a second object under a name.
    create_if_absent: bool,
    /// The seal fixes the bytes: whoever takes over publishes the same ones.
    pinned: bool,
    /// The data file's name tells its content; else every attempt uses the same name.
    named_by_content: bool,
    /// A control file comes after the data; else the data file alone is the publication.
    control: bool,
    /// Looks at the target before sending.
    read_back: bool,
    /// Compares the data with what was sealed, right before the control file is shown.
    verify: bool,
    /// Mutant: commits to the ledger before anything is sent.
    commit_first: bool,
    /// Mutant: shows the control file before the data.
    control_first: bool,
    /// Mutant: takes "already exists" for success, whatever the target shows.
    conflict_is_success: bool,
    /// Mutant: takes a lost answer for a failure, and removes what it had sent.
    removes_after_unknown: bool,
}

const SAFE: Rules = Rules {
    create_if_absent: true,
    pinned: true,
    named_by_content: true,
    control: true,
    read_back: true,
    verify: true,
    commit_first: false,
    control_first: false,
    conflict_is_success: false,
    removes_after_unknown: false,
};

/// Extractions that differ in content; enough for each crash to make another one.
const CONTENTS: usize = 4;
const CRASHES: u8 = 2;

/// What a worker does next is told by the state that it believes the slot to be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Worker {
    at: SlotState,
    /// Whether it holds the lease. It does not notice that it lost it, but the ledger does.
    holds: bool,
    content: u8,
}

const IDLE: Worker = Worker { at: Planned, holds: false, content: 0 };

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    workers: [Worker; 2],
    /// The content that the ledger says is published; 0 for none.
    published: u8,
    /// Content of the latest manifest; 0 for none.
    sealed: u8,
    /// Content by name of data file; name 0 is the one that all contents share.
    data: [u8; CONTENTS + 1],
    /// Name and content that the control file tells; content 0 when there is none.
    control: (u8, u8),
    /// Every publication that somebody who watches could have seen.
    seen: BTreeSet<(u8, u8)>,
    crashes: u8,
}

impl World {
    fn broken(&self, rules: &Rules) -> Option<&'static str> {
        let (name, told) = self.control;
        let shown = if rules.control { told } else { self.data[0] };
        if self.seen.len() > 1 {
            return Some("I1: two different publications");
        }
        if rules.control && told != 0 && self.data[usize::from(name)] != told {
            return Some("I2: a control file without its data");
        }
        if self.published != 0 && shown != self.published {
            return Some("I3: the ledger says published, the target does not agree");
        }
        let over = self.workers.iter().all(|worker| worker.at == Published);
        (over && (shown == 0 || self.published == 0)).then_some("I4: over, and nothing is published")
    }

    /// After a step of worker `who`: notes what can be seen now.
    fn then(mut self, who: usize, worker: Worker, rules: &Rules) -> Self {
        self.workers[who] = worker;
        match (rules.control, self.control, self.data[0]) {
            (true, (name, told), _) if told != 0 => drop(self.seen.insert((told, self.data[usize::from(name)]))),
            (false, _, shown) if shown != 0 => drop(self.seen.insert((shown, shown))),
            _ => {}
        }
        self
    }

    /// Everything that worker `who` may do next.
    fn steps(&self, who: usize, rules: &Rules) -> Vec<Self> {
        let me = self.workers[who];
        let to = |at: SlotState, content: u8| Worker { at, content, ..me };
        let go = |worker: Worker| self.clone().then(who, worker, rules);
        let name = if rules.named_by_content && rules.control { me.content } else { 0 };
        let sent = if rules.control { Verified } else { Publishing };
        match me.at {
            Planned => {
                let mut world = self.clone();
                world.workers[1 - who].holds = false;
                let at = if self.published == 0 { Spooled } else { Published };
                world.workers[who] = Worker { at, holds: true, content: 0 };
                vec![world]
            }
            Spooled if !me.holds => vec![go(IDLE)],
            Spooled if rules.pinned && self.sealed != 0 => vec![go(to(Sealed, self.sealed))],
            Spooled if usize::from(self.sealed) < CONTENTS => {
                let mut world = go(to(Sealed, self.sealed + 1));
                world.sealed += 1;
                vec![world]
            }
            Sealed if rules.read_back && rules.control && self.control.1 != 0 => {
                vec![go(to(Publishing, self.control.1))]
            }
            Sealed if rules.read_back && !rules.control && self.data[0] != 0 => vec![go(to(Publishing, self.data[0]))],
            Sealed if rules.commit_first => vec![go(to(Publishing, me.content))],
            Sealed if rules.control_first => vec![go(to(Verified, me.content))],
            Sealed => vec![go(to(Uploading, me.content))],
            Uploading if rules.create_if_absent && self.data[usize::from(name)] != 0 => {
                vec![go(to(sent, self.data[usize::from(name)]))]
            }
            Uploading => {
                let mut world = self.clone();
                world.data[usize::from(name)] = me.content;
                let after = if rules.control_first { Publishing } else { sent };
                let after = if rules.commit_first && !rules.control { Published } else { after };
                vec![world.then(who, to(after, me.content), rules)]
            }
            Verified if rules.create_if_absent && self.control.1 != 0 => vec![go(to(Publishing, self.control.1))],
            Verified => self.show_control(who, name, rules),
            Publishing if !me.holds => vec![go(IDLE)],
            Publishing => {
                let at = if rules.commit_first && self.published == 0 { Uploading } else { Published };
                let mut world = go(to(at, me.content));
                if world.published == 0 {
                    world.published = me.content;
                }
                vec![world]
            }
            _ => vec![],
        }
    }

    fn show_control(&self, who: usize, name: u8, rules: &Rules) -> Vec<Self> {
        let me = self.workers[who];
        let mut next = vec![];
        if rules.conflict_is_success {
            next.push(self.clone().then(who, Worker { at: Publishing, ..me }, rules));
        }
        if rules.removes_after_unknown {
            let mut world = self.clone();
            world.control = (name, me.content);
            world.data[usize::from(name)] = 0;
            next.push(world.then(who, IDLE, rules));
        }
        if rules.verify && !rules.control_first && self.data[usize::from(name)] != me.content {
            next.push(self.clone().then(who, IDLE, rules));
            return next;
        }
        let mut world = self.clone();
        world.control = (name, me.content);
        let after = match (rules.commit_first, rules.control_first) {
            (true, _) => Published,
            (_, true) => Uploading,
            _ => Publishing,
        };
        next.push(world.then(who, Worker { at: after, ..me }, rules));
        next
    }
}

/// Looks at every world that can come about; how many there are, and what was found broken.
fn explore(rules: &Rules) -> (usize, BTreeSet<&'static str>) {
    let start = World {
        workers: [IDLE; 2],
        published: 0,
        sealed: 0,
        data: [0; CONTENTS + 1],
        control: (0, 0),
        seen: BTreeSet::new(),
        crashes: CRASHES,
    };
    let mut known = HashSet::from([start.clone()]);
    let mut queue = VecDeque::from([start]);
    let mut broken = BTreeSet::new();
    while let Some(world) = queue.pop_front() {
        broken.extend(world.broken(rules));
        for who in [0, 1] {
            for next in world.steps(who, rules) {
                // The worker dies right after the step took effect, before it learns so: a lost answer is the same.
                let died = (world.crashes > 0).then(|| {
                    let mut died = next.clone();
                    died.workers[who] = IDLE;
                    died.crashes -= 1;
                    died
                });
                for next in [Some(next), died].into_iter().flatten() {
                    if known.insert(next.clone()) {
                        queue.push_back(next);
                    }
                }
            }
        }
    }
    (known.len(), broken)
}

/// Publication is safe exactly when the target creates only what is absent, or the bytes are pinned before it is written.
#[test]
fn either_precaution_suffices_and_one_is_needed() {
    let mut looked_at = 0;
    for control in [true, false] {
        for named_by_content in if control { vec![false, true] } else { vec![false] } {
            for (create_if_absent, pinned) in [(true, true), (true, false), (false, true), (false, false)] {
                let rules = Rules { create_if_absent, pinned, named_by_content, control, ..SAFE };
                let (worlds, broken) = explore(&rules);
                assert!(worlds > 100, "{rules:?}: {worlds} worlds");
                assert_eq!(broken.is_empty(), create_if_absent || pinned, "{rules:?}: {broken:?}");
                looked_at += 1;
            }
        }
    }
    assert_eq!(looked_at, 12);
}

/// Each precaution of the protocol is there for a reason.
#[test]
fn every_mutant_is_caught() {
    let bare = Rules { create_if_absent: false, pinned: false, read_back: false, ..SAFE };
    for (name, rules) in [
        ("the ledger commits before the upload", Rules { commit_first: true, ..SAFE }),
        ("the control file comes first", Rules { control_first: true, ..SAFE }),
        ("overwrites blindly", bare),
        ("overwrites blindly, a fixed name, no verification", Rules { named_by_content: false, verify: false, ..bare }),
        ("another extraction after a crash", Rules { create_if_absent: false, pinned: false, ..SAFE }),
        ("already exists is taken for success", Rules { conflict_is_success: true, ..SAFE }),
        ("an unknown outcome is cleaned up after", Rules { removes_after_unknown: true, ..SAFE }),
        ("the same, where names are refused twice", Rules { removes_after_unknown: true, pinned: false, ..SAFE }),
    ] {
        assert!(!explore(&rules).1.is_empty(), "{name}: not caught");
    }
}

/// What the model does, the code may do: each step it takes leads along the states that a slot may pass through.
#[test]
fn the_model_moves_as_slots_may() {
    let order = [Spooled, Sealed, Uploading, SlotState::Uploaded, Verified, Publishing, Published];
    assert!(Planned.may_become(Spooled));
    for pair in order.windows(2) {
        assert!(pair[0].may_become(pair[1]), "{} to {}", pair[0], pair[1]);
    }
    for at in [Uploading, Verified, Publishing] {
        assert!(!at.may_become(Spooled), "pinned bytes stay pinned");
        assert!(at.may_become(SlotState::Unknown) && SlotState::Unknown.may_become(Sealed), "after a lost answer");
    }
}
