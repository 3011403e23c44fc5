//! Traces: what one request or job did, when, in which process, and because of what.
//!
//! A *span* is a stretch of work with a name, attributes and a parent; a *trace* is all spans of one cause. Spans come
//! from `tracing`'s own spans through [`layer`], statements of the database among them; what has no span of its own
//! (a doorbell in a batch, an attempt whose worker is gone) is made with [`SpanRecord`]. The [`context`] travels as
//! W3C Trace Context writes it: in over HTTP, along with the job's row and in the headers of its doorbell, on in the
//! worker. Each process sends its own spans to a collector by OTLP ([`export`]).
//!
//! Identities are always there, so that logs, jobs and problems say which trace they belong to; spans are recorded only
//! for traces that are sampled, and only where there is a collector.
//!
//! Architecture invariants: recording a span never waits, and nobody but the exporter's own thread knows that there is a
//! network. What does not fit into the queue is dropped and counted.

mod attributes;
mod context;
mod export;
mod layer;
mod names;
mod otlp;
pub(crate) mod protobuf;
mod queue;
mod span;

pub use attributes::Value;
pub use context::TraceContext;
pub(crate) use export::traces_url;
pub use export::{ExportError, Exporter};
pub use span::{SpanKind, SpanRecord};

pub(super) use layer::{TraceLayer, filter};
pub(super) use names::OF_THE_SPAN;

use queue::Queue;
use std::sync::OnceLock;
use tracing_subscriber::Registry;
use tracing_subscriber::registry::LookupSpan;

/// Where spans of this process go; unset: nowhere.
static QUEUE: OnceLock<Queue> = OnceLock::new();

/// Whether this process sends spans somewhere: what costs a statement to know is asked only then.
pub fn is_exporting() -> bool {
    QUEUE.get().is_some()
}

/// The innermost span that this code runs in. `None` outside of all, and without a subscriber.
pub fn current() -> Option<TraceContext> {
    tracing::dispatcher::get_default(|dispatch| {
        let registry = dispatch.downcast_ref::<Registry>()?;
        let current = dispatch.current_span();
        let span = registry.span(current.id()?)?;
        span.scope().find_map(|span| layer::context_of(&span.extensions()))
    })
}
