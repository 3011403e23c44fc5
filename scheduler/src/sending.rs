//! The spans of doorbells: one for each whose trace is sampled, from its batch's publishing to the broker's answer.

use shared::ids::JobId;
use shared::queue::{Doorbell, QueueName};
use shared::store::Store;
use shared::telemetry::trace::{self, SpanKind, SpanRecord, TraceContext};
use std::time::Instant;

/// A batch on its way to the broker. Dropped without [`Sending::end`], nobody knows what arrived and nothing is recorded.
pub(crate) struct Sending {
    began_at: Instant,
    spans: Vec<SpanToBe>,
}

struct SpanToBe {
    outbox_id: i64,
    job_id: JobId,
    parent: TraceContext,
    context: TraceContext,
}

impl Sending {
    /// Gives the doorbells the spans that their messages name. Asks the database only where spans are sent somewhere, and
    /// goes without them when it does not answer.
    pub(crate) async fn begin(store: &Store, doorbells: &mut [Doorbell]) -> Self {
        let mut spans = vec![];
        if trace::is_exporting() {
            let ids: Vec<_> = doorbells.iter().map(|doorbell| doorbell.job_id).collect();
            let parents = store.sampled_traces(&ids).await.unwrap_or_default();
            for doorbell in doorbells {
                let Some(parent) = parents.get(&doorbell.job_id).copied() else { continue };
                let context = parent.child();
                doorbell.trace = Some(context);
                let Doorbell { outbox_id, job_id, .. } = *doorbell;
                spans.push(SpanToBe { outbox_id, job_id, parent, context });
            }
        }
        Self { began_at: Instant::now(), spans }
    }

    /// `system`: see [`shared::queue::Queue::system`].
    pub(crate) fn end(self, system: &'static str, queue: &QueueName, confirmed: &[i64]) {
        let lasted = self.began_at.elapsed();
        let name = format!("send {queue}");
        for SpanToBe { outbox_id, job_id, parent, context } in self.spans {
            let mut span = SpanRecord::below(parent, name.clone(), lasted)
                .known_as(context)
                .kind(SpanKind::Producer)
                .with("messaging.system", system)
                .with("messaging.operation.name", "send")
                .with("messaging.operation.type", "send")
                .with_text("messaging.destination.name", queue.as_str())
                .with_text("messaging.message.id", &outbox_id.to_string())
                .with_text("counterfoil.job.id", &job_id.to_string());
            if !confirmed.contains(&outbox_id) {
                span = span.failed("the broker did not take it");
            }
            span.send();
        }
    }
}
