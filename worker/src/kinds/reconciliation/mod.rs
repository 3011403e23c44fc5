//! The reconciliation job: read both sides → match → write matches, exceptions, rejected lines and the summary in
//! the transaction that completes the job.

mod carry;
mod encode;
mod figures;
mod flow;
mod read;
mod rows;
mod write;

use crate::body::{Done, JobBody, JobError};
use crate::context::JobContext;
use carry::{Joined, Takeover};
use futures_util::future::BoxFuture;
use matching::{Outcome, Phase, ReconcileError, RuleSet, Watch};
use shared::job::{JobKind, JobProgress};
use shared::objects::Objects;
use shared::store::results::FirstSeen;
use sources::MemoryLimit;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

pub(super) struct Reconcile {
    pub objects: Objects,
    /// Of each reconciliation.
    pub memory_bytes: Option<u64>,
    /// For texts beyond it; the system's folder without one.
    pub temp_dir: Option<PathBuf>,
    pub time_limit: Duration,
}

/// Shares of the whole, for the progress bar: reading, then matching, the rest is writing. Measured on 100k
/// records a side, where matching and writing take about as long as each other.
const READ_PERCENT: f32 = 20.0;
const MATCHED_PERCENT: f32 = 60.0;

impl JobBody for Reconcile {
    fn kind(&self) -> JobKind {
        JobKind::RECONCILIATION
    }

    fn time_limit(&self) -> Duration {
        self.time_limit
    }

    fn run(self: Arc<Self>, context: JobContext) -> BoxFuture<'static, Result<Done, JobError>> {
        Box::pin(async move { self.reconcile(context).await })
    }
}

impl Reconcile {
    async fn reconcile(&self, context: JobContext) -> Result<Done, JobError> {
        let store = context.store();
        let job_id = context.lease().job_id;
        let asked = store.reconciliation(job_id).await?.ok_or_else(|| gone("the reconciliation"))?;
        let rules: RuleSet = serde_json::from_value(asked.rules.clone()).map_err(|error| {
            JobError::Discard { says: format!("the stored rule set is not readable: {error}") }
        })?;
        let left =
            store.source_to_read(asked.left_source_id).await?.ok_or_else(|| gone("the left data source"))?;
        let right = store
            .source_to_read(asked.right_source_id)
            .await?
            .ok_or_else(|| gone("the right data source"))?;

        // Blocking parts cannot be aborted. When this future is dropped (time limit, lost lease) they look here.
        let abandoned = CancellationToken::new();
        let _abandon = abandoned.clone().drop_guard();
        let bench = Bench { context: context.clone(), abandoned };

        let memory = MemoryLimit::new(self.memory_bytes, self.temp_dir.clone());
        let mut phase = figures::PhaseWatch::start();
        let read = {
            let (bench, objects, memory) = (bench.clone(), self.objects.clone(), memory.clone());
            let reading =
                context.blocking(move || read::both_sides(&bench, &objects, &memory, &left, &right));
            reading.instrument(tracing::info_span!("read")).await?
        };
        phase.ends("read");
        if asked.continues.is_some() {
            bench.report("reading open items", READ_PERCENT, 0, 0);
        }
        let load = Takeover::load(store, &asked, &read);
        let takeover = load.instrument(tracing::info_span!("take over")).await?;
        let here = FirstSeen { run: asked.chain_position, job_id, on: asked.created_at.date_naive() };
        let results = {
            let bench = bench.clone();
            context
                .blocking(move || {
                    let mut joined = takeover.join(read, &memory)?;
                    let mut outcome = match_sides(&bench, &memory, &joined, &rules)?;
                    joined.hold_back(&mut outcome)?;
                    check_balance(&outcome)?;
                    let open_items = flow::account(&joined, &outcome, here)?;
                    Ok(write::Results { joined, outcome, rules, open_items })
                })
                .instrument(tracing::info_span!("match"))
                .await?
        };
        phase.ends("match");
        bench.report("writing results", MATCHED_PERCENT, 0, results.outcome.matches.len() as u64);
        let (state, summary) =
            write::write(&bench, job_id, results).instrument(tracing::info_span!("write")).await?;
        phase.ends("write");
        figures::count(&summary);
        Ok(Done::Released(state))
    }
}

/// What the blocking parts need from their attempt.
#[derive(Clone)]
struct Bench {
    context: JobContext,
    abandoned: CancellationToken,
}

impl Bench {
    fn is_stopped(&self) -> bool {
        self.context.is_stopped() || self.abandoned.is_cancelled()
    }

    fn report(&self, phase: &str, percent: f32, rows_done: u64, rows_total: u64) {
        self.context.progress(JobProgress { phase: phase.into(), percent, rows_done, rows_total });
    }
}

fn match_sides(
    bench: &Bench,
    memory: &MemoryLimit,
    joined: &Joined,
    rules: &RuleSet,
) -> Result<Outcome, JobError> {
    let watch = Watch {
        cancelled: &|| bench.is_stopped(),
        progress: &|progress| {
            let phase = match &progress.phase {
                Phase::Prepare => "preparing".to_owned(),
                Phase::Pass { index, name } => format!("pass {}: {name}", index + 1),
                Phase::Explain => "explaining exceptions".to_owned(),
            };
            let percent = READ_PERCENT + (MATCHED_PERCENT - READ_PERCENT) * progress.fraction as f32;
            bench.report(&phase, percent, progress.rows_done, progress.rows_total);
        },
    };
    let (left, right) = (&joined.left.carried.records, &joined.right.carried.records);
    let working_set = memory.working_set(left.len() + right.len()).map_err(|error| {
        // The same with the next attempt.
        JobError::Discard { says: format!("{error}, more than worker.reconciliation_memory_mib allows") }
    })?;
    matching::reconcile_within(working_set, left, right, rules, watch).map_err(|error| match error {
        ReconcileError::Cancelled(_) => JobError::Stopped,
        // Checked at submission against the mappings; only a rule set stored by another version gets here.
        ReconcileError::InvalidRules(errors) => {
            let all: Vec<String> = errors.iter().map(|e| format!("{}: {}", e.at, e.says)).collect();
            JobError::Discard {
                says: format!("the rule set does not fit the data sources: {}", all.join("; ")),
            }
        }
    })
}

fn check_balance(outcome: &Outcome) -> Result<(), JobError> {
    for proof in &outcome.proof {
        if proof.residual() != 0 {
            let currency = proof.currency;
            let says = format!("the balance proof of {currency} does not close; nothing was written");
            return Err(JobError::Discard { says });
        }
    }
    Ok(())
}

fn gone(what: &str) -> JobError {
    JobError::Discard { says: format!("{what} of this job is gone") }
}
