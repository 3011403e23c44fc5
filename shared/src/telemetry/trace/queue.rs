//! Finished spans on their way to the thread that sends them.
//!
//! That thread sleeps while a batch fills: waking it for each span would cost a busy worker more than the span itself.

use super::SpanRecord;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

pub(super) struct Queue {
    state: Mutex<State>,
    rung: Condvar,
    spans_max: usize,
    batch_max: usize,
}

struct State {
    spans: VecDeque<SpanRecord>,
    /// The thread sleeps until there are so many.
    wanted: usize,
    is_stopping: bool,
}

impl Queue {
    pub fn new(spans_max: usize, batch_max: usize) -> Self {
        let state = State { spans: VecDeque::new(), wanted: usize::MAX, is_stopping: false };
        // A small queue is emptied long before it is full.
        let batch_max = batch_max.min((spans_max / 2).max(1));
        Self { state: Mutex::new(state), rung: Condvar::new(), spans_max, batch_max }
    }

    /// Never waits for the thread. `false`: the queue is full and the span gone.
    pub fn push(&self, span: SpanRecord) -> bool {
        let mut state = self.lock();
        if state.spans.len() >= self.spans_max {
            return false;
        }
        state.spans.push_back(span);
        let is_wanted = state.spans.len() == state.wanted;
        drop(state);
        if is_wanted {
            self.rung.notify_one();
        }
        true
    }

    /// Waits for a span, then for so long for others to travel with. Empty: the queue is, and no more will come.
    pub fn next_batch(&self, patience: Duration) -> Vec<SpanRecord> {
        let mut state = self.lock();
        while state.spans.is_empty() && !state.is_stopping {
            state.wanted = 1;
            state = self.rung.wait(state).unwrap_or_else(|e| e.into_inner());
        }
        let until = Instant::now() + patience;
        while state.spans.len() < self.batch_max && !state.is_stopping {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state.wanted = self.batch_max;
            state = self.rung.wait_timeout(state, left).unwrap_or_else(|e| e.into_inner()).0;
        }
        state.wanted = usize::MAX;
        let spans = state.spans.len().min(self.batch_max);
        state.spans.drain(..spans).collect()
    }

    /// What is there is still given out, without waiting for more.
    pub fn stop(&self) {
        self.lock().is_stopping = true;
        self.rung.notify_one();
    }

    pub fn is_stopping(&self) -> bool {
        self.lock().is_stopping
    }

    /// For so long, or until it stops.
    pub fn rest(&self, wait: Duration) {
        let stops = self.rung.wait_timeout_while(self.lock(), wait, |state| !state.is_stopping);
        drop(stops);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }
}
