//! The places where backups are kept.

use super::backup::{SecretError, secret};
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum BackupStore {
    Disk(DiskStore),
    S3(S3Store),
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DiskStore {
    /// What it is called in errors and metrics, 1 to 64 of `a-z0-9-`.
    pub name: String,
    /// Folder for the backups.
    pub dir: PathBuf,
    /// Most bytes in it; unset: as many as fit.
    pub bytes_max: Option<u64>,
}

/// Holds no secret, but where it is.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct S3Store {
    /// What it is called in errors and metrics, 1 to 64 of `a-z0-9-`.
    pub name: String,
    /// `https://host`; unset: AWS.
    pub endpoint: Option<String>,
    /// Region of the bucket.
    #[serde(default = "us_east_1")]
    pub region: String,
    /// Name of the bucket, which is there already.
    pub bucket: String,
    /// Before the name of every object; empty or ending with `/`.
    #[serde(default)]
    pub prefix: String,
    /// The bucket in the path instead of in the host's name.
    #[serde(default)]
    pub path_style: bool,
    /// Access key id; it is no secret. One of this, `key_id_file` and `key_id_env`.
    pub key_id: Option<String>,
    /// File with the access key id.
    pub key_id_file: Option<PathBuf>,
    /// Environment variable with the access key id.
    pub key_id_env: Option<String>,
    /// File with the secret access key. One of this and `secret_env`.
    pub secret_file: Option<PathBuf>,
    /// Environment variable with the secret access key.
    pub secret_env: Option<String>,
    /// Locks every object for so many days from its writing, 1 to 36500; the bucket must have object lock.
    pub lock_days: Option<u16>,
    /// Whether somebody may shorten a lock.
    #[serde(default)]
    pub lock_mode: BackupLockMode,
    /// Sends Content-MD5; always done with `lock_days`.
    #[serde(default)]
    pub content_md5: bool,
    /// Longest wait for a connection, 1 to 60 s.
    #[serde(default = "ten")]
    pub connect_timeout_s: u64,
    /// Longest time of a whole request, 16 MiB going up included, 1 to 3600 s.
    #[serde(default = "hundred_twenty")]
    pub request_timeout_s: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BackupLockMode {
    /// Those with a special permission may shorten it.
    #[default]
    Governance,
    /// Nobody may.
    Compliance,
}

impl BackupStore {
    pub fn name(&self) -> &str {
        match self {
            Self::Disk(disk) => &disk.name,
            Self::S3(s3) => &s3.name,
        }
    }
}

impl S3Store {
    /// Key id and secret, read now from where they are.
    pub fn credentials(&self) -> Result<(String, SecretString), SecretError> {
        use secrecy::ExposeSecret;
        let key_id = match &self.key_id {
            Some(id) => id.clone(),
            None => {
                let id = secret("key_id", self.key_id_file.as_ref(), self.key_id_env.as_ref())?;
                id.expose_secret().to_owned()
            }
        };
        Ok((key_id, secret("secret_file", self.secret_file.as_ref(), self.secret_env.as_ref())?))
    }

    pub(super) fn check(&self, wrong: &mut Vec<String>) {
        let mut say = |what: &str| wrong.push(format!("backup.stores.{}: {what}", self.name));
        let ids = [self.key_id.is_some(), self.key_id_file.is_some(), self.key_id_env.is_some()];
        if ids.into_iter().filter(|set| *set).count() != 1 {
            say("needs exactly one of key_id, key_id_file and key_id_env");
        }
        if self.secret_file.is_some() == self.secret_env.is_some() {
            say("needs exactly one of secret_file and secret_env");
        }
        let http = |url: &String| url.starts_with("https://") || url.starts_with("http://");
        if !self.endpoint.as_ref().is_none_or(http) {
            say("endpoint must begin with https:// or http://");
        }
        if self.bucket.is_empty() {
            say("bucket is empty");
        }
        if !self.prefix.is_empty() && (!self.prefix.ends_with('/') || self.prefix.starts_with('/')) {
            say("prefix must end with / and not begin with it");
        }
    }
}

fn us_east_1() -> String {
    "us-east-1".into()
}

fn ten() -> u64 {
    10
}

fn hundred_twenty() -> u64 {
    120
}
