//! What is kept and what may go: planned by a pure function, with a reason for every backup; shown, then performed.

use chrono::{DateTime, Datelike, Duration, Utc};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// How long backups are kept. A backup stays as long as any of the rules wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Everything that is not older stays; 1 to 36500 days.
    pub days: u32,
    /// The newest good backup of each of the last so many days (weeks from Monday, months, years) that have one; in
    /// UTC.
    pub daily: u32,
    pub weekly: u32,
    pub monthly: u32,
    pub yearly: u32,
}

impl From<shared::config::BackupRetention> for Policy {
    fn from(of: shared::config::BackupRetention) -> Self {
        let shared::config::BackupRetention { days, daily, weekly, monthly, yearly } = of;
        Self { days, daily, weekly, monthly, yearly }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self { days: 90, daily: 7, weekly: 4, monthly: 12, yearly: 5 }
    }
}

/// What retention must know of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub id: Uuid,
    /// Backups of one line replace one another: the same kind of backup of the same tenants.
    pub line: String,
    pub taken_at: DateTime<Utc>,
    pub condition: Condition,
    /// A person said that it stays.
    pub protected: bool,
    /// Restoring this one needs that one.
    pub needs: Option<Uuid>,
    /// The first WAL segment that restoring needs, and all after it.
    pub wal_from: Option<Segment>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Complete; the last verification found nothing.
    Good,
    /// Complete in no store, or a verification found damage that no store could heal.
    Bad,
    /// Still being taken.
    Running,
}

/// A WAL segment: timeline, and number within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Segment {
    pub timeline: u32,
    pub number: u64,
}

/// Why a backup stays.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Not older than the policy's days.
    Recent,
    Daily,
    Weekly,
    Monthly,
    Yearly,
    /// The last good one of its line: it stays however old it is.
    LastGood,
    Protected,
    /// A kept backup cannot be restored without it.
    NeededBy(Uuid),
    Running,
}

/// What would be done, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// By time, newest first.
    pub kept: Vec<(Uuid, BTreeSet<Reason>)>,
    /// By time, oldest first: the order in which to remove. Nothing that is kept needs any of them.
    pub removed: Vec<Uuid>,
    /// The first segment that any kept backup begins with, by timeline and then by number: what comes before it may go,
    /// everything from there on stays. `None` while no backup needs WAL: then nobody knows, and all of it stays.
    ///
    /// One bound is enough over all timelines, whatever the switches between them: recovery goes on from a backup's own
    /// timeline only to those that branched off after it, which PostgreSQL gives higher numbers than any it has seen,
    /// and there it begins with the segment in which they branched off. So nothing it asks for comes before where the
    /// backup begins. What no kept backup needs may stay as well (a timeline that was left, a hole between two that are
    /// kept); a bound for each timeline would save that and would have to trust that every history is still there.
    pub wal_from: Option<Segment>,
}

/// Decides over all backups at once. Damaged ones never stand for a day, week, month or year, and go when nothing
/// else wants them; a clock that runs ahead (backups from the future) keeps rather than removes. Cost: n log n.
pub fn plan(backups: &[Kept], policy: &Policy, now: DateTime<Utc>) -> Plan {
    let mut reasons: HashMap<Uuid, BTreeSet<Reason>> =
        backups.iter().map(|backup| (backup.id, BTreeSet::new())).collect();
    let mut keep = |id: Uuid, reason: Reason| {
        reasons.entry(id).or_default().insert(reason);
    };
    let mut lines = BTreeMap::<&str, Vec<&Kept>>::new();
    for backup in backups {
        if backup.taken_at >= now - Duration::days(i64::from(policy.days)) {
            keep(backup.id, Reason::Recent);
        }
        if backup.protected {
            keep(backup.id, Reason::Protected);
        }
        if backup.condition == Condition::Running {
            keep(backup.id, Reason::Running);
        }
        lines.entry(&backup.line).or_default().push(backup);
    }
    for line in lines.values_mut() {
        line.retain(|backup| backup.condition == Condition::Good);
        // Newest first; equal times by id, so that the plan does not depend on the order of the list.
        line.sort_unstable_by_key(|backup| std::cmp::Reverse((backup.taken_at, backup.id)));
        if let Some(last) = line.first() {
            keep(last.id, Reason::LastGood);
        }
        for (reason, count, period) in periods(policy) {
            let mut seen = BTreeSet::new();
            for backup in line.iter() {
                let of = period(backup.taken_at);
                if seen.contains(&of) {
                    continue;
                }
                if seen.len() == count as usize {
                    break;
                }
                seen.insert(of);
                keep(backup.id, reason.clone());
            }
        }
    }
    keep_what_is_needed(backups, &mut reasons);

    let mut ordered: Vec<&Kept> = backups.iter().collect();
    ordered.sort_unstable_by_key(|backup| std::cmp::Reverse((backup.taken_at, backup.id)));
    let (kept, removed): (Vec<&Kept>, Vec<&Kept>) =
        ordered.into_iter().partition(|backup| !reasons[&backup.id].is_empty());
    Plan {
        wal_from: kept.iter().filter_map(|backup| backup.wal_from).min(),
        kept: kept
            .into_iter()
            .map(|backup| (backup.id, reasons.remove(&backup.id).unwrap_or_default()))
            .collect(),
        removed: removed.into_iter().rev().map(|backup| backup.id).collect(),
    }
}

type Period = fn(DateTime<Utc>) -> (i32, u32);

fn periods(policy: &Policy) -> [(Reason, u32, Period); 4] {
    [
        (Reason::Daily, policy.daily, |at| (at.year(), at.ordinal())),
        (Reason::Weekly, policy.weekly, |at| (at.iso_week().year(), at.iso_week().week())),
        (Reason::Monthly, policy.monthly, |at| (at.year(), at.month())),
        (Reason::Yearly, policy.yearly, |at| (at.year(), 0)),
    ]
}

/// A chain is kept down to its first link.
fn keep_what_is_needed(backups: &[Kept], reasons: &mut HashMap<Uuid, BTreeSet<Reason>>) {
    let needs: HashMap<Uuid, Uuid> =
        backups.iter().filter_map(|backup| Some((backup.id, backup.needs?))).collect();
    let wanted: Vec<Uuid> =
        backups.iter().map(|backup| backup.id).filter(|id| !reasons[id].is_empty()).collect();
    for id in wanted {
        let mut at = id;
        // A backup that needs itself by a detour is damage: walking on would not end.
        for _ in 0..backups.len() {
            let Some(needed) = needs.get(&at) else { break };
            let Some(of) = reasons.get_mut(needed) else { break };
            of.insert(Reason::NeededBy(id));
            at = *needed;
        }
    }
}

#[cfg(test)]
mod tests;
