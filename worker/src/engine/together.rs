//! Calls that come at about the same time go to the database together: one statement, one round trip and one flush of
//! the log for all of them. While a batch is on its way the next one collects, so there is no timer, and whoever comes
//! alone waits for nobody.

use std::sync::Arc;
use tokio::sync::{Mutex, mpsc, oneshot};

/// Calls of one batch. Larger ones gain nothing.
const BATCH_MAX: usize = 64;

/// Batches on their way at once: one is in the database while the other collects.
const LANES: usize = 2;

/// Clones share their batches; ends when the last of them is dropped.
pub(super) struct Together<I, O>(mpsc::Sender<(I, oneshot::Sender<O>)>);

impl<I, O> Clone for Together<I, O> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<I: Send + 'static, O: Send + 'static> Together<I, O> {
    /// `perform` gives back an answer for each call, in order, or fewer; the rest has no answer.
    pub fn new<F, Fut>(perform: F) -> Self
    where
        F: Fn(Vec<I>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Vec<Option<O>>> + Send,
    {
        let (calls, waiting) = mpsc::channel::<(I, oneshot::Sender<O>)>(BATCH_MAX);
        let (waiting, perform) = (Arc::new(Mutex::new(waiting)), Arc::new(perform));
        for _ in 0..LANES {
            let (waiting, perform) = (waiting.clone(), perform.clone());
            tokio::spawn(async move {
                let mut batch = Vec::with_capacity(BATCH_MAX);
                while waiting.lock().await.recv_many(&mut batch, BATCH_MAX).await > 0 {
                    let (calls, callers): (Vec<I>, Vec<_>) = batch.drain(..).unzip();
                    for (caller, answer) in callers.into_iter().zip(perform(calls).await) {
                        if let Some(answer) = answer {
                            // A caller that has gone needs none.
                            let _ = caller.send(answer);
                        }
                    }
                }
            });
        }
        Self(calls)
    }

    /// `None`: not together with others; ask alone, and learn why.
    pub async fn call(&self, call: I) -> Option<O> {
        let (caller, answer) = oneshot::channel();
        self.0.send((call, caller)).await.ok()?;
        answer.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    #[tokio::test]
    async fn calls_that_come_while_one_is_under_way_go_together_and_each_gets_its_own_answer() {
        let batches = Arc::new(AtomicUsize::new(0));
        let gate = Arc::new(tokio::sync::Semaphore::new(0));
        let together = Together::new({
            let (batches, gate) = (batches.clone(), gate.clone());
            move |calls: Vec<usize>| {
                let (batches, gate) = (batches.clone(), gate.clone());
                async move {
                    batches.fetch_add(1, Ordering::Relaxed);
                    let _open = gate.acquire().await.expect("it stays open");
                    calls.into_iter().map(|n| (n != 13).then_some(n * 2)).collect()
                }
            }
        });
        let ask = |n| {
            let together = together.clone();
            tokio::spawn(async move { together.call(n).await })
        };
        let mut calls = vec![];
        // What comes first holds all lanes; the others collect behind it.
        for n in 0..LANES {
            calls.push(ask(n));
            while batches.load(Ordering::Relaxed) <= n {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        calls.extend((LANES..40).map(ask));
        gate.add_permits(LANES);
        for (n, call) in calls.into_iter().enumerate() {
            assert_eq!(call.await.expect("no panic"), (n != 13).then_some(n * 2));
        }
        assert!(batches.load(Ordering::Relaxed) <= 10, "{batches:?}");
    }
}
