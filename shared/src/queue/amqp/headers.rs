//! What a message says besides its body: `traceparent`, as W3C's draft for AMQP has it.

use crate::telemetry::trace::TraceContext;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};

const TRACEPARENT: &str = "traceparent";

pub(super) fn written(trace: Option<TraceContext>) -> FieldTable {
    let mut headers = FieldTable::default();
    if let Some(trace) = trace {
        headers.insert(TRACEPARENT.into(), AMQPValue::LongString(trace.to_string().into()));
    }
    headers
}

/// `None` also for what is none: anybody may publish.
pub(super) fn read(properties: &BasicProperties) -> Option<TraceContext> {
    match properties.headers().as_ref()?.inner().get(TRACEPARENT)? {
        AMQPValue::LongString(text) => std::str::from_utf8(text.as_bytes()).ok()?.parse().ok(),
        AMQPValue::ShortString(text) => text.as_str().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_reads_back_as_written_and_nonsense_is_none() {
        let trace = TraceContext::root();
        let with = |headers| BasicProperties::default().with_headers(headers);
        assert_eq!(read(&with(written(Some(trace)))), Some(trace));
        assert_eq!(read(&with(written(None))), None);
        assert_eq!(read(&BasicProperties::default()), None);
        for value in [
            AMQPValue::LongString(vec![0xff, 0xfe].into()),
            AMQPValue::LongString("00-0-0-0".into()),
            AMQPValue::LongUInt(7),
        ] {
            let mut headers = FieldTable::default();
            headers.insert(TRACEPARENT.into(), value);
            assert_eq!(read(&with(headers)), None);
        }
    }
}
