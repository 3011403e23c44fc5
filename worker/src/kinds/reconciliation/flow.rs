//! The account of open items: what came in, what was matched, what the next run carries.

use super::carry::Joined;
use crate::body::JobError;
use matching::{
    ExceptionKind, OpenFlow, Origin, Outcome, Side, Sum, Tier, format_minor, open_flow, open_remainders,
};
use rayon::prelude::*;
use shared::store::matched_records::{Entry, hash_of};
use shared::store::open_items::{CountAndAmount, OpenItemsAge, OpenItemsFlow, OpenItemsSummary};
use shared::store::results::FirstSeen;
use std::collections::HashMap;

/// Runs named one by one in the ages.
const AGES_MAX: usize = 100;

const SIDES: [Side; 2] = [Side::Left, Side::Right];

/// `here` is this run. Refuses an outcome whose open items do not add up.
pub(super) fn account(
    joined: &Joined,
    outcome: &Outcome,
    here: FirstSeen,
) -> Result<OpenItemsSummary, JobError> {
    let flows: Vec<OpenFlow> =
        SIDES.iter().flat_map(|&side| open_flow(side, &joined.side(side).carried, outcome)).collect();
    for flow in &flows {
        let Sum { count, amount } = flow.residual();
        if (count, amount) != (0, 0) {
            let (side, currency) = (flow.side.as_str(), flow.currency);
            let says = format!("the {side} open items in {currency} do not add up; nothing was written");
            return Err(JobError::Discard { says });
        }
    }
    let count = |of: fn(&OpenFlow) -> Sum| flows.iter().map(|flow| of(flow).count).sum::<i64>();
    let (after, persisting) = (count(|flow| flow.after), count(|flow| flow.persisting));
    let sides = || SIDES.iter().map(|&side| &joined.side(side).carried);
    Ok(OpenItemsSummary {
        carried_in: count(|flow| flow.before),
        resolved: count(|flow| flow.resolved),
        persisting,
        new: after - persisting - count(|flow| flow.remainder),
        remainders: count(|flow| flow.remainder),
        already_matched: count(|flow| flow.already_matched),
        repeated: sides().map(|side| side.repeated as i64).sum(),
        restated: sides().map(|side| side.restated as i64).sum(),
        flow: flows.iter().map(stored).collect(),
        ages: ages(joined, outcome, here),
        left_fields: joined.left.carried.records.field_names().to_vec(),
        right_fields: joined.right.carried.records.field_names().to_vec(),
    })
}

/// The records of confirmed matches, for the index of the chain.
pub(super) fn matched_entries(joined: &Joined, outcome: &Outcome, side: Side) -> Vec<Entry> {
    let records = &joined.side(side).carried.records;
    let matches = outcome.matches.par_iter().enumerate().filter(|(_, m)| m.tier == Tier::Confirmed);
    let entries = matches.flat_map_iter(|(ordinal, found)| {
        let rows = if side == Side::Left { &found.left } else { &found.right };
        rows.iter().map(move |&row| (hash_of(records.id(row)), ordinal as i32))
    });
    entries.collect()
}

fn stored(flow: &OpenFlow) -> OpenItemsFlow {
    let text = |sum: Sum| CountAndAmount {
        count: sum.count,
        amount: format_minor(sum.amount, flow.currency.exponent()),
    };
    OpenItemsFlow {
        side: flow.side.as_str().into(),
        currency: flow.currency.code().into(),
        before: text(flow.before),
        restated: text(flow.restated),
        new: text(flow.new),
        matched: text(flow.matched),
        remainder: text(flow.remainder),
        after: text(flow.after),
        resolved: text(flow.resolved),
        persisting: text(flow.persisting),
        already_matched: text(flow.already_matched),
        residual: text(flow.residual()),
    }
}

fn ages(joined: &Joined, outcome: &Outcome, here: FirstSeen) -> Vec<OpenItemsAge> {
    // By origin: left and right.
    let mut counts: HashMap<Option<u32>, (i64, i64)> = HashMap::new();
    let mut add = |side: Side, row| {
        let origin = match joined.side(side).carried.origin(row) {
            Origin::New => None,
            Origin::Carried(number) => Some(number),
        };
        let (left, right) = counts.entry(origin).or_default();
        *(if side == Side::Left { left } else { right }) += 1;
    };
    let open = outcome.exceptions.iter().filter(|e| e.kind != ExceptionKind::AlreadyMatched);
    open.for_each(|exception| add(exception.side, exception.row));
    for found in outcome.matches.iter().filter(|m| m.tier == Tier::Suggested) {
        found.left.iter().for_each(|&row| add(Side::Left, row));
        found.right.iter().for_each(|&row| add(Side::Right, row));
    }
    for side in SIDES {
        open_remainders(side, &joined.side(side).carried.records, outcome)
            .for_each(|(row, _)| add(side, row));
    }
    let seen = |origin: Option<u32>| origin.and_then(|number| joined.seen.get(number as usize)).copied();
    let mut ages: Vec<OpenItemsAge> = counts
        .into_iter()
        .map(|(origin, (left, right))| OpenItemsAge { first_seen: seen(origin).unwrap_or(here), left, right })
        .collect();
    ages.sort_unstable_by_key(|age| (age.first_seen.run, age.first_seen.job_id));
    if ages.len() > AGES_MAX {
        let newer = ages.split_off(AGES_MAX);
        let last = &mut ages[AGES_MAX - 1];
        last.left += newer.iter().map(|age| age.left).sum::<i64>();
        last.right += newer.iter().map(|age| age.right).sum::<i64>();
    }
    ages
}
