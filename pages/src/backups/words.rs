//! The words of backups as people read them.

/// Of a kind of backup.
pub(crate) fn kind(kind: &str) -> &'static str {
    match kind {
        "full" => "Whole database",
        "base" => "Whole cluster",
        "tenant" => "Project",
        "configuration" => "Configuration",
        _ => "Other",
    }
}

/// What a factor of the health score is about.
pub(crate) fn factor(name: &str) -> String {
    match name {
        "recent_backup" => "A recent backup".into(),
        "proven_restore" => "A proven restore".into(),
        "wal" => "The archive of WAL".into(),
        other => crate::words::words(other),
    }
}

/// Why retention keeps a backup, or removes it.
pub(crate) fn reason(reason: &str) -> &'static str {
    match reason {
        "recent" => "not older than the days",
        "daily" => "newest of its day",
        "weekly" => "newest of its week",
        "monthly" => "newest of its month",
        "yearly" => "newest of its year",
        "last_good" => "last good one of its kind",
        "protected" => "protected by somebody",
        "needed" => "a kept one needs it",
        "running" => "still being taken",
        "expired" => "no rule wants it",
        "lost" => "damaged in every store",
        _ => "another reason",
    }
}

/// Of a way to restore.
pub(crate) fn mode(mode: &str) -> &'static str {
    match mode {
        "full" => "Whole database",
        "merge" => "Rows of projects",
        "point_in_time" => "Point in time",
        "drill" => "Drill",
        _ => "Restore",
    }
}

/// What one store has of a backup: the word and the icon for it.
pub(crate) fn copy(state: &str) -> (&'static str, &'static str) {
    match state {
        "held" => ("has it", "check"),
        "owed" => ("gets it when it is back", "scheduled"),
        "missing" => ("lacks it", "warning"),
        "damaged" => ("has it damaged", "failed"),
        _ => ("did not answer", "warning"),
    }
}
