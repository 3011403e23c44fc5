//! Secrets: where they are, reading them, and refusing those that keep nothing out.
//!
//! A setting that is secret is either the value itself, or says where the value is: `file:/run/secrets/db`,
//! `env:DB_URL`, or `aws:prod/counterfoil` for AWS Secrets Manager (`aws:prod/counterfoil#url` for one member of a
//! JSON secret). What was read is kept for five minutes, and while its source is away.

mod aws;
mod sigv4;
mod strength;

pub use strength::{check_token, check_url};

use aws::Aws;
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// How long a secret is kept before it is read again.
pub const KEPT_FOR: Duration = Duration::from_secs(300);
/// Far more than any key or URL takes.
const BYTES_MAX: u64 = 64 << 10;

/// Why there is no secret. Names the setting and the source, never the value.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("{key}: reading {from}")]
    Unreadable {
        key: &'static str,
        from: String,
        #[source]
        source: std::io::Error,
    },
    #[error("{key}: {from} {says}")]
    Unusable { key: &'static str, from: String, says: String },
}

/// What was read. Shows nothing of itself.
#[derive(Clone)]
pub struct SecretBytes(Arc<SecretSlice<u8>>);

impl SecretBytes {
    fn new(bytes: Vec<u8>) -> Self {
        Self(Arc::new(bytes.into()))
    }

    pub fn expose(&self) -> &[u8] {
        self.0.expose_secret()
    }

    /// As text, without the line break that editors add. `None`: it is no UTF-8.
    pub fn text(&self) -> Option<SecretString> {
        let text = std::str::from_utf8(self.expose()).ok()?;
        Some(SecretString::from(text.trim_end_matches(['\r', '\n']).to_owned()))
    }
}

impl std::fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretBytes(…)")
    }
}

/// A setting that is secret, and can be read again.
#[derive(Clone, Debug)]
pub struct Secret {
    key: &'static str,
    source: Source,
    kept: Arc<Mutex<Option<(Instant, SecretBytes)>>>,
}

#[derive(Clone, Debug)]
enum Source {
    /// The setting itself.
    Given(SecretString),
    File(PathBuf),
    Environment(String),
    Aws {
        aws: Arc<Aws>,
        id: String,
        member: Option<String>,
    },
}

impl Secret {
    /// `key` is the setting's name, for messages. Reads nothing yet.
    pub fn new(
        key: &'static str,
        value: &SecretString,
        settings: &crate::config::Secrets,
    ) -> Result<Self, SecretError> {
        let text = value.expose_secret();
        let source = if let Some(path) = text.strip_prefix("file:") {
            Source::File(path.into())
        } else if let Some(name) = text.strip_prefix("env:") {
            Source::Environment(name.to_owned())
        } else if let Some(id) = text.strip_prefix("aws:") {
            let (id, member) = match id.split_once('#') {
                Some((id, member)) => (id, Some(member.to_owned())),
                None => (id, None),
            };
            let aws = Aws::new(settings).map_err(|says| SecretError::Unusable {
                key,
                from: format!("AWS Secrets Manager's {id}"),
                says,
            })?;
            Source::Aws { aws: Arc::new(aws), id: id.to_owned(), member }
        } else {
            Source::Given(value.clone())
        };
        Ok(Self { key, source, kept: Arc::default() })
    }

    /// A secret in a file.
    pub fn in_file(key: &'static str, path: PathBuf) -> Self {
        Self { key, source: Source::File(path), kept: Arc::default() }
    }

    /// Whether the source may have another value later.
    pub fn may_change(&self) -> bool {
        matches!(self.source, Source::File(_) | Source::Aws { .. })
    }

    /// What was read within the last five minutes, else what is there now; when that cannot be read, what was read
    /// last.
    pub async fn read(&self) -> Result<SecretBytes, SecretError> {
        let mut kept = self.kept.lock().await;
        if let Some((_, bytes)) = kept.as_ref().filter(|(at, _)| at.elapsed() < KEPT_FOR) {
            return Ok(bytes.clone());
        }
        match (self.fetch().await, kept.as_ref()) {
            (Ok(bytes), _) => {
                *kept = Some((Instant::now(), bytes.clone()));
                Ok(bytes)
            }
            (Err(error), Some((_, bytes))) => {
                tracing::warn!(
                    error = crate::chain(&error),
                    "a secret cannot be read again; the old one is used"
                );
                metrics::counter!("counterfoil_secret_errors_total", "secret" => self.key).increment(1);
                Ok(bytes.clone())
            }
            (Err(error), None) => Err(error),
        }
    }

    /// What is there now.
    pub async fn read_anew(&self) -> Result<SecretBytes, SecretError> {
        let bytes = self.fetch().await.inspect_err(|_| {
            metrics::counter!("counterfoil_secret_errors_total", "secret" => self.key).increment(1);
        })?;
        *self.kept.lock().await = Some((Instant::now(), bytes.clone()));
        Ok(bytes)
    }

    async fn fetch(&self) -> Result<SecretBytes, SecretError> {
        let this = self.clone();
        let fetched = tokio::task::spawn_blocking(move || this.fetch_blocking()).await;
        fetched.unwrap_or_else(|error| Err(self.unusable(format!("could not be read: {error}"))))
    }

    fn fetch_blocking(&self) -> Result<SecretBytes, SecretError> {
        let unreadable = |source| SecretError::Unreadable { key: self.key, from: self.from(), source };
        let bytes = match &self.source {
            Source::Given(text) => text.expose_secret().as_bytes().to_vec(),
            Source::File(path) => {
                if std::fs::metadata(path).map_err(unreadable)?.len() > BYTES_MAX {
                    return Err(self.unusable("is far too long".into()));
                }
                std::fs::read(path).map_err(unreadable)?
            }
            Source::Environment(name) => match std::env::var(name) {
                Ok(value) => value.into_bytes(),
                Err(_) => return Err(self.unusable("is not set".into())),
            },
            Source::Aws { aws, id, member } => {
                aws.secret(id, member.as_deref()).map_err(|says| self.unusable(says))?
            }
        };
        if bytes.trim_ascii().is_empty() {
            return Err(self.unusable("is empty".into()));
        }
        Ok(SecretBytes::new(bytes))
    }

    fn unusable(&self, says: String) -> SecretError {
        SecretError::Unusable { key: self.key, from: self.from(), says }
    }

    /// The source, for messages.
    fn from(&self) -> String {
        match &self.source {
            Source::Given(_) => "the setting".into(),
            Source::File(path) => format!("the file {}", path.display()),
            Source::Environment(name) => format!("the environment variable {name}"),
            Source::Aws { id, .. } => format!("AWS Secrets Manager's {id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    fn secret(value: &str) -> Secret {
        Secret::new("database.url", &value.to_owned().into(), &config::Secrets::default()).unwrap()
    }

    async fn text(secret: &Secret) -> String {
        secret.read().await.unwrap().text().unwrap().expose_secret().to_owned()
    }

    #[tokio::test]
    async fn a_secret_is_given_or_said_where() {
        assert_eq!(text(&secret("postgres://u:p@h/d")).await, "postgres://u:p@h/d");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "from a file\n").unwrap();
        assert_eq!(text(&secret(&format!("file:{}", file.path().display()))).await, "from a file");
        // Set in every test run, by cargo.
        assert_eq!(text(&secret("env:CARGO_PKG_NAME")).await, "shared");
    }

    #[tokio::test]
    async fn what_is_missing_is_named_without_its_value() {
        for (value, names) in [
            ("file:/nowhere/at/all", "/nowhere/at/all"),
            ("env:COUNTERFOIL_NO_SUCH_VARIABLE", "COUNTERFOIL_NO_SUCH_VARIABLE"),
        ] {
            let error = secret(value).read().await.unwrap_err().to_string();
            assert!(error.contains("database.url") && error.contains(names), "{error}");
        }
        let empty = tempfile::NamedTempFile::new().unwrap();
        let error = secret(&format!("file:{}", empty.path().display())).read().await.unwrap_err();
        assert!(error.to_string().contains("is empty"), "{error}");
    }

    #[tokio::test]
    async fn a_secret_is_kept_and_outlives_its_source() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "first").unwrap();
        let secret = secret(&format!("file:{}", file.path().display()));
        assert_eq!(text(&secret).await, "first");
        std::fs::write(file.path(), "second").unwrap();
        assert_eq!(text(&secret).await, "first", "kept");
        assert_eq!(secret.read_anew().await.unwrap().expose(), b"second");
        std::fs::remove_file(file.path()).unwrap();
        assert!(secret.read_anew().await.is_err());
        assert_eq!(text(&secret).await, "second");
        secret.kept.lock().await.as_mut().unwrap().0 -= KEPT_FOR;
        assert_eq!(text(&secret).await, "second", "its source is away");
    }

    #[tokio::test]
    async fn nothing_shows_a_value() {
        let secret = secret("canary-in-a-secret");
        let bytes = secret.read().await.unwrap();
        assert!(!format!("{secret:?} {bytes:?} {:?}", bytes.text()).contains("canary"));
    }
}
