//! Backups, from the workers: all of them read the gauges from the records, for an age must not look young because a
//! process is.

use crate::telemetry::metric::{Label, Metric, Role, Unit};

const WATCHED: &str = "the first look at the records, where `backup.stores` is set";
const ASKED: &str = "the first request to a store";
const WORKER: &[Role] = &[Role::Worker];
const KIND: Label = Label::one_of("kind", &["full", "tenant", "base", "configuration"]);
const STORE: Label = Label::bounded("store", "the configured stores");

pub(super) const METRICS: &[Metric] = &[
    Metric::gauge(
        "counterfoil_backup_last_success_timestamp_seconds",
        Unit::Timestamp,
        &[KIND],
        WORKER,
        "When the newest backup was complete in as many stores as it needs; 0: never",
    )
    .once(WATCHED),
    Metric::gauge(
        "counterfoil_backup_last_proven_restore_timestamp_seconds",
        Unit::Timestamp,
        &[],
        WORKER,
        "When a backup was last restored into a scratch database and found equal; 0: never",
    )
    .once(WATCHED),
    Metric::gauge(
        "counterfoil_backup_size_bytes",
        Unit::Bytes,
        &[KIND],
        WORKER,
        "Size of the newest backup, as stored",
    )
    .once(WATCHED),
    Metric::gauge(
        "counterfoil_backup_duration_seconds",
        Unit::Seconds,
        &[KIND],
        WORKER,
        "Time the newest backup took",
    )
    .once(WATCHED),
    Metric::gauge(
        "counterfoil_backup_duration_max_seconds",
        Unit::Seconds,
        &[KIND],
        WORKER,
        "Time a backup may take before it is worth a warning",
    )
    .once(WATCHED),
    Metric::counter(
        "counterfoil_backups_total",
        &[KIND, Label::one_of("outcome", &["completed", "failed"])],
        WORKER,
        "Backups that ended",
    ),
    Metric::counter(
        "counterfoil_backup_verifications_total",
        &[Label::one_of("method", &["digests", "restore"]), Label::one_of("outcome", &["passed", "failed"])],
        WORKER,
        "Verifications of stored backups",
    ),
    Metric::counter(
        "counterfoil_backup_store_requests_total",
        &[STORE, Label::bounded("outcome", "ok, or the kind of the error")],
        WORKER,
        "Requests to a store",
    )
    .once(ASKED),
    Metric::gauge(
        "counterfoil_backup_store_reachable",
        Unit::Flag,
        &[STORE],
        WORKER,
        "Whether a store answered when last asked",
    )
    .once(ASKED),
    Metric::gauge(
        "counterfoil_backup_owed_objects",
        Unit::Count,
        &[STORE],
        WORKER,
        "Objects that a store should have and has not; they wait on the local disk",
    )
    .once(ASKED),
    Metric::counter(
        "counterfoil_backup_healed_total",
        &[STORE],
        WORKER,
        "Objects replaced in a store from another one that had them whole",
    )
    .once(ASKED),
    Metric::gauge(
        "counterfoil_backup_store_used_ratio",
        Unit::Ratio,
        &[STORE],
        WORKER,
        "Share of a store's room that is used, where it is known",
    )
    .once(WATCHED),
    Metric::gauge(
        "counterfoil_backup_store_bytes",
        Unit::Bytes,
        &[STORE],
        WORKER,
        "What a store holds of this cluster, counted every ten minutes",
    )
    .once(WATCHED),
    Metric::gauge(
        "counterfoil_backup_last_removal_timestamp_seconds",
        Unit::Timestamp,
        &[],
        WORKER,
        "When all backups and archived WAL that no rule keeps were last gone, but for what a store locks; 0: never",
    )
    .once(WATCHED),
    Metric::gauge(
        "counterfoil_backup_removal_due_since_timestamp_seconds",
        Unit::Timestamp,
        &[],
        WORKER,
        "When the oldest backup that is there is or was older than `backup.retention.days`, from when on removal has something to do; 0: there is none",
    )
    .once(WATCHED),
    Metric::gauge(
        "counterfoil_backup_held_objects",
        Unit::Count,
        &[Label::one_of("reason", &["locked", "failed"])],
        WORKER,
        "Backups and archived WAL files that no rule keeps and that the last removal has left",
    )
    .once(WATCHED),
    Metric::gauge(
        "counterfoil_backup_health",
        Unit::Count,
        &[],
        WORKER,
        "Health of the backups, 0 to 100; its factors are at `/api/backups/health`",
    )
    .once(WATCHED),
    Metric::gauge(
        "counterfoil_backup_alerts",
        Unit::Count,
        &[Label::one_of("severity", &["warning", "critical"])],
        WORKER,
        "Conditions of backups that need somebody and hold now",
    )
    .once(WATCHED),
    Metric::gauge(
        "counterfoil_wal_behind_bytes",
        Unit::Bytes,
        &[],
        WORKER,
        "WAL that was written and is not in the archive",
    )
    .once("the first look at the records, where WAL is archived"),
    Metric::gauge(
        "counterfoil_wal_last_archived_timestamp_seconds",
        Unit::Timestamp,
        &[],
        WORKER,
        "Up to when everything that was written is in the archive of WAL; 0: never",
    )
    .once("the first look at the records, where WAL is archived"),
];
