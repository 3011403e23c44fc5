//! Choosing doorbells: lanes, places and turns in, an order out. Nothing is performed here.

use super::turns::{Tenant, Turns};
use chrono::{DateTime, TimeDelta, Utc};
use shared::limits::{Places, Subject};
use shared::store::outbox::{Lane, LaneHead, tenant_of};
use std::collections::{BTreeMap, VecDeque};

/// What a round wants to publish.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Lanes, each once, with how many doorbells to take of it.
    pub wanted: Vec<(Lane, u32)>,
    /// The order in which they leave, as indexes into `wanted`.
    pub order: Vec<usize>,
    /// Lanes were left alone because a limit gives them no place.
    pub held_back: bool,
}

/// One tenant's lanes of one priority.
struct Share<'a> {
    priority: u8,
    tenant: Tenant,
    /// In turn.
    lanes: VecDeque<&'a LaneHead>,
}

/// Chooses up to `room` doorbells. Takes places and turns for each, as if each lane had any number of them: what a
/// lane lacks is missing in this round only.
///
/// O(`room` × (tenants × priorities + limits)).
pub(crate) fn plan(
    kind: &str,
    heads: &[LaneHead],
    room: u32,
    places: &mut Places,
    turns: &mut Turns,
    now: DateTime<Utc>,
    age_step: TimeDelta,
) -> Plan {
    let mut plan = Plan::default();
    let mut chosen: BTreeMap<&Lane, usize> = BTreeMap::new();
    let mut shares = shares(heads);
    for _ in 0..room {
        let best = loop {
            let level = |share: &Share<'_>| {
                let head = share.lanes.front().expect("shares without lanes are removed");
                let level = turns.level(share.priority, share.tenant, head.waiting_since, now, age_step);
                // Of equal levels: who was served longest ago; of one tenant's own what waits longest.
                (std::cmp::Reverse(level), turns.last_served(share.tenant), head.waiting_since)
            };
            let Some(index) = (0..shares.len()).min_by_key(|&index| level(&shares[index])) else {
                break None;
            };
            let share = &mut shares[index];
            let head = share.lanes[0];
            if places.are_free(subject(kind, &head.lane)) {
                break Some((index, head));
            }
            // Places are only taken from here on: it stays without one for this round.
            plan.held_back = true;
            share.lanes.pop_front();
            if share.lanes.is_empty() {
                shares.swap_remove(index);
            }
        };
        let Some((index, head)) = best else { break };
        let share = &mut shares[index];
        places.take(subject(kind, &head.lane), 1);
        turns.serve(share.priority, share.tenant, head.waiting_since, now, age_step);
        share.lanes.rotate_left(1);
        let wanted = *chosen.entry(&head.lane).or_insert_with(|| {
            plan.wanted.push((head.lane.clone(), 0));
            plan.wanted.len() - 1
        });
        plan.wanted[wanted].1 += 1;
        plan.order.push(wanted);
    }
    plan
}

fn shares(heads: &[LaneHead]) -> Vec<Share<'_>> {
    let mut shares: BTreeMap<(u8, Tenant), Vec<&LaneHead>> = BTreeMap::new();
    for head in heads {
        shares.entry((head.lane.priority, tenant_of(head.lane.project_id))).or_default().push(head);
    }
    shares
        .into_iter()
        .map(|((priority, tenant), mut lanes)| {
            lanes.sort_by(|a, b| (a.waiting_since, &a.lane).cmp(&(b.waiting_since, &b.lane)));
            Share { priority, tenant, lanes: lanes.into() }
        })
        .collect()
}

pub(crate) fn subject<'a>(kind: &'a str, lane: &'a Lane) -> Subject<'a> {
    Subject { kind, project_id: lane.project_id, key: lane.key.as_deref() }
}

#[cfg(test)]
mod tests;
