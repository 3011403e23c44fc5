//! A store behind an S3 endpoint.

use super::error::StoreError;
use super::names::ObjectName;
use super::store::{ByteStream, Creation, Head, ListPage, PART_BYTES, StoredObject};
use bytes::Bytes;
use chrono::{TimeDelta, Utc};
use futures_util::StreamExt;
use objects_s3::{Bucket, BucketSettings, Lock, LockMode, S3Error};
use std::fmt;
use std::ops::Range;
use std::time::Duration;

#[derive(Debug, Clone)]
pub struct S3 {
    bucket: Bucket,
    locking: Option<Locking>,
}

/// How objects are locked when they are written. The bucket must have been made with object lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Locking {
    pub mode: LockMode,
    /// Counted from writing.
    pub days: u16,
}

pub struct S3Upload(objects_s3::Upload);

/// Objects of a page.
const PAGE_OBJECTS: u16 = 1000;

const _: () = assert!(PART_BYTES == objects_s3::PART_BYTES);

impl S3 {
    /// Does not ask the endpoint anything. A store that locks sends Content-MD5, whatever `settings` says.
    pub fn new(mut settings: BucketSettings, locking: Option<Locking>) -> Self {
        settings.content_md5 |= locking.is_some();
        Self { bucket: Bucket::new(settings), locking }
    }

    fn lock(&self, name: &ObjectName) -> Option<Lock> {
        let locking = self.locking.filter(|_| name.is_lockable())?;
        Some(Lock { mode: locking.mode, until: Utc::now() + TimeDelta::days(locking.days.into()) })
    }

    pub(super) async fn put(
        &self,
        name: &ObjectName,
        bytes: Bytes,
        creation: Creation,
    ) -> Result<(), StoreError> {
        Ok(self.bucket.put(name.as_str(), bytes, creation.into(), self.lock(name)).await?)
    }

    pub(super) fn upload(&self, name: &ObjectName, creation: Creation) -> S3Upload {
        S3Upload(self.bucket.upload(name.as_str(), creation.into(), self.lock(name)))
    }

    pub(super) async fn get(
        &self,
        name: &ObjectName,
        range: Option<Range<u64>>,
    ) -> Result<ByteStream, StoreError> {
        let stream = self.bucket.get(name.as_str(), range).await?;
        Ok(stream.map(|chunk| chunk.map_err(StoreError::from)).boxed())
    }

    pub(super) async fn head(&self, name: &ObjectName) -> Result<Head, StoreError> {
        let objects_s3::Head { size_bytes, modified_at, locked_until } =
            self.bucket.head(name.as_str()).await?;
        Ok(Head { size_bytes, modified_at, locked_until })
    }

    pub(super) async fn list(&self, prefix: &str, next: Option<String>) -> Result<ListPage, StoreError> {
        let page = self.bucket.list(prefix, next, PAGE_OBJECTS).await?;
        let objects = page.objects.into_iter().filter_map(|object| {
            let name = ObjectName::parse(&object.key).ok()?;
            Some(StoredObject { name, size_bytes: object.size_bytes, modified_at: object.modified_at })
        });
        Ok(ListPage { objects: objects.collect(), next: page.next })
    }

    pub(super) async fn probe(&self) -> Result<(), StoreError> {
        Ok(self.bucket.list("v1/", None, 1).await.map(drop)?)
    }

    pub(super) async fn delete(&self, name: &ObjectName) -> Result<(), StoreError> {
        if self.locking.is_none() {
            return Ok(self.bucket.delete(name.as_str()).await?);
        }
        // A bucket with object lock has versions: without this nothing would ever become free.
        match self.bucket.delete_versions(name.as_str()).await {
            Err(S3Error::Refused { why }) => match self.head(name).await?.locked_until {
                Some(until) if until > Utc::now() => Err(StoreError::Locked { until: Some(until) }),
                _ => Err(StoreError::Refused { why }),
            },
            other => Ok(other?),
        }
    }

    pub(super) async fn abort_unfinished(&self, prefix: &str, age: Duration) -> Result<u64, StoreError> {
        let uploads = match self.bucket.unfinished_uploads(prefix).await {
            // Such an endpoint has a rule of its own for them (R2: after seven days).
            Err(S3Error::Unsupported { .. }) => return Ok(0),
            other => other?,
        };
        let horizon = Utc::now() - age;
        let mut aborted = 0;
        for upload in uploads {
            if upload.begun_at.is_some_and(|at| at < horizon) {
                self.bucket.abort_upload(&upload.key, &upload.id).await?;
                aborted += 1;
            }
        }
        Ok(aborted)
    }
}

impl S3Upload {
    pub(super) async fn part(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        Ok(self.0.part(bytes).await?)
    }

    pub(super) async fn finish(&mut self) -> Result<(), StoreError> {
        Ok(self.0.finish().await?)
    }

    pub(super) async fn abort(self) -> Result<(), StoreError> {
        Ok(self.0.abort().await?)
    }
}

impl From<Creation> for objects_s3::Creation {
    fn from(creation: Creation) -> Self {
        match creation {
            Creation::Only => Self::Only,
            Creation::Replace => Self::Replace,
        }
    }
}

impl From<S3Error> for StoreError {
    fn from(error: S3Error) -> Self {
        match error {
            S3Error::Missing => Self::Missing,
            S3Error::Exists => Self::Exists,
            S3Error::Refused { why } | S3Error::Unsupported { why } => Self::Refused { why },
            S3Error::Unavailable { why } => Self::Unavailable { why },
            S3Error::Full { why } => Self::Full { why },
            S3Error::Damaged { why } => Self::Damaged { why },
        }
    }
}

impl fmt::Debug for S3Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("S3Upload(…)")
    }
}
