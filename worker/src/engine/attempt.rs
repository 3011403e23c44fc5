//! One attempt: lease → acknowledge → run → release. The outermost layer around every body.

use super::figures::{BusySlot, Figures};
use super::leases::Leases;
use super::stuck::StuckWatch;
use super::together::Together;
use crate::body::{Done, JobError};
use crate::context::{JobContext, StopReason};
use apalis::prelude::BoxDynError;
use apalis_core::task::Task;
use futures_util::future::BoxFuture;
use rand::RngExt;
use shared::chain;
use shared::ids::JobId;
use shared::job::{JobState, Lease};
use shared::policy::Policies;
use shared::queue::Delivery;
use shared::store::jobs::{Finish, LeaseAnswer, ReleaseError, release, release_free};
use shared::store::{Store, StoreError};
use shared::telemetry::trace::TraceContext;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use tower::{Layer, Service};
use tracing::Instrument;

/// How long a body may take to notice that it should stop, before its future is dropped.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// What travels through apalis: a delivery on the way in, a leased job from this layer on.
pub(crate) struct Work {
    delivery: Option<Delivery>,
    pub(super) context: Option<JobContext>,
}

impl Work {
    pub(super) fn new(delivery: Delivery) -> Self {
        Self { delivery: Some(delivery), context: None }
    }
}

/// Where all attempts of a process ask for leases and give them back, together with whoever asks at the same time.
#[derive(Clone)]
pub(crate) struct Desk {
    leases: Together<JobId, Lease>,
    releases: Together<(Arc<Lease>, Finish), JobState>,
}

impl Desk {
    pub(super) fn new(store: &Store, worker: &str, lease_duration: Duration) -> Self {
        let (leasing, releasing, worker) = (store.clone(), store.clone(), worker.to_owned());
        Self {
            leases: Together::new(move |ids: Vec<JobId>| {
                let (store, worker) = (leasing.clone(), worker.clone());
                async move {
                    let asked = store.acquire_free(&ids, &worker, lease_duration);
                    let mut leases = within(lease_duration, asked).await;
                    ids.iter().map(|id| leases.remove(id)).collect()
                }
            }),
            releases: Together::new(move |ended: Vec<(Arc<Lease>, Finish)>| {
                let store = releasing.clone();
                async move {
                    let released = within(lease_duration, release_free(&store, &ended)).await;
                    ended.iter().map(|(lease, _)| released.get(&lease.job_id).copied()).collect()
                }
            }),
        }
    }
}

/// Nothing after an error, and over a connection that hangs: then each asks alone, and waits as long as it has to. What
/// was done all the same shows there: an outcome is found, a lease runs out.
async fn within<T: Default>(patience: Duration, asked: impl Future<Output = Result<T, StoreError>>) -> T {
    match tokio::time::timeout(patience, asked).await {
        Ok(Ok(answers)) => answers,
        Ok(Err(error)) => {
            tracing::debug!(error = %chain(&error), "not together");
            T::default()
        }
        Err(_) => T::default(),
    }
}

#[derive(Clone)]
pub(crate) struct AttemptLayer {
    pub(super) worker: Arc<str>,
    /// What doorbells come through, for spans.
    pub(super) system: &'static str,
    pub(super) store: Store,
    pub(super) desk: Desk,
    pub(super) leases: Leases,
    pub(super) lease_duration: Duration,
    pub(super) policies: Policies,
    pub(super) stuck: StuckWatch,
    pub(super) time_limit: Duration,
    pub(super) stop: CancellationToken,
    pub(super) figures: Arc<Figures>,
    pub(super) slots_busy: metrics::Gauge,
}

impl<S> Layer<S> for AttemptLayer {
    type Service = AttemptService<S>;

    fn layer(&self, inner: S) -> AttemptService<S> {
        AttemptService { inner, layer: self.clone() }
    }
}

#[derive(Clone)]
pub(crate) struct AttemptService<S> {
    inner: S,
    layer: AttemptLayer,
}

impl<S> Service<Task<Work>> for AttemptService<S>
where
    S: Service<Task<Work>, Response = Done> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxDynError> + Send,
{
    type Response = ();
    type Error = BoxDynError;
    type Future = BoxFuture<'static, Result<(), BoxDynError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxDynError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut task: Task<Work>) -> Self::Future {
        // The instance that was polled ready holds the permit: use that one, keep the fresh clone.
        let fresh = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, fresh);
        let layer = self.layer.clone();
        Box::pin(async move {
            let Some(delivery) = task.args.delivery.take() else { return Ok(()) };
            let (queue, sent_in) = (delivery.queue.clone(), delivery.trace);
            let (job_id, mut receipt, slot) = delivery.into_parts();
            let asked_at = Instant::now();
            let Some(answer) = layer.acquire(job_id).await else {
                // Leaving: somebody else gets the doorbell.
                receipt.give_back().await;
                return Ok(());
            };
            // After the lease and long before the end: a crash from here on is the rescuer's business, so the
            // broker's limit on unacknowledged messages never matters.
            receipt.ack_soon();
            let lease = match answer {
                LeaseAnswer::Leased(lease) => *lease,
                LeaseAnswer::Gone => {
                    metrics::counter!("counterfoil_doorbells_without_lease_total", "queue" => queue.to_string())
                        .increment(1);
                    return Ok(());
                }
                // Back in the outbox already: the relay rings again when it may run.
                LeaseAnswer::Hindered(hindrance) => {
                    metrics::counter!(
                        "counterfoil_leases_refused_total",
                        "queue" => queue.to_string(), "reason" => hindrance.as_str()
                    )
                    .increment(1);
                    return Ok(());
                }
            };
            let span = span_of(&lease, &layer.worker, layer.system, sent_in);
            let _busy = BusySlot::of(&layer.slots_busy);
            let context = JobContext::new(lease, layer.store.clone());
            task.args.context = Some(context.clone());
            let run = inner.call(task);
            layer.attempt(context, asked_at, run).instrument(span).await;
            drop(slot);
            Ok(())
        })
    }
}

/// Of the highest level, so that the ids stand in every line, whatever the filter lets through. A child of the span that
/// accepted the job, so that all attempts are in one trace; linked to the sending of the doorbell that began this one.
fn span_of(
    lease: &Lease,
    worker: &str,
    system: &'static str,
    sent_in: Option<TraceContext>,
) -> tracing::Span {
    let context = TraceContext::following(lease.trace);
    let [parent, link] = [lease.trace, sent_in].map(|trace| trace.map(TraceContext::to_bytes));
    tracing::error_span!(
        "attempt",
        job_id = %lease.job_id,
        kind = %lease.kind,
        attempt = lease.attempt,
        fence = lease.fence,
        request_id = lease.request_id.as_deref().unwrap_or(""),
        trace_id = %context.trace_id(),
        project_id = lease.project_id.map(tracing::field::display),
        worker,
        otel.with.messaging.system = system,
        otel.with.messaging.operation.name = "process",
        otel.with.messaging.operation.type = "process",
        otel.with.messaging.destination.name = lease.kind.as_str(),
        otel.name = format_args!("process {}", lease.kind),
        otel.kind = "consumer",
        otel.with.counterfoil.job.outcome = tracing::field::Empty,
        otel.context = &context.to_bytes()[..],
        otel.parent = parent.as_ref().map(|bytes| &bytes[..]),
        otel.link = link.as_ref().map(|bytes| &bytes[..]),
        otel.error = tracing::field::Empty,
    )
}

impl AttemptLayer {
    /// Waits for Postgres if it is away, holding this one doorbell. `None`: the worker stops. A job that Postgres refuses
    /// to lease keeps no slot: to this worker it is gone, and rung again in time.
    async fn acquire(&self, job_id: JobId) -> Option<LeaseAnswer> {
        if let Some(lease) = self.desk.leases.call(job_id).await {
            return Some(LeaseAnswer::Leased(Box::new(lease)));
        }
        let mut wait = Duration::from_millis(50);
        loop {
            match self.store.ask_for_lease(job_id, &self.worker, self.lease_duration).await {
                Ok(answer) => return Some(answer),
                Err(error) if !error.is_unavailable() => {
                    tracing::error!(%job_id, error = %chain(&error), "the job cannot be leased");
                    return Some(LeaseAnswer::Gone);
                }
                Err(error) => {
                    tracing::warn!(%job_id, error = %chain(&error), "could not ask for the lease");
                    tokio::select! {
                        () = self.stop.cancelled() => return None,
                        () = tokio::time::sleep(wait) => wait = (wait * 2).min(Duration::from_secs(5)),
                    }
                }
            }
        }
    }

    async fn attempt<E: Into<BoxDynError>>(
        &self,
        context: JobContext,
        acquired_at: Instant,
        run: impl Future<Output = Result<Done, E>>,
    ) {
        let lease = context.lease();
        let figures = Figures::of(&self.figures, &lease.kind);
        figures.started(lease.waited);
        let waited_ms = lease.waited.as_millis() as u64;
        tracing::debug!(waited_ms, "attempt started");
        let renewed = self.leases.hold(&context, acquired_at);
        let outcome = tokio::select! {
            outcome = run => outcome.map_err(Into::into),
            // Bodies stop by themselves when they notice; this is for those that do not look.
            () = self.until_out_of_grace(&context) => Err(JobError::Stopped.into()),
        };
        let ended = self.settle(&context, outcome).await;
        drop(renewed);
        self.stuck.attempt_ended(&context);
        let took = acquired_at.elapsed();
        figures.ended(ended, lease.attempt, took);
        // One line for each attempt: that it began is in its row.
        tracing::info!(outcome = ended, waited_ms, duration_s = took.as_secs_f64(), "attempt ended");
        tracing::Span::current().record("otel.with.counterfoil.job.outcome", ended);
    }

    /// Ends when a body that was told to stop, by whomever or for its time limit, has had its grace.
    async fn until_out_of_grace(&self, context: &JobContext) {
        tokio::select! {
            _ = context.stopped() => {}
            () = tokio::time::sleep(self.time_limit) => context.signals().stop(StopReason::TimeLimit),
        }
        tokio::time::sleep(STOP_GRACE).await;
    }

    /// Records how the attempt ended; returns the word for it.
    async fn settle(&self, context: &JobContext, outcome: Result<Done, BoxDynError>) -> &'static str {
        let finish = match outcome {
            Ok(Done::Released(state)) => return state.as_str(),
            Ok(Done::Result(result)) => Finish::Completed { result },
            Err(error) => match self.finish_failed(context, error) {
                Some(finish) => finish,
                None => return self.lease_lost(context).await,
            },
        };
        match &finish {
            Finish::Retry { error, .. } => tracing::warn!(error, "attempt failed"),
            Finish::Dead { error } => tracing::error!(error, "attempt failed for good"),
            _ => {}
        }
        if let Finish::Retry { error, .. } | Finish::Dead { error } = &finish {
            tracing::Span::current().record("otel.error", error);
        }
        self.release(context, &finish).await
    }

    /// What to record after a failure; `None`: nothing, the lease is not ours.
    fn finish_failed(&self, context: &JobContext, error: BoxDynError) -> Option<Finish> {
        let lease = context.lease();
        match context.stop_reason() {
            Some(StopReason::LeaseLost) => return None,
            Some(StopReason::CancelRequested) => return Some(Finish::Cancelled),
            Some(StopReason::WorkerStops) => return Some(Finish::HandedBack),
            Some(StopReason::TimeLimit) | None => {}
        }
        let retry = self.policies.of(&lease.kind).retry;
        let wait = retry.wait_after(lease.attempt, rand::rng().random::<f64>());
        if context.stop_reason() == Some(StopReason::TimeLimit) {
            let error = format!("took longer than its time limit of {:?}", self.time_limit);
            return Some(Finish::Retry { wait, error });
        }
        Some(match error.downcast::<JobError>() {
            Ok(error) => match *error {
                JobError::Retry { says } => Finish::Retry { wait, error: says },
                JobError::Snooze { wait, says } => Finish::Snooze { wait, reason: says },
                JobError::Discard { says } => Finish::Dead { error: says },
                JobError::Stopped => Finish::Retry { wait, error: "stopped without being told to".into() },
            },
            // From the layers.
            Err(error) => Finish::Retry { wait, error: chain(error.as_ref()) },
        })
    }

    /// Tries until Postgres has answered: while it is away the lease cannot move on either.
    async fn release(&self, context: &JobContext, finish: &Finish) -> &'static str {
        if let Some(state) = self.desk.releases.call((context.shared_lease(), finish.clone())).await {
            return word_for(state, finish);
        }
        let mut wait = Duration::from_millis(50);
        loop {
            match self.release_once(context, finish).await {
                Ok(state) => return word_for(state, finish),
                Err(ReleaseError::LeaseLost(_)) => return self.lease_lost(context).await,
                Err(ReleaseError::Store(error)) => {
                    tracing::warn!(error = %chain(&error), "could not record the outcome yet");
                    if !error.is_unavailable() {
                        // Postgres refuses what we want to record; the job must not hang on it. What exactly it said
                        // is in the log, where it can do no harm.
                        let dead = Finish::Dead { error: "the outcome could not be recorded".into() };
                        if self.release_once(context, &dead).await.is_ok() {
                            return "dead";
                        }
                    }
                    if context.stop_reason() == Some(StopReason::LeaseLost) {
                        return self.lease_lost(context).await;
                    }
                }
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(Duration::from_secs(5));
        }
    }

    async fn release_once(&self, context: &JobContext, finish: &Finish) -> Result<JobState, ReleaseError> {
        // One statement, which is a transaction of its own.
        let mut conn = self.store.pool().acquire().await.map_err(StoreError::from)?;
        release(&mut conn, context.lease(), finish).await
    }

    /// Tells a lost lease from a commit whose answer was lost: in the second case the outcome is there.
    async fn lease_lost(&self, context: &JobContext) -> &'static str {
        let lease = context.lease();
        let recorded = self.store.attempt_outcome(lease.job_id, lease.fence).await;
        if matches!(&recorded, Ok(Some(outcome)) if outcome == "completed") {
            tracing::info!("the outcome had been recorded, only the answer was lost");
            return "completed";
        }
        metrics::counter!("counterfoil_leases_lost_total").increment(1);
        tracing::warn!("the lease is lost; nothing of this attempt was kept");
        "lease_lost"
    }
}

/// How an attempt ended, for figures and logs.
fn word_for(state: JobState, finish: &Finish) -> &'static str {
    match (state, finish) {
        (JobState::Scheduled, Finish::Snooze { .. }) => "snoozed",
        (JobState::Scheduled, _) => "retried",
        (JobState::Available, _) => "handed_back",
        (state, _) => state.as_str(),
    }
}
