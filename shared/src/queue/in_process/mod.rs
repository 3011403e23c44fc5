//! The queue in the memory of one process: for `counterfoil up` and for tests.
//!
//! Keeps the promises of the broker, bounds and dead letters included, as long as the process lives. Messages are
//! kept as they would travel, so that both lives read and refuse the same bytes.

mod consumer;
mod lane;
#[cfg(test)]
mod tests;
mod trouble;

use super::{DeadLetter, DeadLettersDone, Delivery, Doorbell, Published, QueueError, QueueName, doorbell};
use lane::{Lane, Message};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

pub(super) use consumer::Receipt;
pub use trouble::Trouble;
use trouble::{Fate, Mischief};

/// A handle; clones are the same queues.
#[derive(Clone)]
pub struct InProcessQueue(Arc<Inner>);

struct Inner {
    lanes: HashMap<QueueName, Arc<Lane>>,
    graveyard: Arc<Graveyard>,
    mischief: Mutex<Mischief>,
}

impl InProcessQueue {
    /// `length_max` bounds each queue. `trouble` is for tests: what to do to messages on their way in.
    pub fn new(queues: &[QueueName], length_max: usize, trouble: Trouble) -> Self {
        let graveyard = Arc::new(Graveyard::default());
        let lanes = queues
            .iter()
            .map(|queue| (queue.clone(), Arc::new(Lane::new(queue.clone(), length_max, graveyard.clone()))))
            .collect();
        Self(Arc::new(Inner { lanes, graveyard, mischief: Mutex::new(Mischief::new(trouble)) }))
    }

    pub(super) fn publish(&self, doorbells: &[Doorbell]) -> Published {
        let mut published = Published::default();
        for doorbell in doorbells {
            let list = match self.0.lanes.get(&doorbell.queue) {
                None => &mut published.unroutable,
                Some(lane) if self.push(lane, doorbell) => &mut published.confirmed,
                Some(_) => &mut published.unconfirmed,
            };
            list.push(doorbell.outbox_id);
        }
        published
    }

    /// Puts a message into a queue as it is, to see what becomes of one that nobody can read.
    #[cfg(any(test, feature = "testing"))]
    pub fn inject(&self, queue: &QueueName, body: &[u8]) -> Result<(), QueueError> {
        self.lane(queue)?.push_back(Message::new(body.to_vec()));
        Ok(())
    }

    pub(super) fn depth(&self, queue: &QueueName) -> Result<u64, QueueError> {
        Ok(self.lane(queue)?.depth() as u64)
    }

    pub(super) fn dead_letters(&self) -> u64 {
        self.0.graveyard.len() as u64
    }

    pub(super) fn look_at_dead_letters(&self, limit: u32) -> Vec<DeadLetter> {
        let letter = |grave: &Grave| {
            DeadLetter::new(Some(grave.queue.clone()), Some(grave.reason.to_owned()), &grave.message.body)
        };
        self.0.graveyard.lock().iter().take(limit as usize).map(letter).collect()
    }

    pub(super) fn redrive_dead_letters(&self, limit: u32) -> DeadLettersDone {
        let mut done = DeadLettersDone::default();
        let mut kept = VecDeque::new();
        for _ in 0..limit {
            let Some(grave) = self.0.graveyard.lock().pop_front() else { break };
            match self.0.lanes.get(&grave.queue) {
                Some(lane) if lane.reserve(1) => {
                    lane.arrive(Message::new(grave.message.body), Duration::ZERO, None);
                    done.redriven += 1;
                }
                _ => {
                    kept.push_back(grave);
                    done.kept += 1;
                }
            }
        }
        let mut graves = self.0.graveyard.lock();
        for grave in kept.into_iter().rev() {
            graves.push_front(grave);
        }
        graves.truncate(Graveyard::LEN_MAX);
        done
    }

    pub(super) fn purge_dead_letters(&self) -> u64 {
        std::mem::take(&mut *self.0.graveyard.lock()).len() as u64
    }

    pub(super) fn purge(&self, queue: &QueueName) -> Result<u64, QueueError> {
        Ok(self.lane(queue)?.purge() as u64)
    }

    /// A queue that does not exist delivers nothing until `stop`, as in the broker before it is declared.
    pub(super) fn consume(
        &self,
        queue: QueueName,
        slots: Arc<Semaphore>,
        stop: CancellationToken,
    ) -> mpsc::Receiver<Delivery> {
        let lane = match self.lane(&queue) {
            Ok(lane) => lane.clone(),
            Err(error) => {
                tracing::warn!(%error, "nothing to consume");
                Arc::new(Lane::new(queue.clone(), 0, self.0.graveyard.clone()))
            }
        };
        consumer::consume(lane, queue, slots, stop)
    }

    fn lane(&self, queue: &QueueName) -> Result<&Arc<Lane>, QueueError> {
        self.0.lanes.get(queue).ok_or_else(|| QueueError::UnknownQueue(queue.clone()))
    }

    /// `false` when the queue is full.
    fn push(&self, lane: &Arc<Lane>, doorbell: &Doorbell) -> bool {
        let message = Message { trace: doorbell.trace, ..Message::new(doorbell::encode(doorbell.job_id)) };
        let mut mischief = self.0.mischief.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        match mischief.decide() {
            Fate::Lost => true,
            Fate::Arrives { copies, delay, shuffled } => {
                if !lane.reserve(copies) {
                    return false;
                }
                for _ in 0..copies {
                    let place = shuffled.then(|| mischief.random());
                    lane.arrive(message.clone(), delay, place);
                }
                true
            }
        }
    }
}

/// The dead letters of all queues, the newest [`Graveyard::LEN_MAX`].
#[derive(Default)]
struct Graveyard(Mutex<VecDeque<Grave>>);

struct Grave {
    queue: QueueName,
    /// In RabbitMQ's words.
    reason: &'static str,
    message: Message,
}

impl Graveyard {
    const LEN_MAX: usize = 10_000;

    fn bury(&self, grave: Grave) {
        let mut graves = self.lock();
        if graves.len() == Self::LEN_MAX {
            graves.pop_front();
        }
        graves.push_back(grave);
    }

    fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Grave>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
