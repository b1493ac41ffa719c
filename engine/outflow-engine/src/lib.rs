//! Pipelines: resolve, plan, run, deliver. Nothing connects before `plan`; nothing remote is written before
//! the files are sealed; only the binary prints, exits or reads the environment.

#![cfg_attr(not(feature = "kill-points"), forbid(unsafe_code))]
#![cfg_attr(feature = "kill-points", deny(unsafe_code))]

pub mod breaker;
pub mod check;
pub mod counters;
pub mod dead_letter;
pub mod delivery;
pub mod disk;
pub mod encrypt;
pub mod error;
pub mod extract;
pub mod kill_point;
pub mod lane;
pub mod ledger;
pub mod membership;
pub mod notify;
pub mod operate;
pub mod operator;
pub mod pipeline;
pub mod plan;
pub mod plugin;
pub mod preview;
pub mod progress;
pub mod reject;
pub mod report;
pub mod run;
pub mod source;
pub mod spool;
pub mod store;
pub mod tee;
pub mod transform;
pub mod unseen;
pub mod verify;
pub mod window;
