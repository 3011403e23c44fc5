//! What one kind of job does, as the engine sees it.

use crate::context::JobContext;
use futures_util::future::BoxFuture;
use shared::job::{JobKind, JobState};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// The body of a kind of job. It may run twice for the same job (a worker died, a lease was lost): whatever it
/// writes to Postgres goes through [`JobContext::begin`], which makes the second run harmless.
pub trait JobBody: Send + Sync + 'static {
    fn kind(&self) -> JobKind;

    /// Longest time of one attempt. Then the body is told to stop, dropped if it goes on, and the attempt counts
    /// as failed.
    fn time_limit(&self) -> Duration;

    /// Must stop soon after [`JobContext::stopped`]; async parts are dropped a moment later, blocking parts
    /// have to look.
    fn run(self: Arc<Self>, context: JobContext) -> BoxFuture<'static, Result<Done, JobError>>;
}

/// A body that came to its end.
#[derive(Debug)]
pub enum Done {
    /// Release the lease as completed with this result.
    Result(serde_json::Value),
    /// The body has released it already, in the transaction that wrote its results
    /// ([`crate::context::FencedTx::complete`]).
    Released(JobState),
}

/// A body that did not, by what should happen next. The decision is made where the knowledge is.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// Something passing: try again after a backoff; counted.
    #[error("{says}")]
    Retry { says: String },
    /// Not now: try again after `wait`; not counted.
    #[error("{says}")]
    Snooze { wait: Duration, says: String },
    /// Trying again would fail again: the job is dead, and `says` tells its owner why.
    #[error("{says}")]
    Discard { says: String },
    /// The body noticed that it should stop and did; see [`crate::context::StopReason`].
    #[error("stopped")]
    Stopped,
}

impl JobError {
    /// A passing failure, with the whole chain of causes in one line.
    pub fn retry(doing: &str, error: &dyn std::error::Error) -> Self {
        Self::Retry { says: format!("{doing}: {}", shared::chain(error)) }
    }
}

impl From<shared::store::StoreError> for JobError {
    fn from(error: shared::store::StoreError) -> Self {
        // The owner of the job reads what a retry says; what the database said is for the operator.
        tracing::warn!(error = shared::chain(&error), "a body's statement failed");
        let says = error.to_string();
        if error.is_unavailable() { Self::Retry { says } } else { Self::Discard { says } }
    }
}

/// All bodies a worker has, by kind.
#[derive(Clone, Default)]
pub struct Bodies(HashMap<JobKind, Arc<dyn JobBody>>);

impl Bodies {
    pub fn with(mut self, body: impl JobBody) -> Self {
        self.0.insert(body.kind(), Arc::new(body));
        self
    }

    pub fn get(&self, kind: &JobKind) -> Option<Arc<dyn JobBody>> {
        self.0.get(kind).cloned()
    }
}
