//! A body that does what its args say.

use futures_util::future::BoxFuture;
use shared::job::JobKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};
use worker::body::{Done, JobBody, JobError};
use worker::context::JobContext;

/// What a test sees of the bodies, and how it lets them go.
#[derive(Clone)]
pub struct Probe(Arc<Inside>);

struct Inside {
    running: AtomicUsize,
    running_max: AtomicUsize,
    started: Notify,
    /// Bodies that hold wait for a permit each.
    gate: Semaphore,
    dropped_midway: AtomicUsize,
    /// Ends loops that listen to nothing else.
    freed: AtomicBool,
}

impl Default for Probe {
    fn default() -> Self {
        Self(Arc::new(Inside {
            running: AtomicUsize::new(0),
            running_max: AtomicUsize::new(0),
            started: Notify::new(),
            gate: Semaphore::new(0),
            dropped_midway: AtomicUsize::new(0),
            freed: AtomicBool::new(false),
        }))
    }
}

impl Probe {
    pub fn running(&self) -> usize {
        self.0.running.load(Ordering::SeqCst)
    }

    pub fn running_max(&self) -> usize {
        self.0.running_max.load(Ordering::SeqCst)
    }

    pub fn dropped_midway(&self) -> usize {
        self.0.dropped_midway.load(Ordering::SeqCst)
    }

    /// Waits until that many bodies run at once.
    pub async fn until_running(&self, count: usize) {
        let reached = async {
            loop {
                let started = self.0.started.notified();
                if self.running() >= count {
                    return;
                }
                started.await;
            }
        };
        tokio::time::timeout(super::PATIENCE, reached).await.expect("the bodies start");
    }

    pub fn let_go(&self, count: usize) {
        self.0.gate.add_permits(count);
    }

    pub fn free_the_loops(&self) {
        self.0.freed.store(true, Ordering::SeqCst);
    }

    fn enter(&self) -> Inner {
        let running = self.0.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.running_max.fetch_max(running, Ordering::SeqCst);
        self.0.started.notify_waiters();
        Inner { probe: self.clone(), ended: false }
    }
}

struct Inner {
    probe: Probe,
    ended: bool,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.probe.0.running.fetch_sub(1, Ordering::SeqCst);
        if !self.ended {
            self.probe.0.dropped_midway.fetch_add(1, Ordering::SeqCst);
        }
    }
}

pub struct TestBody {
    pub probe: Probe,
    pub time_limit: Duration,
}

impl JobBody for TestBody {
    fn kind(&self) -> JobKind {
        super::KIND
    }

    fn time_limit(&self) -> Duration {
        self.time_limit
    }

    fn run(self: Arc<Self>, context: JobContext) -> BoxFuture<'static, Result<Done, JobError>> {
        Box::pin(async move {
            let mut inner = self.probe.enter();
            let ended = self.behave(&context).await;
            inner.ended = true;
            ended
        })
    }
}

impl TestBody {
    async fn behave(&self, context: &JobContext) -> Result<Done, JobError> {
        let behaviour = context.lease().args["behaviour"].as_str().unwrap_or_default().to_owned();
        let first = context.lease().attempt == 1;
        let done = || Done::Result(serde_json::json!({ "attempt": context.lease().attempt }));
        match behaviour.as_str() {
            "succeeds" => Ok(done()),
            "fails once" if first => Err(JobError::Retry { says: "the first time fails".into() }),
            "fails always" => Err(JobError::Retry { says: "fails always".into() }),
            "panics once" if first => panic!("a bug of attempt {}", context.lease().attempt),
            "snoozes once" if context.lease().fence == 1 => {
                Err(JobError::Snooze { wait: Duration::from_millis(20), says: "too early".into() })
            }
            "hopeless" => Err(JobError::Discard { says: "never works".into() }),
            "hangs once" if first => std::future::pending().await,
            "holds" => {
                tokio::select! {
                    permit = self.probe.0.gate.acquire() => permit.expect("never closed").forget(),
                    _ = context.stopped() => return Err(JobError::Stopped),
                }
                Ok(done())
            }
            "holds deaf" => {
                self.probe.0.gate.acquire().await.expect("never closed").forget();
                Ok(done())
            }
            "writes" => {
                let mut tx = context.begin().await?;
                sqlx::query("INSERT INTO written (job_id, fence) VALUES ($1, $2)")
                    .bind(context.lease().job_id)
                    .bind(context.lease().fence)
                    .execute(tx.connection())
                    .await
                    .map_err(shared::store::StoreError::from)?;
                // The lease may be lost while it holds here.
                self.probe.0.gate.acquire().await.expect("never closed").forget();
                Ok(Done::Released(tx.complete(serde_json::json!({})).await?))
            }
            "loops deaf" => {
                let probe = self.probe.clone();
                context
                    .blocking(move || {
                        while !probe.0.freed.load(Ordering::SeqCst) {
                            std::thread::sleep(Duration::from_millis(5));
                        }
                        Ok(())
                    })
                    .await?;
                Ok(done())
            }
            "unstorable" => Ok(Done::Result(serde_json::json!({ "text": "\u{0}" }))),
            _ => Ok(done()),
        }
    }
}
