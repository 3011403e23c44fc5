//! Sending spans: one thread that empties the queue over OTLP/HTTP.
//!
//! The thread belongs to no runtime and nobody waits for it: a collector that is away or slow costs spans, which are
//! counted, and nothing else.

use super::attributes::Value;
use super::otlp::{Resource, encode, with_written};
use super::queue::{Batch, Queue};
use super::span::SpanRecord;
use super::{QUEUE, context};
use crate::config;
use secrecy::ExposeSecret;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Spans of one request to the collector: about 700 KB at most of what is usual. Collectors take 4 MB and more.
const BATCH_MAX: usize = 2048;
/// How long spans wait for others to travel with.
const BATCH_PERIOD: Duration = Duration::from_secs(1);
/// Of one request.
const PATIENCE: Duration = Duration::from_secs(10);
/// Tries of one batch, with doubling waits between them, from this one.
const TRIES: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// Longest that a collector may tell us to wait.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// How long the end of the process waits for the last spans.
const LAST_PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error("telemetry.otlp.endpoint: {0}")]
    Endpoint(&'static str),
    #[error("telemetry.otlp.headers: {0}")]
    Headers(&'static str),
    #[error("starting the exporter's thread")]
    Thread(#[source] std::io::Error),
    #[error("an exporter runs already")]
    Twice,
}

/// Never waits: what does not fit is dropped and counted.
pub(super) fn push(queue: &Queue, span: &SpanRecord) {
    if !with_written(span, |head, body| queue.push(head, body)) {
        count("dropped", 1);
    }
}

/// The running exporter. Dropped, it sends what is left, for at most five seconds.
pub struct Exporter {
    done: Mutex<Receiver<()>>,
}

impl Exporter {
    /// Starts sending to the configured collector. `None`: there is none. Once per process.
    pub fn start(settings: &config::Otlp, service: &str) -> Result<Option<Self>, ExportError> {
        let Some(endpoint) = settings.endpoint() else { return Ok(None) };
        let collector = Collector {
            url: traces_url(endpoint).map_err(ExportError::Endpoint)?,
            headers: headers(settings).map_err(ExportError::Headers)?,
            agent: ureq::Agent::config_builder()
                .timeout_global(Some(PATIENCE))
                .http_status_as_error(false)
                .max_redirects(0)
                .build()
                .new_agent(),
            resource: resource(service),
        };
        let mut is_first = false;
        let queue = QUEUE.get_or_init(|| {
            is_first = true;
            Queue::new(settings.queue_spans_max as usize, BATCH_MAX)
        });
        if !is_first {
            return Err(ExportError::Twice);
        }
        let (tell_done, done) = channel();
        std::thread::Builder::new()
            .name("trace-export".into())
            .spawn(move || {
                Sending { collector, queue, is_failing: false }.run();
                let _ = tell_done.send(());
            })
            .map_err(ExportError::Thread)?;
        context::sample(settings.sample_ratio);
        Ok(Some(Self { done: Mutex::new(done) }))
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        context::sample(0.0);
        let Some(queue) = QUEUE.get() else { return };
        queue.stop();
        let done = self.done.get_mut().unwrap_or_else(|poisoned| poisoned.into_inner());
        let _ = done.recv_timeout(LAST_PATIENCE);
    }
}

struct Sending {
    collector: Collector,
    queue: &'static Queue,
    /// The log says once that the collector is away, and once that it is back.
    is_failing: bool,
}

impl Sending {
    fn run(mut self) {
        let mut batch = Batch::default();
        loop {
            batch = self.queue.next_batch(BATCH_PERIOD, batch);
            if batch.spans == 0 {
                return;
            }
            self.send(&batch);
        }
    }

    fn send(&mut self, batch: &Batch) {
        let body = encode(&self.collector.resource, batch);
        let spans = batch.spans as u64;
        let mut wait = FIRST_WAIT;
        for tried in 1.. {
            let failure = match self.collector.post(&body) {
                Ok(rejected) => {
                    let rejected = rejected.min(spans);
                    count("exported", spans - rejected);
                    count("failed", rejected);
                    if std::mem::take(&mut self.is_failing) {
                        tracing::info!("the collector of traces answers again");
                    }
                    return;
                }
                Err(failure) => failure,
            };
            if !std::mem::replace(&mut self.is_failing, true) {
                tracing::warn!(error = failure.says, "the collector of traces does not take spans");
            }
            // On the way out there is one try for each batch, since the process waits.
            if !failure.may_pass || tried >= TRIES || self.queue.is_stopping() {
                return count("failed", spans);
            }
            self.queue.rest(failure.wait.unwrap_or(wait).min(WAIT_MAX));
            wait *= 2;
        }
    }
}

struct Collector {
    url: String,
    headers: Vec<(String, secrecy::SecretString)>,
    agent: ureq::Agent,
    resource: Resource,
}

struct Failure {
    says: String,
    may_pass: bool,
    wait: Option<Duration>,
}

impl Collector {
    /// How many spans of the batch were refused.
    fn post(&self, body: &[u8]) -> Result<u64, Failure> {
        let mut request = self.agent.post(&self.url).header("content-type", "application/x-protobuf");
        for (name, value) in &self.headers {
            request = request.header(name, value.expose_secret());
        }
        let away = |error: ureq::Error| Failure { says: error.to_string(), may_pass: true, wait: None };
        let mut response = request.send(body).map_err(away)?;
        let status = response.status().as_u16();
        let wait = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        // Read to its end, so that the connection serves again.
        let answer = response.body_mut().with_config().limit(64 << 10).read_to_vec().unwrap_or_default();
        match status {
            200..300 => Ok(super::otlp::rejected_spans(&answer)),
            // What the specification calls retryable.
            429 | 502..=504 => Err(Failure {
                says: format!("it answered {status}"),
                may_pass: true,
                wait: wait.map(Duration::from_secs),
            }),
            _ => Err(Failure { says: format!("it answered {status}"), may_pass: false, wait: None }),
        }
    }
}

/// As OpenTelemetry reads `OTEL_EXPORTER_OTLP_ENDPOINT`: the address of the collector, below which traces have a path.
pub(crate) fn traces_url(endpoint: &str) -> Result<String, &'static str> {
    if !(endpoint.starts_with("http://") || endpoint.starts_with("https://")) {
        return Err("must begin with http:// or https://");
    }
    if endpoint.contains('@') {
        return Err("must have no password in it; telemetry.otlp.headers is for that");
    }
    let base = endpoint.trim_end_matches('/');
    Ok(if base.ends_with("/v1/traces") { base.to_owned() } else { format!("{base}/v1/traces") })
}

/// `name=value,name=value`, as `OTEL_EXPORTER_OTLP_HEADERS` is written.
fn headers(settings: &config::Otlp) -> Result<Vec<(String, secrecy::SecretString)>, &'static str> {
    let Some(text) = &settings.headers else { return Ok(vec![]) };
    let pairs = text.expose_secret().split(',').map(str::trim).filter(|pair| !pair.is_empty());
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').ok_or("is not name=value,name=value")?;
        let (name, value) = (name.trim(), value.trim());
        let is_name = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        let is_value = |b: u8| b.is_ascii_graphic() || b == b' ';
        if name.is_empty() || !name.bytes().all(is_name) || !value.bytes().all(is_value) {
            return Err("has a name or value that no header can have");
        }
        Ok((name.to_ascii_lowercase(), value.to_owned().into()))
    };
    pairs.map(pair).collect()
}

fn resource(service: &str) -> Resource {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let mut resource: Resource = vec![
        ("service.name".into(), service.to_owned().into()),
        ("service.version".into(), env!("CARGO_PKG_VERSION").into()),
        ("service.instance.id".into(), uuid::Uuid::new_v4().to_string().into()),
        ("process.pid".into(), Value::Integer(std::process::id().into())),
        ("telemetry.sdk.name".into(), "counterfoil".into()),
        ("telemetry.sdk.language".into(), "rust".into()),
        ("telemetry.sdk.version".into(), env!("CARGO_PKG_VERSION").into()),
    ];
    if !host.trim().is_empty() {
        resource.push(("host.name".into(), host.trim().to_owned().into()));
    }
    resource
}

fn count(outcome: &'static str, spans: u64) {
    if spans > 0 {
        metrics::counter!("counterfoil_trace_spans_total", "outcome" => outcome).increment(spans);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn otlp(headers: &str) -> config::Otlp {
        config::Otlp { headers: Some(headers.to_owned().into()), ..config::Otlp::default() }
    }

    #[test]
    fn the_endpoint_is_the_collector_or_its_path_for_traces() {
        for (endpoint, url) in [
            ("http://collector:4318", "http://collector:4318/v1/traces"),
            ("http://collector:4318/", "http://collector:4318/v1/traces"),
            ("https://host/otlp", "https://host/otlp/v1/traces"),
            ("https://host/otlp/v1/traces", "https://host/otlp/v1/traces"),
        ] {
            assert_eq!(traces_url(endpoint).as_deref(), Ok(url));
        }
        for bad in ["", "collector:4317", "grpc://collector:4317", "https://user:pass@collector"] {
            assert!(traces_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn headers_are_pairs_and_mistakes_do_not_show_their_value() {
        let read = headers(&otlp("Authorization=Basic dTpw, x-scope=a=b")).expect("headers");
        let shown: Vec<_> = read.iter().map(|(name, value)| (name.as_str(), value.expose_secret())).collect();
        assert_eq!(shown, [("authorization", "Basic dTpw"), ("x-scope", "a=b")]);
        assert!(headers(&otlp("")).expect("none").is_empty());
        for bad in ["canary", "=canary", "a b=canary", "a=can\u{1}ary"] {
            let says = headers(&otlp(&format!("x=y,{bad},z=1"))).expect_err(bad);
            assert!(!says.contains("ary"), "{says}");
        }
    }
}
