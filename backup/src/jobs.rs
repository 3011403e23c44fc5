//! What the jobs of backups are told: agreed on by those who ask for them and the workers.

use crate::restore::merge;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Tenants that one backup or restore may name.
pub const TENANTS_MAX: usize = 1000;
pub const NOTE_CHARS_MAX: usize = 500;

/// Of a `backup` job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupArgs {
    pub kind: BackupWhat,
    /// Of a tenant backup.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<Uuid>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all_tenants: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackupWhat {
    /// The whole database, by pg_dump.
    Full,
    /// The whole cluster, by pg_basebackup.
    Base,
    /// The rows of tenants.
    Tenant,
}

/// Of a `config_backup` job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigBackupArgs {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Of a `verify_backups` job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyArgs {
    /// This one; otherwise all and the archive of WAL, those first that were not verified for the longest time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_id: Option<Uuid>,
    /// Begins no further backup after so many minutes, 1 to 1440; the next job goes on. Default: 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minutes_max: Option<u32>,
}

/// Of a `restore_drill` job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrillArgs {
    /// A full backup; default: the newest that can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_id: Option<Uuid>,
}

/// Of a `prune_backups` job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PruneArgs {
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

/// Of a `restore` job. Its id is that of the restore in the records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestoreArgs {
    pub mode: RestoreWhat,
    /// Who asked, in words.
    pub asked_by: String,
    /// Say what would be done, and do nothing.
    #[serde(default)]
    pub dry_run: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case", deny_unknown_fields)]
pub enum RestoreWhat {
    /// Into a scratch database that is removed again.
    Drill { backup_id: Uuid },
    /// A full backup into a database of another name, which must not exist: a job cannot replace the database that it
    /// is kept in.
    Full { backup_id: Uuid, database: String },
    /// Rows of tenants back into the live database; an empty list: all that the backup has.
    Merge { backup_id: Uuid, tenants: Vec<Uuid>, policy: merge::Policy },
    /// Only planned: a cluster is restored where it is to run.
    PointInTime { until: PointWanted },
}

/// A moment to recover to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum PointWanted {
    Latest,
    Time(DateTime<Utc>),
    Lsn(String),
}

impl BackupArgs {
    /// Why they make no sense.
    pub fn check(&self) -> Result<(), &'static str> {
        let names_tenants = self.all_tenants || !self.tenants.is_empty();
        if (self.kind == BackupWhat::Tenant) != names_tenants {
            return Err("a tenant backup names tenants, or all_tenants, and no other does");
        }
        if self.all_tenants && !self.tenants.is_empty() {
            return Err("give either tenants or all_tenants");
        }
        if self.tenants.len() > TENANTS_MAX {
            return Err("at most 1000 tenants");
        }
        match &self.note {
            Some(note) if note.chars().count() > NOTE_CHARS_MAX => Err("a note has at most 500 characters"),
            _ => Ok(()),
        }
    }
}

impl VerifyArgs {
    pub fn check(&self) -> Result<(), &'static str> {
        match self.minutes_max {
            Some(minutes) if !(1..=1440).contains(&minutes) => Err("minutes_max is 1 to 1440"),
            _ => Ok(()),
        }
    }
}

/// Whether the args of a schedule of one of these kinds make sense; of other kinds nothing is known. `Err` says what is
/// wrong.
pub fn check_args(kind: &str, args: &serde_json::Value) -> Result<(), String> {
    fn read<T: serde::de::DeserializeOwned>(args: &serde_json::Value) -> Result<T, String> {
        T::deserialize(args).map_err(|error| error.to_string())
    }
    match kind {
        "backup" => Ok(read::<BackupArgs>(args)?.check()?),
        "config_backup" => read::<ConfigBackupArgs>(args).map(drop),
        "verify_backups" => Ok(read::<VerifyArgs>(args)?.check()?),
        "restore_drill" => read::<DrillArgs>(args).map(drop),
        "prune_backups" => read::<PruneArgs>(args).map(drop),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use shared::schedule::shipped;

    #[test]
    fn every_shipped_schedule_has_args_that_make_sense() {
        for shipped in &shipped::ALL {
            let args = serde_json::from_str(shipped.args).unwrap();
            assert_eq!(check_args(shipped.kind.as_str(), &args), Ok(()), "{}", shipped.key);
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_a_reason() {
        for (kind, args, why) in [
            ("backup", json!({}), "missing field `kind`"),
            ("backup", json!({"kind": "tenant"}), "names tenants"),
            ("backup", json!({"kind": "full", "all_tenants": true}), "no other does"),
            ("backup", json!({"kind": "tenant", "all_tenants": true, "tenants": [Uuid::nil()]}), "either"),
            ("backup", json!({"kind": "full", "note": "n".repeat(501)}), "500"),
            ("verify_backups", json!({"minutes_max": 0}), "1 to 1440"),
            ("restore_drill", json!({"backup_id": 3}), "UUID"),
            ("prune_backups", json!({"dry_run": "yes"}), "bool"),
        ] {
            let refused = check_args(kind, &args).unwrap_err();
            assert!(refused.contains(why), "{kind} {args}: {refused}");
        }
    }
}
