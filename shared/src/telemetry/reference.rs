//! `docs/metrics.md`, written from the table.

use super::metric::{Label, Metric, MetricKind, Presence, Role, Values};
use super::table::SECTIONS;
use std::fmt::Write;

const HEAD: &str = "# Metrics

Every process answers `GET /api/metrics` in Prometheus' text format: the API at `http.listen`, a worker at
`worker.listen`, a scheduler at `scheduler.listen`. This page is written by `counterfoil metrics-reference` from the
table in `shared/src/telemetry/table`; a test compares the two, and another one compares the table with what running
processes export.

Gauges about the whole deployment come from every process that is asked: aggregate them with `max`, not `sum`. Counters
and histograms are there from the start of a process, at zero, where their labels are known beforehand. Histograms have
the series `_bucket`, `_sum` and `_count`.
";

/// The whole page.
pub fn reference() -> String {
    let mut page = HEAD.to_owned();
    for section in SECTIONS {
        let _ =
            write!(page, "\n## {}\n\n| metric | type | unit | labels | from | meaning |\n", section.title);
        page.push_str("|---|---|---|---|---|---|\n");
        for metric in section.metrics {
            page.push_str(&row(metric));
        }
    }
    page
}

fn row(metric: &Metric) -> String {
    let labels: Vec<String> = metric.labels.iter().map(label).collect();
    let roles: Vec<&str> = metric.roles.iter().map(|role| role.as_str()).collect();
    let from = if metric.roles.len() == Role::ALL.len() { "all".to_owned() } else { roles.join(", ") };
    let note = match metric.presence {
        Presence::Reserved(part) => format!(" *(reserved for {part})*"),
        Presence::Once(occasion) if metric.kind != MetricKind::Histogram => format!(" (from {occasion} on)"),
        _ => String::new(),
    };
    format!(
        "| `{}` | {} | {} | {} | {from} | {}{note} |\n",
        metric.name,
        metric.kind.as_str(),
        metric.unit.as_str(),
        labels.join("; "),
        metric.meaning
    )
}

fn label(label: &Label) -> String {
    match label.values {
        Values::OneOf(values) => format!("`{}`: {}", label.name, values.join(", ")),
        Values::Kinds => format!("`{}`: job kind", label.name),
        Values::Bounded(why) => format!("`{}`: {why}", label.name),
    }
}
