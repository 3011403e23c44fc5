//! One run of the engine inside a job: progress goes out, the wish to stop comes in.

use crate::body::JobError;
use crate::context::JobContext;
use ::backup::engine::Run;
use ::backup::error::Error;
use shared::job::JobProgress;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// A run that a job watches.
pub struct Supervised {
    pub run: Run,
    context: JobContext,
    /// Bytes it will go through, as far as anybody knows; 0: nobody does.
    bytes_expected: u64,
}

const REPORT_PERIOD: Duration = Duration::from_millis(500);

impl Supervised {
    pub fn new(context: &JobContext, bytes_expected: u64) -> Self {
        Self { run: Run::new(CancellationToken::new()), context: context.clone(), bytes_expected }
    }

    /// Performs `work`, and reports how far it is. Told to stop, it ends by itself and cleans up: it runs in a task of
    /// its own, so that an attempt that is over does not cut it off in the middle.
    pub async fn perform<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        // Whoever drops this drops the wish for the result.
        let _stopping = self.run.stop.clone().drop_guard();
        let mut working = tokio::spawn(work.in_current_span());
        let mut percent: f32 = 0.0;
        loop {
            tokio::select! {
                done = &mut working => return match done {
                    Ok(done) => done,
                    Err(join) if join.is_panic() => std::panic::resume_unwind(join.into_panic()),
                    Err(_) => Err(Error::Stopped),
                },
                _ = self.context.stopped(), if !self.run.stop.is_cancelled() => self.run.stop.cancel(),
                () = tokio::time::sleep(REPORT_PERIOD) => {
                    percent = percent.max(self.percent());
                    self.context.progress(JobProgress {
                        phase: self.run.phase().to_owned(),
                        percent,
                        rows_done: 0,
                        rows_total: 0,
                    });
                }
            }
        }
    }

    /// Never all of it: that is for the end.
    fn percent(&self) -> f32 {
        match self.bytes_expected {
            0 => 0.0,
            expected => (self.run.bytes() as f64 / expected as f64 * 100.0).min(99.0) as f32,
        }
    }
}

/// What a failure of the engine means for its job. Refusals and wrong keys stay what they are until somebody changes
/// something; the rest may pass.
pub fn job_error(doing: &str, error: &Error) -> JobError {
    match error {
        Error::Stopped => JobError::Stopped,
        Error::Refused(_) | Error::Key(_) => {
            JobError::Discard { says: format!("{doing}: {}", shared::chain(error)) }
        }
        error => JobError::retry(doing, error),
    }
}
