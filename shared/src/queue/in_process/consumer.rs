//! Delivers from one queue in memory.

use super::super::delivery::Life;
use super::super::{Delivery, QueueName, doorbell, figures};
use super::lane::{Lane, Message};
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

pub(super) fn consume(
    lane: Arc<Lane>,
    queue: QueueName,
    slots: Arc<Semaphore>,
    stop: CancellationToken,
) -> mpsc::Receiver<Delivery> {
    let (deliveries, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let stopped = async {
            tokio::select! {
                () = stop.cancelled() => {}
                () = deliveries.closed() => {}
            }
        };
        tokio::select! {
            biased;
            () = stopped => {}
            () = deliver(&lane, &queue, &slots, &deliveries) => {}
        }
    });
    receiver
}

/// Dropped at any point, it leaves no message behind: what it holds is a [`Receipt`], and goes back.
async fn deliver(
    lane: &Arc<Lane>,
    queue: &QueueName,
    slots: &Arc<Semaphore>,
    deliveries: &mpsc::Sender<Delivery>,
) {
    while let Ok(slot) = slots.clone().acquire_owned().await {
        let (job_id, receipt) = loop {
            let message = lane.take().await;
            match doorbell::decode(&message.body) {
                Ok(job_id) => break (job_id, Receipt { lane: lane.clone(), message: Some(message) }),
                Err(error) => {
                    tracing::error!(%queue, %error, "undecodable message, moved to the dead letters");
                    figures::count_undecodable(queue);
                    lane.refuse(message);
                }
            }
        };
        let (redelivered, trace) =
            receipt.message.as_ref().map_or((false, None), |message| (message.redelivered, message.trace));
        // A place first: sending could not be given up without losing track of who holds the message.
        let Ok(place) = deliveries.reserve().await else { return };
        let delivery = Delivery::new(queue.clone(), job_id, redelivered, Life::InProcess(receipt), slot);
        place.send(delivery.sent_in(trace));
    }
}

/// Settles one message, once.
pub(in super::super) struct Receipt {
    lane: Arc<Lane>,
    message: Option<Message>,
}

impl Receipt {
    pub(in super::super) fn ack(&mut self) -> bool {
        self.message.take().is_some()
    }

    pub(in super::super) fn give_back(&mut self) -> bool {
        self.message.take().map(|message| self.lane.put_back(message)).is_some()
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        self.give_back();
    }
}

impl std::fmt::Debug for Receipt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receipt").field("message", &self.message).finish_non_exhaustive()
    }
}
