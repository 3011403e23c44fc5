//! How lines of the log are written: each a JSON object with what its spans know (request, trace, job, attempt, project)
//! beside its own fields, so that one key finds everything of one job.

use super::trace::OF_THE_SPAN;
use chrono::{SecondsFormat, Utc};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::field::{RecordFields, VisitOutput};
use tracing_subscriber::fmt::format::{DefaultVisitor, JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// One object a line: `timestamp`, `level`, `message`, then everything else by name. What the line says itself wins over
/// its spans, an inner span over an outer one.
pub(super) struct JsonLines;

impl<S> FormatEvent<S, JsonFields> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Line::default();
        let mut innermost = None;
        for span in ctx.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(fields) = span.extensions().get::<FormattedFields<JsonFields>>() {
                let fields: BTreeMap<String, Value> = serde_json::from_str(fields).unwrap_or_default();
                for (name, value) in fields {
                    line.set(&name, value);
                }
            }
            innermost = Some(span.name());
        }
        event.record(&mut line);
        // What comes from the `log` crate has its target in a field.
        let target = line.fields.remove("log.target").unwrap_or_else(|| event.metadata().target().into());
        line.fields.retain(|name, _| !name.starts_with("log."));
        line.set("target", target);
        line.set("span", innermost.map_or(Value::Null, Value::from));
        let at = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
        write!(writer, r#"{{"timestamp":"{at}","level":"{}""#, event.metadata().level())?;
        let message = line.fields.remove_entry("message");
        for (name, value) in message.into_iter().chain(line.fields) {
            write!(writer, ",{}:{value}", Value::String(name))?;
        }
        writeln!(writer, "}}")
    }
}

#[derive(Default)]
struct Line {
    fields: BTreeMap<String, Value>,
}

impl Line {
    fn set(&mut self, name: &str, value: Value) {
        let is_absent = value.is_null() || value.as_str() == Some("");
        if !is_absent && !name.starts_with(OF_THE_SPAN) {
            self.fields.insert(name.to_owned(), value);
        }
    }
}

impl Visit for Line {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field.name(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field.name(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field.name(), value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field.name(), value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field.name(), format!("{value:?}").into());
    }
}

/// Fields of spans as people read them, without those that only traces need.
pub(super) struct PrettyFields;

impl<'w> FormatFields<'w> for PrettyFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut shown = Shown(DefaultVisitor::new(writer, true));
        fields.record(&mut shown);
        shown.0.finish()
    }
}

struct Shown<'w>(DefaultVisitor<'w>);

impl Visit for Shown<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if !field.name().starts_with(OF_THE_SPAN) && !value.is_empty() {
            self.0.record_str(field, value);
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.0.record_error(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if !field.name().starts_with(OF_THE_SPAN) {
            self.0.record_debug(field, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::layer::SubscriberExt;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn lines(of: impl FnOnce()) -> Vec<Value> {
        let kept = Kept::default();
        let writer = kept.clone();
        let lines = tracing_subscriber::fmt::layer()
            .with_writer(move || writer.clone())
            .fmt_fields(JsonFields::new())
            .event_format(JsonLines);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), of);
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
            .collect()
    }

    #[test]
    fn a_line_has_what_all_its_spans_know() {
        let seen = lines(|| {
            let outer =
                tracing::info_span!("attempt", job_id = "j", attempt = 2, request_id = "", otel.kind = "x");
            let _outer = outer.enter();
            let inner = tracing::info_span!("write", rows = 3, attempt = tracing::field::Empty);
            let _inner = inner.enter();
            tracing::warn!(error = "quoted \"x\"\n", rows = 4, "told");
            inner.record("attempt", 7);
            tracing::info!("told again");
        });
        let first = &seen[0];
        for (key, value) in [
            ("level", Value::from("WARN")),
            ("message", "told".into()),
            ("job_id", "j".into()),
            ("attempt", 2.into()),
            ("rows", 4.into()),
            ("error", "quoted \"x\"\n".into()),
            ("span", "write".into()),
        ] {
            assert_eq!(first[key], value, "{key} of {first}");
        }
        assert!(first.get("request_id").is_none() && first.get("otel.kind").is_none(), "{first}");
        assert_eq!(seen[1]["attempt"], 7, "what was recorded later, of the inner span");
    }
}
