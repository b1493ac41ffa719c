//! The integration tests, one binary. Cases are files beside this folder; `BLESS=1` rewrites what they expect.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bench;
mod bombs;
mod changes;
mod clouds;
mod connections;
mod consumers;
mod contracts;
mod days;
mod doctor;
mod drain;
mod encrypt;
mod fault_table;
mod faults;
mod faults_machine;
mod fixtures;
mod ftps;
#[path = "../fuzz/src/lib.rs"]
mod fuzz;
mod fuzz_corpus;
mod golden_actito;
mod golden_apsis;
mod golden_customerio;
mod golden_references;
mod golden_sailthru;
mod golden_simon;
mod init;
mod kill;
mod lint;
mod matrix;
mod notices;
mod plugin_kit;
mod plugins;
mod postgres;
mod proxy;
mod readers;
mod readme;
mod requirements;
mod run;
mod runs;
mod s3;
mod s3_faults;
mod secrets;
mod sftp;
mod sinks;
mod supply_chain;
mod support;
mod tidy;
mod upstream_columns;
mod windows;
mod workers;
