//! Looking at dead letters, and sending them back where they died.
//!
//! Each call has a connection of its own, which ends with it: whatever a failed call held goes back to the dead
//! letter queue. Between a re-driven message's arrival and the end of its dead letter a crash leaves both; a doorbell
//! that rings twice does no harm.

use super::super::{DeadLetter, DeadLettersDone, QueueError, QueueName};
use super::broker::Broker;
use super::link::{Link, Role};
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicGetOptions, BasicNackOptions, BasicPublishOptions, ConfirmSelectOptions,
    QueuePurgeOptions,
};
use lapin::types::AMQPValue;
use lapin::{BasicProperties, Channel};
use std::time::Duration;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);

/// The oldest, at most `limit`. They stay where they are; brokers before 4.3 count that as a delivery, of which the
/// dead letter queue has no limit unless the operator gave it one (RabbitMQ 4.0 to 4.2: 20 by default).
pub(super) async fn look(broker: &Broker, limit: u32) -> Result<Vec<DeadLetter>, QueueError> {
    on_a_link(broker, Role::Inspect, async |channel| {
        let held = take(channel, broker, limit).await?;
        let letters = held.iter().map(|delivery| read(broker, delivery)).collect();
        // In their order: what comes back is delivered before the rest, first come first.
        for delivery in &held {
            delivery.nack(BasicNackOptions { requeue: true, multiple: false }).await?;
        }
        Ok(letters)
    })
    .await
}

/// Sends the oldest, at most `limit`, back to the queues they died in, as they are.
pub(super) async fn redrive(broker: &Broker, limit: u32) -> Result<DeadLettersDone, QueueError> {
    on_a_link(broker, Role::Publish, async |channel| {
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let mut done = DeadLettersDone::default();
        let held = take(channel, broker, limit).await?;
        for delivery in held {
            let arrived = match origin(broker, &delivery) {
                Some(queue) if broker.declares(&queue) => {
                    send_back(channel, broker, &queue, &delivery).await?
                }
                _ => false,
            };
            if arrived {
                delivery.ack(BasicAckOptions::default()).await?;
                done.redriven += 1;
            } else {
                delivery.nack(BasicNackOptions { requeue: true, multiple: false }).await?;
                done.kept += 1;
            }
        }
        Ok(done)
    })
    .await
}

/// Throws all of them away, and says how many.
pub(super) async fn purge(broker: &Broker) -> Result<u64, QueueError> {
    on_a_link(broker, Role::Inspect, async |channel| {
        channel
            .queue_purge(broker.dead_letters().as_str().into(), QueuePurgeOptions::default())
            .await
            .map(u64::from)
    })
    .await
}

async fn on_a_link<T>(
    broker: &Broker,
    role: Role,
    work: impl AsyncFnOnce(&Channel) -> lapin::Result<T>,
) -> Result<T, QueueError> {
    let link = Link::open(broker, role).await?;
    let worked = async {
        let channel = link.connection().create_channel().await?;
        work(&channel).await
    };
    match timeout(PATIENCE, worked).await {
        Ok(Ok(done)) => {
            link.close().await;
            Ok(done)
        }
        Ok(Err(error)) => Err(QueueError::Interrupted(error.into())),
        Err(_) => Err(QueueError::TimedOut(PATIENCE)),
    }
}

/// Held, until they are settled or the link ends.
async fn take(channel: &Channel, broker: &Broker, limit: u32) -> lapin::Result<Vec<Delivery>> {
    let name = broker.dead_letters();
    let mut held = vec![];
    while held.len() < limit as usize {
        match channel.basic_get(name.as_str().into(), BasicGetOptions::default()).await? {
            Some(message) => held.push(message.delivery),
            None => break,
        }
    }
    Ok(held)
}

async fn send_back(
    channel: &Channel,
    broker: &Broker,
    queue: &QueueName,
    delivery: &Delivery,
) -> lapin::Result<bool> {
    // Without the broker's notes about its death: it starts anew.
    let properties =
        BasicProperties::default().with_delivery_mode(2).with_content_type("application/json".into());
    let options = BasicPublishOptions { mandatory: true, immediate: false };
    let confirm = channel
        .basic_publish("".into(), broker.name_of(queue).into(), options, &delivery.data, properties)
        .await?
        .await?;
    // Returned as unroutable, or refused by a full queue: not arrived.
    Ok(confirm.is_ack() && confirm.take_message().is_none())
}

fn read(broker: &Broker, delivery: &Delivery) -> DeadLetter {
    DeadLetter::new(origin(broker, delivery), header(delivery, "x-first-death-reason"), &delivery.data)
}

fn origin(broker: &Broker, delivery: &Delivery) -> Option<QueueName> {
    broker.queue_of(&header(delivery, "x-first-death-queue")?)
}

fn header(delivery: &Delivery, name: &str) -> Option<String> {
    match delivery.properties.headers().as_ref()?.inner().get(name)? {
        AMQPValue::LongString(text) => Some(text.to_string()),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}
