//! What a relay remembers of a queue between two rounds.

use chrono::{DateTime, TimeDelta, Utc};
use shared::store::outbox::{LaneHead, LanesFrom, LanesMax, tenant_of};
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// Lanes one round looks at. More take turns by where the next look begins.
pub(crate) const LANES_MAX: LanesMax = LanesMax { tenants: 256, keys: 32 };

/// Tenants remembered; the ones served longest ago are forgotten first.
const REMEMBERED_MAX: usize = 10_000;

pub(crate) const PRIORITY_MAX: u8 = 9;

/// A tenant, as lanes store it: the nil UUID is the system.
pub(crate) type Tenant = Uuid;

#[derive(Debug, Clone, Default)]
pub(crate) struct Turns {
    /// Counts doorbells planned.
    served: u64,
    /// When a tenant was served last, on that count.
    last: HashMap<Tenant, u64>,
    /// From when the waiting of a tenant's lanes of one priority counts, where that is later than it began.
    aged_from: HashMap<(u8, Tenant), DateTime<Utc>>,
    from: LanesFrom,
}

impl Turns {
    pub fn last_served(&self, tenant: Tenant) -> u64 {
        self.last.get(&tenant).copied().unwrap_or(0)
    }

    /// The priority, and a step more for each `age_step` waited, up to 9.
    pub fn level(
        &self,
        priority: u8,
        tenant: Tenant,
        waiting_since: DateTime<Utc>,
        now: DateTime<Utc>,
        age_step: TimeDelta,
    ) -> u8 {
        let waited = now - self.counted_from(priority, tenant, waiting_since, now, age_step);
        let steps = waited.num_milliseconds() / age_step.num_milliseconds().max(1);
        priority + u8::try_from(steps.max(0)).unwrap_or(u8::MAX).min(PRIORITY_MAX - priority)
    }

    fn counted_from(
        &self,
        priority: u8,
        tenant: Tenant,
        waiting_since: DateTime<Utc>,
        now: DateTime<Utc>,
        age_step: TimeDelta,
    ) -> DateTime<Utc> {
        // Not more than leads to level 9: what waited for a week must not be ahead for a week.
        let first = now - age_step * i32::from(PRIORITY_MAX.saturating_sub(priority));
        let remembered = self.aged_from.get(&(priority, tenant)).copied();
        waiting_since.max(first).max(remembered.unwrap_or(first)).min(now)
    }

    /// One doorbell of these lanes leaves: the tenant's turn is over, and a step of waiting is used up.
    pub fn serve(
        &mut self,
        priority: u8,
        tenant: Tenant,
        waiting_since: DateTime<Utc>,
        now: DateTime<Utc>,
        age_step: TimeDelta,
    ) {
        self.served += 1;
        self.last.insert(tenant, self.served);
        let from = self.counted_from(priority, tenant, waiting_since, now, age_step) + age_step;
        self.aged_from.insert((priority, tenant), from.min(now));
    }

    pub fn look_from(&self) -> &LanesFrom {
        &self.from
    }

    /// Forgets what no longer matters and says where the next look begins, after one that showed `heads`.
    /// `true`: this look began somewhere in the middle and came to the end, so the lanes before are missing.
    pub fn looked(&mut self, heads: &[LaneHead]) -> bool {
        let mut tenants: BTreeMap<u8, BTreeMap<Tenant, Vec<&str>>> = BTreeMap::new();
        for head in heads {
            let of_priority = tenants.entry(head.lane.priority).or_default();
            let keys = of_priority.entry(tenant_of(head.lane.project_id)).or_default();
            keys.push(head.lane.key.as_deref().unwrap_or(""));
        }
        let mut next = LanesFrom::default();
        let mut wrapped = false;
        for priority in 0..=PRIORITY_MAX {
            let found = tenants.get(&priority);
            let began_late = self.from.tenants.iter().any(|(p, _)| *p == priority);
            match found.and_then(|found| found.last_key_value()) {
                Some((last, _)) if found.is_some_and(|f| f.len() >= LANES_MAX.tenants as usize) => {
                    next.tenants.push((priority, Uuid::from_u128(last.as_u128().wrapping_add(1))));
                }
                _ => wrapped |= began_late,
            }
            for (tenant, keys) in found.into_iter().flatten() {
                if keys.len() >= LANES_MAX.keys as usize
                    && let Some(last) = keys.iter().max()
                {
                    // The smallest text after it.
                    next.keys.push((priority, *tenant, format!("{last}\u{1}")));
                }
            }
        }
        self.from = next;
        if self.last.len() > REMEMBERED_MAX {
            let oldest = self.served.saturating_sub(REMEMBERED_MAX as u64 / 2);
            self.last.retain(|_, at| *at > oldest);
        }
        if self.aged_from.len() > REMEMBERED_MAX {
            self.aged_from.retain(|(priority, tenant), _| {
                tenants.get(priority).is_some_and(|found| found.contains_key(tenant))
            });
        }
        wrapped
    }
}
