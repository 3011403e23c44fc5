//! An object that comes in parts: one request when a single part is all, else a multipart upload.

use crate::bucket::{Bucket, Creation, body};
use crate::error::S3Error;
use crate::lock::Lock;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;

/// Nothing of the object is visible before [`Self::finish`].
///
/// After an error the same call with the same bytes goes on where it stopped. Give it up with [`Self::abort`]: what is
/// only dropped stays in the bucket until [`Bucket::abort_upload`].
pub struct Upload {
    bucket: Bucket,
    key: String,
    creation: Creation,
    lock: Option<Lock>,
    state: State,
}

enum State {
    /// Perhaps the only part: sent when it is known whether more follow.
    Single(Option<Bytes>),
    Multipart {
        id: String,
        /// Sent before anything else.
        first: Option<Bytes>,
        parts: Vec<CompletedPart>,
        size_bytes: u64,
    },
}

impl Bucket {
    /// Asks the endpoint nothing yet.
    pub fn upload(&self, key: &str, creation: Creation, lock: Option<Lock>) -> Upload {
        Upload { bucket: self.clone(), key: key.into(), creation, lock, state: State::Single(None) }
    }
}

impl Upload {
    /// Adds a part: [`crate::PART_BYTES`] long, only the last may be shorter.
    pub async fn part(&mut self, bytes: Bytes) -> Result<(), S3Error> {
        if let State::Single(single) = &mut self.state {
            if single.is_none() {
                *single = Some(bytes);
                return Ok(());
            }
            let id = self.begin().await?;
            let State::Single(first) = std::mem::replace(&mut self.state, State::Single(None)) else {
                unreachable!("nothing else changes the state")
            };
            self.state = State::Multipart { id, first, parts: vec![], size_bytes: 0 };
        }
        let State::Multipart { id, first, parts, size_bytes } = &mut self.state else {
            unreachable!("made one above")
        };
        let bucket = &self.bucket;
        if let Some(part) = first {
            parts.push(send(bucket, &self.key, id, 1, part.clone()).await?);
            *size_bytes += part.len() as u64;
            *first = None;
        }
        let number = parts.len() as i32 + 1;
        let length = bytes.len() as u64;
        parts.push(send(bucket, &self.key, id, number, bytes).await?);
        *size_bytes += length;
        Ok(())
    }

    /// Makes the object visible. When the answer to the last try was lost, the object that is there now is taken for
    /// this one if its size is right: names are not reused, and whoever needs certainty reads it back.
    pub async fn finish(&mut self) -> Result<(), S3Error> {
        let (id, parts, size_bytes) = match &self.state {
            State::Single(bytes) => {
                let bytes = bytes.clone().unwrap_or_default();
                return self.bucket.put(&self.key, bytes, self.creation, self.lock).await;
            }
            State::Multipart { id, parts, size_bytes, .. } => (id, parts, *size_bytes),
        };
        let if_none_match = self.bucket.condition(&self.key, self.creation).await?;
        let all = CompletedMultipartUpload::builder().set_parts(Some(parts.clone())).build();
        let sent = self
            .bucket
            .client()
            .complete_multipart_upload()
            .bucket(self.bucket.name())
            .key(self.bucket.key(&self.key))
            .upload_id(id)
            .set_if_none_match(if_none_match.clone())
            .multipart_upload(all)
            .send()
            .await
            .map(drop)
            .map_err(S3Error::of);
        match sent {
            Err(S3Error::Unsupported { .. }) if if_none_match.is_some() => {
                self.bucket.forget_conditions();
                Box::pin(self.finish()).await
            }
            Err(S3Error::Missing) if self.bucket.head(&self.key).await?.size_bytes == size_bytes => Ok(()),
            other => other,
        }
    }

    /// Removes what was sent. The upload cannot be used any more.
    pub async fn abort(self) -> Result<(), S3Error> {
        match &self.state {
            State::Single(_) => Ok(()),
            State::Multipart { id, .. } => self.bucket.abort_upload(&self.key, id).await,
        }
    }

    async fn begin(&self) -> Result<String, S3Error> {
        let begun = self
            .bucket
            .client()
            .create_multipart_upload()
            .bucket(self.bucket.name())
            .key(self.bucket.key(&self.key))
            .set_object_lock_mode(self.lock.map(Lock::mode))
            .set_object_lock_retain_until_date(self.lock.map(Lock::until))
            .send()
            .await
            .map_err(S3Error::of)?;
        let nameless = || S3Error::Unavailable { why: "the endpoint gave the upload no id".into() };
        begun.upload_id().map(Into::into).ok_or_else(nameless)
    }
}

async fn send(
    bucket: &Bucket,
    key: &str,
    id: &str,
    number: i32,
    bytes: Bytes,
) -> Result<CompletedPart, S3Error> {
    let sent = bucket
        .client()
        .upload_part()
        .bucket(bucket.name())
        .key(bucket.key(key))
        .upload_id(id)
        .part_number(number)
        .set_content_md5(bucket.content_md5(&bytes))
        .body(body(bytes))
        .send()
        .await
        .map_err(S3Error::of)?;
    Ok(CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag().map(Into::into)).build())
}
