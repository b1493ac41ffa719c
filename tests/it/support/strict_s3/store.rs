//! Buckets, objects and multipart uploads in memory, behind one lock, so that a condition and the write that
//! depends on it are one step. Bytes reach it only after their checksums were found right.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use s3s::crypto::{Checksum as _, Md5, Sha256};
use s3s::dto::{ETag, ETagCondition};
use s3s::{S3Error, S3Result, s3_error};

/// Bytes that all objects and parts together may take.
const MOST_BYTES: u64 = 512 << 20;
/// Smallest part but the last, as AWS has it.
const SMALLEST_PART: usize = 5 << 20;

/// An object, or the promise of one while its parts arrive.
#[derive(Clone, Debug, Default)]
pub struct Object {
    /// Its bytes.
    pub bytes: Bytes,
    /// Entity tag without quotes.
    pub etag: String,
    /// Media type.
    pub content_type: Option<String>,
    /// Content encoding.
    pub content_encoding: Option<String>,
    /// User metadata.
    pub metadata: BTreeMap<String, String>,
    /// SHA-256 in base64 as the client gave it; with `-N` after a multipart upload.
    pub checksum_sha256: Option<String>,
    /// When it became visible; none for an upload that is not complete.
    pub modified: Option<SystemTime>,
    /// How many objects became visible before it.
    pub order: usize,
}

/// A part of a multipart upload.
#[derive(Clone, Debug)]
pub struct UploadedPart {
    /// Its bytes.
    pub bytes: Bytes,
    /// Entity tag without quotes.
    pub etag: String,
    /// SHA-256 in base64 as the client gave it.
    pub checksum_sha256: Option<String>,
}

/// A multipart upload under way.
#[derive(Clone, Debug)]
pub struct Upload {
    /// Bucket of the object.
    pub bucket: String,
    /// Key of the object.
    pub key: String,
    /// What the object will be, without its bytes.
    pub object: Object,
    /// Parts by number.
    pub parts: BTreeMap<i32, UploadedPart>,
}

/// What a client says of a part when it completes an upload.
pub struct Claim {
    /// Number of the part.
    pub number: i32,
    /// Entity tag that the server gave.
    pub etag: Option<ETag>,
    /// SHA-256 in base64.
    pub checksum_sha256: Option<String>,
}

/// Conditions of a write.
#[derive(Clone, Debug, Default)]
pub struct Condition {
    /// `If-Match`.
    pub matches: Option<ETagCondition>,
    /// `If-None-Match`.
    pub none_matches: Option<ETagCondition>,
}

#[derive(Default)]
struct State {
    buckets: BTreeMap<String, BTreeMap<String, Object>>,
    uploads: BTreeMap<String, Upload>,
    visible: usize,
    uploads_made: usize,
    /// Of objects whose key contains this, a byte is kept wrongly.
    spoils: Option<String>,
}

/// Everything a server holds.
#[derive(Default)]
pub struct Store {
    state: Mutex<State>,
}

impl Store {
    /// A store with these empty buckets.
    pub fn with_buckets(names: &[&str]) -> Self {
        let store = Self::default();
        for name in names {
            store.hold().buckets.insert((*name).to_owned(), BTreeMap::new());
        }
        store
    }

    fn hold(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The visible objects of a bucket by key; none of them when there is no such bucket.
    pub fn objects(&self, bucket: &str) -> BTreeMap<String, Object> {
        self.hold().buckets.get(bucket).cloned().unwrap_or_default()
    }

    /// Puts an object there as a third party would, without any check.
    pub fn plant(&self, bucket: &str, key: &str, bytes: &[u8]) {
        let object =
            Object { bytes: Bytes::copy_from_slice(bytes), etag: hex(Md5::checksum(bytes)), ..Object::default() };
        let mut state = self.hold();
        state.buckets.entry(bucket.to_owned()).or_default();
        state.publish(bucket, key, object);
    }

    /// From here on keeps another byte than it was sent, of every object whose key contains a text; size and metadata
    /// are right.
    pub fn spoil(&self, key: &str) {
        self.hold().spoils = Some(key.to_owned());
    }

    /// The names of the buckets.
    pub fn buckets(&self) -> Vec<String> {
        self.hold().buckets.keys().cloned().collect()
    }

    /// Makes a bucket.
    pub fn create_bucket(&self, name: &str) -> S3Result<()> {
        let mut state = self.hold();
        if state.buckets.contains_key(name) {
            return Err(s3_error!(BucketAlreadyOwnedByYou));
        }
        state.buckets.insert(name.to_owned(), BTreeMap::new());
        Ok(())
    }

    /// Fails unless the bucket is there.
    pub fn require_bucket(&self, name: &str) -> S3Result<()> {
        self.hold().bucket(name).map(|_| ())
    }

    /// An object.
    pub fn object(&self, bucket: &str, key: &str) -> S3Result<Object> {
        self.hold().bucket(bucket)?.get(key).cloned().ok_or_else(|| s3_error!(NoSuchKey))
    }

    /// Makes an object visible if the condition holds.
    pub fn put(&self, bucket: &str, key: &str, mut object: Object, condition: &Condition) -> S3Result<Object> {
        object.etag = hex(Md5::checksum(&object.bytes));
        let mut state = self.hold();
        state.check(bucket, key, condition)?;
        state.check_room(object.bytes.len())?;
        Ok(state.publish(bucket, key, object))
    }

    /// Removes an object; one that is not there is removed too.
    pub fn delete(&self, bucket: &str, key: &str) -> S3Result<()> {
        let mut state = self.hold();
        state.bucket(bucket)?;
        if let Some(objects) = state.buckets.get_mut(bucket) {
            objects.remove(key);
        }
        Ok(())
    }

    /// Starts a multipart upload and gives its id.
    pub fn create_upload(&self, bucket: &str, key: &str, object: Object) -> S3Result<String> {
        let mut state = self.hold();
        state.bucket(bucket)?;
        state.uploads_made += 1;
        let id = format!("upload-{:04}", state.uploads_made);
        let upload = Upload { bucket: bucket.to_owned(), key: key.to_owned(), object, parts: BTreeMap::new() };
        state.uploads.insert(id.clone(), upload);
        Ok(id)
    }

    /// Keeps a part; the same number again replaces it.
    pub fn put_part(
        &self,
        id: &str,
        key: &str,
        number: i32,
        bytes: Bytes,
        sha256: Option<String>,
    ) -> S3Result<UploadedPart> {
        if !(1..=10_000).contains(&number) {
            return Err(s3_error!(InvalidArgument, "part number must be between 1 and 10000"));
        }
        let mut state = self.hold();
        state.check_room(bytes.len())?;
        let part = UploadedPart { etag: hex(Md5::checksum(&bytes)), bytes, checksum_sha256: sha256 };
        let upload =
            state.uploads.get_mut(id).filter(|upload| upload.key == key).ok_or_else(|| s3_error!(NoSuchUpload))?;
        upload.parts.insert(number, part.clone());
        Ok(part)
    }

    /// Puts the parts together and makes the object visible if the condition holds. The upload is gone only
    /// when that worked; a second call finds no upload, as on AWS after a while.
    pub fn complete(&self, id: &str, key: &str, claims: &[Claim], condition: &Condition) -> S3Result<Object> {
        let mut state = self.hold();
        let upload =
            state.uploads.get(id).filter(|upload| upload.key == key).cloned().ok_or_else(|| s3_error!(NoSuchUpload))?;
        let object = assemble(&upload, claims)?;
        state.check(&upload.bucket, key, condition)?;
        state.uploads.remove(id);
        Ok(state.publish(&upload.bucket, key, object))
    }

    /// Forgets an upload and its parts.
    pub fn abort(&self, id: &str) -> S3Result<()> {
        self.hold().uploads.remove(id).map(|_| ()).ok_or_else(|| s3_error!(NoSuchUpload))
    }

    /// Uploads under way by id.
    pub fn uploads(&self) -> BTreeMap<String, Upload> {
        self.hold().uploads.clone()
    }
}

impl State {
    fn bucket(&self, name: &str) -> S3Result<&BTreeMap<String, Object>> {
        self.buckets.get(name).ok_or_else(|| s3_error!(NoSuchBucket, "The specified bucket does not exist"))
    }

    fn check(&self, bucket: &str, key: &str, condition: &Condition) -> S3Result<()> {
        let present = self.bucket(bucket)?.get(key);
        let refused =
            || Err(s3_error!(PreconditionFailed, "At least one of the pre-conditions you specified did not hold"));
        if let Some(wanted) = &condition.none_matches
            && present.is_some_and(|object| matches(wanted, object))
        {
            return refused();
        }
        match (&condition.matches, present) {
            (Some(_), None) => Err(s3_error!(NoSuchKey)),
            (Some(wanted), Some(object)) if !matches(wanted, object) => refused(),
            _ => Ok(()),
        }
    }

    fn check_room(&self, more: usize) -> S3Result<()> {
        let objects = self.buckets.values().flat_map(BTreeMap::values).map(|object| object.bytes.len());
        let parts = self.uploads.values().flat_map(|upload| upload.parts.values()).map(|part| part.bytes.len());
        let held: u64 = objects.chain(parts).map(|length| length as u64).sum();
        if held + more as u64 > MOST_BYTES {
            return Err(s3_error!(EntityTooLarge, "this test server holds at most {MOST_BYTES} bytes"));
        }
        Ok(())
    }

    fn publish(&mut self, bucket: &str, key: &str, object: Object) -> Object {
        let mut object = Object { modified: Some(SystemTime::now()), order: self.visible, ..object };
        self.visible += 1;
        if self.spoils.as_ref().is_some_and(|part| key.contains(part)) {
            let mut bytes = object.bytes.to_vec();
            bytes.iter_mut().take(1).for_each(|byte| *byte ^= 1);
            object.bytes = bytes.into();
        }
        if let Some(objects) = self.buckets.get_mut(bucket) {
            objects.insert(key.to_owned(), object.clone());
        }
        object
    }
}

fn assemble(upload: &Upload, claims: &[Claim]) -> S3Result<Object> {
    if claims.is_empty() {
        return Err(s3_error!(MalformedXML, "an upload needs at least one part"));
    }
    let mut bytes = Vec::new();
    let (mut md5, mut sha256) = (Md5::new(), Sha256::new());
    let mut every_part_has_sha256 = true;
    if !claims.is_sorted_by(|one, next| one.number < next.number) {
        return Err(s3_error!(InvalidPartOrder));
    }
    for (position, claim) in claims.iter().enumerate() {
        let wrong = || -> S3Error { s3_error!(InvalidPart, "part {} is missing or differs", claim.number) };
        let part = upload.parts.get(&claim.number).ok_or_else(wrong)?;
        if claim.etag.as_ref().is_none_or(|etag| etag.value() != part.etag) {
            return Err(wrong());
        }
        if claim.checksum_sha256.is_some() && claim.checksum_sha256 != part.checksum_sha256 {
            return Err(wrong());
        }
        if position + 1 < claims.len() && part.bytes.len() < SMALLEST_PART {
            return Err(s3_error!(EntityTooSmall, "part {} is smaller than 5 MiB", claim.number));
        }
        every_part_has_sha256 &= part.checksum_sha256.is_some();
        md5.update(&Md5::checksum(&part.bytes));
        sha256.update(&Sha256::checksum(&part.bytes));
        bytes.extend_from_slice(&part.bytes);
    }
    let checksum = every_part_has_sha256.then(|| format!("{}-{}", base64(sha256.finalize()), claims.len()));
    Ok(Object {
        bytes: bytes.into(),
        etag: format!("{}-{}", hex(md5.finalize()), claims.len()),
        checksum_sha256: checksum,
        ..upload.object.clone()
    })
}

fn matches(wanted: &ETagCondition, object: &Object) -> bool {
    match wanted {
        ETagCondition::Any => true,
        ETagCondition::ETag(etag) => etag.value() == object.etag,
    }
}

/// Lower-case hexadecimal.
pub fn hex(digest: impl AsRef<[u8]>) -> String {
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Base64 with padding.
pub fn base64(digest: impl AsRef<[u8]>) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in digest.as_ref().chunks(3) {
        let word = (0..3).fold(0u32, |word, i| word << 8 | u32::from(*chunk.get(i).unwrap_or(&0)));
        for position in 0..4 {
            if position <= chunk.len() {
                text.push(char::from(ALPHABET[(word >> (18 - 6 * position) & 63) as usize]));
            } else {
                text.push('=');
            }
        }
    }
    text
}
