//! Logs and metrics, the same in every role.

use crate::config::{Log, LogFormat};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts logging to standard error. `Err` names what is wrong with the filter.
pub fn start_logging(log: &Log) -> Result<(), String> {
    // lapin logs every reconnection attempt as an error of its own; our sessions report them once.
    let filter =
        EnvFilter::try_new(format!("{},lapin=off", log.filter)).map_err(|e| format!("log.filter: {e}"))?;
    let json = match log.format {
        LogFormat::Json => true,
        LogFormat::Pretty => false,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    };
    let registry = tracing_subscriber::registry().with(filter);
    let started = if json {
        let layer = tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .with_writer(std::io::stderr);
        registry.with(layer).try_init()
    } else {
        let layer = tracing_subscriber::fmt::layer().with_target(false).with_writer(std::io::stderr);
        registry.with(layer).try_init()
    };
    started.map_err(|e| e.to_string())
}

/// Everything this process has counted, in Prometheus' text format.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

/// Bounds in seconds: from a cached answer to a long reconciliation.
const DURATION_BUCKETS_S: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0,
];

impl Metrics {
    /// Once per process; later calls fail.
    pub fn install() -> Result<Self, String> {
        let handle = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), DURATION_BUCKETS_S)
            .map_err(|e| e.to_string())?
            .install_recorder()
            .map_err(|e| e.to_string())?;
        describe();
        Ok(Self(handle))
    }

    pub fn render(&self) -> String {
        // Old samples of histograms are folded in on rendering; without the upkeep they would pile up between
        // two scrapes that never come.
        self.0.run_upkeep();
        self.0.render()
    }
}

/// The one table of metrics: name, kind, meaning. Units are in the names.
fn describe() {
    use metrics::{describe_counter as counter, describe_gauge as gauge, describe_histogram as histogram};
    histogram!("counterfoil_http_request_duration_seconds", "Time to answer, by method, route and status");
    gauge!("counterfoil_http_requests_in_flight", "Requests being answered");
    gauge!("counterfoil_event_streams_open", "Server-sent event streams open");
    counter!("counterfoil_jobs_accepted_total", "Jobs accepted, by kind");
    counter!("counterfoil_attempts_total", "Attempts that ended in this process, by kind and outcome");
    counter!(
        "counterfoil_attempts_stuck_total",
        "Attempts whose blocking work did not end with them, by kind"
    );
    histogram!("counterfoil_attempt_duration_seconds", "Time of an attempt from lease to release, by kind");
    histogram!("counterfoil_job_wait_seconds", "Time from due to lease, by kind");
    gauge!("counterfoil_jobs", "Unfinished jobs in Postgres, by queue and state");
    gauge!("counterfoil_jobs_oldest_age_seconds", "Age of the oldest unfinished job, by queue and state");
    gauge!("counterfoil_outbox_doorbells", "Doorbells the broker has not confirmed");
    gauge!("counterfoil_outbox_oldest_age_seconds", "Age of the oldest unconfirmed doorbell");
    gauge!("counterfoil_dispatch_lag_seconds", "How far the relay is behind; waiting on purpose is no lag");
    gauge!("counterfoil_dispatch_lag_max_seconds", "Lag beyond which submissions are refused");
    gauge!("counterfoil_backlog_jobs_max", "Waiting jobs beyond which submissions are refused");
    counter!("counterfoil_submissions_refused_total", "Submissions refused, by the bound that was reached");
    gauge!("counterfoil_queue_paused", "1 while a queue is paused");
    gauge!("counterfoil_relay_window", "Doorbells the relay lets wait in the broker, by queue");
    counter!("counterfoil_leases_refused_total", "Leases refused to available jobs, by queue and reason");
    gauge!("counterfoil_leases_held", "Leases this process holds");
    counter!("counterfoil_leases_lost_total", "Leases this process lost to another worker");
    counter!("counterfoil_lease_renewals_total", "Lease renewals, by outcome");
    counter!(
        "counterfoil_doorbells_without_lease_total",
        "Doorbells whose job was taken, done or not due, by queue"
    );
    counter!("counterfoil_jobs_staged_total", "Scheduled jobs made available");
    counter!("counterfoil_jobs_rescued_total", "Jobs taken back from silent workers, by kind and state");
    counter!("counterfoil_doorbells_rung_again_total", "Doorbells repeated for jobs nobody took");
    counter!("counterfoil_jobs_pruned_total", "Finished jobs deleted after their retention");
    counter!("counterfoil_loop_runs_total", "Rounds of the background loops, by loop and outcome");
    gauge!(
        "counterfoil_loop_last_success_timestamp_seconds",
        "When a background loop last succeeded, by loop"
    );
    gauge!("counterfoil_database_connections", "Connections of this process, by state");
    gauge!("counterfoil_database_connections_max", "Most connections this process opens");
    counter!("counterfoil_queue_published_total", "Doorbells published, by queue and outcome");
    counter!("counterfoil_queue_deliveries_total", "Doorbells delivered, by queue");
    counter!("counterfoil_queue_undecodable_total", "Messages that are no doorbells, by queue");
    counter!("counterfoil_queue_sessions_total", "Broker sessions, by role and outcome");
    gauge!("counterfoil_queue_connected", "Whether the broker connection is up, by role");
    gauge!("counterfoil_queue_depth", "Messages ready in the broker, by queue");
    counter!("counterfoil_reconciled_records_total", "Records reconciled, by side");
    counter!("counterfoil_rejected_lines_total", "Lines that were no records, by side");
    counter!("counterfoil_upload_bytes_total", "Bytes of accepted uploads");
}
