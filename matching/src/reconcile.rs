//! The whole run: passes in their order, then a reason for every record that is left, then the proof.

use crate::netting::NettingPlan;
use crate::plan::Plan;
use crate::run::Run;
use crate::{Cancelled, Outcome, Records, RuleError, RuleSet, Watch};

/// Why there is no outcome. Nothing was kept in either case.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReconcileError {
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// Every mistake of the rules, as [`RuleSet::check`] lists them.
    #[error("the rules cannot be run: {}", list(.0))]
    InvalidRules(Vec<RuleError>),
}

fn list(errors: &[RuleError]) -> String {
    errors.iter().map(|e| format!("{} {}", e.at, e.says)).collect::<Vec<_>>().join("; ")
}

/// Reconciles two sides by the rules.
///
/// Runs on the current rayon pool. The outcome is the same for any number of threads, and for any order of
/// the records except that it speaks of rows: ties between records that only differ in their id are broken
/// by the id. Every record ends in exactly one match or exception, and every proof's residual is 0.
///
/// Memory: about 12 bytes per candidate pair (at most 32 million) and 100 per text compared, besides the
/// records and the outcome.
pub fn reconcile(
    left: &Records,
    right: &Records,
    rules: &RuleSet,
    watch: Watch<'_>,
) -> Result<Outcome, ReconcileError> {
    reconcile_within(WorkingSet::default(), left, right, rules, watch)
}

/// How much memory a run may use for what it throws away again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkingSet {
    /// Bytes of the keys that one pass joins at a time, about. With fewer, a pass goes over the records several
    /// times and joins a part of the keys each time: slower, with the same outcome.
    pub keys_bytes_max: u64,
}

impl Default for WorkingSet {
    /// No bound.
    fn default() -> Self {
        WorkingSet { keys_bytes_max: u64::MAX }
    }
}

/// As [`reconcile`], within a bound of memory.
pub fn reconcile_within(
    working_set: WorkingSet,
    left: &Records,
    right: &Records,
    rules: &RuleSet,
    watch: Watch<'_>,
) -> Result<Outcome, ReconcileError> {
    let errors = rules.check(Some(left.field_names()), Some(right.field_names()));
    if !errors.is_empty() {
        return Err(ReconcileError::InvalidRules(errors));
    }
    let plans = Plan::for_all(rules, left, right, watch).zip(NettingPlan::for_all(rules, left, right));
    watch.check()?;
    // Checked rules always have a plan; were it not so, an error is better than a panic.
    let (plans, netting) = plans.ok_or_else(|| {
        let says = "could not be made ready".to_owned();
        ReconcileError::InvalidRules(vec![RuleError { at: "pass".into(), says }])
    })?;
    let run = Run::begin(left, right, rules, (&plans, &netting), watch)?;
    Ok(run.within(working_set).complete()?)
}
