//! The schedules that come with the product.
//!
//! Each is stored once, by the first scheduler that knows it (see `Store::offer_shipped_schedules`). From then on it is
//! the operator's: changes are never overwritten, and a removed one stays removed, since what was offered is remembered
//! by its key.

use super::MissedRuns;
use crate::job::JobKind;

/// A schedule as shipped: a schedule of the system, without args, in UTC.
#[derive(Debug)]
pub struct Shipped {
    /// What it is remembered by; never reused for another.
    pub key: &'static str,
    /// What people see; theirs to change.
    pub name: &'static str,
    /// In [`super::kinds::ALL`], with scope *system*.
    pub kind: JobKind,
    pub cron: &'static str,
    pub missed_runs: MissedRuns,
}

/// All of them. A kind that arrives with a later version brings its line along.
pub static ALL: [Shipped; 1] = [Shipped {
    key: "daily_clean_up",
    name: "Daily clean-up",
    kind: JobKind::CLEAN_UP,
    cron: "0 4 * * *",
    missed_runs: MissedRuns::Once,
}];

#[cfg(test)]
mod tests {
    use super::super::{Scope, Timing, kinds};
    use super::*;

    #[test]
    fn every_shipped_schedule_can_be_stored_and_comes_due() {
        let mut keys: Vec<_> = ALL.iter().map(|shipped| shipped.key).collect();
        keys.dedup();
        assert_eq!(keys.len(), ALL.len());
        for shipped in &ALL {
            let timing = Timing::parse(shipped.cron, "UTC").unwrap();
            assert!(timing.next_after(chrono::Utc::now()).is_some(), "{}", shipped.key);
            let row = kinds::find(shipped.kind.as_str()).expect(shipped.key);
            assert_eq!(row.scope, Scope::System, "{}", shipped.key);
        }
    }
}
