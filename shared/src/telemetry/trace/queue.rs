//! Finished spans on their way to the thread that sends them, written as they will be sent: so each of them costs the other
//! thread one copy, and nothing that one thread allocates is freed by another.
//!
//! That thread sleeps while a batch fills: waking it for each span would cost a busy worker more than the span itself.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

pub(super) struct Queue {
    state: Mutex<State>,
    rung: Condvar,
    spans_max: usize,
    batch_max: usize,
}

/// Spans of one request, one after the other.
#[derive(Default)]
pub(super) struct Batch {
    pub written: Vec<u8>,
    pub spans: usize,
}

struct State {
    full: VecDeque<Batch>,
    filling: Batch,
    /// Room for the one after that.
    spare: Vec<u8>,
    /// Spans of all of them.
    waiting: usize,
    /// The thread sleeps until there are so many.
    wanted: usize,
    is_stopping: bool,
}

impl Queue {
    pub fn new(spans_max: usize, batch_max: usize) -> Self {
        let state = State {
            full: VecDeque::new(),
            filling: Batch::default(),
            spare: vec![],
            waiting: 0,
            wanted: usize::MAX,
            is_stopping: false,
        };
        // A small queue is emptied long before it is full.
        let batch_max = batch_max.min((spans_max / 2).max(1));
        Self { state: Mutex::new(state), rung: Condvar::new(), spans_max, batch_max }
    }

    /// Takes one span, in two pieces. Never waits for the thread. `false`: the queue is full and the span gone.
    pub fn push(&self, head: &[u8], body: &[u8]) -> bool {
        let mut state = self.lock();
        if state.waiting >= self.spans_max {
            return false;
        }
        state.filling.written.extend_from_slice(head);
        state.filling.written.extend_from_slice(body);
        state.filling.spans += 1;
        if state.filling.spans == self.batch_max {
            let full = state.start_another();
            state.full.push_back(full);
        }
        state.waiting += 1;
        let is_wanted = state.waiting == state.wanted;
        drop(state);
        if is_wanted {
            self.rung.notify_one();
        }
        true
    }

    /// Waits for a span, then for so long for others to travel with. Without any: the queue is empty and no more will come.
    /// `sent` is the one before, whose room another will fill.
    pub fn next_batch(&self, patience: Duration, mut sent: Batch) -> Batch {
        sent.written.clear();
        let mut state = self.lock();
        state.spare = sent.written;
        while state.waiting == 0 && !state.is_stopping {
            state.wanted = 1;
            state = self.rung.wait(state).unwrap_or_else(|e| e.into_inner());
        }
        let until = Instant::now() + patience;
        while state.waiting < self.batch_max && !state.is_stopping {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state.wanted = self.batch_max;
            state = self.rung.wait_timeout(state, left).unwrap_or_else(|e| e.into_inner()).0;
        }
        state.wanted = usize::MAX;
        let next = match state.full.pop_front() {
            Some(full) => full,
            None => state.start_another(),
        };
        state.waiting -= next.spans;
        next
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

impl State {
    /// Gives back what was filled so far.
    fn start_another(&mut self) -> Batch {
        let room = Batch { written: std::mem::take(&mut self.spare), spans: 0 };
        std::mem::replace(&mut self.filling, room)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_leave_in_batches_in_their_order_and_none_beyond_the_limit() {
        let queue = Queue::new(7, 3);
        let taken: Vec<bool> = (0..9).map(|n| queue.push(b"s", &[b'0' + n])).collect();
        assert_eq!(taken, [true, true, true, true, true, true, true, false, false]);
        queue.stop();
        let mut batch = Batch::default();
        for (spans, written) in [(3, "s0s1s2"), (3, "s3s4s5"), (1, "s6"), (0, "")] {
            batch = queue.next_batch(Duration::from_secs(60), batch);
            assert_eq!((batch.spans, std::str::from_utf8(&batch.written)), (spans, Ok(written)));
        }
    }

    #[test]
    fn a_batch_waits_for_others_until_it_is_full() {
        let queue = Queue::new(100, 2);
        std::thread::scope(|scope| {
            let batch = scope.spawn(|| queue.next_batch(Duration::from_secs(60), Batch::default()));
            queue.push(b"a", b"");
            queue.push(b"b", b"");
            assert_eq!(batch.join().expect("no panic").written, b"ab");
        });
        queue.push(b"c", b"");
        assert_eq!(queue.next_batch(Duration::ZERO, Batch::default()).written, b"c", "its time is up");
    }
}
