//! A finished span, as it waits to be sent.

use super::{QUEUE, TraceContext, export};
use std::borrow::Cow;
use std::time::{Duration, SystemTime};

/// Attributes of one span or event; further ones are left out.
pub(super) const ATTRIBUTES_MAX: usize = 48;
/// Room that a span begins with.
pub(super) const ATTRIBUTES_USUAL: usize = 12;
/// Events of one span: what went wrong in it. Further ones are left out.
pub(super) const EVENTS_MAX: usize = 16;
/// Bytes of a text; longer ones are cut.
const TEXT_MAX: usize = 1024;

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Text(Cow<'static, str>),
    Integer(i64),
    Float(f64),
    Flag(bool),
}

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
    pub attributes: Vec<(Cow<'static, str>, Value)>,
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
    pub(super) attributes: Vec<(Cow<'static, str>, Value)>,
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
            attributes: Vec::with_capacity(ATTRIBUTES_USUAL),
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

    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        self.set(name.into(), value.into());
        self
    }

    pub fn failed(mut self, says: impl Into<Cow<'static, str>>) -> Self {
        self.error = Some(cut(says.into()));
        self
    }

    /// Replaces what is there by this name.
    pub(super) fn set(&mut self, name: Cow<'static, str>, value: Value) {
        if let Some((_, there)) = self.attributes.iter_mut().find(|(known, _)| *known == name) {
            *there = value;
        } else if self.attributes.len() < ATTRIBUTES_MAX {
            self.attributes.push((name, value));
        }
    }

    /// Into the queue of the exporter, if the trace is sampled and there is one. Never waits.
    pub fn send(self) {
        if let Some(queue) = QUEUE.get().filter(|_| self.context.is_sampled()) {
            export::push(queue, self);
        }
    }
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Value::Text(cut(text.into()))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(cut(text.into()))
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Value::Integer(value)
    }
}

pub(super) fn cut(text: Cow<'static, str>) -> Cow<'static, str> {
    if text.len() <= TEXT_MAX {
        return text;
    }
    let end = (0..=TEXT_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text[..end].to_owned().into()
}
