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
use tokio::sync::{Semaphore, mpsc, oneshot};
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
    /// Subscriptions side by side, each waiting for one message. A message is acknowledged once its lease is on the
    /// database's disk, and its lane brings the next one once the acknowledgement is on the broker's. Leases and
    /// acknowledgements of the same moment share those waits, so lanes bound the jobs a second: 64 in 20 ms of slow
    /// disks are three thousand.
    const LANES_MAX: usize = 64;

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
                        Ok(()) if !self.is_stopped() => {
                            tracing::debug!(queue = %self.queue, "nothing came for long, consuming anew");
                            tokio::spawn(session.settle());
                            continue;
                        }
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

    fn is_stopped(&self) -> bool {
        self.stop.is_cancelled() || self.deliveries.is_closed()
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
    /// Until this is told, or its other end is gone, the next message must not be let in. Then it is `None`.
    may_settle: Option<oneshot::Receiver<()>>,
}

impl Receipt {
    pub(super) fn new(acker: Acker, unsettled: TaskTrackerToken, may_settle: oneshot::Receiver<()>) -> Self {
        Self { acker, unsettled: Some(unsettled), may_settle: Some(may_settle) }
    }

    pub(in super::super) async fn ack(&mut self) -> bool {
        self.settle(|acker| async move { acker.ack(BasicAckOptions::default()).await }).await
    }

    /// By *nack*, which a broker of 4.3 or later does not count as a failed delivery.
    pub(in super::super) async fn give_back(&mut self) -> bool {
        let options = BasicNackOptions { requeue: true, multiple: false };
        self.settle(move |acker| async move { acker.nack(options).await }).await
    }

    /// At once when that is allowed; else as soon as it is, and without the caller, whose job is to begin.
    async fn settle<Fut>(&mut self, how: impl FnOnce(Acker) -> Fut + Send + 'static) -> bool
    where
        Fut: Future<Output = lapin::Result<bool>> + Send,
    {
        let Some(unsettled) = self.unsettled.take() else { return false };
        let acker = self.acker.clone();
        let waits = self.may_settle.take().and_then(|mut told| match told.try_recv() {
            Err(oneshot::error::TryRecvError::Empty) => Some(told),
            _ => None,
        });
        match waits {
            None => {
                let settled = how(acker).await;
                drop(unsettled);
                matches!(settled, Ok(true))
            }
            Some(told) => {
                let usable = acker.usable();
                tokio::spawn(async move {
                    let _ = told.await;
                    let _ = how(acker).await;
                    drop(unsettled);
                });
                usable
            }
        }
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
