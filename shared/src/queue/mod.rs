//! The queue: carries doorbells from the outbox to the workers.
//!
//! A *doorbell* is a hint that a job is available, nothing more. Postgres is the truth: a doorbell may be lost
//! (the rescuer rings again), doubled (the lease refuses the second), late or out of order. So the queue has two
//! lives that keep the same promises, checked by one suite (`tests/queue_contract`): RabbitMQ, and the memory of
//! one process.
//!
//! What it promises: a confirmed doorbell is delivered at least once unless the queue itself is lost. A consumer
//! holds no message without a slot to run it in. What is not acknowledged is delivered again, and what nobody can
//! read or keep ends in the dead letter queue.
//!
//! Architecture invariants: nothing outside this module knows AMQP, and nothing in here knows what a job does or
//! in which state it is. Priorities, fairness and pauses are decided by whoever publishes; in here messages are
//! equal.

mod amqp;
mod dead_letter;
mod delivery;
mod doorbell;
mod error;
mod figures;
mod in_process;
mod name;

pub use amqp::AmqpQueue;
pub use dead_letter::{DEAD_LETTERS_STEP, DeadLetter, DeadLettersDone};
pub use delivery::{Delivery, Receipt};
pub use doorbell::{Doorbell, Published};
pub use error::QueueError;
pub use in_process::{InProcessQueue, Trouble};
pub use name::{InvalidQueueName, QueueName};

use secrecy::SecretString;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

/// How often a message is delivered again after its first delivery failed. One more failure makes it a dead letter:
/// whoever gets it seems to die of it.
pub const REDELIVERIES_MAX: u32 = 20;

/// A handle to the queues of a deployment. Clones are the same queues.
#[derive(Clone)]
pub enum Queue {
    Amqp(AmqpQueue),
    InProcess(InProcessQueue),
}

/// How the broker is, as seen from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// It answered a question just now.
    pub reachable: bool,
    /// It has stopped reading what we publish (memory or disk alarm). Jobs are still accepted; they wait in
    /// Postgres.
    pub blocked: bool,
    /// Why it is not reachable, for the operator.
    pub problem: Option<String>,
}

impl Queue {
    /// Queues in RabbitMQ, called `<prefix>.<queue>` there. Connects when first used, and again whenever needed;
    /// only a wrong configuration is an error here.
    pub fn amqp(url: &SecretString, prefix: &str, queues: &[QueueName]) -> Result<Self, QueueError> {
        AmqpQueue::new(url, prefix, queues, AmqpQueue::LENGTH_MAX).map(Self::Amqp)
    }

    /// Queues in the memory of this process. Each holds up to `length_max` doorbells; they end with the process,
    /// and the rescuer rings again in the next one.
    pub fn in_process(queues: &[QueueName], length_max: usize) -> Self {
        Self::InProcess(InProcessQueue::new(queues, length_max, Trouble::default()))
    }

    /// What it is, as OpenTelemetry's `messaging.system` names it: for spans.
    pub fn system(&self) -> &'static str {
        match self {
            Self::Amqp(_) => "rabbitmq",
            Self::InProcess(_) => "in_process",
        }
    }

    /// Publishes doorbells, all at once and in this order.
    ///
    /// An error means that nobody knows about any of them: publish them all again, twice does no harm. Takes at
    /// most 30 s per thousand, plus 10 s to connect. One call at a time is on its way, the others wait.
    pub async fn publish(&self, doorbells: &[Doorbell]) -> Result<Published, QueueError> {
        if doorbells.is_empty() {
            return Ok(Published::default());
        }
        let started_at = std::time::Instant::now();
        let published = match self {
            Self::Amqp(queue) => queue.publish(doorbells).await,
            Self::InProcess(queue) => Ok(queue.publish(doorbells)),
        };
        match &published {
            Ok(published) => figures::count_published(doorbells, published, started_at.elapsed()),
            Err(_) => figures::count_unknown(doorbells),
        }
        published
    }

    /// Messages that wait for a consumer, without those that one holds. Right a moment ago.
    pub async fn depth(&self, queue: &QueueName) -> Result<u64, QueueError> {
        match self {
            Self::Amqp(amqp) => amqp.depth(queue).await,
            Self::InProcess(in_process) => in_process.depth(queue),
        }
    }

    /// Messages that nobody could read or keep, over all queues. Only the newest 10,000 are kept.
    pub async fn dead_letters(&self) -> Result<u64, QueueError> {
        match self {
            Self::Amqp(queue) => queue.dead_letters().await,
            Self::InProcess(queue) => Ok(queue.dead_letters()),
        }
    }

    /// The oldest dead letters, at most `limit` and at most [`DEAD_LETTERS_STEP`]. They stay where they are.
    pub async fn look_at_dead_letters(&self, limit: u32) -> Result<Vec<DeadLetter>, QueueError> {
        let limit = limit.min(DEAD_LETTERS_STEP);
        match self {
            Self::Amqp(queue) => queue.look_at_dead_letters(limit).await,
            Self::InProcess(queue) => Ok(queue.look_at_dead_letters(limit)),
        }
    }

    /// Sends the oldest dead letters, at most `limit` and at most [`DEAD_LETTERS_STEP`], back to the queues they died
    /// in. What nobody can read dies there again.
    pub async fn redrive_dead_letters(&self, limit: u32) -> Result<DeadLettersDone, QueueError> {
        let limit = limit.min(DEAD_LETTERS_STEP);
        match self {
            Self::Amqp(queue) => queue.redrive_dead_letters(limit).await,
            Self::InProcess(queue) => Ok(queue.redrive_dead_letters(limit)),
        }
    }

    /// Throws the dead letters away, and says how many. The jobs they rang for stay.
    pub async fn purge_dead_letters(&self) -> Result<u64, QueueError> {
        match self {
            Self::Amqp(queue) => queue.purge_dead_letters().await,
            Self::InProcess(queue) => Ok(queue.purge_dead_letters()),
        }
    }

    /// Throws away the messages that wait, and says how many. The jobs stay: the rescuer rings again.
    pub async fn purge(&self, queue: &QueueName) -> Result<u64, QueueError> {
        match self {
            Self::Amqp(amqp) => amqp.purge(queue).await,
            Self::InProcess(in_process) => in_process.purge(queue),
        }
    }

    /// Delivers from one queue until `stop`, across any number of lost connections. Must be called in a runtime.
    ///
    /// `slots` bounds what is held: a message is only fetched once there is a slot for it, and the slot comes with
    /// the [`Delivery`]. An idle consumer holds up to 64 slots for what may come, so **a semaphore belongs to
    /// one consumer**; shared by several queues, the idle ones would starve the busy one.
    ///
    /// After `stop` no more messages are fetched and the receiver ends. One delivery may still be waiting in it: run
    /// it, or drop it with the receiver and it goes to somebody else. What was delivered can still be acknowledged
    /// for 30 s.
    pub fn consume(
        &self,
        queue: QueueName,
        slots: Arc<Semaphore>,
        stop: CancellationToken,
    ) -> mpsc::Receiver<Delivery> {
        match self {
            Self::Amqp(amqp) => amqp.consume(queue, slots, stop),
            Self::InProcess(in_process) => in_process.consume(queue, slots, stop),
        }
    }

    /// Says goodbye to the broker; consumers do so themselves after their `stop`. Optional, but a broker notes
    /// connections that just end as trouble. The handle stays usable and would connect again.
    pub async fn close(&self) {
        if let Self::Amqp(queue) = self {
            queue.close().await;
        }
    }

    /// Asks the broker something, within 15 s; at once when it is well.
    pub async fn health(&self) -> Health {
        match self {
            Self::Amqp(queue) => queue.health().await,
            Self::InProcess(_) => Health { reachable: true, blocked: false, problem: None },
        }
    }
}
