//! Jobs, attempts, leases, schedules, and the loops that look after them.

use crate::telemetry::metric::{Label, Metric, Role, Unit};

const KIND: Label = Label::kinds("kind");
const QUEUE: Label = Label::kinds("queue");
const UNFINISHED: Label = Label::one_of("state", &["scheduled", "available", "running"]);

/// As in the order they are started in.
const LOOP: Label = Label::one_of(
    "loop",
    &[
        "relay",
        "ticker",
        "stager",
        "rescuer",
        "finisher",
        "accountant",
        "notifier",
        "pruner",
        "backup_synchroniser",
        "backup_watcher",
    ],
);

const WORKER: &[Role] = &[Role::Worker];
const SCHEDULER: &[Role] = &[Role::Scheduler];

pub(super) const METRICS: &[Metric] = &[
    Metric::gauge(
        "counterfoil_jobs",
        Unit::Count,
        &[QUEUE, UNFINISHED],
        Role::ALL,
        "Unfinished jobs, counted in PostgreSQL when asked; NaN when it does not answer",
    ),
    Metric::gauge(
        "counterfoil_jobs_oldest_age_seconds",
        Unit::Seconds,
        &[QUEUE, UNFINISHED],
        Role::ALL,
        "How long the oldest unfinished job has been due; 0 without one",
    ),
    Metric::counter(
        "counterfoil_jobs_accepted_total",
        &[KIND],
        &[Role::Api, Role::Scheduler],
        "Jobs accepted by this process",
    ),
    Metric::histogram(
        "counterfoil_job_wait_seconds",
        Unit::Seconds,
        &[KIND],
        WORKER,
        "Time from due to lease, for each attempt",
    ),
    Metric::histogram(
        "counterfoil_attempt_duration_seconds",
        Unit::Seconds,
        &[KIND],
        WORKER,
        "Time of an attempt from lease to release",
    ),
    Metric::counter(
        "counterfoil_attempts_total",
        &[
            KIND,
            Label::one_of(
                "outcome",
                &["completed", "cancelled", "dead", "retried", "snoozed", "handed_back", "lease_lost"],
            ),
        ],
        WORKER,
        "Attempts that ended in this process",
    ),
    Metric::histogram(
        "counterfoil_job_attempts",
        Unit::Count,
        &[KIND],
        WORKER,
        "Counted attempts that a job needed until it was completed, cancelled or dead",
    ),
    Metric::counter(
        "counterfoil_attempts_stuck_total",
        &[KIND],
        WORKER,
        "Attempts whose blocking work did not end with them; the worker starts anew",
    ),
    Metric::gauge(
        "counterfoil_worker_slots",
        Unit::Count,
        &[QUEUE],
        WORKER,
        "Jobs of a queue that this process runs at once",
    )
    .once("the worker serves that queue"),
    Metric::gauge(
        "counterfoil_worker_slots_busy",
        Unit::Count,
        &[QUEUE],
        WORKER,
        "Attempts of a queue that this process runs",
    )
    .at_zero(),
    Metric::gauge(
        "counterfoil_workers",
        Unit::Count,
        &[Label::one_of("state", &["live", "draining", "silent"])],
        Role::ALL,
        "Worker processes as they tell of themselves in PostgreSQL; silent ones have stopped doing so",
    ),
    Metric::counter(
        "counterfoil_worker_heartbeats_total",
        &[Label::one_of("outcome", &["ok", "failed"])],
        WORKER,
        "Times this worker told that it lives",
    ),
    Metric::gauge("counterfoil_leases_held", Unit::Count, &[], WORKER, "Leases this process holds").at_zero(),
    Metric::counter(
        "counterfoil_leases_lost_total",
        &[],
        WORKER,
        "Leases this process lost to another worker",
    ),
    Metric::counter(
        "counterfoil_lease_renewals_total",
        &[Label::one_of("outcome", &["ok", "failed"])],
        WORKER,
        "Rounds of lease renewal",
    ),
    Metric::counter(
        "counterfoil_leases_refused_total",
        &[QUEUE, Label::one_of("reason", &["queue_paused", "no_place"])],
        WORKER,
        "Leases refused to available jobs; they wait on purpose",
    ),
    Metric::counter(
        "counterfoil_jobs_rescued_total",
        &[KIND, Label::one_of("state", &["available", "dead"])],
        SCHEDULER,
        "Jobs taken back from silent workers, by what became of them",
    ),
    Metric::counter("counterfoil_jobs_staged_total", &[], SCHEDULER, "Scheduled jobs made available"),
    Metric::counter(
        "counterfoil_doorbells_rung_again_total",
        &[],
        SCHEDULER,
        "Doorbells repeated for available jobs nobody took",
    ),
    Metric::counter("counterfoil_batches_finished_total", &[], SCHEDULER, "Batches whose jobs are all final"),
    Metric::counter(
        "counterfoil_jobs_pruned_total",
        &[],
        SCHEDULER,
        "Finished jobs deleted after their retention",
    ),
    Metric::gauge(
        "counterfoil_results_overdue_seconds",
        Unit::Seconds,
        &[],
        SCHEDULER,
        "How long the oldest month of results that is still there is past its retention; 0: none is. Every 10 min",
    )
    .once("the first round of the pruner"),
    Metric::counter(
        "counterfoil_idempotency_keys_pruned_total",
        &[],
        SCHEDULER,
        "Idempotency keys deleted after their time",
    ),
    Metric::gauge(
        "counterfoil_jobs_accepted",
        Unit::Count,
        &[],
        SCHEDULER,
        "Jobs ever accepted, by the books; every 30 s",
    ),
    Metric::gauge(
        "counterfoil_jobs_removed",
        Unit::Count,
        &[],
        SCHEDULER,
        "Jobs ever removed by retention or on request, by the books; every 30 s",
    ),
    Metric::gauge(
        "counterfoil_jobs_finished",
        Unit::Count,
        &[Label::one_of("state", &["completed", "cancelled", "dead"])],
        SCHEDULER,
        "Finished jobs that are kept; every 30 s",
    ),
    Metric::gauge(
        "counterfoil_jobs_unaccounted",
        Unit::Count,
        &[],
        SCHEDULER,
        "Jobs accepted, less removed, less those in any state: 0, or a job is lost; every 30 s",
    ),
    Metric::counter(
        "counterfoil_loop_runs_total",
        &[LOOP, Label::one_of("outcome", &["ok", "failed", "panicked"])],
        &[Role::Worker, Role::Scheduler],
        "Rounds of the background loops",
    ),
    Metric::gauge(
        "counterfoil_loop_last_success_timestamp_seconds",
        Unit::Timestamp,
        &[LOOP],
        &[Role::Worker, Role::Scheduler],
        "When a background loop last succeeded in this process",
    )
    .once("the first round that succeeds"),
    Metric::counter(
        "counterfoil_schedule_ticks_total",
        &[
            KIND,
            Label::one_of(
                "outcome",
                &["fired", "run_now", "coalesced", "skipped_missed", "skipped_paused", "failed"],
            ),
        ],
        SCHEDULER,
        "Due times of schedules, by what was decided",
    ),
    Metric::counter(
        "counterfoil_schedule_tick_errors_total",
        &[],
        SCHEDULER,
        "Schedules that could not be decided in a round; they are tried again with the next",
    ),
    Metric::gauge(
        "counterfoil_schedules_late_seconds",
        Unit::Seconds,
        &[],
        SCHEDULER,
        "How late the most overdue schedule is",
    ),
];
