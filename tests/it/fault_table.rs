//! Every fault that delivery is to survive is named by the tests that inject it, or open with a reason; the table of
//! both, `tests/FAULTS.md`, is written from the tests themselves. `BLESS=1` rewrites it.

use std::collections::BTreeMap;
use std::path::Path;

use crate::support::process::repository as root;
use crate::tidy::sources;

/// The faults, with what goes wrong in each.
const FAULTS: [(u32, &str); 63] = [
    (1, "the process is killed at any step"),
    (2, "the process is killed at a random moment"),
    (3, "the process is killed at any system call that writes"),
    (4, "the process is killed while it recovers"),
    (5, "the process is asked to end in the middle of a run"),
    (6, "a worker sleeps past its lease and wakes up"),
    (7, "two workers begin the same delivery"),
    (8, "the database of the ledger restarts in a transaction"),
    (9, "the log of the SQLite ledger is cut short"),
    (10, "a bit of the SQLite ledger flips"),
    (11, "the ledger is an old copy of itself"),
    (12, "the ledger is gone"),
    (13, "two processes share a state folder"),
    (14, "the disk of the spool is full"),
    (15, "the disk of the ledger is full"),
    (16, "forcing a file to disk fails"),
    (17, "a write is short or interrupted"),
    (18, "the state folder cannot be written, or handles run out"),
    (19, "memory is capped while thousands of partitions are written"),
    (20, "a spooled file is altered before it is sent"),
    (21, "the answer of a write that landed is lost"),
    (22, "a write lands, its answer is a failure, its repetition is refused"),
    (23, "the target says a free name is taken"),
    (24, "a foreign file has the name of a control file"),
    (25, "the target ignores conditions"),
    (26, "the target keeps other bytes than were sent"),
    (27, "a part of an upload fails, or the upload expires"),
    (28, "completing an upload answers success with an error inside"),
    (29, "credentials are withdrawn in the middle of a run"),
    (30, "the bucket is missing, elsewhere, or the request is refused"),
    (31, "the target asks to slow down"),
    (32, "the listing of the target is stale"),
    (33, "the clock differs from the target's"),
    (34, "the clock jumps"),
    (35, "the connection is reset at any byte"),
    (36, "the link is very slow, or stalls"),
    (37, "packets vanish, or the name does not resolve"),
    (38, "a byte is changed on the way"),
    (39, "the SFTP connection is cut in the middle of a file"),
    (40, "the disk of the SFTP server is full"),
    (41, "the SFTP connection is cut after the rename"),
    (42, "the final name exists, with equal or other bytes"),
    (43, "the SFTP server lacks extensions"),
    (44, "the SFTP host key is unknown or has changed"),
    (45, "the SFTP server stops answering"),
    (46, "the SFTP server refuses the folder or the name"),
    (47, "the FTPS server demands session reuse"),
    (48, "an FTPS transfer is cut short"),
    (49, "the FTPS certificate is wrong, or encryption is refused"),
    (50, "the FTPS server names a foreign address for data"),
    (51, "the reader takes a file away at once"),
    (52, "the reader overwrites a published file"),
    (53, "a row is committed late with an older cursor"),
    (54, "many rows share a timestamp at a window's edge"),
    (55, "rows change while they are read, or the source restarts"),
    (56, "columns of the source change between or within windows"),
    (57, "local time has gaps, overlaps and skipped days"),
    (58, "nothing ran for days"),
    (59, "a backfill runs beside the live pipeline"),
    (60, "the pipeline or a plugin changes between a crash and its recovery"),
    (61, "a plugin traps, loops, hoards memory or answers nonsense"),
    (62, "a plugin answers differently each time"),
    (66, "an archive outgrows 4 GiB or 65,535 entries, or its writer dies"),
];

/// Faults that no test injects yet, and why.
const OPEN: [(u32, &str); 0] = [];

#[test]
fn every_fault_is_named_by_a_test_or_open() {
    let named = named();
    let wrong = FAULTS.iter().filter_map(|&(fault, _)| {
        match (named.contains_key(&fault), OPEN.iter().any(|&(open, _)| open == fault)) {
            (false, false) => Some(format!("no test names F{fault:02}")),
            (true, true) => Some(format!("F{fault:02} is open, and a test names it")),
            _ => None,
        }
    });
    let wrong = wrong.collect::<Vec<_>>();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_of_faults_is_fresh() {
    let (path, table) = (root().join("tests/FAULTS.md"), table(&named()));
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &table).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, table, "tests/FAULTS.md is not what the tests say: run them with BLESS=1");
}

fn table(named: &BTreeMap<u32, Vec<String>>) -> String {
    let row = |&(fault, what): &(u32, &str)| {
        let shown = match named.get(&fault) {
            Some(tests) => tests.join("<br>"),
            None => OPEN.iter().find(|&&(open, _)| open == fault).map_or("", |(_, why)| why).to_owned(),
        };
        format!("| F{fault:02} | {what} | {shown} |\n")
    };
    let rows = FAULTS.iter().map(row).collect::<String>();
    format!(
        "# Faults\n\nWritten from the tests by `BLESS=1 cargo test --workspace --test it -- fault_table`. Each test injects \
         the fault and checks\nwhat a delivery promises under it.\n\n\
         | fault | what goes wrong | shown by |\n|---|---|---|\n{rows}"
    )
}

/// Tests by the faults that the comment above them names.
fn named() -> BTreeMap<u32, Vec<String>> {
    let mut named: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for path in sources() {
        let text = std::fs::read_to_string(&path).unwrap();
        let path = path.strip_prefix(root()).unwrap().to_owned();
        for (fault, test) in in_source(&text) {
            named.entry(fault).or_default().push(format!("`{test}` ({})", shown(&path)));
        }
    }
    named
}

/// Where a test is, without what every path has.
fn shown(path: &Path) -> String {
    let text = path.with_extension("").display().to_string();
    text.replace("tests/it/", "").replace("engine/outflow-", "").replace("/src/", "/").replace("/tests", "")
}

/// Faults with the tests of a source that name them, with a capital in the comment above or with a small letter as the
/// beginning of the function's name.
fn in_source(text: &str) -> Vec<(u32, String)> {
    let (mut found, mut above) = (Vec::new(), Vec::new());
    for line in text.lines().map(str::trim_start) {
        if let Some(comment) = line.strip_prefix("///") {
            above.extend(numbers(comment));
        } else if let Some((_, rest)) = line.split_once("fn ").filter(|(before, _)| above_test(before)) {
            let name = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
            above.extend(name.split('_').next().and_then(|word| numbers(&word.to_uppercase()).pop()));
            above.sort_unstable();
            above.dedup();
            found.extend(above.drain(..).map(|fault| (fault, name.clone())));
        } else if !line.starts_with('#') {
            above.clear();
        }
    }
    found
}

fn above_test(before: &str) -> bool {
    matches!(before, "" | "async " | "pub " | "pub async ")
}

fn numbers(comment: &str) -> Vec<u32> {
    let words = comment.split(|c: char| !c.is_ascii_alphanumeric());
    let number = |word: &str| word.strip_prefix('F').filter(|digits| digits.len() == 2)?.parse().ok();
    words.filter_map(number).collect()
}

#[test]
fn faults_are_read_from_the_comment_above_a_test() {
    assert_eq!(in_source("#[test]\nfn f31_slow() {"), [(31, "f31_slow".to_owned())]);
    let text = "/// F01, F04 in small: more\n/// F20\n#[tokio::test]\nasync fn one() {\n// F99\nfn two() {}\n/// F05\nlet x;\nfn three() {";
    let one = |fault| (fault, "one".to_owned());
    assert_eq!(in_source(text), [one(1), one(4), one(20)]);
    assert_eq!(numbers("FF00, F2, F123, F21–F28"), [21, 28]);
}
