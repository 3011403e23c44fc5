//! Who may come in.

use super::hidden;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Who may come in, and for how long.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// File with the Ed25519 key (PKCS#8, DER or PEM) that signs access tokens; the same for all API processes.
    /// `counterfoil up` makes one in its data directory; `counterfoil api` needs it.
    pub signing_key_file: Option<PathBuf>,
    /// What signs access tokens, as a secret instead of a file. One key in DER, or several in PEM, of which the first signs.
    #[serde(serialize_with = "hidden")]
    #[schemars(with = "Option<super::reference::SecretText>")]
    pub signing_key: Option<SecretString>,
    /// 64 hex digits (`openssl rand -hex 32`) that seal second factors and the secrets of webhooks, for API and workers;
    /// without it nobody can have any. `counterfoil up` makes it in its data directory.
    #[serde(serialize_with = "hidden")]
    #[schemars(with = "Option<super::reference::SecretText>")]
    pub sealing_key: Option<SecretString>,
    /// Life of an access token, 1 to 1440 min.
    pub access_token_minutes: i64,
    /// How long a refresh token is good, 1 to 8760 h.
    pub session_idle_hours: u32,
    /// How long a login lasts, however often it is refreshed, 1 to 3650 days.
    pub session_days_max: u32,
    /// Failed logins in a row that lock an address for a minute, doubling with each further one, 1 to 1000.
    pub lock_after_failures: u32,
    /// Longest lock of an address, 1 to 1440 min.
    pub lock_minutes_max: u32,
    /// Who may register. The first administrator is made by `counterfoil up` or `counterfoil users`.
    pub registration: Registration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Registration {
    Open,
    /// With an invitation only.
    InviteOnly,
    Closed,
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            signing_key_file: None,
            signing_key: None,
            sealing_key: None,
            access_token_minutes: 60,
            session_idle_hours: 168,
            session_days_max: 30,
            lock_after_failures: 10,
            lock_minutes_max: 15,
            registration: Registration::Open,
        }
    }
}
