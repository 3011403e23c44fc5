//! Configuration: one struct, every key with its unit, default and bounds.
//!
//! Sources, later ones win: the defaults here, a TOML file, environment variables named
//! `COUNTERFOIL_<SECTION>__<KEY>` (`COUNTERFOIL_DATABASE__URL`). Unknown keys are refused, and all mistakes are
//! reported at once.

mod backup;
mod notifications;
mod oidc;
mod origin;
mod reference;
mod telemetry;

pub use backup::{Backup, BackupLockMode, BackupRetention, BackupStore, DiskStore, S3Store, SecretError};
pub use notifications::{Mail, Notifications};
pub use oidc::{GroupRole, Oidc};
pub use origin::{Origin, ShownKey};
pub use reference::{Key, Section, page, sections};
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
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
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

/// PostgreSQL, which has everything.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// `postgres://user:password@host/database`. Without it `counterfoil up` starts a PostgreSQL of its own;
    /// the separate roles need it.
    #[serde(serialize_with = "hidden")]
    #[schemars(with = "Option<reference::SecretText>")]
    pub url: Option<SecretString>,
    /// A streaming replica of that database: lists and results come from it for whoever has written nothing that it lacks.
    #[serde(serialize_with = "hidden")]
    #[schemars(with = "Option<reference::SecretText>")]
    pub replica_url: Option<SecretString>,
    /// Connections of one process for what it does for tenants, and as many for the system's own work, 2 to 1000.
    pub connections_max: u32,
    /// Longest wait for a free connection, 1 to 300 s.
    pub acquire_timeout_s: u64,
}

/// RabbitMQ, which carries hints that jobs are available.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Broker {
    /// `amqp://user:password@host:5672/vhost`. Without it `counterfoil up` uses the in-process queue; the
    /// separate roles need it.
    #[serde(serialize_with = "hidden")]
    #[schemars(with = "Option<reference::SecretText>")]
    pub url: Option<SecretString>,
    /// Queues are named `<prefix>.<job kind>`.
    pub prefix: String,
}

/// Where uploaded files are.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ObjectStore {
    /// Folder for uploaded files; shared by the API and all workers. Default: `objects` in the data directory.
    pub dir: Option<PathBuf>,
}

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
    #[schemars(with = "Option<reference::SecretText>")]
    pub metrics_token: Option<SecretString>,
}

/// Who may come in, and for how long.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// File with the Ed25519 key (PKCS#8, DER or PEM) that signs access tokens; the same for all API processes.
    /// `counterfoil up` makes one in its data directory; `counterfoil api` needs it.
    pub signing_key_file: Option<PathBuf>,
    /// What signs access tokens, as a secret instead of a file. One key in DER, or several in PEM, of which the first signs.
    #[serde(serialize_with = "hidden")]
    #[schemars(with = "Option<reference::SecretText>")]
    pub signing_key: Option<SecretString>,
    /// 64 hex digits (`openssl rand -hex 32`) that seal second factors and the secrets of webhooks, for API and workers;
    /// without it nobody can have any. `counterfoil up` makes it in its data directory.
    #[serde(serialize_with = "hidden")]
    #[schemars(with = "Option<reference::SecretText>")]
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

/// How often somebody may ask, 0 to 1000000; 0: as often as they like. A request counts for all limits that concern it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimits {
    /// Whatever asks for a password or code.
    pub logins_per_ip_hour: u32,
    /// Registrations, and invitations accepted.
    pub registrations_per_ip_hour: u32,
    /// Refreshed sessions.
    pub refreshes_per_ip_hour: u32,
    /// Requests that make jobs.
    pub submissions_per_user_hour: u32,
    /// Uploads.
    pub uploads_per_user_hour: u32,
    /// Lists of members and invitations.
    pub member_lists_per_user_hour: u32,
    /// Dashboards.
    pub analytics_per_user_hour: u32,
    /// Anything, besides the limits above.
    pub requests_per_ip_minute: u32,
    /// Anything.
    pub requests_per_user_minute: u32,
    /// Anything, of one session or API key.
    pub requests_per_token_minute: u32,
    /// Anything that concerns one project.
    pub requests_per_project_minute: u32,
}

/// Where several API processes count together; optional.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Redis {
    /// `redis://:password@host:6379/0`, or `rediss://`. With it API processes count rate limits together; without it,
    /// those of logins and registrations in the database, the others each for itself.
    #[serde(serialize_with = "hidden")]
    #[schemars(with = "Option<reference::SecretText>")]
    pub url: Option<SecretString>,
}

/// How secrets that are elsewhere are reached.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Secrets {
    /// Region of AWS Secrets Manager. Default: `AWS_REGION`.
    pub aws_region: Option<String>,
    /// Address of AWS Secrets Manager. Default: the region's own.
    pub aws_endpoint: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Registration {
    Open,
    /// With an invitation only.
    InviteOnly,
    Closed,
}

/// The processes that run jobs.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Worker {
    /// Queues to serve; empty: every kind this version knows.
    pub queues: Vec<String>,
    /// Jobs at once per queue, 1 to 1000. Reconciliations use all cores by themselves: few slots are enough.
    pub concurrency: usize,
    /// A job whose worker is silent for this long is given to another, 2 to 3600 s.
    pub lease_s: u64,
    /// How long running jobs may go on after SIGTERM before they are handed back, 0 to 3600 s.
    pub drain_s: u64,
    /// Where a separate worker process answers `/api/health` and `/api/metrics`; unset: nowhere.
    pub listen: Option<SocketAddr>,
}

/// The process that does what time alone makes happen.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Scheduler {
    /// Most doorbells kept waiting in the broker per queue, 1 to 100000. The rest of the backlog stays in
    /// Postgres, where priority still decides.
    pub relay_window: u64,
    /// Fewest doorbells kept waiting there, 1 to 100000: the window follows what workers take, between this and `relay_window`.
    pub relay_window_min: u64,
    /// Waiting that lifts a job by one priority, 1 to 86400 s.
    pub age_step_s: u64,
    /// Period of the relay when nothing wakes it, 10 to 60000 ms.
    pub relay_period_ms: u64,
    /// Period of ticker, stager, rescuer and notifier, 100 to 60000 ms.
    pub period_ms: u64,
    /// Ring again for an available job nobody took, 1 to 3600 s.
    pub ring_again_after_s: u64,
    /// A job is dead when so many of its leases in a row expired, 1 to 100: it seems to kill its workers.
    pub lease_expiries_max: u16,
    /// Finished jobs and results are kept at least this long, 1 to 36500 days.
    pub retention_days: u64,
    /// Where a separate scheduler process answers `/api/health` and `/api/metrics`; unset: nowhere.
    pub listen: Option<SocketAddr>,
}

/// From which point on the API refuses new jobs instead of letting them pile up.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Backlog {
    /// Most waiting jobs altogether, 1 to 1000000000.
    pub jobs_max: u64,
    /// Most waiting jobs of one project, 1 to 1000000000.
    pub project_jobs_max: u64,
    /// Longest time that the relay may be behind, 1 to 604800 s.
    pub lag_s_max: u64,
}

/// What is told on standard error.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// How lines are written, on standard error.
    pub format: LogFormat,
    /// Which lines: `error`, `warn`, `info`, `debug`, `trace`, and exceptions: `info,worker=debug`. Default: `info`, and `warn`
    /// for `counterfoil up`.
    pub filter: Option<String>,
}

impl Log {
    pub fn filter(&self) -> &str {
        self.filter.as_deref().unwrap_or("info")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Readable on a terminal, JSON otherwise.
    Auto,
    Json,
    Pretty,
}

impl Default for Database {
    fn default() -> Self {
        Self { url: None, replica_url: None, connections_max: 50, acquire_timeout_s: 10 }
    }
}

impl Default for Broker {
    fn default() -> Self {
        Self { url: None, prefix: "counterfoil".into() }
    }
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

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            logins_per_ip_hour: 10,
            registrations_per_ip_hour: 5,
            refreshes_per_ip_hour: 600,
            submissions_per_user_hour: 50,
            uploads_per_user_hour: 100,
            member_lists_per_user_hour: 1000,
            analytics_per_user_hour: 500,
            requests_per_ip_minute: 3000,
            requests_per_user_minute: 1200,
            requests_per_token_minute: 1200,
            requests_per_project_minute: 6000,
        }
    }
}

impl RateLimits {
    /// No limit at all: for benchmarks and tests of something else.
    pub fn none() -> Self {
        Self {
            logins_per_ip_hour: 0,
            registrations_per_ip_hour: 0,
            refreshes_per_ip_hour: 0,
            submissions_per_user_hour: 0,
            uploads_per_user_hour: 0,
            member_lists_per_user_hour: 0,
            analytics_per_user_hour: 0,
            requests_per_ip_minute: 0,
            requests_per_user_minute: 0,
            requests_per_token_minute: 0,
            requests_per_project_minute: 0,
        }
    }

    fn all(&self) -> [(&'static str, u32); 11] {
        [
            ("logins_per_ip_hour", self.logins_per_ip_hour),
            ("registrations_per_ip_hour", self.registrations_per_ip_hour),
            ("refreshes_per_ip_hour", self.refreshes_per_ip_hour),
            ("submissions_per_user_hour", self.submissions_per_user_hour),
            ("uploads_per_user_hour", self.uploads_per_user_hour),
            ("member_lists_per_user_hour", self.member_lists_per_user_hour),
            ("analytics_per_user_hour", self.analytics_per_user_hour),
            ("requests_per_ip_minute", self.requests_per_ip_minute),
            ("requests_per_user_minute", self.requests_per_user_minute),
            ("requests_per_token_minute", self.requests_per_token_minute),
            ("requests_per_project_minute", self.requests_per_project_minute),
        ]
    }
}

impl Default for Worker {
    fn default() -> Self {
        Self { queues: vec![], concurrency: 2, lease_s: 12, drain_s: 30, listen: None }
    }
}

impl Default for Scheduler {
    fn default() -> Self {
        Self {
            relay_window: 1000,
            relay_window_min: 16,
            age_step_s: 120,
            relay_period_ms: 100,
            period_ms: 1000,
            ring_again_after_s: 60,
            lease_expiries_max: 3,
            retention_days: 400,
            listen: None,
        }
    }
}

impl Default for Backlog {
    /// A million waiting jobs take about a gigabyte; an hour behind is long after every alarm.
    fn default() -> Self {
        Self { jobs_max: 1_000_000, project_jobs_max: 100_000, lag_s_max: 3600 }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Auto, filter: None }
    }
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

    fn check(&self) -> Result<(), ConfigError> {
        let mut wrong = vec![];
        let mut range = |key: &str, value: u64, min: u64, max: u64| {
            if !(min..=max).contains(&value) {
                wrong.push(format!("{key} is {value}, and must be {min} to {max}"));
            }
        };
        range("database.connections_max", self.database.connections_max.into(), 2, 1000);
        range("database.acquire_timeout_s", self.database.acquire_timeout_s, 1, 300);
        range("http.upload_bytes_max", self.http.upload_bytes_max, 1, i64::MAX as u64);
        range("http.project_files_max", self.http.project_files_max.into(), 1, 1_000_000);
        range("http.request_timeout_s", self.http.request_timeout_s, 1, 600);
        range("http.event_streams_max", self.http.event_streams_max as u64, 1, 100_000);
        range("http.idempotency_key_hours", self.http.idempotency_key_hours, 1, 8760);
        range("auth.session_idle_hours", self.auth.session_idle_hours.into(), 1, 8760);
        range("auth.session_days_max", self.auth.session_days_max.into(), 1, 3650);
        range("auth.lock_after_failures", self.auth.lock_after_failures.into(), 1, 1000);
        range("auth.lock_minutes_max", self.auth.lock_minutes_max.into(), 1, 1440);
        for (key, value) in self.rate_limits.all() {
            range(&format!("rate_limits.{key}"), value.into(), 0, 1_000_000);
        }
        range("auth.access_token_minutes", self.auth.access_token_minutes.max(0) as u64, 1, 1440);
        range("worker.concurrency", self.worker.concurrency as u64, 1, 1000);
        range("worker.lease_s", self.worker.lease_s, 2, 3600);
        range("worker.drain_s", self.worker.drain_s, 0, 3600);
        range("backlog.jobs_max", self.backlog.jobs_max, 1, 1_000_000_000);
        range("backlog.project_jobs_max", self.backlog.project_jobs_max, 1, 1_000_000_000);
        range("backlog.lag_s_max", self.backlog.lag_s_max, 1, 604_800);
        for (kind, settings) in &self.kinds {
            for (key, value, min, max) in settings.ranges() {
                range(&format!("kinds.{kind}.{key}"), value, min, max);
            }
        }
        range("scheduler.relay_window", self.scheduler.relay_window, 1, 100_000);
        range("scheduler.relay_window_min", self.scheduler.relay_window_min, 1, 100_000);
        range("scheduler.age_step_s", self.scheduler.age_step_s, 1, 86_400);
        range("scheduler.lease_expiries_max", self.scheduler.lease_expiries_max.into(), 1, 100);
        range("scheduler.relay_period_ms", self.scheduler.relay_period_ms, 10, 60_000);
        range("scheduler.period_ms", self.scheduler.period_ms, 100, 60_000);
        range("scheduler.ring_again_after_s", self.scheduler.ring_again_after_s, 1, 3600);
        range("scheduler.retention_days", self.scheduler.retention_days, 1, 36_500);
        for kind in self.kinds.keys() {
            if crate::job::JobKind::parse(kind).is_none() {
                wrong.push(format!("kinds.{kind}: is not a job kind"));
            }
        }
        for network in &self.http.trusted_proxies {
            if parse_network(network).is_none() {
                wrong.push(format!("http.trusted_proxies: {network:?} is neither an address nor a network"));
            }
        }
        for queue in &self.worker.queues {
            if crate::job::JobKind::parse(queue).is_none() {
                wrong.push(format!("worker.queues: {queue:?} is not a queue"));
            }
        }
        if crate::queue::QueueName::parse(&self.broker.prefix).is_err() {
            wrong.push(format!("broker.prefix: {:?} is not a queue name", self.broker.prefix));
        }
        self.telemetry.check(&mut wrong);
        self.backup.check(&mut wrong);
        self.notifications.check(&self.mail, &mut wrong);
        self.oidc.check(self.notifications.public_url.as_deref(), &mut wrong);
        if wrong.is_empty() { Ok(()) } else { Err(ConfigError(wrong)) }
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
