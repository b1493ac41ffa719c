//! A target of which nothing is believed: whatever it notes of a file, every byte of it is read back.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use outflow_formats::digest::Algorithm;
use outflow_layout::layout::Target;

use super::{Proof, Put, Sink, Trust};
use crate::error::Result;
use crate::ledger::SealedFile;
use crate::progress::Progress;

/// See the module.
pub struct ReadBack(pub Arc<dyn Sink>);

#[async_trait]
impl Sink for ReadBack {
    fn target(&self) -> &Target {
        self.0.target()
    }

    fn identity(&self) -> &str {
        self.0.identity()
    }

    fn files_at_once(&self) -> usize {
        self.0.files_at_once()
    }

    async fn check(&self) -> Result<()> {
        self.0.check().await
    }

    async fn compare(&self, file: &SealedFile, _: Trust) -> Result<Proof> {
        self.0.compare(file, Trust::Bytes).await
    }

    async fn put(&self, file: &SealedFile, staging: &str, progress: &dyn Progress) -> Result<Put> {
        self.0.put(file, staging, progress).await
    }

    async fn persist(&self, files: &[&SealedFile]) -> Result<()> {
        self.0.persist(files).await
    }

    async fn sweep(&self, file: &SealedFile, staging: &str) -> Result<()> {
        self.0.sweep(file, staging).await
    }

    async fn remove(&self, file: &SealedFile) -> Result<Proof> {
        self.0.remove(file).await
    }

    fn digest(&self) -> Algorithm {
        self.0.digest()
    }

    fn creates_if_absent(&self) -> bool {
        self.0.creates_if_absent()
    }

    async fn modified(&self, file: &SealedFile) -> Result<Option<Timestamp>> {
        self.0.modified(file).await
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        self.0.facts()
    }
}
