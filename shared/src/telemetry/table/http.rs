//! Requests and answers.

use crate::telemetry::metric::{Label, Metric, Role, Unit};

const METHOD: Label =
    Label::one_of("method", &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"]);
const ROUTE: Label = Label::bounded("route", "the route's template; `unknown` for all others");

const WITH_A_ROUTE: &str = "the first request of that route";

pub(super) const METRICS: &[Metric] = &[
    Metric::counter(
        "counterfoil_http_requests_total",
        &[METHOD, ROUTE, Label::bounded("status", "what the API answers; 499: the client went away")],
        Role::ALL,
        "Requests answered",
    )
    .once(WITH_A_ROUTE),
    Metric::histogram(
        "counterfoil_http_request_duration_seconds",
        Unit::Seconds,
        &[METHOD, ROUTE, Label::one_of("class", &["1xx", "2xx", "3xx", "4xx", "5xx"])],
        Role::ALL,
        "Time to answer, without the transfer of a streamed body; class is that of the status",
    )
    .once(WITH_A_ROUTE),
    Metric::gauge(
        "counterfoil_http_requests_in_flight",
        Unit::Count,
        &[],
        Role::ALL,
        "Requests being answered",
    )
    .at_zero(),
    Metric::gauge(
        "counterfoil_event_streams_open",
        Unit::Count,
        &[],
        &[Role::Api],
        "Server-sent event streams open",
    )
    .at_zero(),
    Metric::counter(
        "counterfoil_requests_replayed_total",
        &[],
        &[Role::Api],
        "Requests answered again because their Idempotency-Key was known",
    ),
    Metric::counter("counterfoil_upload_bytes_total", &[], &[Role::Api], "Bytes of accepted uploads")
        .of(Unit::Bytes),
    Metric::counter(
        "counterfoil_submissions_refused_total",
        &[Label::one_of("bound", &["project", "all", "lag"])],
        &[Role::Api],
        "Submissions refused, by the bound of the backlog that was reached",
    ),
    Metric::gauge(
        "counterfoil_backlog_jobs_max",
        Unit::Count,
        &[],
        &[Role::Api],
        "Waiting jobs beyond which submissions are refused",
    ),
    Metric::gauge(
        "counterfoil_dispatch_lag_max_seconds",
        Unit::Seconds,
        &[],
        &[Role::Api],
        "Dispatch lag beyond which submissions are refused",
    ),
];
