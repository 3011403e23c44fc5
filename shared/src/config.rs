//! Configuration: one struct, every key with its unit, default and bounds.
//!
//! Sources, later ones win: the defaults here, a TOML file, environment variables named
//! `COUNTERFOIL_<SECTION>__<KEY>` (`COUNTERFOIL_DATABASE__URL`). Unknown keys are refused, and all mistakes are
//! reported at once.

mod auth;
mod backup;
mod backup_stores;
mod check;
mod http;
mod log;
mod notifications;
mod oidc;
mod origin;
mod rate_limits;
mod reference;
mod roles;
mod services;
mod telemetry;

pub use auth::{Auth, Registration};
pub use backup::{Backup, BackupRetention, SecretError};
pub use backup_stores::{BackupLockMode, BackupStore, DiskStore, S3Store};
pub use http::Http;
pub use log::{Log, LogFormat};
pub use notifications::{Mail, Notifications};
pub use oidc::{GroupRole, Oidc};
pub use origin::{Origin, ShownKey};
pub use rate_limits::RateLimits;
pub use reference::{Key, Section, page, sections};
pub use roles::{Backlog, Scheduler, Worker};
pub use services::{Broker, Database, ObjectStore, Redis, Secrets};
pub use telemetry::{Otlp, Telemetry};

use crate::policy::{KindSettings, Policies};
use crate::secrets::Secret;
use crate::store::clean_up::Retention;
use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use ipnet::IpNet;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub database: Database,
    pub broker: Broker,
    pub objects: ObjectStore,
    pub http: Http,
    pub auth: Auth,
    pub oidc: Oidc,
    pub rate_limits: RateLimits,
    pub redis: Redis,
    pub secrets: Secrets,
    pub worker: Worker,
    pub scheduler: Scheduler,
    pub backlog: Backlog,
    pub backup: Backup,
    pub mail: Mail,
    pub notifications: Notifications,
    /// How jobs of a kind are tried.
    pub kinds: BTreeMap<String, KindSettings>,
    pub log: Log,
    pub telemetry: Telemetry,
    /// Where `database.url` was read from, once it was.
    #[serde(skip)]
    pub database_url_source: Option<Secret>,
}

/// Everything that is wrong, one line each, with the key.
#[derive(Debug, thiserror::Error)]
#[error("the configuration is not usable:\n  {}", .0.join("\n  "))]
pub struct ConfigError(pub Vec<String>);

impl Config {
    /// Reads defaults, then `file`, then the environment.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        Self::extract(&Self::sources(file)?)
    }

    /// The same, with where each value came from. Secrets are in no value.
    pub fn load_shown(file: Option<&Path>) -> Result<(Self, Vec<ShownKey>), ConfigError> {
        let sources = Self::sources(file)?;
        let config = Self::extract(&sources)?;
        Ok((config, origin::shown(&sources)))
    }

    fn sources(file: Option<&Path>) -> Result<Figment, ConfigError> {
        let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        let misspelt = origin::misspelt_variables(names);
        if !misspelt.is_empty() {
            return Err(ConfigError(misspelt));
        }
        let mut figment = Figment::from(Serialized::defaults(Config::default()));
        if let Some(file) = file {
            if !file.is_file() {
                return Err(ConfigError(vec![format!("{}: no such file", file.display())]));
            }
            figment = figment.merge(Toml::file_exact(file));
        }
        // Variables of the tests and of the shell helpers share the prefix; only those with a section count.
        let env = Env::prefixed("COUNTERFOIL_").filter(|key| key.as_str().contains("__")).split("__");
        Ok(figment.merge(env))
    }

    fn extract(sources: &Figment) -> Result<Self, ConfigError> {
        // All of them; reading into the types would stop at the first.
        let unknown = origin::unknown_keys(sources);
        if !unknown.is_empty() {
            return Err(ConfigError(unknown));
        }
        let config: Config = sources
            .extract()
            .map_err(|errors| ConfigError(errors.into_iter().map(|e| e.to_string()).collect()))?;
        config.check()?;
        Ok(config)
    }

    /// How each kind of job is tried.
    pub fn policies(&self) -> Policies {
        Policies::new(&self.kinds)
    }

    /// Whose word about the client's address counts; those that are no network are refused when read.
    pub fn trusted_proxies(&self) -> Vec<IpNet> {
        self.http.trusted_proxies.iter().filter_map(|text| parse_network(text)).collect()
    }

    /// How long what is finished is kept.
    pub fn retention(&self) -> Retention {
        Retention {
            finished: Duration::from_secs(self.scheduler.retention_days * 86_400),
            idempotency_keys: Duration::from_secs(self.http.idempotency_key_hours * 3600),
        }
    }
}

fn parse_network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// Secrets never leave through serialisation; `None` keeps the key optional.
fn hidden<S: serde::Serializer>(_: &Option<SecretString>, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(toml: &str) -> Result<Config, ConfigError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), toml).unwrap();
        Config::load(Some(file.path()))
    }

    #[test]
    fn the_defaults_are_usable() {
        assert_eq!(load("").unwrap().worker.lease_s, 12);
    }

    #[test]
    fn every_value_out_of_range_is_named() {
        let ConfigError(wrong) =
            load("[worker]\nconcurrency = 0\nlease_s = 1\n[http]\nrequest_timeout_s = 0").unwrap_err();
        assert_eq!(wrong.len(), 3, "{wrong:?}");
    }

    #[test]
    fn kinds_have_sections_of_their_own() {
        let config = load("[kinds.reconciliation]\nattempts_max = 7\nretry_cap_s = 60").unwrap();
        let policy = config.policies().of(&crate::job::JobKind::RECONCILIATION);
        assert_eq!((policy.attempts_max, policy.retry.cap.as_secs()), (7, 60));
        let ConfigError(wrong) =
            load("[kinds.Mail]\n[kinds.mail]\nattempts_max = 0\ntime_limit_s = 0").unwrap_err();
        assert_eq!(wrong.len(), 3, "{wrong:?}");
        assert!(load("[kinds.mail]\nretries = 3").is_err());
    }

    #[test]
    fn unknown_keys_are_refused() {
        let ConfigError(wrong) = load(
            "[worker]\nconcurency = 3\n[wroker]\nx = 1\n[kinds.mail]\nretries = 3\n\
             [[backup.stores]]\nkind = \"disk\"\nname = \"a\"\ndir = \"/mnt\"\ndirr = \"x\"",
        )
        .unwrap_err();
        assert_eq!(wrong.len(), 4, "all at once: {wrong:#?}");
        for (key, instead) in [
            ("worker.concurency", "worker.concurrency"),
            ("wroker", "worker"),
            ("kinds.mail.retries", "kinds.mail."),
            ("backup.stores[0].dirr", "backup.stores[0].dir"),
        ] {
            let line = wrong.iter().find(|line| line.starts_with(&format!("{key}: ")));
            let line = line.unwrap_or_else(|| panic!("{key} in {wrong:#?}"));
            assert!(line.contains(".toml") || line.contains("/tmp"), "names the file: {line}");
            assert!(line.contains(instead), "{line}");
        }
    }

    #[test]
    fn urls_with_passwords_are_not_shown() {
        let config = load("[database]\nurl = \"postgres://u:canary@h/d\"").unwrap();
        assert!(!format!("{config:?}").contains("canary"));
        assert!(!serde_json::to_string(&config).unwrap().contains("canary"));
    }
}
