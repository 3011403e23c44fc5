//! Names for the backup engine. It exports them from the process that does the work, a worker, and after a restart from
//! its records: an age must not look young because a process is.

use crate::telemetry::metric::{Label, Metric, Role, Unit};

const ENGINE: &str = "the backup engine";
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
    .reserved(ENGINE),
    Metric::gauge(
        "counterfoil_backup_last_proven_restore_timestamp_seconds",
        Unit::Timestamp,
        &[],
        WORKER,
        "When a backup was last restored into a scratch database and found equal; 0: never",
    )
    .reserved(ENGINE),
    Metric::gauge(
        "counterfoil_backup_size_bytes",
        Unit::Bytes,
        &[KIND],
        WORKER,
        "Size of the newest backup, as stored",
    )
    .reserved(ENGINE),
    Metric::gauge(
        "counterfoil_backup_duration_seconds",
        Unit::Seconds,
        &[KIND],
        WORKER,
        "Time the newest backup took",
    )
    .reserved(ENGINE),
    Metric::gauge(
        "counterfoil_backup_duration_max_seconds",
        Unit::Seconds,
        &[KIND],
        WORKER,
        "Time a backup may take before it is worth a warning",
    )
    .reserved(ENGINE),
    Metric::counter(
        "counterfoil_backups_total",
        &[KIND, Label::one_of("outcome", &["completed", "failed"])],
        WORKER,
        "Backups that ended",
    )
    .reserved(ENGINE),
    Metric::counter(
        "counterfoil_backup_verifications_total",
        &[Label::one_of("method", &["digests", "restore"]), Label::one_of("outcome", &["passed", "failed"])],
        WORKER,
        "Verifications of stored backups",
    )
    .reserved(ENGINE),
    Metric::counter(
        "counterfoil_backup_store_writes_total",
        &[STORE, Label::one_of("outcome", &["ok", "failed"])],
        WORKER,
        "Objects written to a store; failed after the last try",
    )
    .reserved(ENGINE),
    Metric::gauge(
        "counterfoil_backup_store_up",
        Unit::Flag,
        &[STORE],
        WORKER,
        "Whether a store answered when last asked",
    )
    .reserved(ENGINE),
    Metric::gauge(
        "counterfoil_backup_store_used_ratio",
        Unit::Ratio,
        &[STORE],
        WORKER,
        "Share of a store's room that is used, where it is known",
    )
    .reserved(ENGINE),
    Metric::gauge(
        "counterfoil_backup_spool_bytes",
        Unit::Bytes,
        &[],
        WORKER,
        "What waits on the local disk for a store that is away",
    )
    .reserved(ENGINE),
    Metric::gauge(
        "counterfoil_wal_last_archived_timestamp_seconds",
        Unit::Timestamp,
        &[],
        WORKER,
        "When the newest WAL segment was in as many stores as it needs; 0: never",
    )
    .reserved(ENGINE),
];
