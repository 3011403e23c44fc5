//! One bucket: objects in, objects out.

use crate::error::S3Error;
use crate::lock::Lock;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    StalledStreamProtectionConfig,
};
use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::Stream;
use md5::{Digest, Md5};
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[derive(Debug, Clone)]
pub struct BucketSettings {
    /// `https://host:port`; `None` is AWS.
    pub endpoint: Option<String>,
    pub region: String,
    pub bucket: String,
    /// Before every key, empty or ending with `/`: several things may share a bucket.
    pub prefix: String,
    /// `https://host/bucket/key` instead of `https://bucket.host/key`.
    pub path_style: bool,
    pub key_id: String,
    pub secret: SecretString,
    /// Longest time for the connection.
    pub connect_timeout: Duration,
    /// Longest time for a whole request, a part's upload included. Streams that are read are bounded by the time in
    /// which nothing arrives instead.
    pub request_timeout: Duration,
    /// Sends Content-MD5, which B2 demands for buckets with object lock.
    pub content_md5: bool,
}

/// Whether an object may replace another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Creation {
    /// [`S3Error::Exists`] when there is one of that name.
    Only,
    Replace,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    pub size_bytes: u64,
    pub modified_at: Option<DateTime<Utc>>,
    pub locked_until: Option<DateTime<Utc>>,
}

/// Cheap to clone; connections are shared.
#[derive(Clone)]
pub struct Bucket {
    client: aws_sdk_s3::Client,
    shared: Arc<Shared>,
}

struct Shared {
    settings: BucketSettings,
    /// Cleared when the endpoint says that it does not know `If-None-Match`.
    conditional: AtomicBool,
}

/// So long may a transfer stand still.
const STALL_MAX: Duration = Duration::from_secs(20);

impl Bucket {
    /// Does not ask the endpoint anything.
    pub fn new(settings: BucketSettings) -> Self {
        let credentials =
            Credentials::new(&settings.key_id, settings.secret.expose_secret(), None, None, "configuration");
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(settings.connect_timeout)
            .operation_attempt_timeout(settings.request_timeout)
            .build();
        let stalls = StalledStreamProtectionConfig::enabled().grace_period(STALL_MAX).build();
        let mut config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(settings.region.clone()))
            .credentials_provider(credentials)
            .force_path_style(settings.path_style)
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            .stalled_stream_protection(stalls);
        config.set_endpoint_url(settings.endpoint.clone());
        let client = aws_sdk_s3::Client::from_conf(config.build());
        Self { client, shared: Arc::new(Shared { settings, conditional: AtomicBool::new(true) }) }
    }

    /// Writes a whole object.
    pub async fn put(
        &self,
        key: &str,
        bytes: Bytes,
        creation: Creation,
        lock: Option<Lock>,
    ) -> Result<(), S3Error> {
        let if_none_match = self.condition(key, creation).await?;
        let sent = self
            .client
            .put_object()
            .bucket(self.name())
            .key(self.key(key))
            .set_if_none_match(if_none_match.clone())
            .set_content_md5(self.content_md5(&bytes))
            .set_object_lock_mode(lock.map(Lock::mode))
            .set_object_lock_retain_until_date(lock.map(Lock::until))
            .body(body(bytes.clone()))
            .send()
            .await
            .map(drop)
            .map_err(S3Error::of);
        match sent {
            Err(S3Error::Unsupported { .. }) if if_none_match.is_some() => {
                self.forget_conditions();
                Box::pin(self.put(key, bytes, creation, lock)).await
            }
            other => other,
        }
    }

    /// The size of the whole object, and its bytes or those of `range`, as they arrive.
    pub async fn get(
        &self,
        key: &str,
        range: Option<Range<u64>>,
    ) -> Result<impl Stream<Item = Result<Bytes, S3Error>> + Send + Unpin + use<>, S3Error> {
        let range = range.map(|range| format!("bytes={}-{}", range.start, range.end.saturating_sub(1)));
        let request = self.client.get_object().bucket(self.name()).key(self.key(key)).set_range(range);
        let answer = request.send().await.map_err(S3Error::of)?;
        Ok(Box::pin(futures_util::stream::try_unfold(answer.body, |mut body| async move {
            match body.try_next().await {
                Ok(chunk) => Ok(chunk.map(|chunk| (chunk, body))),
                Err(error) => Err(S3Error::Unavailable { why: format!("broken off: {error}") }),
            }
        })))
    }

    pub async fn head(&self, key: &str) -> Result<Head, S3Error> {
        let request = self.client.head_object().bucket(self.name()).key(self.key(key));
        let answer = request.send().await.map_err(S3Error::of)?;
        let instant = |at: &aws_sdk_s3::primitives::DateTime| DateTime::from_timestamp(at.secs(), 0);
        Ok(Head {
            size_bytes: answer.content_length().and_then(|bytes| bytes.try_into().ok()).unwrap_or(0),
            modified_at: answer.last_modified().and_then(instant),
            locked_until: answer.object_lock_retain_until_date().and_then(instant),
        })
    }

    /// Not an error when there is none. In a bucket with versions it only hides the object:
    /// [`Self::delete_versions`].
    pub async fn delete(&self, key: &str) -> Result<(), S3Error> {
        let request = self.client.delete_object().bucket(self.name()).key(self.key(key));
        match request.send().await.map_err(S3Error::of) {
            Err(S3Error::Missing) => Ok(()),
            other => other.map(drop),
        }
    }

    pub fn settings(&self) -> &BucketSettings {
        &self.shared.settings
    }

    /// What to send so that nothing is replaced. Endpoints without the condition are asked first instead: two writers
    /// at the same instant are not told apart there.
    pub(crate) async fn condition(&self, key: &str, creation: Creation) -> Result<Option<String>, S3Error> {
        if creation == Creation::Replace {
            return Ok(None);
        }
        if self.shared.conditional.load(Ordering::Relaxed) {
            return Ok(Some("*".into()));
        }
        match self.head(key).await {
            Ok(_) => Err(S3Error::Exists),
            Err(S3Error::Missing) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn forget_conditions(&self) {
        self.shared.conditional.store(false, Ordering::Relaxed);
    }

    pub(crate) fn content_md5(&self, bytes: &Bytes) -> Option<String> {
        self.shared.settings.content_md5.then(|| aws_smithy_types::base64::encode(Md5::digest(bytes)))
    }

    pub(crate) fn client(&self) -> &aws_sdk_s3::Client {
        &self.client
    }

    pub(crate) fn name(&self) -> &str {
        &self.shared.settings.bucket
    }

    pub(crate) fn key(&self, key: &str) -> String {
        format!("{}{key}", self.shared.settings.prefix)
    }
}

/// Shares the bytes instead of copying them.
pub(crate) fn body(bytes: Bytes) -> ByteStream {
    ByteStream::new(SdkBody::from(bytes))
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BucketSettings { endpoint, bucket, prefix, .. } = &self.shared.settings;
        write!(f, "Bucket({} {bucket}/{prefix})", endpoint.as_deref().unwrap_or("AWS"))
    }
}
