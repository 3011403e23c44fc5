//! A collector of traces: takes what is sent over OTLP/HTTP, and reads it.

use super::HttpReceiver;
use crate::telemetry::trace::protobuf::{Wire, fields};
use data_encoding::HEXLOWER;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Listens until dropped.
pub struct OtlpReceiver(pub HttpReceiver);

/// A span as a collector sees it. Ids in hexadecimal.
#[derive(Debug, Clone, PartialEq)]
pub struct ReceivedSpan {
    /// `service.name` of the process it comes from.
    pub service: String,
    pub trace_id: String,
    pub span_id: String,
    /// Empty: it has none.
    pub parent_id: String,
    pub name: String,
    /// 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
    pub kind: u64,
    /// Nanoseconds since 1970.
    pub started_at: u64,
    pub ended_at: u64,
    /// Values as text.
    pub attributes: BTreeMap<String, String>,
    /// Names.
    pub events: Vec<String>,
    /// Spans it is linked to.
    pub links: Vec<String>,
    /// What is said of a span that failed.
    pub error: Option<String>,
}

impl OtlpReceiver {
    pub fn start() -> Self {
        Self(HttpReceiver::start())
    }

    pub fn start_at(address: SocketAddr) -> Self {
        Self(HttpReceiver::start_at(address))
    }

    /// For `telemetry.otlp.endpoint`.
    pub fn endpoint(&self) -> String {
        self.0.url("")
    }

    /// Everything that has come; what was sent twice is there once.
    pub fn spans(&self) -> Vec<ReceivedSpan> {
        let mut spans: Vec<ReceivedSpan> =
            self.0.requests().iter().flat_map(|request| read_spans(&request.bytes)).collect();
        spans.sort_by(|a, b| (a.started_at, &a.span_id).cmp(&(b.started_at, &b.span_id)));
        spans.dedup_by(|a, b| a.span_id == b.span_id);
        spans
    }

    /// Waits until `found` is content with what has come.
    pub fn wait_until(
        &self,
        patience: Duration,
        mut found: impl FnMut(&[ReceivedSpan]) -> bool,
    ) -> Vec<ReceivedSpan> {
        let until = Instant::now() + patience;
        loop {
            let spans = self.spans();
            if found(&spans) {
                return spans;
            }
            assert!(Instant::now() < until, "the spans did not come within {patience:?}: {spans:#?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The spans of one `ExportTraceServiceRequest`.
pub fn read_spans(request: &[u8]) -> Vec<ReceivedSpan> {
    let mut spans = vec![];
    for of_resource in all(request, 1) {
        let resource: BTreeMap<_, _> =
            all(of_resource, 1).flat_map(|resource| all(resource, 1)).map(attribute).collect();
        let service = resource.get("service.name").cloned().unwrap_or_default();
        for of_scope in all(of_resource, 2) {
            spans.extend(all(of_scope, 2).map(|span| read_span(span, &service)));
        }
    }
    spans
}

fn read_span(span: &[u8], service: &str) -> ReceivedSpan {
    let number = |field| fields(span).find(|(at, _)| *at == field).map_or(0, |(_, value)| value.number());
    let text = |field| all(span, field).next().map(as_text).unwrap_or_default();
    let id = |field| all(span, field).next().map(|bytes| HEXLOWER.encode(bytes)).unwrap_or_default();
    const ERROR: u64 = 2;
    let status = all(span, 15).next();
    let has_failed =
        |status: &&[u8]| fields(status).any(|(at, value)| at == 3 && value == Wire::Number(ERROR));
    ReceivedSpan {
        service: service.to_owned(),
        trace_id: id(1),
        span_id: id(2),
        parent_id: id(4),
        name: text(5),
        kind: number(6),
        started_at: number(7),
        ended_at: number(8),
        attributes: all(span, 9).map(attribute).collect(),
        events: all(span, 11).map(|event| all(event, 2).next().map(as_text).unwrap_or_default()).collect(),
        links: all(span, 13)
            .map(|link| all(link, 2).next().map(|id| HEXLOWER.encode(id)).unwrap_or_default())
            .collect(),
        error: status.filter(has_failed).map(|status| all(status, 2).next().map(as_text).unwrap_or_default()),
    }
}

fn attribute(pair: &[u8]) -> (String, String) {
    let name = all(pair, 1).next().map(as_text).unwrap_or_default();
    let value = all(pair, 2).next().and_then(|value| fields(value).next());
    let value = match value {
        Some((1, text)) => as_text(text.bytes()),
        Some((2, flag)) => (flag.number() == 1).to_string(),
        Some((3, number)) => number.number().cast_signed().to_string(),
        Some((4, number)) => f64::from_bits(number.number()).to_string(),
        other => format!("{other:?}"),
    };
    (name, value)
}

fn all(message: &[u8], field: u64) -> impl Iterator<Item = &[u8]> {
    fields(message).filter(move |(at, _)| *at == field).map(|(_, value)| value.bytes())
}

fn as_text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
