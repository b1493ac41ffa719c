//! Runs a golden case: a folder with `pipeline.yaml`, its input, what must be delivered, and what must be rejected.
//! See `tests/golden/README.md`; what a case is to show is said by the tests that call this.

use std::path::PathBuf;

use super::process::{Outcome, Outflow, copy_folder, repository};
use super::tree::difference;

/// A case that was run, in a folder of its own.
pub struct Ran {
    folder: tempfile::TempDir,
    /// What the command said.
    pub outcome: Outcome,
}

impl Ran {
    /// The folder of the pipeline.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// A delivered file.
    pub fn delivered(&self, path: &str) -> PathBuf {
        self.folder.path().join("out").join(path)
    }

    /// The report of the run.
    pub fn report(&self) -> serde_json::Value {
        let text = std::fs::read_to_string(self.folder.path().join("report.json")).expect("a report");
        serde_json::from_str(&text).expect("JSON")
    }
}

/// Runs `tests/golden/<case>` at an instant and compares the sink `out` and the dead-letter file with what the case
/// expects.
#[track_caller]
pub fn check(case: &str, at: &str) -> Ran {
    let case = repository().join("tests/golden").join(case);
    let folder = tempfile::tempdir().expect("a temporary folder");
    copy_folder(&case, folder.path());
    let arguments = ["run", "pipeline.yaml", "--at", at, "--report", "report.json"];
    let outcome = Outflow::in_folder(folder.path()).args(arguments).run().expect_code(0);
    let found = difference(&case.join("expected"), &folder.path().join("out"))
        .or_else(|| crate::runs::rejects(&case, folder.path()));
    assert_eq!(found, None, "{}:\n{}", case.display(), found.as_deref().unwrap_or_default());
    Ran { folder, outcome }
}
