//! A finished span, as it waits to be sent.

use super::attributes::{Any, Attributes, Value, cut};
use super::{QUEUE, TraceContext, export};
use std::borrow::Cow;
use std::time::{Duration, SystemTime};

/// Events of one span: what went wrong in it. Further ones are left out.
pub(super) const EVENTS_MAX: usize = 16;
/// Whom a span serves, as OpenTelemetry numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SpanKind {
    #[default]
    Internal = 1,
    Server = 2,
    Client = 3,
    Producer = 4,
    Consumer = 5,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct SpanEvent {
    pub at: SystemTime,
    pub name: Cow<'static, str>,
    pub attributes: Attributes<3>,
}

/// One span, with a beginning and an end. [`SpanRecord::send`] gives it away.
#[derive(Debug, Clone)]
pub struct SpanRecord {
    pub(super) context: TraceContext,
    pub(super) parent: Option<TraceContext>,
    pub(super) link: Option<TraceContext>,
    pub(super) name: Cow<'static, str>,
    pub(super) kind: SpanKind,
    pub(super) started_at: SystemTime,
    pub(super) lasted: Duration,
    pub(super) attributes: Attributes<9>,
    pub(super) events: Vec<SpanEvent>,
    /// What went wrong, if something did.
    pub(super) error: Option<Cow<'static, str>>,
}

impl SpanRecord {
    /// A span below `parent` that has ended now.
    pub fn below(parent: TraceContext, name: impl Into<Cow<'static, str>>, lasted: Duration) -> Self {
        let now = SystemTime::now();
        let started_at = now.checked_sub(lasted).unwrap_or(now);
        Self { lasted, ..Self::starting(parent.child(), Some(parent), name.into(), started_at) }
    }

    pub(super) fn starting(
        context: TraceContext,
        parent: Option<TraceContext>,
        name: Cow<'static, str>,
        started_at: SystemTime,
    ) -> Self {
        Self {
            context,
            parent,
            link: None,
            name,
            kind: SpanKind::Internal,
            started_at,
            lasted: Duration::ZERO,
            attributes: Attributes::default(),
            events: vec![],
            error: None,
        }
    }

    pub fn kind(mut self, kind: SpanKind) -> Self {
        self.kind = kind;
        self
    }

    /// As this very span, which others know already.
    pub fn known_as(mut self, context: TraceContext) -> Self {
        self.context = context;
        self
    }

    /// A name that is not there yet.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.attributes.push(name, value.into().as_any());
        self
    }

    /// The same, of a text that is only there for now.
    pub fn with_text(mut self, name: &str, text: &str) -> Self {
        self.attributes.push(name, Any::Text(text));
        self
    }

    pub fn failed(mut self, says: impl Into<Cow<'static, str>>) -> Self {
        let says = says.into();
        self.error = Some(if cut(&says).len() == says.len() { says } else { cut(&says).to_owned().into() });
        self
    }

    /// Into the queue of the exporter, if the trace is sampled and there is one. Never waits.
    pub fn send(&self) {
        if let Some(queue) = QUEUE.get().filter(|_| self.context.is_sampled()) {
            export::push(queue, self);
        }
    }
}
