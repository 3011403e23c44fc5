//! Single records that are the sum of some of their key's records and not of all: a deposit that leaves out
//! two lines of its batch.
//!
//! To leave out one or two is looked at first, in keys of any size up to [`RECORDS_MAX`]; only where that has
//! no answer, any other choice from at most as many records as the rule allows. The answers compete as those
//! of a search without a key do: one is taken only where it is the only one and nobody else wants its
//! records.

use crate::blocks::{self, Block};
use crate::candidates::Scope;
use crate::evidence::KeyEvidence;
use crate::groups::Group;
use crate::open::Between;
use crate::plan::SearchPlan;
use crate::remainder::Rest;
use crate::searched::{Answer, BY_CHANCE_MAX, Search, Searched, settle, without_exchanges};
use crate::subsets::{ANSWERS_MAX, expected_by_chance, left_out, left_out_by_chance, subsets};
use crate::summed::Ends;
use crate::twins::Node;
use crate::{Cancelled, Confidence, Pulse, Row, Side};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};

/// A larger batch is not searched.
const RECORDS_MAX: usize = 1_000;
/// Nobody pays one batch in more parts; where more single records have its key, none is searched for.
const SINGLES_MAX: usize = 20;

/// After all that fits as a whole has been taken. Work: per single record and group of its key
/// `RECORDS_MAX` binary searches and one search of [`crate::subsets`].
pub(crate) fn find(scope: &Scope<'_>, one: Side, search: &SearchPlan) -> Result<Searched, Cancelled> {
    let Some(Ends { between: Between::Sums { groups, .. }, first, second }) = Ends::of(scope)? else {
        return Ok(Searched::default());
    };
    let (many, tokens) = (scope.remainder.side(one.other()), scope.plan.keys.has_tokens());
    let gave_up = AtomicU64::new(0);
    let visit = |block: Block<'_>, list: &mut Vec<Search>| {
        let spread = block.left.len().saturating_mul(block.right.len());
        if tokens && spread > KeyEvidence::SPREAD_MAX {
            return Ok(());
        }
        if block.left.len() > SINGLES_MAX {
            gave_up.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        let spread = if tokens { spread as u32 } else { 1 };
        let mut pulse = Pulse::new(scope.watch);
        for &node in block.left {
            for &group in block.right {
                match answer(scope, one, search, node, &groups[group as usize], spread, &mut pulse)? {
                    Some(search) if search.answers.is_empty() => {}
                    Some(search) => list.push(search),
                    None => drop(gave_up.fetch_add(1, Ordering::Relaxed)),
                }
            }
        }
        Ok(())
    };
    let mut searches = blocks::join(first, second, scope.watch, scope.advance, visit)?;
    searches.sort_by_key(|search| search.node);
    Ok(Searched { gave_up: gave_up.into_inner(), ..settle(merge(many, searches)) })
}

/// One search per single record. Two tokens may have led to the same records: the same answer once.
fn merge(rest: &Rest<'_>, searches: Vec<Search>) -> Vec<Search> {
    let mut merged: Vec<Search> = vec![];
    for search in searches {
        match merged.last_mut() {
            Some(last) if last.node == search.node => {
                last.answers.extend(search.answers);
                last.is_frozen |= search.is_frozen;
            }
            _ => merged.push(search),
        }
    }
    for search in &mut merged {
        search.answers = without_exchanges(rest, std::mem::take(&mut search.answers));
    }
    merged
}

/// `None` when it gave up.
fn answer(
    scope: &Scope<'_>,
    one: Side,
    search: &SearchPlan,
    node: Node,
    group: &Group,
    spread: u32,
    pulse: &mut Pulse<'_>,
) -> Result<Option<Search>, Cancelled> {
    let (single, many) = (scope.remainder.side(one), scope.remainder.side(one.other()));
    let amount = single.records.amount(node);
    let target = scope.plan.allowance.in_currency(group.currency).sum_target(one, amount);
    let in_reach = |&row: &Row| {
        let (own, other) = (single.records.date(node), many.records.date(row));
        let (l, r) = if one == Side::Left { (node, row) } else { (row, node) };
        let (left, right) = if one == Side::Left { (own, other) } else { (other, own) };
        scope.plan.window.admits(scope.plan.window.distance(left, right))
            && scope.held.allows(scope.remainder.left.twins.node(l), scope.remainder.right.twins.node(r))
    };
    pulse.beat(16 * group.rows.len() as u32)?;
    let mut rows: Vec<Row> = group.rows.iter().copied().filter(in_reach).collect();
    rows.sort_unstable_by(|&a, &b| {
        many.records.amount(a).cmp(&many.records.amount(b)).then_with(|| many.by_id(a, b))
    });
    let amounts: Vec<i64> = rows.iter().map(|&row| many.records.amount(row)).collect();
    let Some(choices) = choices(&amounts, &target, search.records_max, pulse)? else { return Ok(None) };
    let is_frozen = choices.len() > ANSWERS_MAX || single.twins.count(node) > 1;
    let answer = |choice: Vec<usize>| {
        let of = choice.into_iter().map(|i| rows[i]).collect();
        let group = Group { in_reach: rows.len() as u32, ..Group::of(many.records, of) };
        let evidence = scope.group_evidence(one, node, &group, Some(KeyEvidence { spread }));
        let confidence: Confidence = evidence.confidence(scope.plan);
        let fits = evidence.fits(scope.plan) && confidence >= scope.threshold;
        fits.then_some(Answer { group, confidence, spread })
    };
    Ok(Some(Search { node, answers: choices.into_iter().filter_map(answer).collect(), is_frozen }))
}

/// The choices (indexes) of two amounts and more, but not all, that add up. `None` when it gave up.
fn choices(
    amounts: &[i64],
    target: &RangeInclusive<i128>,
    records_max: usize,
    pulse: &mut Pulse<'_>,
) -> Result<Option<Vec<Vec<usize>>>, Cancelled> {
    let all: i128 = amounts.iter().map(|&amount| i128::from(amount)).sum();
    if amounts.len() < 3 || target.contains(&all) {
        return Ok(Some(vec![]));
    }
    let width = target.end() - target.start() + 1;
    let is_small = amounts.len() <= records_max;
    if amounts.len() > RECORDS_MAX {
        return Ok(None);
    }
    pulse.beat(64 * amounts.len() as u32)?;
    if left_out_by_chance(amounts, width) <= BY_CHANCE_MAX {
        let mut left_out = left_out(amounts, target);
        left_out.retain(|out| amounts.len() - out.len() >= 2);
        if !left_out.is_empty() {
            let kept = |out: Vec<usize>| (0..amounts.len()).filter(|i| !out.contains(i)).collect();
            return Ok(Some(left_out.into_iter().map(kept).collect()));
        }
    } else if !is_small {
        return Ok(None);
    }
    if !is_small {
        return Ok(Some(vec![]));
    }
    if expected_by_chance(amounts, width) > BY_CHANCE_MAX {
        return Ok(None);
    }
    pulse.beat(16 << (amounts.len() / 2))?;
    let of_bits = |bits: u32| (0..amounts.len()).filter(|i| bits >> i & 1 == 1).collect();
    Ok(Some(subsets(amounts, target).into_iter().map(of_bits).collect()))
}
