//! Keeps one queue consumed, whatever happens to the connection.

use super::super::{Delivery, QueueError, QueueName};
use super::backoff::Backoff;
use super::broker::Broker;
use super::session::Session;
use futures_util::FutureExt;
use lapin::Acker;
use lapin::options::{BasicAckOptions, BasicNackOptions, BasicRejectOptions};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::task_tracker::TaskTrackerToken;

pub(super) fn consume(
    broker: Arc<Broker>,
    queue: QueueName,
    slots: Arc<Semaphore>,
    stop: CancellationToken,
) -> mpsc::Receiver<Delivery> {
    // One delivery may wait here to be received; its slot is taken, so the bound holds.
    let (deliveries, receiver) = mpsc::channel(1);
    // Counted now, while nothing runs: a session that starts over finds some slots busy.
    let lanes = slots.available_permits().clamp(1, Consumer::LANES_MAX);
    tokio::spawn(Consumer { broker, queue, slots, lanes, stop, deliveries }.supervise());
    receiver
}

pub(super) struct Consumer {
    pub(super) broker: Arc<Broker>,
    pub(super) queue: QueueName,
    pub(super) slots: Arc<Semaphore>,
    pub(super) lanes: usize,
    stop: CancellationToken,
    pub(super) deliveries: mpsc::Sender<Delivery>,
}

impl Consumer {
    /// Subscriptions side by side, each waiting for one message. One alone waits a round trip to the broker and a
    /// lease between two messages; eight are as many as two cores could keep busy, which is not a hard limit.
    const LANES_MAX: usize = 8;

    /// Runs one session after the other until told to stop.
    async fn supervise(self) {
        let mut backoff = Backoff::new();
        loop {
            let began_at = Instant::now();
            let ended = tokio::select! {
                biased;
                () = self.stopped() => return,
                opened = Session::open(&self) => match opened {
                    Ok(session) => match session.run(&self).await {
                        Ok(()) => {
                            // The receiver ends now, while what it was given can still be acknowledged.
                            drop(self);
                            return session.settle().await;
                        }
                        Err(error) => error,
                    },
                    Err(error) => error,
                },
            };
            let wait = backoff.after_session(began_at.elapsed(), rand::random());
            tracing::warn!(
                queue = %self.queue,
                wait_ms = wait.as_millis() as u64,
                error = crate::chain(&ended),
                "not consuming, starting over after a wait"
            );
            tokio::select! {
                biased;
                () = self.stopped() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Nobody wants deliveries any more: we were told so, or the receiver is gone.
    pub(super) async fn stopped(&self) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = self.deliveries.closed() => {}
        }
    }
}

/// Settles one message, once, on the session it came from. When that has ended it does nothing: the broker has
/// requeued the message.
#[derive(Debug)]
pub(in super::super) struct Receipt {
    acker: Acker,
    /// Keeps the session open for us.
    unsettled: Option<TaskTrackerToken>,
}

impl Receipt {
    pub(super) fn new(acker: Acker, unsettled: TaskTrackerToken) -> Self {
        Self { acker, unsettled: Some(unsettled) }
    }

    pub(in super::super) async fn ack(&mut self) -> bool {
        let acked = self.acker.ack(BasicAckOptions::default()).await;
        self.unsettled = None;
        matches!(acked, Ok(true))
    }

    /// By *nack*, which a broker of 4.3 or later does not count as a failed delivery.
    pub(in super::super) async fn give_back(&mut self) -> bool {
        let given_back = self.acker.nack(BasicNackOptions { requeue: true, multiple: false }).await;
        self.unsettled = None;
        matches!(given_back, Ok(true))
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if self.unsettled.is_some() && self.acker.usable() {
            // By *reject*, which counts everywhere: whoever drops an unsettled message has probably failed at it.
            // The first poll hands the command to the connection; the answer we do not need.
            let _ = self.acker.reject(BasicRejectOptions { requeue: true }).now_or_never();
        }
    }
}

/// Why a session ended.
pub(super) fn interrupted(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> QueueError {
    QueueError::Interrupted(error.into())
}
