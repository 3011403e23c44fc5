//! The schedules that come with the product.
//!
//! Each is stored once, by the first scheduler that knows it (see `Store::offer_shipped_schedules`). From then on it is
//! the operator's: changes are never overwritten, and a removed one stays removed, since what was offered is remembered
//! by its key.

use super::MissedRuns;
use crate::job::JobKind;

/// A schedule as shipped: a schedule of the system, in UTC.
#[derive(Debug)]
pub struct Shipped {
    /// What it is remembered by; never reused for another.
    pub key: &'static str,
    /// What people see; theirs to change.
    pub name: &'static str,
    /// In [`super::kinds::ALL`], with scope *system*.
    pub kind: JobKind,
    /// A JSON object.
    pub args: &'static str,
    pub cron: &'static str,
    pub missed_runs: MissedRuns,
    pub needs: Needs,
}

/// Without what is a schedule not offered?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    Nothing,
    /// A place to put backups: each run would fail without one.
    BackupStores,
}

/// All of them. A kind that arrives with a later version brings its line along.
///
/// Hourly is the database by itself, which any later PostgreSQL takes; daily is the whole cluster, from which archived
/// WAL leads to every moment since.
#[rustfmt::skip]
pub static ALL: [Shipped; 7] = [
    plain("daily_clean_up", "Daily clean-up", JobKind::CLEAN_UP, "{}", "0 4 * * *"),
    of_backups("hourly_backup", "Hourly backup", JobKind::BACKUP, r#"{"kind": "full"}"#, "0 * * * *"),
    of_backups("daily_base_backup", "Daily full backup of the cluster", JobKind::BACKUP, r#"{"kind": "base"}"#, "0 2 * * *"),
    of_backups("weekly_config_backup", "Weekly configuration backup", JobKind::CONFIG_BACKUP, "{}", "0 3 * * SUN"),
    of_backups("hourly_verification", "Hourly verification of backups", JobKind::VERIFY_BACKUPS, "{}", "30 * * * *"),
    of_backups("daily_backup_clean_up", "Daily clean-up of backups", JobKind::PRUNE_BACKUPS, "{}", "0 4 * * *"),
    of_backups("monthly_restore_drill", "Monthly restore drill", JobKind::RESTORE_DRILL, "{}", "0 3 1 * *"),
];

const fn plain(
    key: &'static str,
    name: &'static str,
    kind: JobKind,
    args: &'static str,
    cron: &'static str,
) -> Shipped {
    Shipped { key, name, kind, args, cron, missed_runs: MissedRuns::Once, needs: Needs::Nothing }
}

const fn of_backups(
    key: &'static str,
    name: &'static str,
    kind: JobKind,
    args: &'static str,
    cron: &'static str,
) -> Shipped {
    Shipped { key, name, kind, args, cron, missed_runs: MissedRuns::Once, needs: Needs::BackupStores }
}

#[cfg(test)]
mod tests {
    use super::super::{Scope, Timing, kinds};
    use super::*;

    #[test]
    fn every_shipped_schedule_can_be_stored_and_comes_due() {
        let mut keys: Vec<_> = ALL.iter().map(|shipped| shipped.key).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), ALL.len());
        for shipped in &ALL {
            let timing = Timing::parse(shipped.cron, "UTC").unwrap();
            assert!(timing.next_after(chrono::Utc::now()).is_some(), "{}", shipped.key);
            let row = kinds::find(shipped.kind.as_str()).expect(shipped.key);
            assert_eq!(row.scope, Scope::System, "{}", shipped.key);
            let args: serde_json::Value = serde_json::from_str(shipped.args).expect(shipped.key);
            assert_eq!(row.unknown_args(&args), Some(vec![]), "{}", shipped.key);
        }
    }
}
