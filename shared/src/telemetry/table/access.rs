//! Names for who may come in, and for caches.

use crate::telemetry::metric::{Label, Metric, Role, Unit};

const API: &[Role] = &[Role::Api];

pub(super) const METRICS: &[Metric] = &[
    Metric::counter(
        "counterfoil_logins_total",
        &[Label::one_of("outcome", &["ok", "wrong", "locked", "second_factor_wrong", "provider_refused"])],
        API,
        "Attempts to log in",
    ),
    Metric::counter(
        "counterfoil_access_denied_total",
        &[Label::one_of("reason", &["no_token", "bad_token", "role", "tenant"])],
        API,
        "Requests refused for who asked; tenant: something of strangers was asked for",
    ),
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
        &[Label::one_of(
            "class",
            &[
                "login",
                "register",
                "refresh",
                "submissions",
                "uploads",
                "members",
                "analytics",
                "ip",
                "user",
                "token",
                "project",
            ],
        )],
        API,
        "Requests refused because there were too many, by the limit that was reached",
    ),
    Metric::counter(
        "counterfoil_refresh_tokens_reused_total",
        &[],
        API,
        "Used refresh tokens that came back; each has ended its session",
    ),
    Metric::counter(
        "counterfoil_signing_keys_read_total",
        &[Label::one_of("outcome", &["ok", "failed"])],
        API,
        "Times the keys of access tokens were read again, every five minutes",
    ),
    Metric::counter(
        "counterfoil_secret_errors_total",
        &[Label::one_of(
            "secret",
            &[
                "database.url",
                "database.replica_url",
                "broker.url",
                "redis.url",
                "auth.sealing_key",
                "auth.signing_key",
                "auth.signing_key_file",
                "oidc.client_secret",
                "mail.url",
                "notifications.slack_url",
                "notifications.pagerduty_key",
                "notifications.sms_token",
            ],
        )],
        Role::ALL,
        "Secrets that could not be read again, by setting",
    ),
    Metric::gauge(
        "counterfoil_cache_up",
        Unit::Flag,
        &[],
        API,
        "Whether the shared cache answered when last asked",
    )
    .once("the first request, where `redis.url` is set"),
    Metric::counter(
        "counterfoil_cache_requests_total",
        &[Label::one_of("cache", &["standings"]), Label::one_of("outcome", &["hit", "miss", "failed"])],
        API,
        "Questions to what is kept in memory; failed: it could not be used, as changes were not heard of",
    ),
    Metric::gauge(
        "counterfoil_circuit_open",
        Unit::Flag,
        &[Label::one_of("dependency", &["mail", "provider", "redis"])],
        &[Role::Api, Role::Worker],
        "Whether something that failed again and again is left alone for a while, as this process sees it",
    )
    .once("the start of what uses it"),
];
