//! The frame of every background loop: period, wake-up, stop, metric, and a panic that does not end it.

use futures_util::FutureExt;
use shared::store::StoreError;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Longest pause after failures: jobs wait this long after an outage.
const FAILURE_PAUSE_MAX: Duration = Duration::from_secs(5);

/// A connection that is silently gone must not hold a loop up for as long as the kernel hopes for it.
const ROUND_MAX: Duration = Duration::from_secs(120);

pub(crate) struct Background {
    pub name: &'static str,
    pub period: Duration,
    /// Starts the next round early.
    pub wake: Arc<Notify>,
    pub stop: CancellationToken,
}

/// What a round found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Round {
    /// All that is due is done.
    Idle,
    /// There may be more: go on at once.
    More,
}

/// Why a round failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RoundError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Ticker(#[from] crate::ticker::TickerError),
    #[error("the queue did not take the doorbells")]
    Queue(#[from] shared::queue::QueueError),
    #[error("the round took longer than {ROUND_MAX:?}")]
    TimedOut,
}

impl Background {
    pub(crate) async fn run<F, Fut>(self, mut round: F)
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<Round, RoundError>>,
    {
        let mut pause = self.period;
        // A broken dependency is reported once, not with every round.
        let mut failing = false;
        loop {
            let bounded = tokio::time::timeout(ROUND_MAX, AssertUnwindSafe(round()).catch_unwind()).await;
            let ended = bounded.unwrap_or(Ok(Err(RoundError::TimedOut)));
            let outcome = match &ended {
                Ok(Ok(_)) => "ok",
                Ok(Err(_)) => "failed",
                Err(_) => "panicked",
            };
            metrics::counter!("counterfoil_loop_runs_total", "loop" => self.name, "outcome" => outcome)
                .increment(1);
            match ended {
                Ok(Ok(found)) => {
                    if std::mem::take(&mut failing) {
                        tracing::info!(r#loop = self.name, "background loop works again");
                    }
                    let now = std::time::SystemTime::now()
                        .duration_since(std::time::UNIX_EPOCH)
                        .unwrap_or_default();
                    metrics::gauge!("counterfoil_loop_last_success_timestamp_seconds", "loop" => self.name)
                        .set(now.as_secs_f64());
                    pause = if found == Round::More { Duration::ZERO } else { self.period };
                }
                Ok(Err(error)) => {
                    if !std::mem::replace(&mut failing, true) {
                        let error = shared::chain(&error);
                        tracing::warn!(r#loop = self.name, error, "background loop failed, goes on trying");
                    }
                    pause = (pause.max(self.period) * 2).min(FAILURE_PAUSE_MAX.max(self.period));
                }
                Err(_) => pause = self.period.max(Duration::from_secs(1)),
            }
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                () = self.wake.notified(), if !failing => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
}
