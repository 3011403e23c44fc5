//! What people and machines are told.

use crate::telemetry::metric::{Label, Metric, Role, Unit};

const WORKER: &[Role] = &[Role::Worker];
const SCHEDULER: &[Role] = &[Role::Scheduler];
const CHANNEL: Label = Label::one_of("channel", &["email", "sms", "slack", "pagerduty", "webhook"]);

pub(super) const METRICS: &[Metric] = &[
    Metric::gauge(
        "counterfoil_mail_backlog",
        Unit::Count,
        &[],
        SCHEDULER,
        "Mails that wait to be sent, counted in PostgreSQL; every second",
    ),
    Metric::counter(
        "counterfoil_mails_total",
        &[Label::one_of("outcome", &["sent", "retried", "bounced", "given_up"])],
        WORKER,
        "Mails by what became of them",
    ),
    Metric::counter(
        "counterfoil_notifications_addressed_total",
        &[Label::bounded("event", "the table of events")],
        SCHEDULER,
        "Notifications for which it was decided who is told, by event",
    )
    .once("the first notification of an event"),
    Metric::gauge(
        "counterfoil_notifications_waiting",
        Unit::Count,
        &[CHANNEL],
        SCHEDULER,
        "Deliveries that wait to be sent, counted in PostgreSQL; every second",
    ),
    Metric::counter(
        "counterfoil_notifications_deliveries_total",
        &[CHANNEL, Label::one_of("outcome", &["sent", "retried", "bounced", "given_up"])],
        WORKER,
        "Deliveries by what became of them",
    ),
    Metric::counter(
        "counterfoil_notifications_webhooks_disabled_total",
        &[],
        WORKER,
        "Webhooks that were switched off because they took nothing any more",
    ),
];
