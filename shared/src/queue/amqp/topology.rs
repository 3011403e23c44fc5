//! The queues in the broker, declared whenever a connection opens: a broker that lost its disk is whole again
//! before the first message.

use super::broker::Broker;
use crate::queue::REDELIVERIES_MAX;
use lapin::options::QueueDeclareOptions;
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Connection, ErrorKind};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Dead letters kept for a look; beyond that the oldest go. What they pointed at is still in Postgres.
const DEAD_LETTERS_MAX: i32 = 10_000;

/// How long a deleted queue stays so. See [`super::AmqpQueue::SILENCE_MAX`] for what becomes of its consumers when it
/// is there again at once; on an idle machine 50 ms were enough for them to be told.
const DELETED_FOR: Duration = Duration::from_secs(1);

pub(super) async fn declare(connection: &Connection, broker: &Broker) -> lapin::Result<()> {
    if broker.declared.load(Ordering::Relaxed) && is_any_missing(connection, broker).await? {
        tokio::time::sleep(DELETED_FOR).await;
    }
    // First, so that there is never a moment in which a dead letter has nowhere to go.
    declare_queue(connection, &broker.dead_letters(), dead_letter_arguments()).await?;
    for queue in broker.queues() {
        declare_queue(connection, &queue, job_arguments(broker)).await?;
    }
    broker.declared.store(true, Ordering::Relaxed);
    Ok(())
}

async fn is_any_missing(connection: &Connection, broker: &Broker) -> lapin::Result<bool> {
    for queue in broker.queues() {
        match look(connection, &queue).await {
            Err(error) if is_refused(&error, AMQPSoftError::NOTFOUND) => return Ok(true),
            seen => seen?,
        }
    }
    Ok(false)
}

async fn look(connection: &Connection, name: &str) -> lapin::Result<()> {
    // A channel of its own: a refusal closes it.
    let channel = connection.create_channel().await?;
    let options = QueueDeclareOptions::durable().passive();
    channel.queue_declare(name.into(), options, FieldTable::default()).await.map(drop)
}

async fn declare_queue(connection: &Connection, name: &str, arguments: FieldTable) -> lapin::Result<()> {
    // A channel each: a refused declaration closes it.
    let channel = connection.create_channel().await?;
    let declared = channel.queue_declare(name.into(), QueueDeclareOptions::durable(), arguments).await;
    match declared {
        Err(error) if is_refused(&error, AMQPSoftError::PRECONDITIONFAILED) => {
            // Declared with other arguments, by another version of ours or by the operator. It still carries
            // doorbells; refusing to work would be worse than working with other limits.
            tracing::warn!(queue = name, %error, "the broker has this queue with other arguments, using it as it is");
            look(connection, name).await
        }
        declared => declared.map(drop),
    }
}

pub(super) fn is_refused(error: &lapin::Error, because: AMQPSoftError) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(error) if *error.kind() == AMQPErrorKind::Soft(because))
}

fn dead_letter_arguments() -> FieldTable {
    table([("x-queue-type", text("quorum")), ("x-max-length", AMQPValue::LongInt(DEAD_LETTERS_MAX))])
}

/// Dead letters are moved at least once: the queue keeps one until the dead letter queue has confirmed it. The
/// broker (3.10 and 4 alike) does so only for a quorum queue that rejects instead of dropping when it is full,
/// which is what we want of a full queue anyway: the doorbell then waits in the outbox.
fn job_arguments(broker: &Broker) -> FieldTable {
    table([
        ("x-queue-type", text("quorum")),
        ("x-max-length", AMQPValue::LongInt(i32::try_from(broker.length_max).unwrap_or(i32::MAX))),
        ("x-overflow", text("reject-publish")),
        // Brokers before 4.0 have no limit of their own.
        ("x-delivery-limit", AMQPValue::LongInt(REDELIVERIES_MAX as i32)),
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text(&broker.dead_letters())),
        ("x-dead-letter-strategy", text("at-least-once")),
    ])
}

fn table<const N: usize>(arguments: [(&str, AMQPValue); N]) -> FieldTable {
    let mut table = FieldTable::default();
    for (key, value) in arguments {
        table.insert(key.into(), value);
    }
    table
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}
