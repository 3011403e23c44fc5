//! Candidates of sum passes: one record against all records of the other side that share a key.

use crate::blocks::{self, Block};
use crate::candidates::{PAIRS_MAX, Scope, best_of_each};
use crate::evidence::{Evidence, KeyEvidence};
use crate::fees::{Deposit, Fee, Fees};
use crate::keys::Fingerprint;
use crate::plan::{FeePlan, Plan};
use crate::select::Pair;
use crate::twins::Node;
use crate::{Cancelled, Currency, Records, Row, Side};
use rayon::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};

/// Free records of one side with the same key and currency.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// Sorted.
    pub rows: Vec<Row>,
    pub currency: Currency,
    /// Minor units, signs as in the file.
    pub sum: i128,
    pub first_date: i32,
    pub last_date: i32,
    /// Of a searched group, how many records it was chosen from; else 0.
    pub in_reach: u32,
}

/// Pairs of a single record (always `left`, whatever its side) and a group (`right`, its index).
#[derive(Debug, Default)]
pub(crate) struct GroupCandidates {
    pub groups: Vec<Group>,
    pub pairs: Vec<Pair>,
    pub gave_up: u64,
}

/// The fees that the pass allows, those to be learned learned from what its keys join now.
pub(crate) fn fees(scope: &Scope<'_>, one: Side) -> Result<Fees, Cancelled> {
    let records = scope.remainder.side(one).records;
    match scope.plan.fee {
        FeePlan::Nothing => return Ok(Fees::default()),
        FeePlan::Given(fee) => {
            let mut currencies: Vec<Currency> = records.rows().map(|row| records.currency(row)).collect();
            currencies.sort_unstable();
            currencies.dedup();
            return Ok(Fees(currencies.into_iter().map(|currency| (currency, fee)).collect()));
        }
        FeePlan::Learned => {}
    }
    let (groups, group_keys, one_keys) = sides(scope, one)?;
    let visit = |block: Block<'_>, list: &mut Vec<(Currency, Deposit)>| {
        if let (&[node], &[group]) = (block.left, block.right) {
            let group = &groups[group as usize];
            list.push((group.currency, group.deposit(scope.plan, one, records.amount(node))));
        }
        Ok(())
    };
    let mut deposits = blocks::join(one_keys, group_keys, scope.watch, &|_| {}, visit)?;
    deposits.sort_unstable();
    let of_currency = deposits.chunk_by(|a, b| a.0 == b.0).filter_map(|same| {
        let currency = same[0].0;
        let fee = Fee::learn(same.iter().map(|&(_, deposit)| deposit).collect(), currency.exponent());
        Some((currency, fee?))
    });
    Ok(Fees(of_currency.collect()))
}

type Keyed = Vec<(Fingerprint, u32)>;

/// The groups, their keys, and the single records' keys.
fn sides(scope: &Scope<'_>, one: Side) -> Result<(Vec<Group>, Keyed, Keyed), Cancelled> {
    let many = one.other();
    let groups = gather(scope, many)?;
    let mut group_keys = Vec::with_capacity(groups.len());
    let mut found = vec![];
    for (i, group) in groups.iter().enumerate() {
        if i % 4096 == 0 {
            scope.watch.check()?;
        }
        let records = scope.remainder.side(many).records;
        let row = representative(scope, many, group);
        scope.plan.keys.each(records, many, row, Some(group.currency), &mut found);
        group_keys.extend(found.iter().map(|&key| (key, i as u32)));
    }
    Ok((groups, group_keys, one_keys(scope, one)?))
}

/// `one`: the side of the single record.
pub(crate) fn find(scope: &Scope<'_>, one: Side) -> Result<GroupCandidates, Cancelled> {
    let (groups, group_keys, one_keys) = sides(scope, one)?;
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
        for &node in block.left {
            for &group in block.right {
                let evidence = scope.group_evidence(one, node, &groups[group as usize], Some(key));
                let confidence = evidence.confidence(scope.plan);
                if evidence.fits(scope.plan) && confidence >= scope.threshold {
                    list.push(Pair { left: node, right: group, confidence, spread: key.spread });
                }
            }
        }
        Ok(())
    };
    let pairs = blocks::join(one_keys, group_keys, scope.watch, scope.advance, visit)?;
    let gave_up = gave_up.into_inner();
    // Which blocks came before the limit is chance: then none of them may count.
    let pairs = if gave_up > 0 { vec![] } else { best_of_each(pairs) };
    Ok(GroupCandidates { groups, pairs, gave_up })
}

impl Scope<'_> {
    /// `one`: the side of the single record.
    pub fn group_evidence(&self, one: Side, node: Node, group: &Group, key: Option<KeyEvidence>) -> Evidence {
        let records = self.remainder.side(one).records;
        let evidence = group.evidence(self.plan, one, (records, node), key);
        let text = self.texts.filter(|_| self.plan.search.is_some()).map(|texts| {
            let of = |&row: &Row| if one == Side::Left { (node, row) } else { (row, node) };
            group.rows.iter().map(of).map(|(l, r)| texts.similarity(l, r)).fold(1.0, f64::min)
        });
        let fee = if evidence.amount.fits() || group.in_reach > 0 {
            None
        } else {
            self.fees.explaining(group.currency, &group.deposit(self.plan, one, records.amount(node)))
        };
        Evidence { text, fee, ..evidence }
    }
}

/// The evidence for a single record of side `one` and several of the other.
pub(crate) fn group_evidence(
    plan: &Plan<'_>,
    one: Side,
    single: (&Records, Row),
    many: &Records,
    rows: &[Row],
    key: Option<KeyEvidence>,
) -> Evidence {
    Group::of(many, rows.to_vec()).evidence(plan, one, single, key)
}

impl Group {
    /// The date that counts is the group's farthest.
    fn evidence(
        &self,
        plan: &Plan<'_>,
        one: Side,
        (records, row): (&Records, Row),
        key: Option<KeyEvidence>,
    ) -> Evidence {
        let allowance = plan.allowance.in_currency(self.currency);
        let (single, date) = (i128::from(records.amount(row)), records.date(row));
        let (first, last) = (self.first_date, self.last_date);
        let days = |left, right| plan.window.distance(left, right);
        let (amount, days) = match one {
            Side::Left => (allowance.distance(single, self.sum), [days(date, first), days(date, last)]),
            Side::Right => (allowance.distance(self.sum, single), [days(first, date), days(last, date)]),
        };
        // A day outside the window counts first, then the larger distance.
        let far = |days: &i64| (!plan.window.admits(*days), days.abs(), *days);
        let days = if far(&days[0]) > far(&days[1]) { days[0] } else { days[1] };
        let (group, in_reach) = (Some(self.rows.len() as u32), self.in_reach);
        Evidence { key, amount, days, text: None, group, in_reach, fee: None }
    }

    /// Sum and single amount as a fee sees them: both in the signs of the sum's file.
    fn deposit(&self, plan: &Plan<'_>, one: Side, single: i64) -> Deposit {
        let sign = if plan.allowance.flip_sign { -1 } else { 1 };
        let gross = if one == Side::Left { sign * self.sum } else { self.sum };
        let net = if one == Side::Left { i128::from(single) } else { sign * i128::from(single) };
        Deposit { gross, net, items: self.rows.len() as u32 }
    }
}

/// The record whose key text stands for the whole group: the smallest id, whatever the order of the file.
pub(crate) fn representative(scope: &Scope<'_>, many: Side, group: &Group) -> Row {
    let rest = scope.remainder.side(many);
    group.rows.iter().copied().min_by(|&a, &b| rest.by_id(a, b)).unwrap_or_default()
}

fn gather(scope: &Scope<'_>, many: Side) -> Result<Vec<Group>, Cancelled> {
    let rest = scope.remainder.side(many);
    let records = rest.records;
    let rows: Vec<Row> = rest.free_rows().collect();
    let keys = rows.par_chunks(4096).map(|rows| {
        scope.watch.check()?;
        let key = |&row: &Row| {
            let key = scope.plan.keys.whole(records, many, row, Some(records.currency(row)))?;
            Some((key, row))
        };
        Ok(rows.iter().filter_map(key).collect::<Vec<_>>())
    });
    let mut keys: Vec<(Fingerprint, Row)> = keys.collect::<Result<Vec<_>, Cancelled>>()?.concat();
    keys.par_sort_unstable();
    scope.watch.check()?;
    let groups = keys.chunk_by(|a, b| a.0 == b.0);
    Ok(groups.map(|same| Group::of(records, same.iter().map(|&(_, row)| row).collect())).collect())
}

impl Group {
    /// `rows`: not empty, all of one currency.
    pub fn of(records: &Records, mut rows: Vec<Row>) -> Self {
        rows.sort_unstable();
        let dates = || rows.iter().map(|&r| records.date(r));
        Group {
            currency: records.currency(rows[0]),
            sum: rows.iter().map(|&r| i128::from(records.amount(r))).sum(),
            first_date: dates().min().unwrap_or_default(),
            last_date: dates().max().unwrap_or_default(),
            rows,
            in_reach: 0,
        }
    }
}

fn one_keys(scope: &Scope<'_>, one: Side) -> Result<Vec<(Fingerprint, Node)>, Cancelled> {
    let rest = scope.remainder.side(one);
    let nodes = rest.free_nodes();
    let keys = nodes.par_chunks(4096).map(|nodes| {
        scope.watch.check()?;
        let (mut keys, mut found) = (vec![], vec![]);
        for &node in nodes {
            scope.plan.keys.each(rest.records, one, node, Some(rest.records.currency(node)), &mut found);
            keys.extend(found.iter().map(|&key| (key, node)));
        }
        Ok(keys)
    });
    Ok(keys.collect::<Result<Vec<_>, Cancelled>>()?.concat())
}
