//! The relay: outbox → broker. At least once: a doorbell is forgotten only after the broker has confirmed it.

use crate::background::{Round, RoundError};
use shared::queue::{Queue, QueueName};
use shared::store::Store;

/// Doorbells in one batch: all are published at once and then confirmed together. Larger batches gain nothing
/// and hold their row locks longer.
const BATCH: u32 = 512;

#[derive(Clone)]
pub(crate) struct Relay {
    store: Store,
    queue: Queue,
    window: u64,
}

impl Relay {
    pub(crate) fn new(store: Store, queue: Queue, window: u64) -> Self {
        Self { store, queue, window }
    }

    pub(crate) async fn round(self) -> Result<Round, RoundError> {
        let mut found = Round::Idle;
        let mut first_error = None;
        for queue in self.store.outbox_queues().await? {
            match self.relay_queue(&queue).await {
                Ok(Round::More) => found = Round::More,
                Ok(Round::Idle) => {}
                // One broken queue must not hold up the others.
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        first_error.map_or(Ok(found), Err)
    }

    /// Fills up the window of one queue. The window is what keeps priorities true: a doorbell in the broker can
    /// no longer be overtaken, one in the outbox can.
    async fn relay_queue(&self, queue: &QueueName) -> Result<Round, RoundError> {
        let room = self.window.saturating_sub(self.queue.depth(queue).await?);
        let limit = BATCH.min(u32::try_from(room).unwrap_or(BATCH));
        if limit == 0 {
            return Ok(Round::Idle);
        }
        let batch = self.store.take_doorbells(queue, limit).await?;
        if batch.doorbells.is_empty() {
            return Ok(Round::Idle);
        }
        let taken = batch.doorbells.len();
        // An error means: nobody knows what arrived. The rows stay and are published again.
        let published = self.queue.publish(&batch.doorbells).await?;
        if !published.unroutable.is_empty() {
            tracing::error!(%queue, doorbells = published.unroutable.len(), "the broker has no such queue");
        }
        batch.confirm(&published.confirmed).await?;
        let all = taken == limit as usize && published.confirmed.len() == taken;
        Ok(if all { Round::More } else { Round::Idle })
    }
}
