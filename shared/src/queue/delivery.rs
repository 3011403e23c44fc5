//! A doorbell that has arrived.

use super::{QueueName, amqp, figures, in_process};
use crate::ids::JobId;
use crate::telemetry::trace::TraceContext;
use futures_util::FutureExt;
use tokio::sync::OwnedSemaphorePermit;

/// A hint that a job is available, with the slot to run it in.
///
/// The order of things: take the lease in Postgres, [`Self::ack`], run, drop. The slot goes back when the
/// delivery (or the slot split off it by [`Self::into_parts`]) is dropped, so keep one of them until the job has
/// ended. Somebody else holds the lease, or the job is gone? Acknowledge and drop: that was a duplicate.
///
/// Dropped without an acknowledgement, the message is delivered again, here or elsewhere, up to
/// [`super::REDELIVERIES_MAX`] times; then it goes to the dead letter queue.
#[derive(Debug)]
pub struct Delivery {
    pub job_id: JobId,
    pub queue: QueueName,
    /// Delivered before, perhaps to somebody who took the lease and died before acknowledging.
    pub redelivered: bool,
    /// The span of its sending, where that was recorded.
    pub trace: Option<TraceContext>,
    receipt: Receipt,
    slot: OwnedSemaphorePermit,
}

/// The right to settle one message, once. Dropped unsettled, the message is delivered again.
#[derive(Debug)]
pub struct Receipt(pub(super) Life);

#[derive(Debug)]
pub(super) enum Life {
    Amqp(amqp::Receipt),
    InProcess(in_process::Receipt),
}

impl Delivery {
    pub(super) fn new(
        queue: QueueName,
        job_id: JobId,
        redelivered: bool,
        receipt: Life,
        slot: OwnedSemaphorePermit,
    ) -> Self {
        figures::count_delivery(&queue);
        Self { job_id, queue, redelivered, trace: None, receipt: Receipt(receipt), slot }
    }

    pub(super) fn sent_in(self, trace: Option<TraceContext>) -> Self {
        Self { trace, ..self }
    }

    /// Takes the message off the queue; the slot stays. See [`Receipt::ack`].
    pub async fn ack(&mut self) -> bool {
        self.receipt.ack().await
    }

    /// Makes the message available to others at once, and frees the slot. See [`Receipt::give_back`].
    pub async fn give_back(mut self) -> bool {
        self.receipt.give_back().await
    }

    /// For those who acknowledge in one place and run the job in another.
    pub fn into_parts(self) -> (JobId, Receipt, OwnedSemaphorePermit) {
        (self.job_id, self.receipt, self.slot)
    }
}

impl Receipt {
    /// Takes the message off the queue. `false` when it was settled before or its session has ended; then it
    /// will be delivered again, which the lease makes harmless, so there is nothing to do about it. After `true`
    /// it may come again all the same: brokers do not confirm acknowledgements.
    pub async fn ack(&mut self) -> bool {
        match &mut self.0 {
            Life::Amqp(receipt) => receipt.ack().await,
            Life::InProcess(receipt) => receipt.ack(),
        }
    }

    /// [`Self::ack`] for those who need not know: it is on its way when this returns, and nobody waits for it to arrive.
    pub fn ack_soon(self) {
        // The first poll hands it to the connection.
        let mut acking = Box::pin(async move {
            let Self(mut life) = self;
            match &mut life {
                Life::Amqp(receipt) => receipt.ack().await,
                Life::InProcess(receipt) => receipt.ack(),
            }
        });
        if acking.as_mut().now_or_never().is_none() {
            tokio::spawn(acking);
        }
    }

    /// Makes the message available to others at once. `false` as for [`Self::ack`].
    ///
    /// For handing back work that was not started, not for retries: those are rows with a due time. Brokers
    /// before RabbitMQ 4.3 count it as a failed delivery.
    pub async fn give_back(&mut self) -> bool {
        match &mut self.0 {
            Life::Amqp(receipt) => receipt.give_back().await,
            Life::InProcess(receipt) => receipt.give_back(),
        }
    }
}
