//! Deliveries while the worker takes jobs: an operator can close the taps of all its queues, and open them again.

use shared::queue::{Delivery, Queue, QueueName};
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Those of one worker.
#[derive(Clone)]
pub(super) struct Taps {
    /// Whether they should be open.
    wanted: watch::Sender<bool>,
    /// How many are.
    open: watch::Sender<usize>,
}

impl Taps {
    pub fn new() -> Self {
        Self { wanted: watch::channel(true).0, open: watch::channel(0).0 }
    }

    /// Whether that is news.
    pub fn want(&self, is_open: bool) -> bool {
        self.wanted.send_if_modified(|wanted| std::mem::replace(wanted, is_open) != is_open)
    }

    /// Nothing new comes, and nothing is on its way.
    pub fn are_closed(&self) -> bool {
        !*self.wanted.borrow() && *self.open.borrow() == 0
    }

    /// Until [`Self::are_closed`]; forever while they are wanted open.
    pub async fn closed(&self) {
        let (mut wanted, mut open) = (self.wanted.subscribe(), self.open.subscribe());
        while !self.are_closed() {
            // Both senders are ours.
            tokio::select! {
                _ = wanted.changed() => {}
                _ = open.changed() => {}
            }
        }
    }

    /// Delivers from one queue until `stop`, while the taps are wanted open. As [`Queue::consume`], of which it begins
    /// one after the other: what the one before brought is run, so a worker finishes what it was given. A slot stays
    /// with its delivery, so the bound on what runs at once holds across them.
    pub fn deliveries(
        &self,
        queue: Queue,
        name: QueueName,
        slots: Arc<Semaphore>,
        stop: CancellationToken,
    ) -> mpsc::Receiver<Delivery> {
        // One may wait here, with its slot.
        let (out, receiver) = mpsc::channel(1);
        let (mut wanted, open) = (self.wanted.subscribe(), self.open.clone());
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    () = out.closed() => return,
                    told = wanted.wait_for(|is_open| *is_open) => if told.is_err() { return },
                }
                let _is_open = Open::new(open.clone());
                let session = stop.child_token();
                let deliveries = queue.consume(name.clone(), slots.clone(), session.clone());
                if pass_on(deliveries, &out, &mut wanted, &session).await.is_err() {
                    return;
                }
            }
        });
        receiver
    }
}

/// Counts one open tap.
struct Open(watch::Sender<usize>);

impl Open {
    fn new(open: watch::Sender<usize>) -> Self {
        open.send_modify(|open| *open += 1);
        Self(open)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.send_modify(|open| *open -= 1);
    }
}

/// Nobody receives any more.
struct Gone;

/// Until the session has ended and everything it brought is passed on.
async fn pass_on(
    mut deliveries: mpsc::Receiver<Delivery>,
    out: &mpsc::Sender<Delivery>,
    wanted: &mut watch::Receiver<bool>,
    session: &CancellationToken,
) -> Result<(), Gone> {
    loop {
        let delivery = tokio::select! {
            biased;
            () = out.closed() => return Err(Gone),
            _ = wanted.wait_for(|is_open| !*is_open), if !session.is_cancelled() => {
                session.cancel();
                continue;
            }
            delivery = deliveries.recv() => delivery,
        };
        let Some(delivery) = delivery else { return Ok(()) };
        // What cannot be sent is dropped, and goes back to the queue.
        out.send(delivery).await.map_err(|_| Gone)?;
    }
}
