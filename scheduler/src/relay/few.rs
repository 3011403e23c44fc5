//! The short way: where all the doorbells of a queue may go, there is nothing to choose but their order. One round trip to
//! the database, one to the broker, and one more to forget them.
//!
//! It is only taken where it decides as the long way would: no queue with more doorbells than a few, none with a limit in
//! it, no more than surely fit into the smallest window. Whatever it leaves is *crowded*, and goes the long way.

use super::{Memory, Relay};
use crate::background::RoundError;
use crate::dispatch::plan::{plan, subject};
use crate::sending::Sending;
use chrono::{DateTime, Utc};
use shared::limits::Places;
use shared::queue::{Doorbell, QueueName};
use shared::store::outbox::{LaneHead, Waiting};
use std::collections::BTreeMap;

/// Doorbells of a queue that are few.
const FEW: u32 = 16;

/// What the short way did.
pub(super) struct Rung {
    /// Queues of which the broker has confirmed doorbells.
    pub queues: Vec<QueueName>,
    /// Limits, nothing taken yet: what this round knows of them.
    pub places: Places,
}

impl Relay {
    /// Sends what is few, and marks the queues that are crowded. Whatever is wrong with the broker is the long way's to find
    /// out, queue by queue.
    pub(super) async fn ring_few(&self, memory: &mut Memory) -> Result<Rung, RoundError> {
        let few = FEW.min(u32::try_from(self.rules.window.min.min(self.rules.window.max)).unwrap_or(FEW));
        let (places, taken) = tokio::try_join!(
            self.store.places(),
            self.store.take_few_doorbells(few, memory.crowded.iter(), self.held_max)
        )?;
        let mut of_queues: BTreeMap<&QueueName, Vec<&Waiting>> = BTreeMap::new();
        for waiting in &taken.waiting {
            of_queues.entry(&waiting.queue).or_default().push(waiting);
        }
        let mut doorbells: Vec<Doorbell> = vec![];
        for (queue, waiting) in of_queues {
            let is_free = waiting.len() <= few as usize
                && !waiting.iter().any(|w| places.concern(subject(queue.as_str(), w.lane())));
            if is_free && self.has_room(queue, waiting.len() as u64, memory).await {
                self.order(queue, waiting, memory, taken.now, &mut doorbells);
            } else {
                memory.crowded.insert(queue.clone());
            }
        }
        if doorbells.is_empty() {
            taken.confirm(&[]).await?;
            return Ok(Rung { queues: vec![], places });
        }
        let confirmed = self.send(&mut doorbells).await;
        taken.confirm(&confirmed).await?;
        let mut queues = vec![];
        for rung in doorbells.chunk_by(|a, b| a.queue == b.queue) {
            let queue = &rung[0].queue;
            if rung.iter().all(|doorbell| confirmed.contains(&doorbell.outbox_id)) {
                queues.push(queue.clone());
            } else {
                memory.crowded.insert(queue.clone());
            }
        }
        // Those that come next need not wait for the broker's answer.
        for queue in &queues {
            metrics::gauge!("counterfoil_relay_window", "queue" => queue.to_string())
                .set(self.rules.window.min as f64);
            if memory.of(queue, self.rules).1.is_spare_low(self.rules.window) {
                self.see(queue, memory).await;
            }
        }
        Ok(Rung { queues, places })
    }

    /// Whether so many more doorbells fit into the smallest window.
    async fn has_room(&self, queue: &QueueName, doorbells: u64, memory: &mut Memory) -> bool {
        if !memory.of(queue, self.rules).1.has_spare(doorbells) {
            self.see(queue, memory).await;
        }
        memory.of(queue, self.rules).1.has_spare(doorbells)
    }

    async fn see(&self, queue: &QueueName, memory: &mut Memory) {
        if let Ok(depth) = self.queue.depth(queue).await {
            memory.of(queue, self.rules).1.seen(depth, self.rules.window);
        }
    }

    /// Appends all of a queue's doorbells in their order, which is that of [`crate::dispatch`].
    fn order(
        &self,
        queue: &QueueName,
        mut waiting: Vec<&Waiting>,
        memory: &mut Memory,
        now: DateTime<Utc>,
        doorbells: &mut Vec<Doorbell>,
    ) {
        let (turns, window) = memory.of(queue, self.rules);
        window.use_spare(waiting.len() as u64);
        waiting.sort_by_key(|w| (w.head.waiting_since, w.outbox_id));
        let mut no_limits = Places::new(vec![]);
        while !waiting.is_empty() {
            // The first of a lane is its oldest.
            let mut heads: Vec<LaneHead> = vec![];
            for w in &waiting {
                if heads.iter().all(|head| head.lane != *w.lane()) {
                    heads.push(w.head.clone());
                }
            }
            let next = plan(queue.as_str(), &heads, 1, &mut no_limits, turns, now, self.rules.age_step);
            let place =
                waiting.iter().position(|w| next.wanted.first().is_some_and(|(lane, _)| lane == w.lane()));
            let w = waiting.remove(place.unwrap_or(0));
            doorbells.push(Doorbell {
                outbox_id: w.outbox_id,
                queue: queue.clone(),
                job_id: w.job_id,
                priority: w.lane().priority,
                trace: None,
            });
        }
    }

    /// Publishes doorbells that are sorted by queue; gives back what the broker has confirmed: nothing where it is not known.
    async fn send(&self, doorbells: &mut [Doorbell]) -> Vec<i64> {
        let mut sendings = vec![];
        for of_queue in doorbells.chunk_by_mut(|a, b| a.queue == b.queue) {
            sendings.push((of_queue[0].queue.clone(), Sending::begin(&self.store, of_queue).await));
        }
        match self.queue.publish(doorbells).await {
            Ok(published) => {
                for (queue, sending) in sendings {
                    sending.end(self.queue.system(), &queue, &published.confirmed);
                }
                published.confirmed
            }
            Err(error) => {
                tracing::debug!(error = shared::chain(&error), "the doorbells go the long way");
                vec![]
            }
        }
    }
}
