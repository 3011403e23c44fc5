//! What a job's body may touch: its args, its progress, its stop signal, and transactions that die with its
//! lease.

use crate::body::JobError;
use shared::job::{JobProgress, JobState, Lease};
use shared::store::Store;
use shared::store::jobs::{self, Finish, ReleaseError};
use shared::store::reach::Reach;
use sqlx::{PgConnection, Postgres, Transaction};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;

/// Why a running body should stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// Somebody asked for the job to be cancelled.
    CancelRequested,
    /// Another worker has the job, or we could not renew in time: nothing can be recorded any more.
    LeaseLost,
    /// The worker is leaving; another one starts over.
    WorkerStops,
    /// The attempt took as long as its kind may.
    TimeLimit,
}

/// One attempt's way to the outside. Clones are the same attempt.
#[derive(Clone)]
pub struct JobContext {
    lease: Arc<Lease>,
    /// As the job's project sees it.
    store: Store,
    system: Store,
    signals: Arc<Signals>,
}

#[derive(Default)]
pub(crate) struct Signals {
    stop: CancellationToken,
    reason: OnceLock<StopReason>,
    /// Written at any rate, read with each renewal.
    progress: Mutex<Option<JobProgress>>,
    /// Held by the attempt's one open transaction.
    writing: Arc<tokio::sync::Mutex<()>>,
    /// Calls of [`JobContext::blocking`] that have not returned.
    blocking: AtomicUsize,
}

impl Signals {
    /// The first reason stays.
    pub(crate) fn stop(&self, reason: StopReason) {
        let _ = self.reason.set(reason);
        self.stop.cancel();
    }

    pub(crate) fn take_progress(&self) -> Option<JobProgress> {
        self.progress.lock().unwrap_or_else(|e| e.into_inner()).take()
    }
}

impl JobContext {
    pub(crate) fn new(lease: Lease, store: Store) -> Self {
        let tenants = store.for_tenants();
        Self { lease: Arc::new(lease), store: tenants, system: store, signals: Arc::default() }
    }

    /// What a body may see: its project, and everything for jobs of the system itself.
    pub(crate) fn reach(&self) -> Reach {
        match self.lease.project_id {
            Some(project) => Reach::Project { project, job: Some(self.lease.job_id) },
            None => Reach::System("a job of the system"),
        }
    }

    pub(crate) fn signals(&self) -> &Arc<Signals> {
        &self.signals
    }

    pub fn lease(&self) -> &Lease {
        &self.lease
    }

    pub(crate) fn shared_lease(&self) -> Arc<Lease> {
        self.lease.clone()
    }

    /// For reading. Writes belong into [`Self::begin`].
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Publishes how far the attempt is; cheap, the last one within a second wins.
    pub fn progress(&self, progress: JobProgress) {
        *self.signals.progress.lock().unwrap_or_else(|e| e.into_inner()) = Some(progress);
    }

    /// Whether the body should stop. Cheap enough for inner loops.
    pub fn is_stopped(&self) -> bool {
        self.signals.stop.is_cancelled()
    }

    /// Waits until the body should stop.
    pub async fn stopped(&self) -> StopReason {
        self.signals.stop.cancelled().await;
        self.stop_reason().expect("a reason is set before the signal")
    }

    pub fn stop_reason(&self) -> Option<StopReason> {
        self.signals.reason.get().copied()
    }

    /// Runs `work` where blocking is allowed. A panic in there ends this attempt like one in the body.
    ///
    /// It cannot be dropped: it has to look whether it should stop ([`Self::is_stopped`], or that its caller was
    /// dropped). Work that never does costs this worker its life, see `engine::stuck`.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, JobError> + Send + 'static,
    ) -> Result<T, JobError> {
        self.signals.blocking.fetch_add(1, Ordering::AcqRel);
        let part = BlockingPart(self.signals.clone());
        let running = tokio::task::spawn_blocking(move || {
            let _part = part;
            work()
        });
        match running.await {
            Ok(done) => done,
            Err(join) if join.is_panic() => std::panic::resume_unwind(join.into_panic()),
            Err(join) => Err(JobError::Retry { says: shared::chain(&join) }),
        }
    }

    /// Calls of [`Self::blocking`] that have not returned.
    pub(crate) fn blocking_parts(&self) -> usize {
        self.signals.blocking.load(Ordering::Acquire)
    }

    /// A transaction whose commit is refused when the lease is lost by then, and which nobody else's of this job
    /// can hold up ([`jobs::become_writer`]). One at a time: a second call waits for the first to end.
    pub async fn begin(&self) -> Result<FencedTx, JobError> {
        let turn = self.signals.writing.clone().lock_owned().await;
        let mut tx = self.reach().around(self.store.begin()).await?;
        jobs::become_writer(&mut tx, &self.system, &self.lease).await.map_err(|e| self.refused(e))?;
        Ok(FencedTx { tx, context: self.clone(), _turn: turn })
    }
}

/// Counts while it lives.
struct BlockingPart(Arc<Signals>);

impl Drop for BlockingPart {
    fn drop(&mut self) {
        self.0.blocking.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A transaction of a job's body. Rolls back unless it ends with [`Self::complete`] or [`Self::commit`], which
/// check that the lease is still ours.
///
/// The check comes last and not first: a lock on the job's row from the start would hold up the renewals that
/// keep the lease alive.
pub struct FencedTx {
    tx: Transaction<'static, Postgres>,
    context: JobContext,
    _turn: OwnedMutexGuard<()>,
}

impl FencedTx {
    pub fn connection(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    /// Commits what was written so far; the job goes on.
    pub async fn commit(mut self) -> Result<(), JobError> {
        jobs::confirm(&mut self.tx, self.context.lease()).await.map_err(|e| self.context.refused(e))?;
        self.tx.commit().await.map_err(shared::store::StoreError::from)?;
        Ok(())
    }

    /// Commits results and the completed job together: both are there, or neither.
    pub async fn complete(mut self, result: serde_json::Value) -> Result<JobState, JobError> {
        let finish = Finish::Completed { result };
        let state = jobs::release(&mut self.tx, self.context.lease(), &finish)
            .await
            .map_err(|e| self.context.refused(e))?;
        self.tx.commit().await.map_err(shared::store::StoreError::from)?;
        Ok(state)
    }
}

impl JobContext {
    fn refused(&self, error: ReleaseError) -> JobError {
        match error {
            ReleaseError::LeaseLost(_) => {
                self.signals.stop(StopReason::LeaseLost);
                JobError::Stopped
            }
            ReleaseError::Store(error) => error.into(),
        }
    }
}
