//! Object lock: nobody can remove an object before its time, whoever has the credentials.

use crate::Bucket;
use crate::error::S3Error;
use aws_sdk_s3::types::ObjectLockMode;
use chrono::{DateTime, Utc};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lock {
    pub mode: LockMode,
    pub until: DateTime<Utc>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockMode {
    /// Those with a special permission may shorten it.
    Governance,
    /// Nobody may, the owner of the account neither.
    Compliance,
}

impl Lock {
    pub(crate) fn mode(self) -> ObjectLockMode {
        match self.mode {
            LockMode::Governance => ObjectLockMode::Governance,
            LockMode::Compliance => ObjectLockMode::Compliance,
        }
    }

    pub(crate) fn until(self) -> aws_sdk_s3::primitives::DateTime {
        aws_sdk_s3::primitives::DateTime::from_secs(self.until.timestamp())
    }
}

impl Bucket {
    /// Removes every version of an object, for buckets with versions: a plain deletion there only hides the object.
    /// [`S3Error::Refused`] when a version is locked; the others are gone then.
    pub async fn delete_versions(&self, key: &str) -> Result<(), S3Error> {
        let mut refused = None;
        let (mut key_marker, mut version_marker): (Option<String>, Option<String>) = (None, None);
        loop {
            let page = self
                .client()
                .list_object_versions()
                .bucket(self.name())
                .prefix(self.key(key))
                .set_key_marker(key_marker)
                .set_version_id_marker(version_marker)
                .send()
                .await
                .map_err(S3Error::of)?;
            let versions = page.versions().iter().map(|v| (v.key(), v.version_id()));
            let markers = page.delete_markers().iter().map(|m| (m.key(), m.version_id()));
            for (found, version) in versions.chain(markers) {
                // The prefix also finds longer names.
                let (Some(found), Some(version)) = (found, version) else { continue };
                if found != self.key(key) {
                    continue;
                }
                match self.delete_version(found, version).await {
                    Err(error @ S3Error::Refused { .. }) => refused = Some(error),
                    other => other?,
                }
            }
            if !page.is_truncated().unwrap_or(false) {
                return refused.map_or(Ok(()), Err);
            }
            key_marker = page.next_key_marker().map(Into::into);
            version_marker = page.next_version_id_marker().map(Into::into);
        }
    }

    async fn delete_version(&self, key: &str, version: &str) -> Result<(), S3Error> {
        let request = self.client().delete_object().bucket(self.name()).key(key).version_id(version);
        request.send().await.map(drop).map_err(S3Error::of)
    }
}
