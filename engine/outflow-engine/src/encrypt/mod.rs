//! Encryption of data files, after they are complete and before they are sealed. A file streams through in bounded
//! memory; what is known of it afterwards, size and digest, is that of the encrypted file.

mod keys;

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use outflow_formats::digest::{Algorithm, Digest, Digester};
use outflow_spec::delivery::{EncryptSpec, PgpExtension, PgpSpec};
use pgp::composed::{ArmorOptions, MessageBuilder};
use pgp::crypto::sym::SymmetricKeyAlgorithm;
use rand::rngs::OsRng;

use crate::error::{Error, Result};
use crate::pipeline::Pipeline;
use crate::spool::SpooledFile;
use keys::{Recipient, Signer};

/// Media type of encrypted files.
const MEDIA_TYPE: &str = "application/pgp-encrypted";

/// Files encrypted at the same time.
const AT_ONCE: usize = 4;

/// What encrypts the files of a pipeline, with its keys checked.
#[derive(Debug)]
pub struct Encryption {
    recipients: Vec<Recipient>,
    signer: Option<Signer>,
    armor: bool,
    extension: PgpExtension,
}

/// Something wrong with a key, and where in the pipeline file.
#[derive(Debug)]
pub struct KeyProblem {
    /// JSON pointer into the pipeline file.
    pub pointer: String,
    /// What is wrong, and what to do.
    pub error: Error,
}

impl Encryption {
    /// The encryption that a pipeline asks for; the keys must be good at this instant.
    pub fn of(pipeline: &Pipeline, now: Timestamp) -> Result<Option<Arc<Self>>> {
        let Some(EncryptSpec::Pgp(spec)) = &pipeline.spec.delivery.encrypt else { return Ok(None) };
        Self::open(spec, &pipeline.base, now)
            .map(|open| Some(Arc::new(open)))
            .map_err(|mut problems| problems.swap_remove(0).error)
    }

    /// Reads and checks the keys; every problem at once. `base` is the folder that paths start at.
    pub fn open(spec: &PgpSpec, base: &Path, now: Timestamp) -> Result<Self, Vec<KeyProblem>> {
        let at = "/delivery/encrypt/pgp";
        let mut problems = Vec::new();
        let mut recipients = Vec::new();
        for (index, written) in spec.keys.iter().enumerate() {
            match keys::recipient(written, base, now) {
                Ok(recipient) => recipients.push(recipient),
                Err(error) => problems.push(KeyProblem { pointer: format!("{at}/keys/{index}"), error }),
            }
        }
        let signer = match spec.sign.as_ref().map(|sign| keys::signer(sign, now)).transpose() {
            Ok(signer) => signer,
            Err(error) => {
                problems.push(KeyProblem { pointer: format!("{at}/sign/key"), error });
                None
            }
        };
        match problems.is_empty() {
            true => Ok(Self { recipients, signer, armor: spec.armor, extension: spec.extension }),
            false => Err(problems),
        }
    }

    /// Puts encrypted files in the place of these; those are removed. Their order stays.
    pub async fn apply(self: &Arc<Self>, files: Vec<SpooledFile>) -> Result<Vec<SpooledFile>> {
        let work = files.into_iter().map(|file| {
            let encryption = self.clone();
            async move {
                let done = tokio::task::spawn_blocking(move || encryption.file(file)).await;
                done.map_err(|cause| Error::internal("a thread that encrypts stopped").caused_by(cause))?
            }
        });
        let work = work.collect::<Vec<_>>();
        futures::stream::iter(work).buffered(AT_ONCE).try_collect().await
    }

    /// Gives files the names they have once encrypted.
    pub fn rename(&self, files: &mut [SpooledFile]) {
        for name in files.iter_mut().flat_map(|file| &mut file.parts).map(|part| &mut part.name) {
            match self.extension {
                PgpExtension::Pgp => name.path += ".pgp",
                PgpExtension::Gpg => name.path += ".gpg",
                PgpExtension::Asc => name.path += ".asc",
                PgpExtension::None => {}
            }
            name.content_type = Some(MEDIA_TYPE.to_owned());
        }
    }

    fn file(&self, mut file: SpooledFile) -> Result<SpooledFile> {
        let encrypted = beside(&file.path);
        let algorithm = file.algorithm();
        let (bytes, digest) = self.stream(&file.path, &encrypted, algorithm)?;
        std::fs::remove_file(&file.path).map_err(|cause| disk(&file.path, &cause))?;
        file.path = encrypted;
        for part in &mut file.parts {
            part.facts.bytes = bytes;
            part.facts.digest.clone_from(&digest);
        }
        self.rename(std::slice::from_mut(&mut file));
        Ok(file)
    }

    /// Encrypts one file into another; gives the size and digest of what it wrote.
    fn stream(&self, from: &Path, to: &Path, algorithm: Algorithm) -> Result<(u64, Digest)> {
        let failed = |cause: pgp::errors::Error| {
            Error::transient(format!("encrypting `{}`: {cause}", from.display()))
                .hint("check the disk of the state folder")
        };
        let plain = BufReader::with_capacity(1 << 16, File::open(from).map_err(|cause| disk(from, &cause))?);
        let file = File::create_new(to).map_err(|cause| disk(to, &cause))?;
        let out = BufWriter::with_capacity(1 << 16, file);
        let mut out = Digesting { out, digester: Digester::new(algorithm), bytes: 0 };
        let mut message = MessageBuilder::from_reader("", plain).seipd_v1(OsRng, SymmetricKeyAlgorithm::AES256);
        for recipient in &self.recipients {
            recipient.receive(&mut message).map_err(failed)?;
        }
        if let Some(signer) = &self.signer {
            signer.sign(&mut message);
        }
        match self.armor {
            true => message.to_armored_writer(OsRng, ArmorOptions::default(), &mut out),
            false => message.to_writer(OsRng, &mut out),
        }
        .map_err(failed)?;
        out.flush().map_err(|cause| disk(to, &cause))?;
        Ok((out.bytes, out.digester.finish()))
    }
}

/// Where the encrypted file lies, beside the plain one.
fn beside(plain: &Path) -> PathBuf {
    let mut name = plain.file_name().unwrap_or_default().to_owned();
    name.push(".pgp");
    plain.with_file_name(name)
}

fn disk(path: &Path, cause: &io::Error) -> Error {
    Error::transient(format!("the spool file `{}`: {cause}", path.display())).hint("check the disk of the state folder")
}

/// Counts and hashes what passes.
struct Digesting<W> {
    out: W,
    digester: Digester,
    bytes: u64,
}

impl<W: Write> Write for Digesting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.digester.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
