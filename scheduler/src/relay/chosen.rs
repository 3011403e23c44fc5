//! Sending what was chosen: noted where a limit counts it, published, forgotten.

use super::{Relay, RoundPlaces};
use crate::background::RoundError;
use crate::dispatch::plan::{Plan, subject};
use crate::sending::Sending;
use shared::ids::JobId;
use shared::queue::{Doorbell, QueueName};
use shared::store::outbox::{Lane, OutboxBatch};
use std::collections::VecDeque;

impl Relay {
    /// Publishes in this order; returns how many the broker has taken.
    pub(super) async fn publish(
        &self,
        queue: &QueueName,
        plan: &Plan,
        batch: OutboxBatch,
        ordered: &[(usize, Doorbell)],
        places: &mut RoundPlaces,
    ) -> Result<usize, RoundError> {
        if ordered.is_empty() {
            return Ok(0);
        }
        let mut limited: Vec<(JobId, &Lane)> = vec![];
        for (wanted, doorbell) in ordered {
            let lane = &plan.wanted[*wanted].0;
            let subject = subject(queue.as_str(), lane);
            if places.places.concern(subject) {
                places.places.take(subject, 1);
                limited.push((doorbell.job_id, lane));
            }
        }
        if !limited.is_empty() {
            self.store.note_doorbells_out(queue, &limited).await?;
        }
        let mut doorbells: Vec<Doorbell> = ordered.iter().map(|(_, doorbell)| doorbell.clone()).collect();
        let sending = Sending::begin(&self.store, &mut doorbells).await;
        let published = match self.queue.publish(&doorbells).await {
            Ok(published) => published,
            Err(error) => {
                // Nobody knows what arrived. The rows stay and are published again.
                let jobs: Vec<JobId> = limited.iter().map(|(id, _)| *id).collect();
                let _ = self.store.forget_doorbells_out(&jobs).await;
                return Err(error.into());
            }
        };
        sending.end(self.queue.system(), queue, &published.confirmed);
        if !published.unroutable.is_empty() {
            tracing::error!(%queue, doorbells = published.unroutable.len(), "the broker has no such queue");
        }
        if published.confirmed.len() < doorbells.len() && !limited.is_empty() {
            let refused: Vec<JobId> = doorbells
                .iter()
                .filter(|doorbell| !published.confirmed.contains(&doorbell.outbox_id))
                .map(|doorbell| doorbell.job_id)
                .collect();
            self.store.forget_doorbells_out(&refused).await?;
        }
        batch.confirm(&published.confirmed).await?;
        Ok(published.confirmed.len())
    }
}

/// The doorbells of a batch in the order of the plan.
pub(super) fn in_order(plan: &Plan, batch: &OutboxBatch) -> Vec<(usize, Doorbell)> {
    let mut lanes: Vec<VecDeque<&Doorbell>> = vec![VecDeque::new(); plan.wanted.len()];
    for (wanted, doorbell) in &batch.doorbells {
        lanes[*wanted].push_back(doorbell);
    }
    plan.order.iter().filter_map(|&wanted| Some((wanted, lanes[wanted].pop_front()?.clone()))).collect()
}
