//! The queue in RabbitMQ, 3.10 or later.
//!
//! Publishing, consuming and looking have a connection each. A broker that runs short of memory or disk stops
//! reading from connections that publish; acknowledgements and depths on the same one would stop with them.
//!
//! No connection is ever repaired: whatever goes wrong ends the session, and the next one starts from scratch
//! with a new connection and the topology declared anew. The client's own recovery is not used, because it
//! leaves a consumer whose channel was closed silent for ever.

mod backoff;
mod broker;
mod consumer;
mod dead_letters;
mod headers;
mod inspector;
mod link;
mod publisher;
mod session;
mod topology;

use super::{DeadLetter, DeadLettersDone, Delivery, Doorbell, Health, Published, QueueError, QueueName};
use broker::Broker;
pub(super) use consumer::Receipt;
use inspector::Inspector;
use publisher::Publisher;
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

/// A handle; clones share the connections. Nothing connects before it is needed.
#[derive(Clone)]
pub struct AmqpQueue(Arc<Inner>);

struct Inner {
    broker: Arc<Broker>,
    publisher: Publisher,
    inspector: Inspector,
}

impl AmqpQueue {
    /// Doorbells that one queue holds at most, after which the broker refuses more. The relay keeps far fewer
    /// there; this is the net below it. Part of the declared topology: a broker that has the queue with another
    /// limit keeps that one.
    pub const LENGTH_MAX: u32 = 100_000;

    /// How long a subscription may bring nothing before its consumer begins a new session.
    ///
    /// A broker before 4.0 that sees a quorum queue deleted and declared again within some milliseconds attaches the
    /// consumers of the old queue to the new one and then drops what that sends them, without a word. No session of
    /// ours declares a queue again so soon, but others may. The messages come back when the session ends.
    pub const SILENCE_MAX: Duration = Duration::from_secs(300);

    /// `url` is `amqp://` or `amqps://`, with the virtual host percent-encoded (`/%2f` for the default one);
    /// `queues` are declared whenever a session starts.
    pub fn new(
        url: &SecretString,
        prefix: &str,
        queues: &[QueueName],
        length_max: u32,
    ) -> Result<Self, QueueError> {
        Self::with_silence_max(url, prefix, queues, length_max, Self::SILENCE_MAX)
    }

    /// [`Self::new`] with another [`Self::SILENCE_MAX`].
    pub fn with_silence_max(
        url: &SecretString,
        prefix: &str,
        queues: &[QueueName],
        length_max: u32,
        silence_max: Duration,
    ) -> Result<Self, QueueError> {
        let broker = Arc::new(Broker::new(url, prefix, queues, length_max, silence_max)?);
        let publisher = Publisher::new(broker.clone());
        let inspector = Inspector::new(broker.clone());
        Ok(Self(Arc::new(Inner { broker, publisher, inspector })))
    }

    pub(super) async fn publish(&self, doorbells: &[Doorbell]) -> Result<Published, QueueError> {
        self.0.publisher.publish(doorbells).await
    }

    pub(super) async fn depth(&self, queue: &QueueName) -> Result<u64, QueueError> {
        let depth = self.0.inspector.depth(queue).await;
        if depth.is_ok() {
            self.0.publisher.broker_answers();
        }
        depth
    }

    pub(super) async fn dead_letters(&self) -> Result<u64, QueueError> {
        self.0.inspector.dead_letters().await
    }

    pub(super) async fn look_at_dead_letters(&self, limit: u32) -> Result<Vec<DeadLetter>, QueueError> {
        dead_letters::look(&self.0.broker, limit).await
    }

    pub(super) async fn redrive_dead_letters(&self, limit: u32) -> Result<DeadLettersDone, QueueError> {
        dead_letters::redrive(&self.0.broker, limit).await
    }

    pub(super) async fn purge_dead_letters(&self) -> Result<u64, QueueError> {
        dead_letters::purge(&self.0.broker).await
    }

    pub(super) async fn purge(&self, queue: &QueueName) -> Result<u64, QueueError> {
        self.0.inspector.purge(queue).await
    }

    pub(super) fn consume(
        &self,
        queue: QueueName,
        slots: Arc<Semaphore>,
        stop: CancellationToken,
    ) -> mpsc::Receiver<Delivery> {
        consumer::consume(self.0.broker.clone(), queue, slots, stop)
    }

    pub(super) async fn close(&self) {
        self.0.publisher.close().await;
        self.0.inspector.close().await;
    }

    pub(super) async fn health(&self) -> Health {
        match self.0.inspector.dead_letters().await {
            Ok(_) => Health { reachable: true, blocked: self.0.publisher.is_blocked(), problem: None },
            Err(error) => Health { reachable: false, blocked: false, problem: Some(crate::chain(&error)) },
        }
    }
}
