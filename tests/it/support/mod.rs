//! What the tests lean on: processes with a bounded life, S3 servers, a Python with its packages.
//! Nothing here knows what outflow should do; the tests say that.

// Each module serves several tests, and not every build of them uses all of it.
#![allow(dead_code)]

pub mod azurite;
pub mod console;
pub mod ftp_script;
pub mod golden;
pub mod kits;
pub mod listener;
pub mod mail;
pub mod moto;
pub mod poller;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod python;
pub mod sshd;
pub mod strict_s3;
pub mod tree;
pub mod vsftpd;
