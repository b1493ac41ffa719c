//! Keys: who may read, and who signs. A key is believed only where its own signatures bind its parts together, and
//! only while it is neither expired nor revoked. What somebody else signed of it does not matter here.

use std::io::{Cursor, Read};
use std::path::Path;

use jiff::Timestamp;
use outflow_spec::delivery::PgpSignSpec;
use outflow_spec::secret::Secret;
use pgp::composed::{
    Deserializable, EncryptionSeipdV1, MessageBuilder, PublicOrSecret, SignedPublicKey, SignedPublicSubKey,
    SignedSecretKey,
};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{PublicKey, PublicSubkey, Signature, SignatureType};
use pgp::types::{KeyDetails, Password, SigningKey, Tag};
use rand::rngs::OsRng;

use crate::error::{Error, Result};

/// The part of a public key that files are encrypted for.
#[derive(Debug)]
pub enum Recipient {
    /// A part made for encryption.
    Subkey(PublicSubkey),
    /// The key itself, where it is made for that.
    Primary(PublicKey),
}

impl Recipient {
    /// Lets this recipient read the message.
    pub fn receive<R: Read>(&self, message: &mut MessageBuilder<'_, R, EncryptionSeipdV1>) -> pgp::errors::Result<()> {
        match self {
            Self::Subkey(key) => message.encrypt_to_key(OsRng, key).map(drop),
            Self::Primary(key) => message.encrypt_to_key(OsRng, key).map(drop),
        }
    }
}

/// Reads a public key, written as a file's name or as the key itself, and finds the part to encrypt for.
pub fn recipient(written: &str, base: &Path, now: Timestamp) -> Result<Recipient> {
    let inline = written.trim_start().starts_with("-----BEGIN PGP");
    let (what, bytes) = match inline {
        true => ("the public key".to_owned(), written.trim_start().as_bytes().to_vec()),
        false => {
            let path = base.join(written);
            let bytes = std::fs::read(&path).map_err(|cause| {
                Error::user(format!("the public key `{written}` cannot be read: {cause}"))
                    .hint("name a file, relative to the pipeline file, or give the armored key itself")
            })?;
            (format!("the public key `{written}`"), bytes)
        }
    };
    let unreadable =
        || Error::user(format!("{what} is no OpenPGP key")).hint("export it with `gpg --armor --export RECIPIENT`");
    let (mut keys, _) = PublicOrSecret::from_reader_many(Cursor::new(&bytes)).map_err(|_| unreadable())?;
    let key = keys.next().ok_or_else(unreadable)?.map_err(|_| unreadable())?;
    if keys.next().is_some() {
        return Err(Error::user(format!("{what} holds several keys")).hint("give each key a file of its own"));
    }
    let key = match key {
        PublicOrSecret::Public(key) => key,
        PublicOrSecret::Secret(_) => {
            return Err(Error::user(format!("{what} is a private key")).hint(
                "encryption takes the public key alone; whoever sent the private one should replace the key, and the \
                 file should go",
            ));
        }
    };
    usable(&key, now).map_err(|why| {
        Error::user(format!("{what} ({}) {why}", id(&key.primary_key)))
            .hint("ask its owner for a key that is valid and can encrypt")
    })
}

fn id(key: &impl KeyDetails) -> String {
    key.legacy_key_id().to_string().to_uppercase()
}

/// The newest part of a key that may encrypt now, or why there is none.
fn usable(key: &SignedPublicKey, now: Timestamp) -> Result<Recipient, String> {
    let primary = &key.primary_key;
    if key.details.revocation_signatures.iter().any(|revocation| revocation.verify_key(primary).is_ok()) {
        return Err("is revoked".to_owned());
    }
    // The key's own word on itself: the newest of what it says of its user ids, or directly.
    let of_users = key.details.users.iter().flat_map(|user| {
        let own = |signature: &&Signature| {
            signature.is_certification() && signature.verify_certification(primary, Tag::UserId, &user.id).is_ok()
        };
        user.signatures.iter().filter(own)
    });
    let direct = key.details.direct_signatures.iter().filter(|signature| signature.verify_key(primary).is_ok());
    let own = of_users.chain(direct).max_by_key(|signature| signature.created());
    let Some(own) = own else { return Err("is not signed by itself, so nothing it says can be believed".to_owned()) };
    if let Some(end) = expired(primary, own, now) {
        return Err(format!("expired on {end}"));
    }
    let mut why = "has no part for encryption".to_owned();
    let mut found: Option<(&SignedPublicSubKey, &Signature)> = None;
    for subkey in &key.public_subkeys {
        let valid = |signature: &&Signature| signature.verify_subkey_binding(primary, &subkey.key).is_ok();
        let of_type =
            |typ| subkey.signatures.iter().filter(move |signature| signature.typ() == Some(typ)).filter(valid);
        let binding = of_type(SignatureType::SubkeyBinding).max_by_key(|signature| signature.created());
        let Some(binding) = binding.filter(|binding| encrypts(binding)) else { continue };
        if !subkey.key.algorithm().can_encrypt() {
            continue;
        }
        if of_type(SignatureType::SubkeyRevocation).next().is_some() {
            why = "has a part for encryption, but it is revoked".to_owned();
        } else if let Some(end) = expired(&subkey.key, binding, now) {
            why = format!("has a part for encryption, but it expired on {end}");
        } else if found.is_none_or(|(_, newest)| newest.created() < binding.created()) {
            found = Some((subkey, binding));
        }
    }
    match found {
        Some((subkey, _)) => Ok(Recipient::Subkey(subkey.key.clone())),
        None if encrypts(own) && primary.algorithm().can_encrypt() => Ok(Recipient::Primary(primary.clone())),
        None => Err(why),
    }
}

fn encrypts(signature: &Signature) -> bool {
    let flags = signature.key_flags();
    flags.encrypt_comms() || flags.encrypt_storage()
}

/// When a key ended, if it has.
fn expired(key: &impl KeyDetails, signature: &Signature, now: Timestamp) -> Option<Timestamp> {
    let lasts = std::time::Duration::from(signature.key_expiration_time()?);
    if lasts.is_zero() {
        return None;
    }
    let end = Timestamp::try_from(std::time::SystemTime::from(key.created_at()) + lasts).ok()?;
    (end <= now).then_some(end)
}

/// The key that signs. It never prints.
pub struct Signer {
    key: SignedSecretKey,
    /// Which of its parts signs; none for the key itself.
    subkey: Option<usize>,
    passphrase: Option<Secret>,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[signer]")
    }
}

impl Signer {
    /// Signs what the message will hold.
    pub fn sign<'a, R: Read>(&'a self, message: &mut MessageBuilder<'a, R, EncryptionSeipdV1>) {
        let key = self.part();
        message.sign(key, self.password(), key.hash_alg());
    }

    fn password(&self) -> Password {
        self.passphrase.as_ref().map_or_else(Password::empty, |passphrase| Password::from(passphrase.reveal()))
    }

    fn part(&self) -> &dyn SigningKey {
        match self.subkey {
            Some(index) => &self.key.secret_subkeys[index].key,
            None => &self.key.primary_key,
        }
    }
}

/// Reads the private key that signs and makes sure that its passphrase opens it. Neither is ever shown.
pub fn signer(spec: &PgpSignSpec, now: Timestamp) -> Result<Signer> {
    let wrong = |why: &str, hint: &str| Error::user(format!("the key that signs {why}")).hint(hint);
    let export = "export it with `gpg --armor --export-secret-keys SENDER`";
    let (key, _) = SignedSecretKey::from_string(spec.key.reveal().trim_start())
        .map_err(|_| wrong("is no private OpenPGP key", export))?;
    let public = SignedPublicKey::from(key.clone());
    let valid = |subkey: &SignedPublicSubKey| {
        let binding = |signature: &&Signature| {
            signature.key_flags().sign() && signature.verify_subkey_binding(&public.primary_key, &subkey.key).is_ok()
        };
        let newest = subkey.signatures.iter().filter(binding).max_by_key(|signature| signature.created());
        newest.is_some_and(|newest| expired(&subkey.key, newest, now).is_none())
    };
    let signs = |id| public.public_subkeys.iter().any(|subkey| subkey.key.fingerprint() == id && valid(subkey));
    let subkey = key.secret_subkeys.iter().position(|subkey| signs(subkey.key.fingerprint()));
    let signer = Signer { key, subkey, passphrase: spec.passphrase.clone() };
    let part = signer.part();
    if !part.algorithm().can_sign() {
        return Err(wrong("cannot sign", "choose a key with a part for signatures"));
    }
    part.sign(&signer.password(), HashAlgorithm::Sha256, &[0; 32]).map_err(|_| {
        wrong("is not opened by its passphrase", "check `passphrase`; leave it out for a key that has none")
    })?;
    Ok(signer)
}
