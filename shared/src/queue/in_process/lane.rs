//! One queue: messages in order, and who waits for them.

use super::{Grave, Graveyard};
use crate::queue::{QueueName, REDELIVERIES_MAX};
use crate::telemetry::trace::TraceContext;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::Notify;

pub(super) struct Lane {
    queue: QueueName,
    length_max: usize,
    state: Mutex<State>,
    /// Told once for each message that becomes ready.
    ready: Notify,
    graveyard: Arc<Graveyard>,
}

#[derive(Default)]
struct State {
    ready: VecDeque<Message>,
    /// Promised a place but not ready: on their way, or delayed.
    under_way: usize,
}

#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) body: Vec<u8>,
    pub(super) trace: Option<TraceContext>,
    pub(super) redelivered: bool,
    pub(super) failed_deliveries: u32,
}

impl Message {
    pub(super) fn new(body: Vec<u8>) -> Self {
        Self { body, trace: None, redelivered: false, failed_deliveries: 0 }
    }
}

impl Lane {
    pub(super) fn new(queue: QueueName, length_max: usize, graveyard: Arc<Graveyard>) -> Self {
        Self { queue, length_max, state: Default::default(), ready: Notify::new(), graveyard }
    }

    /// Sets places aside for messages that will [`Self::arrive`]; `false` when there are too few.
    pub(super) fn reserve(&self, places: usize) -> bool {
        let mut state = self.lock();
        if state.ready.len() + state.under_way + places > self.length_max {
            return false;
        }
        state.under_way += places;
        true
    }

    /// Takes a place set aside. `place` in [0, 1) is where to stand in the queue; last, if none is given.
    pub(super) fn arrive(self: &Arc<Self>, message: Message, delay: Duration, place: Option<f64>) {
        if delay.is_zero() {
            return self.insert(message, place);
        }
        let lane = Arc::downgrade(self);
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            if let Some(lane) = lane.upgrade() {
                lane.insert(message, place);
            }
        });
    }

    fn insert(&self, message: Message, place: Option<f64>) {
        let mut state = self.lock();
        state.under_way = state.under_way.saturating_sub(1);
        let index = match place {
            Some(place) => (place * (state.ready.len() + 1) as f64) as usize,
            None => state.ready.len(),
        };
        state.ready.insert(index, message);
        drop(state);
        self.ready.notify_one();
    }

    #[cfg(any(test, feature = "testing"))]
    pub(super) fn push_back(&self, message: Message) {
        self.lock().ready.push_back(message);
        self.ready.notify_one();
    }

    /// Waits for a message. Dropped before it is ready, this has taken none.
    pub(super) async fn take(&self) -> Message {
        loop {
            // Registered before looking, so that a message arriving in between is not missed.
            let ready = self.ready.notified();
            let taken = self.lock().ready.pop_front();
            match taken {
                Some(message) => return message,
                None => ready.await,
            }
        }
    }

    /// Back to the front after a delivery that nobody settled. Beyond the bound if need be: it had its place.
    pub(super) fn put_back(&self, mut message: Message) {
        message.redelivered = true;
        message.failed_deliveries += 1;
        if message.failed_deliveries > REDELIVERIES_MAX {
            return self.bury(message, "delivery_limit");
        }
        self.lock().ready.push_front(message);
        self.ready.notify_one();
    }

    /// For what nobody can read.
    pub(super) fn refuse(&self, message: Message) {
        self.bury(message, "rejected");
    }

    fn bury(&self, message: Message, reason: &'static str) {
        self.graveyard.bury(Grave { queue: self.queue.clone(), reason, message });
    }

    pub(super) fn depth(&self) -> usize {
        self.lock().ready.len()
    }

    pub(super) fn purge(&self) -> usize {
        std::mem::take(&mut self.lock().ready).len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
