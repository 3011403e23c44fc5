//! Spans as an `ExportTraceServiceRequest` of OTLP 1.x (opentelemetry-proto, `trace/v1/trace.proto`).

use super::attributes::{Value, write};
use super::protobuf::Message;
use super::queue::Batch;
use super::span::{SpanEvent, SpanRecord};
use std::borrow::Cow;
use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

/// Who sends: attributes of the process, the same for all its spans.
pub(super) type Resource = Vec<(Cow<'static, str>, Value)>;

/// The conventions by which attributes are named.
const SCHEMA: &str = "https://opentelemetry.io/schemas/1.37.0";

/// Bits of a span's flags beyond W3C's: whether the parent is in another process is not known here, hence not said.
const SAMPLED: u32 = 1;

/// The field of `ScopeSpans` that a span is.
const SPAN: u64 = 2;

pub(super) fn encode(resource: &Resource, batch: &Batch) -> Vec<u8> {
    let mut request = Message(Vec::with_capacity(batch.written.len() + 1024));
    request.message(1, |of_resource| {
        of_resource.message(1, |message| {
            resource.iter().for_each(|(name, value)| write(message, 1, name, value.as_any()));
        });
        of_resource.message(2, |of_scope| {
            of_scope.message(1, |scope| {
                scope.bytes(1, b"counterfoil");
                scope.bytes(2, env!("CARGO_PKG_VERSION").as_bytes());
            });
            of_scope.0.extend_from_slice(&batch.written);
            of_scope.bytes(3, SCHEMA.as_bytes());
        });
        of_resource.bytes(3, SCHEMA.as_bytes());
    });
    request.0
}

/// A span of a batch: its key and length, and itself.
pub(super) fn with_written<T>(span: &SpanRecord, then: impl FnOnce(&[u8], &[u8]) -> T) -> T {
    thread_local! {
        static ROOM: RefCell<(Message, Message)> = RefCell::default();
    }
    ROOM.with_borrow_mut(|(head, body)| {
        head.0.clear();
        body.0.clear();
        write_span(body, span);
        head.length(SPAN, body.0.len());
        then(&head.0, &body.0)
    })
}

fn write_span(message: &mut Message, span: &SpanRecord) {
    message.bytes(1, &span.context.trace_id().0.to_be_bytes());
    message.bytes(2, &span.context.span_id().to_be_bytes());
    if let Some(parent) = span.parent {
        message.bytes(4, &parent.span_id().to_be_bytes());
    }
    message.bytes(5, span.name.as_bytes());
    message.varint(6, span.kind as u64);
    let started = nanos(span.started_at);
    message.fixed64(7, started);
    message.fixed64(8, started.saturating_add(u64::try_from(span.lasted.as_nanos()).unwrap_or(u64::MAX)));
    message.0.extend_from_slice(span.attributes.written());
    for event in &span.events {
        message.message(11, |message| write_event(message, event));
    }
    if let Some(link) = span.link {
        message.message(13, |message| {
            message.bytes(1, &link.trace_id().0.to_be_bytes());
            message.bytes(2, &link.span_id().to_be_bytes());
        });
    }
    if let Some(says) = &span.error {
        const ERROR: u64 = 2;
        message.message(15, |status| {
            status.bytes(2, says.as_bytes());
            status.varint(3, ERROR);
        });
    }
    message.fixed32(16, SAMPLED);
}

fn write_event(message: &mut Message, event: &SpanEvent) {
    message.fixed64(1, nanos(event.at));
    message.bytes(2, event.name.as_bytes());
    message.0.extend_from_slice(event.attributes.written());
}

fn nanos(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

/// How many spans a collector says it has refused: `partial_success.rejected_spans` of its answer. What cannot be read
/// refuses none.
pub(super) fn rejected_spans(answer: &[u8]) -> u64 {
    let partial_success = super::protobuf::fields(answer).find(|(field, _)| *field == 1);
    let rejected = partial_success.and_then(|(_, inner)| {
        super::protobuf::fields(inner.bytes()).find(|(field, _)| *field == 1).map(|(_, value)| value.number())
    });
    rejected.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::TraceContext;
    use super::super::attributes::{Any, Attributes};
    use super::super::span::SpanKind;
    use super::*;
    use std::time::Duration;

    /// What Google's protobuf made of the same span with the classes of `opentelemetry-proto` 1.x from PyPI.
    const REFERENCE: &str = "\
    0af2020a260a240a0c736572766963652e6e616d6512140a12636f756e746572666f696c2d776f726b6572129e020a140a0b\
    636f756e746572666f696c1205302e312e3012dc010a104bf92f3577b34da6a3ce929d0e0e4736120800f067aa0ba902b722\
    0801020304050607082a1670726f63657373207265636f6e63696c696174696f6e30053915cd853dfe9c97174115972079fe\
    9c97174a090a016112040a02c3a44a070a0162120210014a100a0163120b18f9ffffffffffffffff014a0e0a016412092100\
    0000000000e03f5a1f090065f753fe9c9717120a77656e742077726f6e671a080a0166120318ac026a1c0a104bf92f3577b3\
    4da6a3ce929d0e0e4736120811121314151617187a0d12096974206661696c656418028501010000001a2768747470733a2f\
    2f6f70656e74656c656d657472792e696f2f736368656d61732f312e33372e301a2768747470733a2f2f6f70656e74656c65\
    6d657472792e696f2f736368656d61732f312e33372e30";

    #[test]
    fn a_span_is_written_as_the_reference_writes_it() {
        let context = |text: &str| text.parse::<TraceContext>().expect("a traceparent");
        let this = context("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        let parent = context("00-4bf92f3577b34da6a3ce929d0e0e4736-0102030405060708-01");
        let at = |nanos: u64| UNIX_EPOCH + Duration::from_nanos(nanos);
        let mut span = SpanRecord::starting(
            this,
            Some(parent),
            "process reconciliation".into(),
            at(1_700_000_000_123_456_789),
        );
        (span.kind, span.lasted) = (SpanKind::Consumer, Duration::from_secs(1));
        span.link = Some(context("00-4bf92f3577b34da6a3ce929d0e0e4736-1112131415161718-01"));
        span = span.with("a", "ä").with("b", Value::Flag(true)).with("c", -7).with("d", Value::Float(0.5));
        let mut attributes = Attributes::default();
        attributes.push("f", Any::Integer(300));
        span.events =
            vec![SpanEvent { at: at(1_700_000_000_500_000_000), name: "went wrong".into(), attributes }];
        span.error = Some("it failed".into());
        let resource = vec![("service.name".into(), "counterfoil-worker".into())];
        let written = with_written(&span, |head, body| [head, body].concat());
        let request = encode(&resource, &Batch { written, spans: 1 });
        assert_eq!(data_encoding::HEXLOWER.encode(&request), REFERENCE);
    }

    #[test]
    fn an_answer_says_how_many_spans_were_refused_and_nonsense_says_none() {
        let partial = data_encoding::HEXLOWER.decode(b"0a06080312026e6f").expect("hexadecimal");
        assert_eq!(rejected_spans(&partial), 3);
        for nonsense in [b"".as_slice(), b"ok", &[0x0a], &[0x0a, 0xff], &[0xff; 40], &partial[..5]] {
            assert_eq!(rejected_spans(nonsense), 0, "{nonsense:?}");
        }
    }
}
