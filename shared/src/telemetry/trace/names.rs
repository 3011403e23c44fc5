//! Short names of fields in the log, and what OpenTelemetry's conventions call the same thing.

use std::borrow::Cow;

/// Fields that say something about the span itself: the log leaves them out.
pub(in crate::telemetry) const OF_THE_SPAN: &str = "otel.";
/// Those that are attributes all the same, behind this.
const FOR_TRACES_ONLY: &str = "otel.with.";

/// The conventions of 2025 (semantic conventions 1.37) where there is one; ours begin with `counterfoil.`.
const ATTRIBUTES: &[(&str, &str)] = &[
    ("method", "http.request.method"),
    ("route", "http.route"),
    ("path", "url.path"),
    ("status", "http.response.status_code"),
    ("queue", "messaging.destination.name"),
    ("job_id", "counterfoil.job.id"),
    ("kind", "counterfoil.job.kind"),
    ("attempt", "counterfoil.job.attempt"),
    ("fence", "counterfoil.job.fence"),
    ("outcome", "counterfoil.job.outcome"),
    ("worker", "counterfoil.worker"),
    ("project_id", "counterfoil.project.id"),
    ("request_id", "counterfoil.request.id"),
    ("error", "exception.message"),
];

/// `None`: not for a trace.
pub(super) fn attribute(field: &'static str) -> Option<Cow<'static, str>> {
    if let Some(name) = field.strip_prefix(FOR_TRACES_ONLY) {
        return Some(name.into());
    }
    if field.starts_with(OF_THE_SPAN) || field == "trace_id" || field.starts_with("log.") {
        return None;
    }
    if let Some((_, name)) = ATTRIBUTES.iter().find(|(short, _)| *short == field) {
        return Some((*name).into());
    }
    Some(if field.contains('.') { field.into() } else { format!("counterfoil.{field}").into() })
}
