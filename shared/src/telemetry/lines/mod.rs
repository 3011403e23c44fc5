//! How lines of the log are written: each a JSON object with what its spans know (request, trace, job, attempt, project)
//! beside its own fields, so that one key finds everything of one job.

mod fields;

pub(super) use fields::LineFields;

use super::trace::OF_THE_SPAN;
use chrono::{SecondsFormat, Utc};
use std::cell::Cell;
use std::fmt;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::field::{RecordFields, VisitOutput};
use tracing_subscriber::fmt::format::{DefaultVisitor, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// One object a line: `timestamp`, `level`, `message`, then everything else by name. What the line says itself wins over
/// its spans, an inner span over an outer one.
pub(super) struct JsonLines;

/// Fields of a line that are expected; more cost an allocation.
const FIELDS: usize = 24;

/// Of what is kept: room for all but the longest errors.
const GATHERED_BYTES_MAX: usize = 16 << 10;

thread_local! {
    /// What a line gathers, kept for the next one.
    static GATHERED: Cell<String> = const { Cell::new(String::new()) };
}

impl<S> FormatEvent<S, LineFields> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, LineFields>,
        writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut gathered = GATHERED.take();
        let written = write_line(ctx, writer, event, &mut gathered);
        gathered.clear();
        if gathered.capacity() <= GATHERED_BYTES_MAX {
            GATHERED.set(gathered);
        }
        written
    }
}

fn write_line<S>(
    ctx: &FmtContext<'_, S, LineFields>,
    mut writer: Writer<'_>,
    event: &Event<'_>,
    gathered: &mut String,
) -> fmt::Result
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let mut innermost = None;
    for span in ctx.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
        if let Some(fields) = span.extensions().get::<FormattedFields<LineFields>>() {
            gathered.push_str(fields);
        }
        innermost = Some(span.name());
    }
    if let Some(name) = innermost {
        fields::write_text(gathered, "span", name)?;
    }
    // What comes from the `log` crate has its target in a field, which follows and wins.
    fields::write_text(gathered, "target", event.metadata().target())?;
    LineFields.format_fields(Writer::new(gathered), event)?;

    let mut pairs: Vec<(&str, &str)> = Vec::with_capacity(FIELDS);
    pairs.extend(fields::read(gathered));
    let message = pairs.iter().rposition(|(name, _)| *name == "message").map(|at| pairs[at]);
    pairs.retain(|(name, _)| *name != "message");
    // Of equal names the last one holds: the sort keeps their order.
    pairs.sort_by_key(|(name, _)| *name);
    let at = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
    write!(writer, r#"{{"timestamp":"{at}","level":"{}""#, event.metadata().level())?;
    let last_of_name = |at: &usize| pairs.get(at + 1).is_none_or(|next| next.0 != pairs[*at].0);
    let rest = (0..pairs.len()).filter(last_of_name).map(|at| pairs[at]);
    for (name, value) in message.into_iter().chain(rest) {
        writer.write_str(",\"")?;
        fields::escape(&mut writer, name)?;
        writer.write_str("\":")?;
        writer.write_str(value)?;
    }
    writer.write_str("}\n")
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
    use serde_json::Value;
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
            .fmt_fields(LineFields)
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
