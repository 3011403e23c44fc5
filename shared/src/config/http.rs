//! What the API listens to.

use super::hidden;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// What the API listens to, and how much of it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Largest uploaded file, bytes; at least 1.
    pub upload_bytes_max: u64,
    /// Files a project may keep, 1 to 1000000.
    pub project_files_max: u32,
    /// Time for a request other than uploads, downloads and event streams, 1 to 600 s.
    pub request_timeout_s: u64,
    /// Event streams open at once in one process, 1 to 100000.
    pub event_streams_max: usize,
    /// How long the answer to a request with an `Idempotency-Key` is kept for its repetitions, 1 to 8760 h.
    pub idempotency_key_hours: u64,
    /// Networks (`10.0.0.0/8`) of proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<String>,
    /// What `/api/metrics` of every process wants as `Authorization: Bearer …`, 16 to 512 letters, digits and signs
    /// (`openssl rand -hex 32`). Unset: whoever reaches the port may read the figures.
    #[serde(serialize_with = "hidden")]
    #[schemars(with = "Option<super::reference::SecretText>")]
    pub metrics_token: Option<SecretString>,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: ([127, 0, 0, 1], 8080).into(),
            upload_bytes_max: 4 << 30,
            project_files_max: 10_000,
            request_timeout_s: 30,
            event_streams_max: 1000,
            idempotency_key_hours: 24,
            trusted_proxies: vec![],
            metrics_token: None,
        }
    }
}
