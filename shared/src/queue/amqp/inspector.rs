//! Looking into the broker.

use super::super::{QueueError, QueueName};
use super::broker::Broker;
use super::link::{Link, Role};
use super::topology::is_refused;
use lapin::Channel;
use lapin::options::{QueueDeclareOptions, QueuePurgeOptions};
use lapin::protocol::AMQPSoftError;
use lapin::types::FieldTable;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

pub(super) struct Inspector {
    broker: Arc<Broker>,
    /// Out while a question is asked, back only when it was answered: see [`super::publisher::Publisher`].
    link: tokio::sync::Mutex<Option<Link>>,
}

impl Inspector {
    const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

    pub(super) fn new(broker: Arc<Broker>) -> Self {
        Self { broker, link: Default::default() }
    }

    pub(super) async fn depth(&self, queue: &QueueName) -> Result<u64, QueueError> {
        self.count(self.broker.name_of(queue)).await?.ok_or_else(|| QueueError::UnknownQueue(queue.clone()))
    }

    pub(super) async fn dead_letters(&self) -> Result<u64, QueueError> {
        // Not there: somebody deleted it since the session began, with what was in it.
        Ok(self.count(self.broker.dead_letters()).await?.unwrap_or(0))
    }

    pub(super) async fn purge(&self, queue: &QueueName) -> Result<u64, QueueError> {
        let name = self.broker.name_of(queue);
        let purged = self
            .ask(async |channel| {
                channel.queue_purge(name.as_str().into(), QueuePurgeOptions::default()).await.map(u64::from)
            })
            .await?;
        purged.ok_or_else(|| QueueError::UnknownQueue(queue.clone()))
    }

    pub(super) async fn close(&self) {
        if let Some(link) = self.link.lock().await.take() {
            link.close().await;
        }
    }

    async fn count(&self, name: String) -> Result<Option<u64>, QueueError> {
        self.ask(async |channel| {
            let options = QueueDeclareOptions::durable().passive();
            let queue = channel.queue_declare(name.as_str().into(), options, FieldTable::default()).await?;
            Ok(u64::from(queue.message_count()))
        })
        .await
    }

    /// `None` when the broker knows no such queue. Then the session ends, so that the next one declares what
    /// somebody may have deleted.
    async fn ask(
        &self,
        question: impl AsyncFnOnce(Channel) -> lapin::Result<u64>,
    ) -> Result<Option<u64>, QueueError> {
        let mut place = self.link.lock().await;
        let link = match place.take() {
            Some(link) if link.is_alive() => link,
            _ => Link::open(&self.broker, Role::Inspect).await?,
        };
        // A channel each: a question about a queue that is not there closes it.
        let answer = async { question(link.connection().create_channel().await?).await };
        match timeout(Self::ANSWER_TIMEOUT, answer).await {
            Ok(Ok(count)) => {
                *place = Some(link);
                Ok(Some(count))
            }
            Ok(Err(error)) if is_refused(&error, AMQPSoftError::NOTFOUND) => {
                link.close().await;
                Ok(None)
            }
            Ok(Err(error)) => Err(QueueError::Interrupted(error.into())),
            Err(_) => Err(QueueError::TimedOut(Self::ANSWER_TIMEOUT)),
        }
    }
}
