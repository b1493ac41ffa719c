//! Replays what the fuzzers kept, so that no finding comes back. New files of `tests/fuzz/corpus` take part by being
//! there. What plugins answer is replayed beside the code that checks it, in outflow-layout.

use std::fs;
use std::path::PathBuf;

use crate::fuzz;
use crate::support::process::repository;

fn corpus(target: &str) -> Vec<PathBuf> {
    let folder = repository().join("tests/fuzz/corpus").join(target);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files
}

/// A target and what it does with bytes.
type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 4] = [
    ("csv", fuzz::csv::run),
    ("jsonl", fuzz::jsonl::run),
    ("names", fuzz::names::run),
    ("pipeline", fuzz::pipeline::run),
];

#[test]
#[allow(clippy::print_stdout, reason = "names the file that a panic is about")]
fn the_kept_corpus_finds_nothing() {
    for (target, run) in TARGETS {
        for file in corpus(target) {
            println!("{}", file.display());
            run(&fs::read(&file).unwrap());
        }
    }
}

/// A seeded slice of what the fuzzers do for hours: kept files with bytes changed, doubled, moved and cut.
#[test]
#[allow(clippy::print_stdout, reason = "shows the bytes that a panic is about")]
fn changes_of_the_kept_corpus_find_nothing() {
    let rounds: u64 = std::env::var("FUZZ_ROUNDS").ok().map_or(60, |rounds| rounds.parse().unwrap());
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut draw = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize % below.max(1)
    };
    for (target, run) in TARGETS {
        let files: Vec<_> = corpus(target).iter().map(|file| fs::read(file).unwrap()).collect();
        for file in &files {
            for _ in 0..rounds {
                let mut bytes = file.clone();
                for _ in 0..=draw(4) {
                    change(&mut bytes, &files, &mut draw);
                }
                println!("{target} {:?}", String::from_utf8_lossy(&bytes));
                run(&bytes);
            }
        }
    }
}

fn change(bytes: &mut Vec<u8>, files: &[Vec<u8>], draw: &mut impl FnMut(usize) -> usize) {
    const TELLING: &[u8] = b"\"'\\,;\t|\r\n{}[]:#&*!%$~ \x00\x1f\x7f\xc3\xa9\xffu0eE-.<";
    let at = draw(bytes.len() + 1);
    match draw(6) {
        0 => bytes.insert(at, TELLING[draw(TELLING.len())]),
        1 if at < bytes.len() => bytes[at] = TELLING[draw(TELLING.len())],
        2 if at < bytes.len() => bytes[at] ^= 1 << draw(8),
        3 => bytes.truncate(at),
        4 => {
            let other = &files[draw(files.len())];
            let from = draw(other.len() + 1);
            let piece = other[from..].iter().take(draw(40)).copied().collect::<Vec<_>>();
            bytes.splice(at..at, piece);
        }
        _ => {
            let end = (at + draw(20)).min(bytes.len());
            let piece = bytes[at..end].to_vec();
            bytes.splice(at..at, piece);
        }
    }
}

/// Each target is a binary of the fuzz workspace and has a corpus.
#[test]
fn every_target_has_a_corpus() {
    let manifest = fs::read_to_string(repository().join("tests/fuzz/Cargo.toml")).unwrap();
    let names = manifest.split("[[bin]]").skip(1).map(|part| part.split('"').nth(1).unwrap());
    let names: Vec<&str> = names.collect();
    assert!(names.len() >= 5, "{names:?}");
    names.into_iter().for_each(|name| drop(corpus(name)));
}
