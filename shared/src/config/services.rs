//! The services that Counterfoil leans on, and how their secrets are reached.

use super::hidden;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// PostgreSQL, which has everything.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// `postgres://user:password@host/database`. Without it `counterfoil up` starts a PostgreSQL of its own;
    /// the separate roles need it.
    #[serde(serialize_with = "hidden")]
    #[schemars(with = "Option<super::reference::SecretText>")]
    pub url: Option<SecretString>,
    /// A streaming replica of that database: lists and results come from it for whoever has written nothing that it lacks.
    #[serde(serialize_with = "hidden")]
    #[schemars(with = "Option<super::reference::SecretText>")]
    pub replica_url: Option<SecretString>,
    /// Connections of one process for what it does for tenants, and as many for the system's own work, 2 to 1000.
    pub connections_max: u32,
    /// Connections that a process with the API keeps open in each of the two though nobody uses them, so that requests
    /// need not wait for one to be opened, 0 to 1000; all of them where `connections_max` is fewer. Other processes keep
    /// none, nor does the PostgreSQL that `counterfoil up` starts need it, which answers within the machine.
    pub connections_idle_min: u32,
    /// How long a connection that is one of more than those may rest before it is closed, 1 to 86400 s. Up to four that
    /// doorbells and leases go over may rest longer: they are closed when they are wanted next.
    pub connection_idle_s: u64,
    /// How old a connection gets before another takes its place, 1 to 86400 s.
    pub connection_lifetime_s: u64,
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
    #[schemars(with = "Option<super::reference::SecretText>")]
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

/// What several API processes have together; optional.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Redis {
    /// `redis://:password@host:6379/0`, or `rediss://`. With it API processes count rate limits together, and find
    /// what others have read of people, projects and statistics; without it, limits of logins and registrations count in the
    /// database, the others in each process for itself.
    #[serde(serialize_with = "hidden")]
    #[schemars(with = "Option<super::reference::SecretText>")]
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

impl Default for Database {
    fn default() -> Self {
        Self {
            url: None,
            replica_url: None,
            connections_max: 50,
            connections_idle_min: 10,
            connection_idle_s: 600,
            connection_lifetime_s: 1800,
            acquire_timeout_s: 10,
        }
    }
}

impl Default for Broker {
    fn default() -> Self {
        Self { url: None, prefix: "counterfoil".into() }
    }
}
