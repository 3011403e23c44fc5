//! What is in a bucket, page by page.

use crate::bucket::Bucket;
use crate::error::S3Error;
use chrono::{DateTime, Utc};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub key: String,
    pub size_bytes: u64,
    pub modified_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub objects: Vec<Listed>,
    /// Gets the next page.
    pub next: Option<String>,
}

/// A multipart upload that was neither finished nor aborted: it is paid for, and nobody sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfinishedUpload {
    pub key: String,
    pub id: String,
    pub begun_at: Option<DateTime<Utc>>,
}

impl Bucket {
    /// Up to `objects_max` (at most 1,000) objects whose keys begin with `prefix`, in the order of their keys.
    pub async fn list(&self, prefix: &str, next: Option<String>, objects_max: u16) -> Result<Page, S3Error> {
        let page = self
            .client()
            .list_objects_v2()
            .bucket(self.name())
            .prefix(self.key(prefix))
            .set_continuation_token(next)
            .max_keys(objects_max.into())
            .send()
            .await
            .map_err(S3Error::of)?;
        let objects = page.contents().iter().filter_map(|object| {
            Some(Listed {
                key: self.stripped(object.key()?)?,
                size_bytes: object.size().and_then(|bytes| bytes.try_into().ok()).unwrap_or(0),
                modified_at: object.last_modified().and_then(|at| DateTime::from_timestamp(at.secs(), 0)),
            })
        });
        let next = page.next_continuation_token().filter(|_| page.is_truncated().unwrap_or(false));
        Ok(Page { objects: objects.collect(), next: next.map(Into::into) })
    }

    /// The first thousand of them. [`S3Error::Unsupported`] by endpoints that do not list them.
    pub async fn unfinished_uploads(&self, prefix: &str) -> Result<Vec<UnfinishedUpload>, S3Error> {
        let request = self.client().list_multipart_uploads().bucket(self.name()).prefix(self.key(prefix));
        let page = request.send().await.map_err(S3Error::of)?;
        let uploads = page.uploads().iter().filter_map(|upload| {
            Some(UnfinishedUpload {
                key: self.stripped(upload.key()?)?,
                id: upload.upload_id()?.into(),
                begun_at: upload.initiated().and_then(|at| DateTime::from_timestamp(at.secs(), 0)),
            })
        });
        Ok(uploads.collect())
    }

    /// Not an error when it is gone already.
    pub async fn abort_upload(&self, key: &str, id: &str) -> Result<(), S3Error> {
        let request =
            self.client().abort_multipart_upload().bucket(self.name()).key(self.key(key)).upload_id(id);
        match request.send().await.map_err(S3Error::of) {
            Err(S3Error::Missing) => Ok(()),
            other => other.map(drop),
        }
    }

    fn stripped(&self, key: &str) -> Option<String> {
        key.strip_prefix(&self.settings().prefix).map(Into::into)
    }
}
