//! Publishing doorbells.
//!
//! Delivery promise: a confirmed doorbell is on the disk of the broker (of most of its nodes, in a cluster), at
//! least once.

use super::super::{Doorbell, Published, QueueError, doorbell};
use super::broker::Broker;
use super::headers;
use super::link::{Link, Role};
use crate::breaker::{Breaker, BreakerRules};
use futures_util::future::try_join_all;
use lapin::message::BasicReturnMessage;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation, ConnectionStatus};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::time::timeout;

pub(super) struct Publisher {
    broker: Arc<Broker>,
    /// Taken out while a batch is on its way and put back only when all of it is answered. So a batch that fails,
    /// or whose caller is dropped half way, takes its connection with it, and no answer to it can be mistaken
    /// for an answer to the next. One batch at a time, for the same reason.
    session: tokio::sync::Mutex<Option<Session>>,
    /// Of the latest session, to be read while a batch holds the lock above.
    status: Mutex<Option<ConnectionStatus>>,
    breaker: Breaker,
}

struct Session {
    link: Link,
    channel: Channel,
    /// Confirms of an earlier batch are still to come, so no other may follow it. Kept only to be told when the
    /// broker is no longer blocked.
    spoilt: bool,
}

impl Publisher {
    /// Messages on their way at once. More gains nothing; each costs a little memory here and in the broker.
    const IN_FLIGHT_MAX: usize = 1024;
    const BATCH_TIMEOUT: Duration = Duration::from_secs(30);

    pub(super) fn new(broker: Arc<Broker>) -> Self {
        let breaker = Breaker::new("broker", BreakerRules::default());
        Self { broker, session: Default::default(), status: Default::default(), breaker }
    }

    pub(super) async fn publish(&self, doorbells: &[Doorbell]) -> Result<Published, QueueError> {
        let mut published = Published::default();
        for batch in doorbells.chunks(Self::IN_FLIGHT_MAX) {
            self.breaker.admit(Instant::now()).map_err(QueueError::LeftAlone)?;
            let sent = self.publish_batch(batch).await;
            match &sent {
                // It answers; that it takes nothing for now is another matter.
                Ok(_) | Err(QueueError::Blocked) => self.breaker.succeeded(),
                Err(_) => self.breaker.failed(Instant::now()),
            }
            let mut part = sent?;
            published.confirmed.append(&mut part.confirmed);
            published.unroutable.append(&mut part.unroutable);
            published.unconfirmed.append(&mut part.unconfirmed);
        }
        Ok(published)
    }

    /// The broker has answered a question on another connection: jobs wait for a relay that waits, so what is left alone is
    /// asked again before its time.
    pub(super) fn broker_answers(&self) {
        self.breaker.probed_if_open();
    }

    /// Waits for a batch that is on its way.
    pub(super) async fn close(&self) {
        if let Some(session) = self.session.lock().await.take() {
            session.link.close().await;
        }
    }

    /// Has the broker stopped reading what we publish? `false` as long as nothing was published.
    pub(super) fn is_blocked(&self) -> bool {
        self.status().as_ref().is_some_and(|status| status.connected() && status.blocked())
    }

    async fn publish_batch(&self, batch: &[Doorbell]) -> Result<Published, QueueError> {
        let mut place = self.session.lock().await;
        let mut session = match place.take() {
            Some(session) if session.link.is_alive() && session.link.is_blocked() => {
                *place = Some(session);
                return Err(QueueError::Blocked);
            }
            Some(session) if session.link.is_alive() && !session.spoilt => session,
            _ => self.open().await?,
        };
        let outcome = tokio::select! {
            biased;
            outcome = timeout(Self::BATCH_TIMEOUT, session.publish(&self.broker, batch)) => outcome,
            // Alarms last for minutes, and callers hold locks meanwhile: no use in waiting for the rest.
            () = session.link.blocked() => {
                session.spoilt = true;
                *place = Some(session);
                return Err(QueueError::Blocked);
            }
        };
        match outcome {
            Ok(Ok(published)) => {
                // A queue we declare and that is not there was deleted meanwhile: the next session declares it.
                let missing = batch.iter().any(|doorbell| {
                    self.broker.declares(&doorbell.queue)
                        && published.unroutable.contains(&doorbell.outbox_id)
                });
                if missing {
                    session.link.close().await
                } else {
                    *place = Some(session)
                }
                Ok(published)
            }
            Ok(Err(error)) => Err(QueueError::Interrupted(error.into())),
            Err(_) => Err(QueueError::TimedOut(Self::BATCH_TIMEOUT)),
        }
    }

    async fn open(&self) -> Result<Session, QueueError> {
        let link = Link::open(&self.broker, Role::Publish).await?;
        let interrupted = |error: lapin::Error| QueueError::Interrupted(error.into());
        let channel = link.connection().create_channel().await.map_err(interrupted)?;
        channel.confirm_select(ConfirmSelectOptions::default()).await.map_err(interrupted)?;
        *self.status() = Some(link.connection().status().clone());
        Ok(Session { link, channel, spoilt: false })
    }

    fn status(&self) -> MutexGuard<'_, Option<ConnectionStatus>> {
        self.status.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Session {
    async fn publish(&self, broker: &Broker, batch: &[Doorbell]) -> lapin::Result<Published> {
        let sends = batch.iter().map(|doorbell| self.send(broker, doorbell));
        let confirms = try_join_all(sends).await?;
        let confirmations = try_join_all(confirms).await?;
        Ok(sort(batch, confirmations))
    }

    async fn send(&self, broker: &Broker, doorbell: &Doorbell) -> lapin::Result<lapin::PublisherConfirm> {
        const PERSISTENT: u8 = 2;
        let properties = BasicProperties::default()
            .with_delivery_mode(PERSISTENT)
            .with_content_type("application/json".into())
            .with_message_id(doorbell.outbox_id.to_string().into())
            .with_priority(doorbell.priority)
            .with_headers(headers::written(doorbell.trace));
        let options = BasicPublishOptions { mandatory: true, immediate: false };
        let body = doorbell::encode(doorbell.job_id);
        self.channel
            .basic_publish("".into(), broker.name_of(&doorbell.queue).into(), options, &body, properties)
            .await
    }
}

/// Which confirmation says what about which doorbell; both come in the same order.
fn sort(batch: &[Doorbell], confirmations: Vec<Confirmation>) -> Published {
    let mut unroutable = HashSet::new();
    let mut refused = HashSet::new();
    for (doorbell, confirmation) in batch.iter().zip(confirmations) {
        if !confirmation.is_ack() {
            refused.insert(doorbell.outbox_id);
        }
        // An unroutable message comes back before it is confirmed, and the client hands it over with whichever
        // confirm completes next: only its message id says which one it was.
        unroutable.extend(confirmation.take_message().as_ref().and_then(outbox_id));
    }
    let mut published = Published::default();
    for Doorbell { outbox_id, .. } in batch {
        let list = if unroutable.contains(outbox_id) {
            &mut published.unroutable
        } else if refused.contains(outbox_id) {
            &mut published.unconfirmed
        } else {
            &mut published.confirmed
        };
        list.push(*outbox_id);
    }
    published
}

fn outbox_id(returned: &BasicReturnMessage) -> Option<i64> {
    returned.delivery.properties.message_id().as_ref()?.as_str().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::JobId;
    use crate::queue::QueueName;

    fn returned(outbox_id: i64) -> Option<BasicReturnMessage> {
        let mut delivery = lapin::message::Delivery::mock(0, "".into(), "".into(), false, Vec::new());
        delivery.properties = BasicProperties::default().with_message_id(outbox_id.to_string().into());
        Some(BasicReturnMessage { delivery, reply_code: 312, reply_text: "NO_ROUTE".into() })
    }

    fn batch(outbox_ids: std::ops::RangeInclusive<i64>) -> Vec<Doorbell> {
        let queue = QueueName::parse("q").expect("a name");
        outbox_ids
            .map(|outbox_id| Doorbell {
                outbox_id,
                queue: queue.clone(),
                job_id: JobId::new(),
                priority: 0,
                trace: None,
            })
            .collect()
    }

    #[test]
    fn a_returned_message_is_known_by_its_id_whichever_confirm_it_rides_on() {
        let confirmations = vec![
            Confirmation::Ack(None),
            Confirmation::Ack(None),
            Confirmation::Ack(returned(12)),
            Confirmation::Nack(None),
            Confirmation::Nack(returned(15)),
            Confirmation::Ack(returned(14)),
        ];
        let published = sort(&batch(11..=16), confirmations);
        assert_eq!(published.confirmed, [11, 13, 16]);
        assert_eq!(published.unroutable, [12, 14, 15]);
        assert!(published.unconfirmed.is_empty());
    }

    #[test]
    fn what_was_not_confirmed_is_not_lost() {
        let confirmations =
            vec![Confirmation::Nack(None), Confirmation::Ack(None), Confirmation::NotRequested];
        let published = sort(&batch(1..=3), confirmations);
        assert_eq!((published.confirmed, published.unconfirmed), (vec![2], vec![1, 3]));
    }
}
