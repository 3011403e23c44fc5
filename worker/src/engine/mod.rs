//! The engine that runs any kind of job: apalis as a thin executor over a backend of our own.
//!
//! Layers, outermost first: [`attempt`] (lease, acknowledge, run within the time limit, release) → concurrency →
//! bodies as data → a thread and panic boundary per attempt, aborted when dropped → the body. The order is the
//! point: a time limit or lost lease must end the very thing that runs the body, and a panic must end only that.
//! (apalis' own `parallelize` and `catch_panic` do the same in two layers; composed, their types no longer are
//! `Send`. Its `timeout` drops without a word; ours tells the body first.)
//!
//! apalis would lose every attempt in flight on a backend error and hang on an ended one. So the backend's error
//! is `Infallible` (reconnecting is the queue's business) and it never ends before it is told to.

mod attempt;
mod backend;
mod figures;
mod heartbeat;
mod leases;
mod stuck;
mod tap;
mod together;

use crate::body::{Bodies, Done, JobError};
use crate::context::StopReason;
use apalis::layers::WorkerBuilderExt;
use apalis::prelude::{Data, WorkerBuilder};
use attempt::{AttemptLayer, Desk, Work};
use backend::QueueBackend;
use figures::Figures;
use leases::Leases;
use shared::job::JobKind;
use shared::policy::Policies;
use shared::queue::Queue;
use shared::store::Store;
use shared::store::workers::NewWorker;
use std::sync::Arc;
use std::time::Duration;
use stuck::StuckWatch;
use tap::Taps;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

/// How long handing back may take after the drain.
const HAND_BACK_PATIENCE: Duration = Duration::from_secs(10);

/// One worker process.
pub struct Engine {
    /// Unique per process; recorded with each lease.
    pub name: String,
    pub store: Store,
    pub queue: Queue,
    pub bodies: Bodies,
    /// Jobs at once per queue.
    pub concurrency: usize,
    pub lease_duration: Duration,
    /// How long running jobs may go on after the stop.
    pub drain: Duration,
    pub policies: Policies,
    /// How long blocking work may outlive its attempt before the worker gives itself up.
    pub stuck_after: Duration,
}

#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A way for notifications is configured so that it cannot work.
    #[error("a channel for notifications is not usable")]
    Channel(#[from] crate::channels::ChannelError),
    /// This version has no body for the kind: a worker that took its jobs could only give them back.
    #[error("no body for job kind {0}")]
    UnknownKind(JobKind),
    /// An executor ended although nobody told it to.
    #[error("the executor of queue {queue} ended: {says}")]
    ExecutorEnded { queue: String, says: String },
    /// A job's blocking work cannot be ended but with the process; see [`stuck`].
    #[error("blocking work of a job did not end; this process has to start anew")]
    Stuck,
}

impl Engine {
    /// Serves one queue per kind until `stop`, then drains.
    pub async fn run(self, kinds: &[JobKind], stop: CancellationToken) -> Result<(), EngineError> {
        for kind in kinds {
            if self.bodies.get(kind).is_none() {
                return Err(EngineError::UnknownKind(kind.clone()));
            }
        }
        let leases = Leases::new(self.store.clone(), self.lease_duration);
        let renewals_stop = CancellationToken::new();
        let renewing = tokio::spawn(leases.clone().keep_renewed(renewals_stop.clone()));
        let taps = Taps::new();
        let telling = tokio::spawn(heartbeat::keep_telling(
            self.store.clone(),
            self.as_new_worker(kinds),
            taps.clone(),
            stop.clone(),
            renewals_stop.clone(),
        ));

        let stuck = StuckWatch::new(self.stuck_after);
        let desk = Desk::new(&self.store, &self.name, self.lease_duration);
        let mut executors = JoinSet::new();
        for kind in kinds {
            executors.spawn(self.executor(kind, &desk, &leases, &stuck, &taps, stop.clone()));
        }
        tracing::info!(worker = %self.name, concurrency = self.concurrency, "worker serves {kinds:?}");
        let ended = self.supervise(executors, &leases, &stuck, &stop).await;
        // Only now: a lease must stay renewed while its job drains.
        renewals_stop.cancel();
        let _ = renewing.await;
        let _ = telling.await;
        tracing::info!(worker = %self.name, "worker stopped");
        ended
    }

    fn as_new_worker(&self, kinds: &[JobKind]) -> NewWorker {
        NewWorker {
            name: self.name.clone(),
            version: env!("CARGO_PKG_VERSION"),
            kinds: kinds.to_vec(),
            slots: u32::try_from(self.concurrency).unwrap_or(u32::MAX),
        }
    }

    /// Waits for the executors; after the drain time tells what still runs to hand back.
    async fn supervise(
        &self,
        mut executors: JoinSet<Result<(), EngineError>>,
        leases: &Leases,
        stuck: &StuckWatch,
        stop: &CancellationToken,
    ) -> Result<(), EngineError> {
        let deadline = async {
            stop.cancelled().await;
            tokio::time::sleep(self.drain).await;
        };
        let mut deadline = std::pin::pin!(deadline);
        let mut first_error = Ok(());
        let mut handing_back = false;
        // Postgres may be away while we leave. Leases that cannot be handed back expire by themselves.
        let patience = async {
            stop.cancelled().await;
            tokio::time::sleep(self.drain + HAND_BACK_PATIENCE).await;
        };
        let mut patience = std::pin::pin!(patience);
        loop {
            tokio::select! {
                ended = executors.join_next() => match ended {
                    None => return first_error,
                    Some(Ok(Ok(()))) => {}
                    Some(failed) => {
                        let error = match failed {
                            Ok(Err(error)) => error,
                            Err(join) => EngineError::ExecutorEnded { queue: "?".into(), says: join.to_string() },
                            Ok(Ok(())) => continue,
                        };
                        tracing::error!(%error, "stopping the worker");
                        first_error = first_error.and(Err(error));
                        stop.cancel();
                    }
                },
                () = stuck.found(), if first_error.is_ok() => {
                    first_error = Err(EngineError::Stuck);
                    stop.cancel();
                }
                () = &mut deadline, if !handing_back => {
                    handing_back = true;
                    leases.stop_all(StopReason::WorkerStops);
                }
                () = &mut patience => {
                    tracing::error!("jobs could not be handed back in time; their leases will expire");
                    return first_error;
                }
            }
        }
    }

    fn executor(
        &self,
        kind: &JobKind,
        desk: &Desk,
        leases: &Leases,
        stuck: &StuckWatch,
        taps: &Taps,
        stop: CancellationToken,
    ) -> impl Future<Output = Result<(), EngineError>> + Send + 'static {
        let queue = kind.queue();
        let slots = Arc::new(Semaphore::new(self.concurrency));
        metrics::gauge!("counterfoil_worker_slots", "queue" => queue.to_string())
            .set(self.concurrency as f64);
        let deliveries = taps.deliveries(self.queue.clone(), queue.clone(), slots, stop.clone());
        let layer = AttemptLayer {
            worker: self.name.clone().into(),
            system: self.queue.system(),
            store: self.store.clone(),
            desk: desk.clone(),
            leases: leases.clone(),
            lease_duration: self.lease_duration,
            policies: self.policies.clone(),
            stuck: stuck.clone(),
            time_limit: self.bodies.get(kind).map_or(Duration::MAX, |body| body.time_limit()),
            stop: stop.clone(),
            figures: Arc::new(Figures::new(kind)),
            slots_busy: metrics::gauge!("counterfoil_worker_slots_busy", "queue" => queue.to_string()),
        };
        let worker = WorkerBuilder::new(format!("{}/{queue}", self.name))
            .backend(QueueBackend::new(deliveries, layer))
            .concurrency(self.concurrency)
            .data(self.bodies.clone())
            .build(run_body);
        let told = stop.clone().cancelled_owned();
        async move {
            let signal = async move {
                told.await;
                Ok::<(), std::io::Error>(())
            };
            let ended = worker.run_until(signal).await;
            match ended {
                Ok(()) if stop.is_cancelled() => Ok(()),
                Ok(()) => {
                    Err(EngineError::ExecutorEnded { queue: queue.to_string(), says: "by itself".into() })
                }
                Err(error) => {
                    Err(EngineError::ExecutorEnded { queue: queue.to_string(), says: error.to_string() })
                }
            }
        }
    }
}

async fn run_body(work: Work, bodies: Data<Bodies>) -> Result<Done, apalis::prelude::BoxDynError> {
    let Some(context) = work.context else {
        return Err("an attempt reached its body without a lease".into());
    };
    let Some(body) = bodies.get(&context.lease().kind) else {
        // A newer version's job in a queue of ours: leave it to a worker that knows it.
        let says = format!("this worker knows no job kind {}", context.lease().kind);
        return Err(JobError::Snooze { wait: Duration::from_secs(30), says }.into());
    };
    // On a thread of its own, so that bodies of one queue run in parallel; behind a boundary, so that a panic ends
    // this attempt only. A plain `tokio::spawn` would detach: after a time-out the body would run on beside its
    // own retry.
    let running =
        AbortOnDropHandle::new(tokio::spawn(context.reach().around(body.run(context)).in_current_span()));
    match running.await {
        Ok(ended) => Ok(ended?),
        Err(join) if join.is_panic() => {
            Err(JobError::Retry { says: format!("panicked: {}", panic_message(join.into_panic().as_ref())) }
                .into())
        }
        Err(_) => Err(JobError::Stopped.into()),
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}
