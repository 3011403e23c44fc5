//! Backups. What is reserved comes with scheduled backups: from the process that does the work, a worker, and after its
//! restart from the records: an age must not look young because a process is.

use crate::telemetry::metric::{Label, Metric, Role, Unit};

const ENGINE: &str = "scheduled backups";
const COMMANDS: &str = "only commands at a shell make backups yet";
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
        "counterfoil_backup_store_requests_total",
        &[STORE, Label::bounded("outcome", "ok, or the kind of the error")],
        WORKER,
        "Requests to a store",
    )
    .unscraped(COMMANDS),
    Metric::gauge(
        "counterfoil_backup_store_reachable",
        Unit::Flag,
        &[STORE],
        WORKER,
        "Whether a store answered when last asked",
    )
    .unscraped(COMMANDS),
    Metric::gauge(
        "counterfoil_backup_owed_objects",
        Unit::Count,
        &[STORE],
        WORKER,
        "Objects that a store should have and has not; they wait on the local disk",
    )
    .unscraped(COMMANDS),
    Metric::counter(
        "counterfoil_backup_healed_total",
        &[STORE],
        WORKER,
        "Objects replaced in a store from another one that had them whole",
    )
    .unscraped(COMMANDS),
    Metric::gauge(
        "counterfoil_backup_store_used_ratio",
        Unit::Ratio,
        &[STORE],
        WORKER,
        "Share of a store's room that is used, where it is known",
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
