//! Names for who may come in, and for caches.

use crate::telemetry::metric::{Label, Metric, Role, Unit};

const API: &[Role] = &[Role::Api];

pub(super) const METRICS: &[Metric] = &[
    Metric::counter(
        "counterfoil_logins_total",
        &[Label::one_of("outcome", &["ok", "wrong", "locked", "second_factor_wrong", "provider_refused", "disabled", "password_change"])],
        API,
        "Attempts to log in; disabled: to an account that is shut, password_change: the password was right and has to be changed",
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
        &[
            Label::one_of("cache", &["standings", "user", "project", "statistics"]),
            Label::one_of("level", &["memory", "redis"]),
            Label::one_of("outcome", &["hit", "miss", "failed"]),
        ],
        API,
        "Questions to what is kept, by where: in memory first, what is not there in Redis, if there is one (never of standings); failed: changes were not heard of, or Redis is away",
    ),
    Metric::gauge(
        "counterfoil_circuit_open",
        Unit::Flag,
        &[Label::bounded(
            "dependency",
            "database (of the API), broker (to publish), mail, provider, redis, and `store <name>` for each backup store behind S3",
        )],
        Role::ALL,
        "Whether something that failed again and again is left alone for a while, as this process sees it",
    )
    .once("the start of what uses it"),
];
