//! One connection of a consumer, from its opening to whatever ends it.

use super::super::delivery::Life;
use super::super::{Delivery, QueueError, doorbell, figures};
use super::consumer::{Consumer, Receipt, interrupted};
use super::headers;
use super::link::{Link, Role};
use futures_util::future::try_join_all;
use futures_util::{FutureExt, StreamExt};
use lapin::options::{
    BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions, BasicRejectOptions,
};
use lapin::types::FieldTable;
use lapin::{Acker, Channel};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(super) struct Session {
    link: Link,
    /// One per lane. Kept until all is settled: closing a channel requeues what was delivered on it.
    channels: Vec<Channel>,
    unsettled: TaskTracker,
    /// A lane has heard nothing for [`Broker::silence_max`](super::broker::Broker): all leave, another session follows.
    silent: CancellationToken,
}

impl Session {
    /// How long a stopped session stays for acknowledgements. They follow the lease, so a few seconds are plenty;
    /// what comes later is delivered again.
    const SETTLE_TIMEOUT: Duration = Duration::from_secs(30);
    const LEAVE_TIMEOUT: Duration = Duration::from_secs(10);

    pub(super) async fn open(consumer: &Consumer) -> Result<Self, QueueError> {
        let link = Link::open(&consumer.broker, Role::Consume).await?;
        let mut channels = Vec::with_capacity(consumer.lanes);
        for _ in 0..consumer.lanes {
            let channel = link.connection().create_channel().await.map_err(interrupted)?;
            channel.basic_qos(1, BasicQosOptions::default()).await.map_err(interrupted)?;
            channels.push(channel);
        }
        Ok(Self { link, channels, unsettled: TaskTracker::new(), silent: CancellationToken::new() })
    }

    /// Delivers until told to stop, or until nothing has come for long, which both are `Ok`; anything else is the end of
    /// this session.
    pub(super) async fn run(&self, consumer: &Consumer) -> Result<(), QueueError> {
        let lanes = self
            .channels
            .iter()
            .map(|channel| Lane { consumer, session: self, channel, subscription: None, spare: None }.run());
        tokio::select! {
            biased;
            error = self.link.broken() => Err(interrupted(error)),
            ended = try_join_all(lanes) => ended.map(drop),
            () = self.too_long_silent() => Err(interrupted("the broker does not end a silent subscription")),
        }
    }

    /// It is time to leave the queue.
    async fn over(&self, consumer: &Consumer) {
        tokio::select! {
            () = consumer.stopped() => {}
            () = self.silent.cancelled() => {}
        }
    }

    /// A broker that has lost a consumer may not know how to end it either.
    async fn too_long_silent(&self) {
        self.silent.cancelled().await;
        tokio::time::sleep(Self::LEAVE_TIMEOUT).await;
    }

    /// Waits for the deliveries that are still out, then says goodbye.
    pub(super) async fn settle(self) {
        self.unsettled.close();
        tokio::select! {
            _ = self.link.broken() => {}
            _ = tokio::time::timeout(Self::SETTLE_TIMEOUT, self.unsettled.wait()) => {}
        }
        self.link.close().await;
    }
}

/// How long a message stays unacknowledged, its job running already, while its lane waits for another slot.
const SLOT_PATIENCE: Duration = Duration::from_millis(50);

/// One subscription with a prefetch of one, as long as there is a slot for what it may bring.
///
/// The rule: while a message may come, hold a slot: none can come while the one before is not acknowledged. So a message
/// never arrives without a slot, and a worker that is full holds none that another could run.
struct Lane<'a> {
    consumer: &'a Consumer,
    session: &'a Session,
    channel: &'a Channel,
    subscription: Option<lapin::Consumer>,
    /// The slot for the next message.
    spare: Option<OwnedSemaphorePermit>,
}

impl Lane<'_> {
    async fn run(mut self) -> Result<(), QueueError> {
        while let Some(slot) = self.next_slot().await {
            let Some(message) = self.next_message().await.map_err(interrupted)? else { break };
            let job_id = match doorbell::decode(&message.data) {
                Ok(job_id) => job_id,
                Err(error) => {
                    self.bury(message.acker, &error).await.map_err(interrupted)?;
                    self.spare = Some(slot);
                    continue;
                }
            };
            let trace = headers::read(&message.properties);
            // While this message is not acknowledged no other follows it, with a prefetch of one.
            let (settle, may_settle) = oneshot::channel();
            let receipt = Life::Amqp(Receipt::new(message.acker, self.session.unsettled.token(), may_settle));
            let delivery =
                Delivery::new(self.consumer.queue.clone(), job_id, message.redelivered, receipt, slot)
                    .sent_in(trace);
            if !self.deliver(delivery).await {
                break;
            }
            self.spare = self.soon_a_slot().await;
            if self.spare.is_none() {
                // We are full. Now is the moment at which we can leave empty-handed.
                self.unsubscribe().await.map_err(interrupted)?;
            }
            // Nobody may be there to hear it: settled already is not possible, dropped is.
            let _ = settle.send(());
        }
        self.unsubscribe().await.map_err(interrupted)
    }

    /// The slot for the next message. Where jobs are short one is free in a moment; leaving the queue and coming back
    /// costs the broker two writes to its log, more than the job does.
    async fn soon_a_slot(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(slot) = self.consumer.slots.clone().try_acquire_owned() {
            return Some(slot);
        }
        let slot = tokio::select! {
            biased;
            () = self.session.over(self.consumer) => return None,
            slot = tokio::time::timeout(SLOT_PATIENCE, self.consumer.slots.clone().acquire_owned()) => slot,
        };
        slot.ok()?.ok()
    }

    /// `None` when it is time to stop.
    async fn next_slot(&mut self) -> Option<OwnedSemaphorePermit> {
        if let Some(slot) = self.spare.take() {
            return Some(slot);
        }
        tokio::select! {
            biased;
            () = self.session.over(self.consumer) => None,
            slot = self.consumer.slots.clone().acquire_owned() => slot.ok(),
        }
    }

    /// `None` when it is time to stop.
    async fn next_message(
        &mut self,
    ) -> Result<Option<lapin::message::Delivery>, Box<dyn std::error::Error + Send + Sync>> {
        let subscription = match &mut self.subscription {
            Some(subscription) => subscription,
            None => {
                let queue = self.consumer.broker.name_of(&self.consumer.queue);
                let subscribed = self
                    .channel
                    .basic_consume(
                        queue.into(),
                        "".into(),
                        BasicConsumeOptions::default(),
                        FieldTable::default(),
                    )
                    .await?;
                self.subscription.insert(subscribed)
            }
        };
        loop {
            tokio::select! {
                biased;
                () = self.session.over(self.consumer) => return Ok(None),
                message = subscription.next() => return match message {
                    Some(message) => Ok(Some(message?)),
                    // The queue was deleted, its node went away, or the channel was closed.
                    None => Err("the broker ended the subscription".into()),
                },
                () = tokio::time::sleep(self.consumer.broker.silence_max) => {
                    // What is not acknowledged yet keeps others from coming; that is not silence.
                    if self.session.unsettled.is_empty() {
                        self.session.silent.cancel();
                    }
                }
            }
        }
    }

    /// `false` when it is time to stop; the delivery is given back then.
    async fn deliver(&self, delivery: Delivery) -> bool {
        tokio::select! {
            biased;
            () = self.session.over(self.consumer) => {
                delivery.give_back().await;
                false
            }
            place = self.consumer.deliveries.reserve() => match place {
                Ok(place) => {
                    place.send(delivery);
                    true
                }
                Err(_) => {
                    delivery.give_back().await;
                    false
                }
            },
        }
    }

    /// Ends the subscription and gives back what it brought unasked.
    async fn unsubscribe(&mut self) -> lapin::Result<()> {
        let Some(mut subscription) = self.subscription.take() else { return Ok(()) };
        self.channel.basic_cancel(subscription.tag(), BasicCancelOptions::default()).await?;
        while let Some(Some(Ok(message))) = subscription.next().now_or_never() {
            message.acker.nack(BasicNackOptions { requeue: true, multiple: false }).await?;
        }
        Ok(())
    }

    /// Sends what no version of ours can read to the dead letter queue.
    async fn bury(&self, acker: Acker, error: &doorbell::Undecodable) -> lapin::Result<()> {
        tracing::error!(queue = %self.consumer.queue, %error, "undecodable message, moved to the dead letters");
        figures::count_undecodable(&self.consumer.queue);
        acker.reject(BasicRejectOptions { requeue: false }).await.map(drop)
    }
}
