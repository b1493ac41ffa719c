//! Numbers without gaps for the names of files: drawn as files are opened, and kept by the ledger only once their
//! delivery is committed. Nothing is remembered here beyond one attempt.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use outflow_layout::layout::{Counter, CounterScope, Output};

use crate::error::{Error, Result};
use crate::ledger::LastNumbers;

/// The numbers that one attempt draws.
#[derive(Debug, Default)]
pub struct Counters {
    last: BTreeMap<String, u64>,
    drawn: Mutex<BTreeMap<String, u64>>,
}

/// The numbers that the files of one output draw.
#[derive(Debug)]
pub struct OutputCounters {
    counters: Arc<Counters>,
    asked: Vec<Counter>,
    /// Their names in the ledger.
    keys: Vec<String>,
}

impl Counters {
    /// Counters for outputs that go on from what the ledger knows. Refuses while a delivery that holds numbers of its
    /// own is neither finished nor given up, for its numbers would be drawn twice.
    pub fn for_outputs(last: &LastNumbers, outputs: &[Output]) -> Result<Arc<Self>> {
        let mut known: BTreeMap<String, (&Output, &Counter)> = BTreeMap::new();
        for output in outputs {
            for (index, counter) in output.counters.iter().enumerate() {
                if output.counters[..index].iter().any(|other| other.name == counter.name) {
                    return Err(wrong(output, counter, "is asked for twice"));
                }
                let (_, other) = known.entry(key(output, counter)).or_insert((output, counter));
                if *other != counter {
                    return Err(wrong(output, counter, "differs in scope or first value from that of another output"));
                }
            }
        }
        match last.held_by {
            Some(slot) if !known.is_empty() => Err(Error::transient(format!(
                "delivery {slot} of this pipeline is sealed but not finished, and its files are numbered; the next \
                 numbers are free once it is"
            ))
            .hint("put right what keeps it from its target, and run again: that finishes it first")),
            _ => Ok(Arc::new(Self { last: last.values.clone(), drawn: Mutex::default() })),
        }
    }

    /// What an output asks for.
    pub fn of(self: &Arc<Self>, output: &Output) -> OutputCounters {
        let keys = output.counters.iter().map(|counter| key(output, counter)).collect();
        OutputCounters { counters: self.clone(), asked: output.counters.clone(), keys }
    }

    /// The last number drawn of each counter that was drawn at all, for the ledger.
    pub fn drawn(&self) -> Vec<(String, u64)> {
        let drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        drawn.iter().map(|(key, value)| (key.clone(), *value)).collect()
    }
}

impl OutputCounters {
    /// The numbers of the file that is opened now.
    pub fn next_file(&self) -> Vec<(String, u64)> {
        let mut drawn = self.counters.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        let number = |(counter, key): (&Counter, &String)| {
            let next = || self.counters.last.get(key).map_or(counter.first, |last| last.saturating_add(1));
            let value = match (drawn.get(key), counter.scope) {
                (Some(value), CounterScope::Run | CounterScope::Output) => *value,
                (Some(value), CounterScope::File) => value.saturating_add(1),
                (None, _) => next(),
            };
            drawn.insert(key.clone(), value);
            (counter.name.clone(), value)
        };
        self.asked.iter().zip(&self.keys).map(number).collect()
    }
}

/// The counter's name in the ledger, which no two counters share.
fn key(output: &Output, counter: &Counter) -> String {
    match counter.scope {
        CounterScope::Run => serde_json::json!([counter.name]).to_string(),
        CounterScope::Output | CounterScope::File => serde_json::json!([output.dataset, counter.name]).to_string(),
    }
}

fn wrong(output: &Output, counter: &Counter, how: &str) -> Error {
    Error::user(format!("layout output `{}`: the counter `{}` {how}", output.dataset, counter.name))
}
