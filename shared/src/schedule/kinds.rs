//! The kinds of job that a schedule may start. A kind that is not here cannot be scheduled; a scheduler leaves
//! schedules of kinds it does not know to one that does.

use crate::job::JobKind;
use serde_json::Value;

/// Whose schedules may start a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The system's own, managed by platform administrators.
    System,
    /// A project's, managed by its members.
    Project,
}

/// One row of the table.
#[derive(Debug)]
pub struct SchedulableKind {
    pub kind: JobKind,
    pub scope: Scope,
    /// Unless the schedule says otherwise; 0 (last) to 9 (first).
    pub priority: u8,
    /// Attempts before a run's job is dead.
    pub attempts_max: u16,
    /// Names that its args may have; args with others are refused. What the values must be is checked by whoever can:
    /// see the API.
    pub args: &'static [&'static str],
}

/// The table.
pub static ALL: [SchedulableKind; 7] = [
    SchedulableKind {
        kind: JobKind::RECONCILIATION,
        scope: Scope::Project,
        priority: 5,
        attempts_max: 5,
        args: &[
            "name",
            "left_source_id",
            "right_source_id",
            "left_file_name",
            "right_file_name",
            "rules",
            "confidence_threshold",
        ],
    },
    SchedulableKind {
        kind: JobKind::CLEAN_UP,
        scope: Scope::System,
        priority: 3,
        attempts_max: 5,
        args: &[],
    },
    SchedulableKind {
        kind: JobKind::BACKUP,
        scope: Scope::System,
        priority: 9,
        attempts_max: 3,
        args: &["kind", "tenants", "all_tenants", "note"],
    },
    SchedulableKind {
        kind: JobKind::CONFIG_BACKUP,
        scope: Scope::System,
        priority: 9,
        attempts_max: 3,
        args: &["note"],
    },
    SchedulableKind {
        kind: JobKind::VERIFY_BACKUPS,
        scope: Scope::System,
        priority: 8,
        attempts_max: 3,
        args: &["backup_id", "minutes_max"],
    },
    SchedulableKind {
        kind: JobKind::RESTORE_DRILL,
        scope: Scope::System,
        priority: 7,
        attempts_max: 3,
        args: &["backup_id"],
    },
    SchedulableKind {
        kind: JobKind::PRUNE_BACKUPS,
        scope: Scope::System,
        priority: 7,
        attempts_max: 3,
        args: &["dry_run"],
    },
];

/// The row of this kind.
pub fn find(kind: &str) -> Option<&'static SchedulableKind> {
    ALL.iter().find(|row| row.kind.as_str() == kind)
}

/// Names of all kinds that schedules of `scope` may start.
pub fn names(scope: Scope) -> Vec<&'static str> {
    ALL.iter().filter(|row| row.scope == scope).map(|row| row.kind.as_str()).collect()
}

impl SchedulableKind {
    /// Names in `args` that the kind does not have. `None`: `args` is no object.
    pub fn unknown_args<'a>(&self, args: &'a Value) -> Option<Vec<&'a str>> {
        let members = args.as_object()?;
        Some(members.keys().map(String::as_str).filter(|name| !self.args.contains(name)).collect())
    }
}
