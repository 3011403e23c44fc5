//! The clean-up job: what is past its retention goes, in small steps, until nothing is left to remove.
//!
//! Its deletes do not go through the context's transactions, unlike the writes of every other body: they look only at
//! the age of what is finished and are right whoever makes them, with a lease or without. The pruner of the scheduler
//! makes the same ones.

use crate::body::{Done, JobBody, JobError};
use crate::context::JobContext;
use futures_util::future::BoxFuture;
use shared::job::{JobKind, JobProgress};
use shared::store::clean_up::{CleanedUp, Retention};
use std::sync::Arc;
use std::time::Duration;

pub(super) struct CleanUp {
    pub retention: Retention,
    pub time_limit: Duration,
}

/// Rows removed in one statement: keeps transactions, and the locks they hold, short.
const BATCH: u32 = 1000;

impl JobBody for CleanUp {
    fn kind(&self) -> JobKind {
        JobKind::CLEAN_UP
    }

    fn time_limit(&self) -> Duration {
        self.time_limit
    }

    fn run(self: Arc<Self>, context: JobContext) -> BoxFuture<'static, Result<Done, JobError>> {
        Box::pin(async move {
            let mut total = CleanedUp::default();
            loop {
                if context.is_stopped() {
                    return Err(JobError::Stopped);
                }
                let removed = context.store().clean_up(&self.retention, BATCH).await?;
                if removed.is_empty() {
                    break;
                }
                total.add(removed);
                context.progress(JobProgress {
                    phase: "removing".into(),
                    // Nobody knows how much is left.
                    percent: 0.0,
                    rows_done: total.rows(),
                    rows_total: 0,
                });
            }
            let result = serde_json::to_value(&total).map_err(|error| JobError::retry("telling", &error))?;
            Ok(Done::Result(result))
        })
    }
}
