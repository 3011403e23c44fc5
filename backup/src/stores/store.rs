//! One place where objects are kept.

use super::disk::Disk;
use super::disk_upload::DiskUpload;
use super::error::StoreError;
use super::names::ObjectName;
use super::s3::{S3, S3Upload};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::stream::BoxStream;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;
use std::time::Duration;

/// Every part of an upload but the last is so long. R2 demands equal parts; S3 allows 10,000, which makes 160 GB.
pub const PART_BYTES: usize = 16 << 20;

#[derive(Debug, Clone)]
pub enum Store {
    Disk(Disk),
    S3(S3),
}

/// What the configuration calls a store: 1 to 64 of `a-z0-9-`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StoreName(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreKind {
    Disk,
    S3,
}

/// Whether an object may take another's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Creation {
    /// [`StoreError::Exists`] when there is one of that name.
    Only,
    /// For healing alone.
    Replace,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub size_bytes: u64,
    pub modified_at: Option<DateTime<Utc>>,
    pub locked_until: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredObject {
    pub name: ObjectName,
    pub size_bytes: u64,
    pub modified_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListPage {
    /// Objects of other names, which something else put there, are left out.
    pub objects: Vec<StoredObject>,
    /// Gets the next page.
    pub next: Option<String>,
}

/// Bytes of an object as they arrive.
pub type ByteStream = BoxStream<'static, Result<Bytes, StoreError>>;

/// An object that arrives in parts; see [`Store::upload`].
#[derive(Debug)]
pub enum Upload {
    Disk(DiskUpload),
    S3(S3Upload),
}

impl StoreName {
    pub fn parse(name: &str) -> Option<Self> {
        super::names::Cluster::parse(name).ok().map(|_| Self(name.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Store {
    pub fn kind(&self) -> StoreKind {
        match self {
            Self::Disk(_) => StoreKind::Disk,
            Self::S3(_) => StoreKind::S3,
        }
    }

    /// Writes a whole object: it is there durably and entirely, or not at all.
    pub async fn put(&self, name: &ObjectName, bytes: Bytes, creation: Creation) -> Result<(), StoreError> {
        match self {
            Self::Disk(disk) => disk.put(name, bytes, creation).await,
            Self::S3(s3) => s3.put(name, bytes, creation).await,
        }
    }

    /// Begins an object that arrives in parts of [`PART_BYTES`]. Asks the store nothing yet.
    pub fn upload(&self, name: &ObjectName, creation: Creation) -> Upload {
        match self {
            Self::Disk(disk) => Upload::Disk(disk.upload(name, creation)),
            Self::S3(s3) => Upload::S3(s3.upload(name, creation)),
        }
    }

    /// The object's bytes, or those of `range`; an object that is shorter than the range ends early or is
    /// [`StoreError::Damaged`].
    pub async fn get(&self, name: &ObjectName, range: Option<Range<u64>>) -> Result<ByteStream, StoreError> {
        match self {
            Self::Disk(disk) => disk.get(name, range).await,
            Self::S3(s3) => s3.get(name, range).await,
        }
    }

    pub async fn head(&self, name: &ObjectName) -> Result<Head, StoreError> {
        match self {
            Self::Disk(disk) => disk.head(name).await,
            Self::S3(s3) => s3.head(name).await,
        }
    }

    /// A page of up to 1,000 objects whose names begin with `prefix`. S3 gives them in the order of their names, a
    /// disk in no order, and all on one page.
    pub async fn list(&self, prefix: &str, next: Option<String>) -> Result<ListPage, StoreError> {
        match self {
            Self::Disk(disk) => disk.list(prefix).await,
            Self::S3(s3) => s3.list(prefix, next).await,
        }
    }

    /// Not an error when there is none; [`StoreError::Locked`] when it may not go yet.
    pub async fn delete(&self, name: &ObjectName) -> Result<(), StoreError> {
        match self {
            Self::Disk(disk) => disk.delete(name).await,
            Self::S3(s3) => s3.delete(name).await,
        }
    }

    /// Removes what uploads begun longer than `age` ago have left; gives their number.
    pub async fn abort_unfinished(&self, prefix: &str, age: Duration) -> Result<u64, StoreError> {
        match self {
            Self::Disk(disk) => disk.abort_unfinished(prefix, age).await,
            Self::S3(s3) => s3.abort_unfinished(prefix, age).await,
        }
    }

    /// Whether it answers; for a disk also how full it is, 0 to 1.
    pub async fn probe(&self) -> Result<Option<f64>, StoreError> {
        match self {
            Self::Disk(disk) => disk.probe().await.map(Some),
            Self::S3(s3) => s3.probe().await.map(|()| None),
        }
    }
}

impl Upload {
    /// Adds the next part: [`PART_BYTES`] long, only the last may be shorter. After an error the same call with the
    /// same bytes goes on where it stopped.
    pub async fn part(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        match self {
            Self::Disk(upload) => upload.part(bytes).await,
            Self::S3(upload) => upload.part(bytes).await,
        }
    }

    /// Makes the object visible and durable. May be called again after an error.
    pub async fn finish(&mut self) -> Result<(), StoreError> {
        match self {
            Self::Disk(upload) => upload.finish().await,
            Self::S3(upload) => upload.finish().await,
        }
    }

    /// Removes what has arrived; what could not be removed is found by [`Store::abort_unfinished`].
    pub async fn abort(self) -> Result<(), StoreError> {
        match self {
            Self::Disk(upload) => upload.abort().await,
            Self::S3(upload) => upload.abort().await,
        }
    }
}

impl fmt::Display for StoreName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
