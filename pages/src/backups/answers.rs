//! What the API says of backups and restores, as far as pages show it.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Health {
    pub score: i64,
    pub factors: Vec<Factor>,
    pub last_backup_at: Option<DateTime<Utc>>,
    pub last_verified_at: Option<DateTime<Utc>>,
    pub backups: i64,
    pub unverified: i64,
    pub last_proven_restore_at: Option<DateTime<Utc>>,
    pub wal_complete_until: Option<DateTime<Utc>>,
    pub kinds: Vec<KindHealth>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Factor {
    pub name: String,
    pub points: i64,
    pub points_max: i64,
    pub says: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct KindHealth {
    pub kind: String,
    pub last_backup_at: Option<DateTime<Utc>>,
    pub last_bytes: Option<i64>,
    pub last_s: Option<f64>,
    pub usual_bytes: Option<f64>,
    pub failures: i64,
    pub last_error: Option<String>,
    pub last_proven_restore_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Store {
    pub name: String,
    pub kind: String,
    pub is_reachable: bool,
    pub share_used: Option<f64>,
    pub owed_objects: i64,
    pub owed_bytes: i64,
    pub bytes: Option<i64>,
    pub error: Option<String>,
    pub checked_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Alert {
    pub id: String,
    pub severity: String,
    pub message: String,
    pub raised_at: DateTime<Utc>,
    pub acknowledged_at: Option<DateTime<Utc>>,
    pub acknowledged_by: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Backup {
    pub id: String,
    pub kind: String,
    pub state: String,
    pub project_id: Option<String>,
    pub note: Option<String>,
    pub started_at: DateTime<Utc>,
    pub finished_at: DateTime<Utc>,
    pub taken_at: Option<DateTime<Utc>>,
    pub rows: Option<i64>,
    pub plain_bytes: Option<i64>,
    pub sealed_bytes: Option<i64>,
    pub counts: Option<bool>,
    pub error: Option<String>,
    pub is_protected: bool,
    pub verified_at: Option<DateTime<Utc>>,
    pub is_good: Option<bool>,
    pub removed_at: Option<DateTime<Utc>>,
    pub copies: Vec<Copy>,
}

impl Backup {
    pub fn took(&self) -> String {
        crate::format::duration(self.finished_at - self.started_at)
    }

    /// What it holds was so then; of failed ones when they were tried.
    pub fn as_of(&self) -> DateTime<Utc> {
        self.taken_at.unwrap_or(self.started_at)
    }

    pub fn is_there(&self) -> bool {
        self.state == "committed"
    }

    /// By its last verification, where there was one.
    pub fn is_lost(&self) -> bool {
        self.is_good == Some(false)
    }
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Copy {
    pub store: String,
    pub state: String,
    pub checked_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct BackupDetail {
    #[serde(flatten)]
    pub backup: Backup,
    #[serde(default)]
    pub manifest: Option<Manifest>,
    #[serde(default)]
    pub verification: Option<Verification>,
}

/// What a backup says of itself. Every part may be missing: manifests are kept for years, and their form may change.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Manifest {
    pub program_version: String,
    pub cluster: String,
    pub of: Of,
    pub tables: Vec<Table>,
    pub wal: Option<Wal>,
    pub streams: Vec<Stream>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Of {
    pub database: String,
    pub server_version: String,
    pub encoding: String,
    pub migration: Option<i64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Table {
    pub figures: Figures,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Figures {
    pub schema: String,
    pub table: String,
    pub rows: i64,
    pub digest: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Wal {
    pub timeline: i64,
    pub start_lsn: String,
    pub end_lsn: String,
}

/// A part: one sealed stream, cut into packs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Stream {
    pub name: String,
    pub plain_bytes: i64,
    pub sealed_bytes: i64,
    pub sha256: String,
    pub packs: Vec<Value>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Verification {
    pub objects: i64,
    pub bytes: i64,
    pub stores: BTreeMap<String, StoreVerified>,
    pub lost: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct StoreVerified {
    pub whole: i64,
    pub missing: Vec<String>,
    pub damaged: Vec<String>,
    pub unknown: Vec<String>,
    pub healed: i64,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Plan {
    pub policy: Policy,
    pub configured: Policy,
    pub kept: Vec<Kept>,
    pub removed: Vec<Removed>,
    pub kept_bytes: i64,
    pub removed_bytes: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Policy {
    pub days: i64,
    pub daily: i64,
    pub weekly: i64,
    pub monthly: i64,
    pub yearly: i64,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Kept {
    pub id: String,
    pub kind: String,
    pub taken_at: DateTime<Utc>,
    pub sealed_bytes: i64,
    pub reasons: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Removed {
    pub id: String,
    pub kind: String,
    pub taken_at: DateTime<Utc>,
    pub sealed_bytes: i64,
    pub reason: String,
}

/// A job of backups that was accepted.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct AcceptedJob {
    pub job_id: String,
}
