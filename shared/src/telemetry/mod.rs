//! Logs, metrics and traces, the same in every role. What is counted is in [`table`].

mod digest;
mod lines;
pub mod metric;
mod process;
mod reference;
mod statements;
pub mod table;
pub mod trace;

pub use reference::reference;

use crate::config::{Config, Log, LogFormat};
use metric::{Metric, MetricKind, Presence, Role};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use statements::StatementNames;
use std::io::IsTerminal;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Filter, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

/// Logs, metrics and traces of a running role. To be dropped last: it sends the spans that are left, for at most five
/// seconds.
pub struct Telemetry {
    pub metrics: Metrics,
    _exporter: Option<trace::Exporter>,
}

impl Telemetry {
    /// Once per process. `Err` says what is wrong with the configuration.
    pub fn start(config: &Config, roles: &[Role]) -> Result<Self, String> {
        start_logging(&config.log)?;
        let metrics = Metrics::install(roles)?;
        let service = match roles {
            [role] => format!("counterfoil-{}", role.as_str()),
            _ => "counterfoil".to_owned(),
        };
        let exporter =
            trace::Exporter::start(&config.telemetry.otlp, &service).map_err(|error| error.to_string())?;
        Ok(Self { metrics, _exporter: exporter })
    }
}

/// Starts logging to standard error. `Err` names what is wrong with the filter.
fn start_logging(log: &Log) -> Result<(), String> {
    // lapin logs every reconnection attempt as an error of its own; our sessions report them once.
    let filter = filter_of(&format!("{},lapin=off", log.filter()))?;
    let json = match log.format {
        LogFormat::Json => true,
        LogFormat::Pretty => false,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = if json {
        lines.fmt_fields(lines::LineFields).event_format(lines::JsonLines).boxed()
    } else {
        lines.with_target(false).fmt_fields(lines::PrettyFields).boxed()
    };
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .with(trace::TraceLayer::new(StatementNames::default()).with_filter(trace::filter()))
        .try_init()
        .map_err(|e| e.to_string())
}

/// What the log shows. A filter that asks in which spans a line is has to follow all of them, and every span pays for
/// that; most filters do not ask.
fn filter_of(text: &str) -> Result<Box<dyn Filter<Registry> + Send + Sync>, String> {
    let following = EnvFilter::try_new(text).map_err(|error| format!("log.filter: {error}"))?;
    // What the one leaves out, nothing and spaces, the other would take for the names of targets.
    let parts: Vec<&str> = text.split(',').filter(|part| !part.is_empty()).collect();
    match parts.join(",").parse::<Targets>() {
        Ok(targets) if !text.contains(|c: char| c == '[' || c.is_whitespace()) => Ok(Box::new(targets)),
        _ => Ok(Box::new(following)),
    }
}

/// Everything this process has counted, in Prometheus' text format.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

/// Bounds in seconds: from a cached answer to a long reconciliation.
const DURATION_BUCKETS_S: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0,
];

/// Of things that are counted, such as attempts.
const COUNT_BUCKETS: &[f64] = &[1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 20.0, 50.0, 100.0];

impl Metrics {
    /// Once per process; later calls fail. Everything that a process of these roles counts is there at once, at zero.
    pub fn install(roles: &[Role]) -> Result<Self, String> {
        let handle = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), DURATION_BUCKETS_S)
            .and_then(|builder| {
                builder
                    .set_buckets_for_metric(Matcher::Full("counterfoil_job_attempts".into()), COUNT_BUCKETS)
            })
            .map_err(|e| e.to_string())?
            .install_recorder()
            .map_err(|e| e.to_string())?;
        table::all().for_each(describe);
        let exported = |metric: &&Metric| metric.roles.iter().any(|role| roles.contains(role));
        table::all().filter(exported).for_each(start_at_zero);
        if let Some(role) = roles.first() {
            let role = if roles.len() > 1 { "up" } else { role.as_str() };
            let version = env!("CARGO_PKG_VERSION");
            metrics::gauge!("counterfoil_build_info", "version" => version, "role" => role).set(1.0);
        }
        Ok(Self(handle))
    }

    pub fn render(&self) -> String {
        // Old samples of histograms are folded in on rendering; without the upkeep they would pile up between
        // two scrapes that never come.
        self.0.run_upkeep();
        self.0.render() + &process::render()
    }
}

fn describe(metric: &Metric) {
    match metric.kind {
        MetricKind::Counter => metrics::describe_counter!(metric.name, metric.meaning),
        MetricKind::Gauge => metrics::describe_gauge!(metric.name, metric.meaning),
        MetricKind::Histogram => metrics::describe_histogram!(metric.name, metric.meaning),
    }
}

/// A series that only appears with its first increase has no increase.
fn start_at_zero(metric: &Metric) {
    if metric.presence != Presence::FromZero {
        return;
    }
    for labels in metric.all_series().into_iter().flatten() {
        let labels: Vec<metrics::Label> =
            labels.into_iter().map(|(name, value)| metrics::Label::new(name, value)).collect();
        match metric.kind {
            MetricKind::Counter => metrics::counter!(metric.name, labels).increment(0),
            MetricKind::Gauge => metrics::gauge!(metric.name, labels).increment(0.0),
            MetricKind::Histogram => drop(metrics::histogram!(metric.name, labels)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::layer::Context;

    #[derive(Clone, Default)]
    struct Shown(Arc<Mutex<Vec<&'static str>>>);

    impl Layer<Registry> for Shown {
        fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, Registry>) {
            self.0.lock().unwrap().push(event.metadata().target());
        }
    }

    /// Targets of the lines that are shown.
    fn shown(filter: impl Filter<Registry> + Send + Sync + 'static) -> Vec<&'static str> {
        let shown = Shown::default();
        let lines = tracing_subscriber::registry().with(shown.clone().with_filter(filter));
        tracing::subscriber::with_default(lines, || {
            tracing::error!(target: "lapin", "");
            tracing::info!(target: "elsewhere", "");
            tracing::debug!(target: "elsewhere::deeper", "");
            tracing::debug!(target: "worker::engine", "");
            tracing::trace!(target: "worker", "");
            tracing::error_span!(target: "worker", "attempt")
                .in_scope(|| tracing::debug!(target: "inside", ""));
        });
        shown.0.lock().unwrap().clone()
    }

    #[test]
    fn a_filter_that_does_not_follow_spans_shows_what_one_that_does_would() {
        for (filter, lines) in [
            ("info", &["elsewhere"][..]),
            ("", &[]),
            ("info,", &["elsewhere"]),
            ("warn,,worker=debug", &["worker::engine"]),
            ("off,worker", &["worker::engine", "worker"]),
            ("INFO,elsewhere=off", &[]),
            ("4,worker=5", &["elsewhere", "elsewhere::deeper", "worker::engine", "worker", "inside"]),
            ("off,[attempt]=debug", &["inside"]),
        ] {
            let text = format!("{filter},lapin=off");
            assert_eq!(shown(filter_of(&text).unwrap_or_else(|e| panic!("{e}"))), lines, "{filter:?}");
            assert_eq!(
                shown(EnvFilter::try_new(&text).expect("a filter")),
                lines,
                "{filter:?}, the long way"
            );
        }
        for wrong in ["worker=loud", "[attempt"] {
            assert!(filter_of(wrong).is_err_and(|says| says.starts_with("log.filter: ")), "{wrong}");
        }
    }
}
