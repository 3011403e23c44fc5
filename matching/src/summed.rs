//! Candidates of sum passes with keys: one record, or all records of one side that share a key, against all
//! records of the other side that do.

use crate::blocks::{self, Block};
use crate::candidates::{PAIRS_MAX, Scope, best_of_each};
use crate::evidence::{Evidence, KeyEvidence};
use crate::fees::{Deposit, Fee, Fees};
use crate::groups::{Group, gather, representative};
use crate::keys::{Fingerprint, FingerprintHints};
use crate::open::Between;
use crate::plan::{FeePlan, Shape, currencies};
use crate::select::Pair;
use crate::sums::Sums;
use crate::{Cancelled, Currency, Side};
use rayon::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};

/// Pairs, and what their ends are.
#[derive(Debug)]
pub(crate) struct Summed {
    pub between: Between,
    pub pairs: Vec<Pair>,
    pub gave_up: u64,
}

/// Key, and the number of what has it.
type Keyed = Vec<(Fingerprint, u32)>;

/// What is to be joined, and by which keys.
pub(crate) struct Ends {
    pub between: Between,
    pub first: Keyed,
    pub second: Keyed,
}

impl Ends {
    /// `None` where the plan has no sums.
    pub fn of(scope: &Scope<'_>) -> Result<Option<Self>, Cancelled> {
        Ok(Some(match scope.plan.shape() {
            Shape::Pairs => return Ok(None),
            Shape::Sums(one) => {
                let groups = gather(scope, one.other())?;
                let second = group_keys(scope, one.other(), &groups)?;
                // Looking for references in texts takes long, and in vain where nothing is left to refer to.
                let first = if second.is_empty() { vec![] } else { node_keys(scope, one, &second)? };
                Ends { first, second, between: Between::Sums { one, groups } }
            }
            Shape::Groups => {
                let (left, right) = (gather(scope, Side::Left)?, gather(scope, Side::Right)?);
                let first = group_keys(scope, Side::Left, &left)?;
                let second = group_keys(scope, Side::Right, &right)?;
                Ends { first, second, between: Between::Groups { left, right } }
            }
        }))
    }
}

/// Only keys that may be among those of the groups: of all numbers in all texts, few name one.
fn node_keys(scope: &Scope<'_>, side: Side, groups: &Keyed) -> Result<Keyed, Cancelled> {
    let rest = scope.remainder.side(side);
    let wanted = FingerprintHints::of(groups.iter().map(|&(key, _)| key), groups.len());
    let nodes = rest.free_nodes();
    let keys = nodes.par_chunks(4096).map(|nodes| {
        scope.watch.check()?;
        let (mut keys, mut found) = (vec![], vec![]);
        for &node in nodes {
            let currency = joined_currency(scope, rest.records.currency(node));
            scope.plan.keys.each(rest.records, side, node, currency, &mut found);
            keys.extend(found.iter().filter(|key| wanted.may_have(key)).map(|&key| (key, node)));
        }
        Ok(keys)
    });
    Ok(keys.collect::<Result<Vec<_>, Cancelled>>()?.concat())
}

fn group_keys(scope: &Scope<'_>, side: Side, groups: &[Group]) -> Result<Keyed, Cancelled> {
    let (mut keys, mut found) = (Vec::with_capacity(groups.len()), vec![]);
    for (i, group) in groups.iter().enumerate() {
        if i % 4096 == 0 {
            scope.watch.check()?;
        }
        let row = representative(scope, side, group);
        let records = scope.remainder.side(side).records;
        let currency = joined_currency(scope, group.currency);
        scope.plan.keys.each(records, side, row, currency, &mut found);
        keys.extend(found.iter().map(|&key| (key, i as u32)));
    }
    Ok(keys)
}

/// A pass that converts joins keys whatever the currencies.
fn joined_currency(scope: &Scope<'_>, own: Currency) -> Option<Currency> {
    scope.plan.exchange.is_none().then_some(own)
}

/// The sums a pair sets side by side; `None` where they cannot be compared.
fn sums(scope: &Scope<'_>, between: &Between, first: u32, second: u32) -> Option<Sums> {
    match between {
        Between::Records => None,
        Between::Sums { one, groups } => scope.sums_of_one(*one, first, groups.get(second as usize)?),
        Between::Groups { left, right } => {
            scope.sums_of_groups(left.get(first as usize)?, right.get(second as usize)?)
        }
    }
}

/// As [`crate::plan::KeyPlan::agreed`], of the records that stand for both ends.
fn agreed(scope: &Scope<'_>, between: &Between, (first, second): (u32, u32), spread: u32) -> Option<u32> {
    if !scope.plan.keys.has_tokens() {
        return Some(spread);
    }
    let row =
        |side: Side, groups: &[Group], at: u32| Some(representative(scope, side, groups.get(at as usize)?));
    let (left, right) = match between {
        Between::Records => (first, second),
        Between::Sums { one: Side::Left, groups } => (first, row(Side::Right, groups, second)?),
        Between::Sums { one: Side::Right, groups } => (row(Side::Left, groups, second)?, first),
        Between::Groups { left, right } => (row(Side::Left, left, first)?, row(Side::Right, right, second)?),
    };
    let (l, r) = (scope.remainder.left.records, scope.remainder.right.records);
    scope.plan.keys.agreed(spread, (l, left), (r, right))
}

/// The fees that the pass allows, those to be learned learned from what its keys join now.
pub(crate) fn fees(scope: &Scope<'_>) -> Result<Fees, Cancelled> {
    match scope.plan.fee {
        FeePlan::Nothing => return Ok(Fees::default()),
        FeePlan::Given(fee) => {
            let mut all = currencies(scope.remainder.left.records);
            let of_right = currencies(scope.remainder.right.records);
            all.extend(of_right.into_iter().filter(|currency| !all.contains(currency)).collect::<Vec<_>>());
            return Ok(Fees(all.into_iter().map(|currency| (currency, fee)).collect()));
        }
        FeePlan::Learned => {}
    }
    let Some(Ends { between, first, second }) = Ends::of(scope)? else { return Ok(Fees::default()) };
    let visit = |block: Block<'_>, list: &mut Vec<(Currency, Deposit)>| {
        if let (&[first], &[second]) = (block.left, block.right)
            && let Some(sums) = sums(scope, &between, first, second)
            // What a rate left of it would not be the fee to the minor unit.
            && !sums.is_converted
        {
            list.push((sums.currency, sums.deposit(scope.plan)));
        }
        Ok(())
    };
    let mut deposits = blocks::join(first, second, scope.watch, &|_| {}, visit)?;
    deposits.sort_unstable();
    let of_currency = deposits.chunk_by(|a, b| a.0 == b.0).filter_map(|same| {
        let currency = same[0].0;
        let fee = Fee::learn(same.iter().map(|&(_, deposit)| deposit).collect(), currency.exponent());
        Some((currency, fee?))
    });
    Ok(Fees(of_currency.collect()))
}

/// Every sum with everything that shares its key, as far as it fits the rule.
pub(crate) fn find(scope: &Scope<'_>) -> Result<Summed, Cancelled> {
    let Some(Ends { between, first, second }) = Ends::of(scope)? else {
        return Ok(Summed { between: Between::Records, pairs: vec![], gave_up: 0 });
    };
    let tokens = scope.plan.keys.has_tokens();
    let (found, gave_up) = (AtomicU64::new(0), AtomicU64::new(0));
    let visit = |block: Block<'_>, list: &mut Vec<Pair>| {
        let spread = block.left.len().saturating_mul(block.right.len());
        if spread > KeyEvidence::SPREAD_MAX && tokens {
            return Ok(());
        }
        // Without tokens a key has one group: this many records against one sum.
        let key = KeyEvidence { spread: if tokens { spread as u32 } else { 1 } };
        if found.fetch_add(spread as u64, Ordering::Relaxed) as usize > PAIRS_MAX {
            gave_up.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        scope.watch.check()?;
        for &left in block.left {
            for &right in block.right {
                let Some(sums) = sums(scope, &between, left, right) else { continue };
                let evidence: Evidence = scope.sums_evidence(&sums, false, Some(key));
                let confidence = evidence.confidence(scope.plan);
                if !evidence.fits(scope.plan) || confidence < scope.threshold {
                    continue;
                }
                let Some(spread) = agreed(scope, &between, (left, right), key.spread) else { continue };
                let evidence = Evidence { key: Some(KeyEvidence { spread }), ..evidence };
                let confidence = evidence.confidence(scope.plan);
                if confidence >= scope.threshold {
                    list.push(Pair { left, right, confidence, spread });
                }
            }
        }
        Ok(())
    };
    let pairs = blocks::join(first, second, scope.watch, scope.advance, visit)?;
    let gave_up = gave_up.into_inner();
    // Which blocks came before the limit is chance: then none of them may count.
    let pairs = if gave_up > 0 { vec![] } else { best_of_each(pairs, scope.watch)? };
    Ok(Summed { between, pairs, gave_up })
}
