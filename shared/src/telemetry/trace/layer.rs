//! Spans of `tracing` become spans of a trace.
//!
//! Fields with special meaning: `otel.name` (else the span's own), `otel.kind` (`server`, `client`, `producer`,
//! `consumer`), `otel.context` (who this span is, where the caller made that out), `otel.parent` (another process' span),
//! `otel.link` (a span of importance besides the parent; these three as [`TraceContext::to_bytes`]), `otel.error` (it
//! failed), `otel.with.…` (an attribute that no log shows). Warnings and errors that are logged inside a span become its
//! events; an error makes it a failed one.

use super::attributes::{self, Any, cut};
use super::context::TraceContext;
use super::names::attribute;
use super::span::{EVENTS_MAX, SpanEvent, SpanKind, SpanRecord};
use crate::telemetry::statements::{ACQUIRE, STATEMENT, Statement, StatementNames};
use std::borrow::Cow;
use std::fmt::Write;
use std::time::{Duration, Instant, SystemTime};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{Extensions, LookupSpan};

/// The crates whose spans are ours.
const CRATES: [&str; 9] =
    ["api", "backup", "counterfoil", "matching", "objects_s3", "scheduler", "shared", "sources", "worker"];

/// What this layer needs to see, whatever the log shows.
pub(in crate::telemetry) fn filter() -> Targets {
    let ours = CRATES.iter().map(|name| (*name, LevelFilter::INFO));
    Targets::new()
        .with_targets(ours)
        .with_target(STATEMENT, LevelFilter::DEBUG)
        .with_target(ACQUIRE, LevelFilter::DEBUG)
}

pub(in crate::telemetry) struct TraceLayer {
    names: StatementNames,
}

/// What a span of ours carries.
struct Traced {
    context: TraceContext,
    /// Of sampled traces, where somebody wants them.
    record: Option<Box<Open>>,
}

struct Open {
    span: SpanRecord,
    since: Instant,
}

pub(super) fn context_of(extensions: &Extensions<'_>) -> Option<TraceContext> {
    extensions.get::<Traced>().map(|traced| traced.context)
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for TraceLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(id) else { return };
        let above = span.scope().skip(1).find_map(|span| context_of(&span.extensions()));
        if above.is_some_and(|above| !above.is_sampled()) {
            let context = TraceContext::following(above);
            span.extensions_mut().insert(Traced { context, record: None });
            return;
        }
        let mut said = Said::<9>::default();
        attributes.record(&mut said);
        let parent = said.parent.or(above);
        let context = said.context.unwrap_or_else(|| TraceContext::following(parent));
        let record = (context.is_sampled() && super::is_exporting()).then(|| {
            let name = said.name.take().unwrap_or_else(|| attributes.metadata().name().into());
            let mut span = SpanRecord::starting(context, parent, name, SystemTime::now());
            (span.kind, span.link) = (said.kind.unwrap_or_default(), said.link);
            (span.attributes, span.error) = (said.attributes, said.error);
            Box::new(Open { span, since: Instant::now() })
        });
        span.extensions_mut().insert(Traced { context, record });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(id) else { return };
        let mut extensions = span.extensions_mut();
        let Some(open) = extensions.get_mut::<Traced>().and_then(|traced| traced.record.as_mut()) else {
            return;
        };
        let mut said =
            Said::<9> { later: Some(std::mem::take(&mut open.span.attributes)), ..Said::default() };
        values.record(&mut said);
        open.span.attributes = said.later.take().unwrap_or_default();
        open.span.name = said.name.unwrap_or_else(|| std::mem::take(&mut open.span.name));
        open.span.error = said.error.or(open.span.error.take());
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        let metadata = event.metadata();
        if matches!(metadata.target(), STATEMENT | ACQUIRE) {
            return self.on_statement(event, ctx);
        }
        // Ordinary lines are in the log, with the id of the trace.
        if *metadata.level() > Level::WARN {
            return;
        }
        let Some(span) = ctx.event_span(event) else { return };
        for span in span.scope() {
            let mut extensions = span.extensions_mut();
            let Some(traced) = extensions.get_mut::<Traced>() else { continue };
            if let Some(open) = &mut traced.record {
                note(&mut open.span, event);
            }
            return;
        }
    }

    fn on_close(&self, id: Id, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(&id) else { return };
        let open = span.extensions_mut().get_mut::<Traced>().and_then(|traced| traced.record.take());
        if let Some(mut open) = open {
            open.span.lasted = open.since.elapsed();
            open.span.send();
        }
    }
}

impl TraceLayer {
    pub fn new(names: StatementNames) -> Self {
        Self { names }
    }

    /// The database driver reports a statement once it has ended.
    fn on_statement<S>(&self, event: &Event<'_>, ctx: Context<'_, S>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let statement = Statement::read(event, &self.names);
        statement.count();
        let (Some(name), Some(elapsed_s)) = (statement.name, statement.elapsed_s) else { return };
        let below = ctx.event_span(event).and_then(|span| {
            span.scope().find_map(|span| {
                let extensions = span.extensions();
                let traced = extensions.get::<Traced>()?;
                Some(traced.record.as_ref().map(|_| traced.context))
            })
        });
        let Some(parent) = below.flatten() else { return };
        let lasted = Duration::try_from_secs_f64(elapsed_s).unwrap_or_default();
        let shown = format!("{} {}", name.operation, name.table);
        let mut span = SpanRecord::below(parent, shown.trim_end().to_owned(), lasted)
            .kind(SpanKind::Client)
            .with("db.system.name", "postgresql")
            .with("db.operation.name", name.operation)
            .with("db.response.returned_rows", statement.rows.unwrap_or(0));
        if !name.table.is_empty() {
            span = span.with_text("db.collection.name", &name.table);
        }
        span.send();
    }
}

fn note(span: &mut SpanRecord, event: &Event<'_>) {
    let mut said = Said::<3>::default();
    event.record(&mut said);
    let name = said.message.unwrap_or_else(|| event.metadata().name().into());
    if *event.metadata().level() == Level::ERROR && span.error.is_none() {
        span.error = Some(name.clone());
    }
    if span.events.len() < EVENTS_MAX {
        span.events.push(SpanEvent { at: SystemTime::now(), name, attributes: said.attributes });
    }
}

/// What fields say.
#[derive(Default)]
struct Said<const FIELD: u64> {
    name: Option<Cow<'static, str>>,
    kind: Option<SpanKind>,
    context: Option<TraceContext>,
    parent: Option<TraceContext>,
    link: Option<TraceContext>,
    error: Option<Cow<'static, str>>,
    message: Option<Cow<'static, str>>,
    attributes: attributes::Attributes<FIELD>,
    /// Those of a span that is there: what is said replaces them.
    later: Option<attributes::Attributes<FIELD>>,
    /// What a value shows itself as.
    shown: String,
}

impl<const FIELD: u64> Said<FIELD> {
    fn set(&mut self, field: &Field, value: Any<'_>) {
        if let Some(name) = attribute(field.name()) {
            match &mut self.later {
                Some(later) => later.set(&name, value),
                None => self.attributes.push(&name, value),
            }
        }
    }

    fn text(&mut self, field: &Field, text: &str) {
        let kept = || Some(cut(text).to_owned().into());
        match field.name() {
            "otel.name" => self.name = kept(),
            "otel.kind" => {
                self.kind = match text {
                    "server" => Some(SpanKind::Server),
                    "client" => Some(SpanKind::Client),
                    "producer" => Some(SpanKind::Producer),
                    "consumer" => Some(SpanKind::Consumer),
                    _ => None,
                }
            }
            "otel.error" => self.error = kept(),
            "message" => self.message = kept(),
            // Ids that are not there.
            _ if text.is_empty() => {}
            _ => self.set(field, Any::Text(text)),
        }
    }
}

impl<const FIELD: u64> Visit for Said<FIELD> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, Any::Float(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, Any::Integer(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, Any::Integer(i64::try_from(value).unwrap_or(i64::MAX)));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, Any::Flag(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // In every line of the log, and in the span already.
        if field.name() == "trace_id" {
            return;
        }
        let mut shown = std::mem::take(&mut self.shown);
        shown.clear();
        // A string takes everything; what a value does not say itself is not said.
        let _ = write!(shown, "{value:?}");
        self.text(field, &shown);
        self.shown = shown;
    }

    fn record_bytes(&mut self, field: &Field, value: &[u8]) {
        let span = match field.name() {
            "otel.context" => &mut self.context,
            "otel.parent" => &mut self.parent,
            "otel.link" => &mut self.link,
            _ => return,
        };
        *span = TraceContext::from_bytes(value);
    }
}
