//! What to do about the due times of one schedule: proposed here, performed by the store.

use super::{MissedRuns, TickOutcome, Timing};
use chrono::{DateTime, TimeDelta, Utc};

/// Up to this age a due time is on time and fires whatever the policy says: schedulers look once a second, and a
/// restart or a failover of the database may take some of this. Seconds.
pub const ON_TIME_S: i64 = 60;

/// Due times that one plan decides one by one, and hence jobs that it makes at most. What is older than the newest so
/// many is decided together, in one tick.
pub const LISTED_MAX: usize = 100;

/// What should happen now.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Oldest first; every due time from the schedule's next one through now is in exactly one.
    pub ticks: Vec<PlannedTick>,
    /// The first occurrence after now; `None`: never again.
    pub next_due_at: Option<DateTime<Utc>>,
}

/// One due time, or a stretch of them, and what becomes of it.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedTick {
    pub due_at: DateTime<Utc>,
    /// The tick stands for every due time from this one through `due_at`.
    pub covers_from: Option<DateTime<Utc>>,
    /// *Fired* asks for a job.
    pub outcome: TickOutcome,
    pub reason: Option<String>,
}

/// Plans everything from `next_due_at` through `now`; nothing when that lies ahead. `next_due_at` itself is due
/// whether or not the timing still names it: it was promised (perhaps by another version of the tz database).
pub fn plan(
    timing: &Timing,
    missed_runs: MissedRuns,
    is_paused: bool,
    next_due_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Plan {
    if next_due_at > now {
        return Plan { ticks: vec![], next_due_at: Some(next_due_at) };
    }
    let (earlier, listed) = due_times(timing, next_due_at, now);
    let mut ticks = decide(&listed, missed_runs, is_paused, now);
    if let Some(last) = earlier {
        let (outcome, reason) = match (is_paused, missed_runs) {
            (true, _) => (TickOutcome::SkippedPaused, "paused".to_owned()),
            (false, MissedRuns::Once) => (TickOutcome::Coalesced, "made up for by one later run".to_owned()),
            (false, MissedRuns::Skip) => {
                (TickOutcome::SkippedMissed, "missed; none is made up for".to_owned())
            }
            (false, MissedRuns::All) => {
                (TickOutcome::SkippedMissed, format!("missed; at most {LISTED_MAX} are made up for"))
            }
        };
        let covers_from = Some(next_due_at);
        ticks.insert(0, PlannedTick { due_at: last, covers_from, outcome, reason: Some(reason) });
    }
    Plan { ticks, next_due_at: timing.next_after(now) }
}

/// Due times through `now`, the newest [`LISTED_MAX`] one by one; and the last one before those, if there are more.
fn due_times(
    timing: &Timing,
    next_due_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> (Option<DateTime<Utc>>, Vec<DateTime<Utc>>) {
    let mut listed = vec![next_due_at];
    listed.extend(timing.after(next_due_at).take_while(|due| *due <= now).take(LISTED_MAX));
    if listed.len() <= LISTED_MAX {
        return (None, listed);
    }
    // More than one wants to count: from now backwards, then.
    let back = std::iter::successors(timing.last_before(now + TimeDelta::nanoseconds(1)), |due| {
        timing.last_before(*due)
    });
    let mut newest: Vec<_> = back.take(LISTED_MAX + 1).collect();
    let last_before = newest.pop().unwrap_or(next_due_at).max(next_due_at);
    newest.reverse();
    (Some(last_before), newest)
}

/// `due`: oldest first, not empty.
fn decide(
    due: &[DateTime<Utc>],
    missed_runs: MissedRuns,
    is_paused: bool,
    now: DateTime<Utc>,
) -> Vec<PlannedTick> {
    let newest = due[due.len() - 1];
    let is_late = |at: DateTime<Utc>| now - at > TimeDelta::seconds(ON_TIME_S);
    // What makes up for all that is late: a run that happens anyway, or the newest late one.
    let makes_up = due.iter().copied().find(|at| !is_late(*at)).unwrap_or(newest);
    let decide = |at: DateTime<Utc>| {
        use TickOutcome::*;
        let late = || format!("{} s late", (now - at).num_seconds());
        if is_paused {
            return (SkippedPaused, Some("paused".to_owned()));
        }
        if !is_late(at) {
            return (Fired, None);
        }
        match missed_runs {
            MissedRuns::Skip => (SkippedMissed, Some(format!("{}; none is made up for", late()))),
            MissedRuns::Once if at != makes_up => {
                (Coalesced, Some(format!("{}; made up for by the run due at {makes_up:?}", late())))
            }
            MissedRuns::Once | MissedRuns::All => (Fired, Some(late())),
        }
    };
    due.iter()
        .map(|&due_at| {
            let (outcome, reason) = decide(due_at);
            PlannedTick { due_at, covers_from: None, outcome, reason }
        })
        .collect()
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
