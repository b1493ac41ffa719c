//! Codes of the OF5 family: plugins from files.

use crate::codes::{CodeDoc, RaisedBy, Severity};

/// Plugin is not pinned.
pub static OF501: CodeDoc = CodeDoc {
    code: "OF501",
    title: "plugin is not pinned",
    severity: Severity::Error,
    raised_by: RaisedBy::Engine,
    explanation: "A plugin is a program that somebody else may replace. It runs only if the SHA-256 of its file is \
        written in the pipeline, or in `outflow.lock` beside it. Nothing of it is run before.",
    bad: "transforms:
  - plugin: {component: ./normalise.wasm}
",
    good: "transforms:
  - plugin: {component: ./normalise.wasm, sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855}
",
};

/// Plugin has changed.
pub static OF502: CodeDoc = CodeDoc {
    code: "OF502",
    title: "plugin has changed",
    severity: Severity::Error,
    raised_by: RaisedBy::Engine,
    explanation: "The file is not the one that was pinned. Put the old one back, or look at what has changed and pin \
        the new digest.",
    bad: "transforms:
  - plugin: {component: ./normalise.wasm, sha256: 0000000000000000000000000000000000000000000000000000000000000000}
",
    good: "transforms:
  - plugin: {component: ./normalise.wasm, sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855}
",
};

/// Plugin cannot be used.
pub static OF503: CodeDoc = CodeDoc {
    code: "OF503",
    title: "plugin cannot be used",
    severity: Severity::Error,
    raised_by: RaisedBy::Engine,
    explanation: "The file is not there, is no WebAssembly component, is built for another version of the plugin \
        interface, is a layout where a transform is wanted, or refuses its options or the columns of the rows. \
        `outflow plugin inspect` tells what a file is.",
    bad: "layout:
  plugin: {component: ./nowhere.wasm}
",
    good: "layout:
  plugin: {component: ./acme.wasm}
",
};

/// Layout does not stay with its answers.
pub static OF504: CodeDoc = CodeDoc {
    code: "OF504",
    title: "layout does not stay with its answers",
    severity: Severity::Warning,
    raised_by: RaisedBy::Engine,
    explanation: "`lint --twice` asked the layout the same twice, and its outputs or the names of files came out \
        otherwise: a plugin that counts calls, or names files by what it keeps in memory. A delivery is safe, for a run \
        asks once and the seal pins the answers. But a window that is made again, after a crash before its seal or \
        by `files redeliver`, gets other names than the first time. Names and outputs should follow from the options, \
        the run and the rows alone.",
    bad: "layout:
  plugin: {component: ./counts-calls.wasm}
",
    good: "layout:
  plugin: {component: ./names-by-nonce.wasm}
",
};
