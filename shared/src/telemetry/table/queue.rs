//! The way of a doorbell: outbox, relay, broker, worker.

use crate::telemetry::metric::{Label, Metric, Role, Unit};

const QUEUE: Label = Label::kinds("queue");
const ROLE: Label = Label::one_of("role", &["publish", "consume", "inspect"]);
const WORKER: &[Role] = &[Role::Worker];
/// Scheduler, and whoever rings for its own commits.
const RELAYS: &[Role] = &[Role::Api, Role::Scheduler];

pub(super) const METRICS: &[Metric] = &[
    Metric::gauge(
        "counterfoil_outbox_doorbells",
        Unit::Count,
        &[],
        Role::ALL,
        "Doorbells in PostgreSQL that the broker has not confirmed: the backlog behind the window, mostly",
    ),
    Metric::gauge(
        "counterfoil_outbox_oldest_age_seconds",
        Unit::Seconds,
        &[],
        Role::ALL,
        "Age of the oldest unconfirmed doorbell",
    ),
    Metric::gauge(
        "counterfoil_dispatch_lag_seconds",
        Unit::Seconds,
        &[],
        Role::ALL,
        "How far the relay is behind; waiting on purpose (window, pause, limit) is no lag",
    ),
    Metric::counter(
        "counterfoil_relay_wakes_total",
        &[Label::one_of("outcome", &["rung", "told", "failed"])],
        &[Role::Api],
        "Times a process without a relay rang for what it had committed, or told the relays elsewhere of it",
    ),
    Metric::gauge("counterfoil_queue_paused", Unit::Flag, &[QUEUE], Role::ALL, "1 while a queue is paused"),
    Metric::gauge(
        "counterfoil_queue_depth",
        Unit::Count,
        &[QUEUE],
        Role::ALL,
        "Messages ready in the broker; NaN when it does not answer",
    ),
    Metric::gauge(
        "counterfoil_queue_dead_letters",
        Unit::Count,
        &[],
        Role::ALL,
        "Messages that nobody could read or keep; the newest 10,000 are kept",
    ),
    Metric::gauge(
        "counterfoil_relay_window",
        Unit::Count,
        &[QUEUE],
        RELAYS,
        "Doorbells the relay lets wait in the broker",
    )
    .once("the relay has a doorbell of that queue"),
    Metric::counter(
        "counterfoil_queue_published_total",
        &[QUEUE, Label::one_of("outcome", &["confirmed", "unroutable", "unconfirmed", "unknown"])],
        RELAYS,
        "Doorbells published; all but the confirmed stay in the outbox",
    ),
    Metric::histogram(
        "counterfoil_queue_publish_duration_seconds",
        Unit::Seconds,
        &[],
        RELAYS,
        "Time from publishing some doorbells until the broker has answered for all of them",
    ),
    Metric::counter("counterfoil_queue_deliveries_total", &[QUEUE], WORKER, "Doorbells delivered"),
    Metric::counter(
        "counterfoil_queue_undecodable_total",
        &[QUEUE],
        WORKER,
        "Messages that are no doorbells; they become dead letters",
    ),
    Metric::counter(
        "counterfoil_doorbells_without_lease_total",
        &[QUEUE],
        WORKER,
        "Doorbells whose job was taken, done or not due",
    ),
    Metric::counter(
        "counterfoil_queue_sessions_total",
        &[ROLE, Label::one_of("outcome", &["opened", "failed", "lost", "closed"])],
        Role::ALL,
        "Sessions with the broker: opened, never came up, broke, ended by us",
    ),
    Metric::gauge(
        "counterfoil_queue_connected",
        Unit::Count,
        &[ROLE],
        Role::ALL,
        "Connections to the broker that are up",
    )
    .at_zero(),
];
