//! Names for who may come in, for caches and for mail.

use crate::telemetry::metric::{Label, Metric, Role, Unit};

const ACCESS: &str = "identity, roles and limits";
const API: &[Role] = &[Role::Api];

pub(super) const METRICS: &[Metric] = &[
    Metric::counter(
        "counterfoil_logins_total",
        &[Label::one_of("outcome", &["ok", "wrong", "locked", "second_factor_wrong"])],
        API,
        "Attempts to log in",
    )
    .reserved(ACCESS),
    Metric::counter(
        "counterfoil_access_denied_total",
        &[Label::one_of("reason", &["no_token", "bad_token", "role", "tenant"])],
        API,
        "Requests refused for who asked; tenant: something of strangers was asked for",
    )
    .reserved(ACCESS),
    Metric::counter(
        "counterfoil_audit_failed_total",
        &[],
        API,
        "Logins, denials and calls to the broker that could not be written to the audit log",
    ),
    Metric::counter(
        "counterfoil_audit_checkpoints_total",
        &[Label::one_of("outcome", &["signed", "failed"])],
        API,
        "Signatures under the ends of the audit log's chains",
    ),
    Metric::counter(
        "counterfoil_rate_limited_total",
        &[Label::one_of("class", &["login", "read", "write", "upload"])],
        API,
        "Requests refused because there were too many, by class of route",
    )
    .reserved(ACCESS),
    Metric::gauge(
        "counterfoil_cache_up",
        Unit::Flag,
        &[],
        API,
        "Whether the shared cache answered when last asked",
    )
    .reserved(ACCESS),
    Metric::counter(
        "counterfoil_cache_requests_total",
        &[
            Label::bounded("cache", "the caches of the program"),
            Label::one_of("outcome", &["hit", "miss", "failed"]),
        ],
        API,
        "Questions to a cache",
    )
    .reserved(ACCESS),
    Metric::gauge(
        "counterfoil_mail_backlog",
        Unit::Count,
        &[],
        Role::ALL,
        "Mails that wait to be sent, counted in PostgreSQL",
    )
    .reserved("notifications"),
    Metric::counter(
        "counterfoil_mails_total",
        &[Label::one_of("outcome", &["sent", "retried", "bounced", "given_up"])],
        &[Role::Worker],
        "Mails by what became of them",
    )
    .reserved("notifications"),
];
