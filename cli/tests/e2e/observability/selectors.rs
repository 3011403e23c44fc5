//! Metrics and matchers in PromQL, compared with the table: a misspelled label is no error to Prometheus, it just never
//! matches.

use shared::telemetry::metric::{Metric, MetricKind};
use shared::telemetry::table;
use std::collections::BTreeSet;

/// Added by Prometheus, or parts of a histogram.
const FROM_OUTSIDE: [&str; 3] = ["instance", "job", "le"];

/// Names in a text that look like metrics of ours.
pub fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("counterfoil_")).collect()
}

/// The metric that a series belongs to.
pub fn metric_of(series: &str) -> Option<&'static Metric> {
    table::find(series).or_else(|| {
        let parts = ["_bucket", "_sum", "_count"];
        let base = parts.into_iter().find_map(|part| series.strip_suffix(part))?;
        table::find(base).filter(|metric| metric.kind == MetricKind::Histogram)
    })
}

/// What is wrong with the metrics and matchers of an expression.
pub fn mistakes(expression: &str) -> Vec<String> {
    let mut mistakes = vec![];
    for name in names(expression) {
        match metric_of(name) {
            None => mistakes.push(format!("{name} is not in the table of metrics")),
            Some(metric) if metric.kind == MetricKind::Histogram && metric.name == name => {
                mistakes.push(format!("{name} is a histogram: its series are _bucket, _sum and _count"));
            }
            Some(metric) => {
                for matchers in matchers_of(expression, name) {
                    check(metric, matchers, &mut mistakes);
                }
            }
        }
    }
    mistakes
}

/// What stands in the brackets after each mention of the name.
fn matchers_of<'e>(expression: &'e str, name: &'e str) -> impl Iterator<Item = &'e str> {
    expression.match_indices(name).filter_map(move |(at, _)| {
        let rest = expression[at + name.len()..].strip_prefix('{')?;
        rest.split('}').next()
    })
}

fn check(metric: &Metric, matchers: &str, mistakes: &mut Vec<String>) {
    for matcher in matchers.split(',').filter(|matcher| !matcher.trim().is_empty()) {
        let Some(at) = matcher.find(['=', '!']) else { continue };
        let label = matcher[..at].trim();
        let value = matcher[at..].trim_start_matches(['=', '!', '~']).trim().trim_matches('"');
        if FROM_OUTSIDE.contains(&label) {
            continue;
        }
        let Some(known) = metric.labels.iter().find(|known| known.name == label) else {
            mistakes.push(format!("{} has no label {label}", metric.name));
            continue;
        };
        // A variable of a dashboard, or a pattern that is no list of values.
        let is_list = value.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b == b'|');
        for value in value.split('|').filter(|_| is_list) {
            if known.all_values().is_some_and(|all| !all.iter().any(|of| of == value)) {
                mistakes.push(format!("{label} of {} is never {value:?}", metric.name));
            }
        }
    }
}

#[test]
fn mistakes_are_found() {
    let found = |expression| mistakes(expression);
    assert!(
        found(r#"sum(rate(counterfoil_attempts_total{outcome=~"retried|dead", job="x"}[5m]))"#).is_empty()
    );
    assert!(
        found(r#"counterfoil_jobs{queue=~"$queue", state!="running"} / counterfoil_backlog_jobs_max"#)
            .is_empty()
    );
    assert_eq!(found("counterfoil_job > 1"), ["counterfoil_job is not in the table of metrics"]);
    assert_eq!(found(r#"counterfoil_jobs{kind="x"}"#), ["counterfoil_jobs has no label kind"]);
    assert_eq!(
        found(r#"counterfoil_jobs{state=~"running|waiting"}"#),
        [r#"state of counterfoil_jobs is never "waiting""#]
    );
    assert_eq!(found("rate(counterfoil_job_wait_seconds[5m])").len(), 1);
    assert_eq!(found("counterfoil_jobs_bucket").len(), 1, "only histograms have buckets");
}
