//! Refusing new jobs before they pile up: for one project, for all, or because the relay is far behind.
//!
//! Counting reads the backlog, so it is done now and then and its answer is used in between, with what this
//! process has let in since. Several processes may together let in what each does within one such pause: the
//! bounds are there against growth without end, not to be met to the job.

use crate::problem::{Problem, ProblemKind};
use shared::config::Backlog;
use shared::ids::ProjectId;
use shared::store::{Store, StoreError};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

#[derive(Clone)]
pub(crate) struct Admission(Arc<Inner>);

struct Inner {
    store: Store,
    bounds: Backlog,
    counted: Mutex<Option<Counted>>,
    is_counting: AtomicBool,
}

struct Counted {
    at: Instant,
    /// How long counting took: the longer, the less often it is done.
    took: Duration,
    jobs: u64,
    by_project: HashMap<Option<ProjectId>, u64>,
    lag_s: f64,
}

/// Shortest pause between two counts, and how many times longer than the last count it is.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_FACTOR: u32 = 20;

impl Admission {
    pub fn new(store: Store, bounds: Backlog) -> Self {
        metrics::gauge!("counterfoil_backlog_jobs_max").set(bounds.jobs_max as f64);
        metrics::gauge!("counterfoil_dispatch_lag_max_seconds").set(bounds.lag_s_max as f64);
        Self(Arc::new(Inner {
            store,
            bounds,
            counted: Mutex::default(),
            is_counting: AtomicBool::new(false),
        }))
    }

    /// Whether so many more jobs of the project may be accepted, all or none. To be asked right before they are.
    pub async fn admit(&self, project_id: ProjectId, jobs: u64) -> Result<(), Problem> {
        if self.0.lock().is_none() {
            self.0.count().await?;
        }
        self.count_if_old();
        let mut counted = self.0.lock();
        let Some(counted) = counted.as_mut() else { return Ok(()) };
        let of_project = counted.by_project.entry(Some(project_id)).or_default();
        let refused = if *of_project + jobs > self.0.bounds.project_jobs_max {
            let max = self.0.bounds.project_jobs_max;
            let says = format!("The project may have {max} waiting jobs; submit again when some have run");
            Some(("project", Problem::new(ProblemKind::TooManyJobs, says)))
        } else if counted.jobs + jobs > self.0.bounds.jobs_max {
            Some(("all", Problem::new(ProblemKind::Overloaded, "Too many jobs wait; submit again later")))
        } else if counted.lag_s > self.0.bounds.lag_s_max as f64 {
            let says = "Accepted jobs are not being started at the moment; submit again later";
            Some(("lag", Problem::new(ProblemKind::Overloaded, says)))
        } else {
            None
        };
        if let Some((bound, problem)) = refused {
            metrics::counter!("counterfoil_submissions_refused_total", "bound" => bound).increment(1);
            return Err(problem);
        }
        *of_project += jobs;
        counted.jobs += jobs;
        Ok(())
    }

    /// Nobody waits for a count but the very first asker.
    fn count_if_old(&self) {
        let is_old = self
            .0
            .lock()
            .as_ref()
            .is_some_and(|counted| counted.at.elapsed() > PAUSE_MIN.max(counted.took * PAUSE_FACTOR));
        if is_old && !self.0.is_counting.swap(true, Ordering::AcqRel) {
            let inner = self.0.clone();
            tokio::spawn(async move {
                if let Err(error) = inner.count().await {
                    tracing::warn!(error = shared::chain(&error), "could not count the backlog");
                }
                inner.is_counting.store(false, Ordering::Release);
            });
        }
    }
}

impl Inner {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Counted>> {
        self.counted.lock().unwrap_or_else(|error| error.into_inner())
    }

    async fn count(&self) -> Result<(), StoreError> {
        let at = Instant::now();
        let by_project = self.store.backlog().await?;
        let lag_s = self.store.dispatch_lag_s().await?;
        let jobs = by_project.values().sum();
        *self.lock() = Some(Counted { at, took: at.elapsed(), jobs, by_project, lag_s });
        Ok(())
    }
}
