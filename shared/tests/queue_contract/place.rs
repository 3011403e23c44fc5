//! Where a promise is checked: queues of its own, in one of the two lives.

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeleteOptions};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use secrecy::SecretString;
use shared::ids::JobId;
use shared::queue::{AmqpQueue, Delivery, Doorbell, InProcessQueue, Queue, QueueName, Trouble};
use shared::testing::amqp_url;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::watchful::within;

/// How many doorbells a queue of a [`Place`] holds, about: brokers count with some delay.
pub const LENGTH_MAX: usize = 1000;

pub struct Place {
    life: Life,
    next_outbox_id: AtomicI64,
}

enum Life {
    InProcess(InProcessQueue),
    Amqp { url: String, prefix: String },
}

/// A consumer with its slots, as a worker has one.
pub struct Worker {
    pub deliveries: mpsc::Receiver<Delivery>,
    pub slots: Arc<Semaphore>,
    pub stop: CancellationToken,
}

pub fn queue_a() -> QueueName {
    QueueName::parse("a").expect("a name")
}

pub fn queue_b() -> QueueName {
    QueueName::parse("b").expect("a name")
}

pub fn queue_that_is_not_there() -> QueueName {
    QueueName::parse("nowhere").expect("a name")
}

impl Place {
    pub fn in_process() -> Self {
        let queue = InProcessQueue::new(&[queue_a(), queue_b()], LENGTH_MAX, Trouble::default());
        Self { life: Life::InProcess(queue), next_outbox_id: AtomicI64::new(1) }
    }

    pub fn amqp() -> Self {
        Self::amqp_at(amqp_url())
    }

    /// In a broker of the test's own, or through a proxy.
    pub fn amqp_at(url: String) -> Self {
        let prefix = format!("contract-{}", uuid::Uuid::now_v7().simple());
        Self { life: Life::Amqp { url, prefix }, next_outbox_id: AtomicI64::new(1) }
    }

    /// A handle with connections of its own, as another process would have it.
    pub fn queue(&self) -> Queue {
        self.queue_renewed_after(AmqpQueue::SILENCE_MAX)
    }

    /// A handle whose consumers begin anew after this long without a message.
    fn queue_renewed_after(&self, silence_max: Duration) -> Queue {
        match &self.life {
            Life::InProcess(queue) => Queue::InProcess(queue.clone()),
            Life::Amqp { url, prefix } => {
                let (url, length_max) = (SecretString::from(url.as_str()), LENGTH_MAX as u32);
                let queues = [queue_a(), queue_b()];
                let queue = AmqpQueue::with_silence_max(&url, prefix, &queues, length_max, silence_max);
                Queue::Amqp(queue.expect("the test's URL is valid"))
            }
        }
    }

    pub fn worker(&self, queue: QueueName, slots: usize) -> Worker {
        self.worker_renewed_after(queue, slots, AmqpQueue::SILENCE_MAX)
    }

    pub fn worker_renewed_after(&self, queue: QueueName, slots: usize, silence_max: Duration) -> Worker {
        let slots = Arc::new(Semaphore::new(slots));
        let stop = CancellationToken::new();
        let queues = self.queue_renewed_after(silence_max);
        let deliveries = queues.consume(queue, slots.clone(), stop.clone());
        Worker { deliveries, slots, stop }
    }

    /// A doorbell for a job of its own.
    pub fn doorbell(&self, queue: QueueName) -> Doorbell {
        let outbox_id = self.next_outbox_id.fetch_add(1, Ordering::Relaxed);
        Doorbell { outbox_id, queue, job_id: JobId::new(), priority: 5, trace: None }
    }

    /// Rings for this many new jobs, all confirmed.
    pub async fn ring(&self, queue: QueueName, count: usize) -> BTreeSet<JobId> {
        let doorbells: Vec<_> = (0..count).map(|_| self.doorbell(queue.clone())).collect();
        let published = self.queue().publish(&doorbells).await.expect("publishing");
        assert_eq!(published.confirmed, outbox_ids(&doorbells));
        doorbells.iter().map(|doorbell| doorbell.job_id).collect()
    }

    /// Puts into queue `a` what is no doorbell.
    pub async fn inject(&self, body: &[u8]) {
        match &self.life {
            Life::InProcess(queue) => queue.inject(&queue_a(), body).expect("queue a exists"),
            Life::Amqp { .. } => {
                // Declares the queue.
                self.queue().depth(&queue_a()).await.expect("looking");
                let (_connection, channel) = self.broker().await;
                channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
                let properties = BasicProperties::default().with_delivery_mode(2);
                channel
                    .basic_publish(
                        "".into(),
                        self.broker_name("a").into(),
                        BasicPublishOptions { mandatory: true, immediate: false },
                        body,
                        properties,
                    )
                    .await
                    .expect("publishing")
                    .await
                    .expect("a confirm");
            }
        }
    }

    /// What the broker calls a queue of ours.
    pub fn broker_name(&self, queue: &str) -> String {
        match &self.life {
            Life::Amqp { prefix, .. } => format!("{prefix}.{queue}"),
            Life::InProcess(_) => panic!("there is no broker"),
        }
    }

    /// The shared broker without the queue in between.
    pub async fn broker(&self) -> (Connection, Channel) {
        let connection =
            Connection::connect(&amqp_url(), ConnectionProperties::default()).await.expect("the broker");
        let channel = connection.create_channel().await.expect("a channel");
        (connection, channel)
    }

    pub async fn delete_queue(&self, queue: &str) {
        let (connection, channel) = self.broker().await;
        let deleted =
            channel.queue_delete(self.broker_name(queue).into(), QueueDeleteOptions::default()).await;
        deleted.expect("deleting a queue");
        connection.close(200, "OK".into()).await.expect("closing");
    }

    /// Leaves nothing in the broker, unless the test failed.
    pub async fn tear_down(&self) {
        for queue in ["a", "b", "dead-letters"] {
            self.delete_queue(queue).await;
        }
    }
}

impl Worker {
    pub async fn next(&mut self) -> Delivery {
        within("the next delivery", self.deliveries.recv()).await.expect("a delivery, not the end")
    }

    /// Takes this many, acknowledges each and runs it at once.
    pub async fn run(&mut self, count: usize) -> Vec<JobId> {
        let mut jobs = Vec::with_capacity(count);
        for _ in 0..count {
            let mut delivery = self.next().await;
            assert!(delivery.ack().await, "acknowledged in its session");
            jobs.push(delivery.job_id);
        }
        jobs
    }

    /// Takes and acknowledges until this job comes. Where connections break, others may come again before it:
    /// their acknowledgements may have been on the way.
    pub async fn run_until(&mut self, wanted: JobId) {
        loop {
            let mut delivery = self.next().await;
            delivery.ack().await;
            if delivery.job_id == wanted {
                return;
            }
        }
    }
}

pub fn outbox_ids(doorbells: &[Doorbell]) -> Vec<i64> {
    doorbells.iter().map(|doorbell| doorbell.outbox_id).collect()
}
