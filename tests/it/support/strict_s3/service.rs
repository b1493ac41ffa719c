//! The S3 operations of the strict server: requests to the store and back. Bodies are read whole and their
//! checksums compared before the store hears of them.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256};
use s3s::dto::*;
use s3s::{S3, S3ErrorCode, S3Request, S3Response, S3Result, TrailingHeaders, s3_error};

use super::store::{Claim, Condition, Object as Stored, Store, base64, hex};
use super::wire::Unconditional;

/// The S3 trait over a [`Store`].
pub struct StrictService {
    store: Arc<Store>,
}

impl StrictService {
    /// Serves a store.
    pub fn new(store: Arc<Store>) -> Self {
        Self { store }
    }
}

fn reply<T>(output: T) -> S3Result<S3Response<T>> {
    Ok(S3Response::new(output))
}

/// Checksums that a request claims, in headers or trailers.
struct Claimed {
    headers: hyper::HeaderMap,
    trailers: Option<TrailingHeaders>,
}

impl Claimed {
    fn get(&self, name: &str) -> Option<String> {
        let text =
            |headers: &hyper::HeaderMap| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        text(&self.headers).or_else(|| self.trailers.as_ref().and_then(|trailers| trailers.read(text).flatten()))
    }
}

/// Reads a body and compares every checksum claimed for it; gives the bytes and the SHA-256 if there was one.
async fn read(body: Option<StreamingBlob>, claimed: Claimed) -> S3Result<(Bytes, Option<String>)> {
    let mut bytes = Vec::new();
    if let Some(mut body) = body {
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| s3_error!(IncompleteBody, "the body ended early: {error}"))?;
            bytes.extend_from_slice(&chunk);
        }
    }
    let mut hasher = ChecksumHasher {
        crc32: Some(Crc32::new()),
        crc32c: Some(Crc32c::new()),
        sha1: Some(Sha1::new()),
        sha256: Some(Sha256::new()),
        crc64nvme: Some(Crc64Nvme::new()),
    };
    hasher.update(&bytes);
    let actual = hasher.finalize();
    let md5 = Some(base64(Md5::checksum(&bytes)));
    for (name, value) in [
        ("x-amz-checksum-crc32", &actual.checksum_crc32),
        ("x-amz-checksum-crc32c", &actual.checksum_crc32c),
        ("x-amz-checksum-crc64nvme", &actual.checksum_crc64nvme),
        ("x-amz-checksum-sha1", &actual.checksum_sha1),
        ("x-amz-checksum-sha256", &actual.checksum_sha256),
        ("content-md5", &md5),
    ] {
        if claimed.get(name).is_some_and(|claim| Some(claim) != *value) {
            return Err(s3_error!(BadDigest, "the {name} you specified did not match what we received"));
        }
    }
    let payload = claimed.get("x-amz-content-sha256").filter(|value| value.len() == 64);
    if payload.is_some_and(|claim| claim != hex(Sha256::checksum(&bytes))) {
        let mut error = s3s::S3Error::new(S3ErrorCode::Custom("XAmzContentSHA256Mismatch".into()));
        error.set_status_code(hyper::StatusCode::BAD_REQUEST);
        return Err(error);
    }
    Ok((bytes.into(), claimed.get("x-amz-checksum-sha256")))
}

fn metadata_in(metadata: Option<Metadata>) -> std::collections::BTreeMap<String, String> {
    metadata.unwrap_or_default().into_iter().collect()
}

fn metadata_out(object: &Stored) -> Option<Metadata> {
    Some(object.metadata.clone().into_iter().collect())
}

/// The checksum is shown only to a request that asks for it, as AWS does.
fn checksum_out(object: &Stored, mode: &Option<ChecksumMode>) -> Option<String> {
    mode.as_ref().filter(|mode| mode.as_str() == ChecksumMode::ENABLED).and(object.checksum_sha256.clone())
}

fn length(bytes: &Bytes) -> i64 {
    i64::try_from(bytes.len()).unwrap_or(i64::MAX)
}

#[async_trait::async_trait]
impl S3 for StrictService {
    async fn list_buckets(&self, _request: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
        let buckets =
            self.store.buckets().into_iter().map(|name| Bucket { name: Some(name), ..Bucket::default() }).collect();
        reply(ListBucketsOutput { buckets: Some(buckets), ..ListBucketsOutput::default() })
    }

    async fn create_bucket(&self, request: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        self.store.create_bucket(&request.input.bucket)?;
        reply(CreateBucketOutput { location: Some(format!("/{}", request.input.bucket)) })
    }

    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.store.require_bucket(&request.input.bucket)?;
        reply(HeadBucketOutput::default())
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let input = request.input;
        let claimed = Claimed { headers: request.headers, trailers: request.trailing_headers };
        let condition = match request.extensions.get::<Unconditional>() {
            Some(_) => Condition::default(),
            None => Condition { matches: input.if_match, none_matches: input.if_none_match },
        };
        self.store.require_bucket(&input.bucket)?;
        let (bytes, checksum_sha256) = read(input.body, claimed).await?;
        let object = Stored {
            bytes,
            content_type: input.content_type,
            content_encoding: input.content_encoding,
            metadata: metadata_in(input.metadata),
            checksum_sha256,
            ..Stored::default()
        };
        let object = self.store.put(&input.bucket, &input.key, object, &condition)?;
        reply(PutObjectOutput {
            e_tag: Some(ETag::Strong(object.etag)),
            checksum_sha256: object.checksum_sha256,
            ..PutObjectOutput::default()
        })
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = request.input;
        let object = self.store.object(&input.bucket, &input.key)?;
        reply(HeadObjectOutput {
            content_length: Some(length(&object.bytes)),
            content_type: object.content_type.clone(),
            content_encoding: object.content_encoding.clone(),
            checksum_sha256: checksum_out(&object, &input.checksum_mode),
            metadata: metadata_out(&object),
            last_modified: object.modified.map(Timestamp::from),
            e_tag: Some(ETag::Strong(object.etag)),
            ..HeadObjectOutput::default()
        })
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        let object = self.store.object(&input.bucket, &input.key)?;
        let total = object.bytes.len() as u64;
        let (bytes, content_range) = match input.range {
            None => (object.bytes.clone(), None),
            Some(range) => {
                let span = range.check(total)?;
                let shown = format!("bytes {}-{}/{total}", span.start, span.end.saturating_sub(1));
                (object.bytes.slice(span.start as usize..span.end as usize), Some(shown))
            }
        };
        let whole = content_range.is_none();
        reply(GetObjectOutput {
            content_length: Some(length(&bytes)),
            content_range,
            body: Some(StreamingBlob::from(s3s::Body::from(bytes))),
            content_type: object.content_type.clone(),
            content_encoding: object.content_encoding.clone(),
            checksum_sha256: checksum_out(&object, &input.checksum_mode).filter(|_| whole),
            metadata: metadata_out(&object),
            last_modified: object.modified.map(Timestamp::from),
            e_tag: Some(ETag::Strong(object.etag)),
            ..GetObjectOutput::default()
        })
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        self.store.require_bucket(&input.bucket)?;
        let prefix = input.prefix.clone().unwrap_or_default();
        let after = input.continuation_token.clone().or(input.start_after.clone()).unwrap_or_default();
        let limit = usize::try_from(input.max_keys.unwrap_or(1000).clamp(0, 1000)).unwrap_or(0);
        let (mut contents, mut common, mut last) = (Vec::new(), Vec::<String>::new(), String::new());
        let mut truncated = false;
        for (key, object) in self.store.objects(&input.bucket) {
            if !key.starts_with(&prefix) || key <= after {
                continue;
            }
            let delimiter = input.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty());
            let folder = delimiter.and_then(|delimiter| {
                key[prefix.len()..].find(delimiter).map(|at| key[..prefix.len() + at + delimiter.len()].to_owned())
            });
            let folded =
                folder.as_ref().is_some_and(|folder| common.last() == Some(folder) || after.starts_with(folder));
            if !folded && contents.len() + common.len() == limit {
                truncated = true;
                break;
            }
            last.clone_from(&key);
            match folder {
                Some(_) if folded => {}
                Some(folder) => common.push(folder),
                None => contents.push(Object {
                    key: Some(key),
                    size: Some(length(&object.bytes)),
                    last_modified: object.modified.map(Timestamp::from),
                    e_tag: Some(ETag::Strong(object.etag)),
                    ..Object::default()
                }),
            }
        }
        reply(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: input.prefix,
            delimiter: input.delimiter,
            max_keys: input.max_keys,
            key_count: i32::try_from(contents.len() + common.len()).ok(),
            is_truncated: Some(truncated),
            next_continuation_token: truncated.then_some(last),
            contents: Some(contents),
            common_prefixes: Some(common.into_iter().map(|prefix| CommonPrefix { prefix: Some(prefix) }).collect()),
            ..ListObjectsV2Output::default()
        })
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.store.delete(&request.input.bucket, &request.input.key)?;
        reply(DeleteObjectOutput::default())
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let input = request.input;
        let mut deleted = Vec::new();
        for object in input.delete.objects {
            self.store.delete(&input.bucket, &object.key)?;
            deleted.push(DeletedObject { key: Some(object.key), ..DeletedObject::default() });
        }
        reply(DeleteObjectsOutput { deleted: Some(deleted), ..DeleteObjectsOutput::default() })
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let input = request.input;
        let object = Stored {
            content_type: input.content_type,
            content_encoding: input.content_encoding,
            metadata: metadata_in(input.metadata),
            ..Stored::default()
        };
        let id = self.store.create_upload(&input.bucket, &input.key, object)?;
        reply(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            checksum_algorithm: input.checksum_algorithm,
            upload_id: Some(id),
            ..CreateMultipartUploadOutput::default()
        })
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let input = request.input;
        let claimed = Claimed { headers: request.headers, trailers: request.trailing_headers };
        let (bytes, sha256) = read(input.body, claimed).await?;
        let part = self.store.put_part(&input.upload_id, &input.key, input.part_number, bytes, sha256)?;
        reply(UploadPartOutput {
            e_tag: Some(ETag::Strong(part.etag)),
            checksum_sha256: part.checksum_sha256,
            ..UploadPartOutput::default()
        })
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = request.input;
        let parts = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
        let claims: Vec<Claim> = parts
            .into_iter()
            .map(|part| Claim {
                number: part.part_number.unwrap_or(0),
                etag: part.e_tag,
                checksum_sha256: part.checksum_sha256,
            })
            .collect();
        let condition = Condition { matches: input.if_match, none_matches: input.if_none_match };
        let object = self.store.complete(&input.upload_id, &input.key, &claims, &condition)?;
        reply(CompleteMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: Some(ETag::Strong(object.etag)),
            checksum_sha256: object.checksum_sha256,
            ..CompleteMultipartUploadOutput::default()
        })
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        self.store.abort(&request.input.upload_id)?;
        reply(AbortMultipartUploadOutput::default())
    }

    async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let input = request.input;
        let prefix = input.prefix.unwrap_or_default();
        let here = self.store.uploads().into_iter();
        let uploads = here
            .filter(|(_, upload)| upload.bucket == input.bucket && upload.key.starts_with(&prefix))
            .map(|(id, upload)| MultipartUpload {
                key: Some(upload.key),
                upload_id: Some(id),
                ..MultipartUpload::default()
            })
            .collect();
        reply(ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            is_truncated: Some(false),
            uploads: Some(uploads),
            ..ListMultipartUploadsOutput::default()
        })
    }

    async fn list_parts(&self, request: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        let input = request.input;
        let mut uploads = self.store.uploads();
        let upload = uploads.remove(&input.upload_id).ok_or_else(|| s3_error!(NoSuchUpload))?;
        let parts = upload.parts.into_iter().map(|(number, part)| Part {
            part_number: Some(number),
            size: Some(length(&part.bytes)),
            checksum_sha256: part.checksum_sha256,
            e_tag: Some(ETag::Strong(part.etag)),
            ..Part::default()
        });
        reply(ListPartsOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            is_truncated: Some(false),
            parts: Some(parts.collect()),
            ..ListPartsOutput::default()
        })
    }
}
