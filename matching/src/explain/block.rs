//! Looking a free record's key up among all records of both sides, matched ones too.

use super::members::Members;
use super::{Verdict, Verdicts, group_key, same_key, sum_key};
use crate::evidence::KeyEvidence;
use crate::plan::{KeyPlan, Plan, Shape};
use crate::run::Run;
use crate::{Cancelled, Row, Side};
use rayon::prelude::*;

/// A key that more records of one side have explains nothing.
pub(super) const BLOCK_SIDE_MAX: usize = 200;

/// Passes with the same keys and cardinality explain together: a record is outside the rules only when it
/// is outside all of them.
pub(super) struct Spec<'a> {
    pub keys: &'a KeyPlan,
    /// In the order in which they run, non-empty.
    pub plans: Vec<&'a Plan<'a>>,
}

pub(super) fn specs<'a>(run: &Run<'a>) -> Vec<Spec<'a>> {
    let mut specs: Vec<Spec<'a>> = vec![];
    let in_order = run.rules.passes_in_order().into_iter().map(|place| &run.plans[place]);
    for plan in in_order.filter(|plan| !plan.keys.is_empty()) {
        let same = |s: &&mut Spec<'_>| *s.keys == plan.keys && s.plans[0].shape() == plan.shape();
        match specs.iter_mut().find(same) {
            Some(spec) => spec.plans.push(plan),
            None => specs.push(Spec { keys: &plan.keys, plans: vec![plan] }),
        }
    }
    specs
}

/// A record that shares the key, and how many pairs that key joins (see [`KeyEvidence::spread`]).
#[derive(Clone, Copy)]
pub(super) struct Sharer {
    pub row: Row,
    pub spread: u32,
}

/// The records that share a key with one free record; each list by id.
#[derive(Default)]
pub(super) struct Sharers {
    pub same_side: Vec<Sharer>,
    pub other_side: Vec<Sharer>,
}

/// All that is needed to explain one record by its key.
pub(super) struct Question<'a> {
    pub run: &'a Run<'a>,
    pub spec: &'a Spec<'a>,
    /// The match (index) of each matched record.
    pub match_of: &'a MatchOf,
    pub side: Side,
    pub row: Row,
    pub sharers: Sharers,
}

/// The match of every record that has one; netting is none.
pub(super) struct MatchOf {
    left: Vec<u32>,
    right: Vec<u32>,
}

impl MatchOf {
    /// No match: a run has fewer.
    const NONE: u32 = u32::MAX;

    pub fn of(run: &Run<'_>) -> Result<Self, Cancelled> {
        let none = |side: Side| vec![Self::NONE; run.remainder.side(side).records.len()];
        let mut of = MatchOf { left: none(Side::Left), right: none(Side::Right) };
        for (i, m) in run.matches.iter().enumerate().filter(|(_, m)| !m.is_netted()) {
            if i % 65_536 == 0 {
                run.watch.check()?;
            }
            m.left.iter().for_each(|&row| of.left[row as usize] = i as u32);
            m.right.iter().for_each(|&row| of.right[row as usize] = i as u32);
        }
        Ok(of)
    }

    pub fn get(&self, side: Side, row: Row) -> Option<usize> {
        let of = if side == Side::Left { &self.left } else { &self.right };
        Some(of[row as usize]).filter(|&index| index != Self::NONE).map(|index| index as usize)
    }
}

pub(super) fn explain(
    run: &Run<'_>,
    spec: &Spec<'_>,
    members: &Members,
    match_of: &MatchOf,
    verdicts: &mut Verdicts,
) -> Result<(), Cancelled> {
    let still = |&&(side, row): &&(Side, Row)| !verdicts.has(side, row);
    let asking: Vec<(Side, Row)> = members.asking.iter().filter(still).copied().collect();
    let answers = asking.par_chunks(256).map(|asking| {
        let mut answers: Vec<(Side, Row, Verdict)> = vec![];
        for &(side, row) in asking {
            run.watch.check()?;
            let sharers = sharers(run, spec, members, side, row);
            let question = Question { run, spec, match_of, side, row, sharers };
            let verdict = match spec.plans[0].shape() {
                Shape::Pairs => same_key::answer(&question),
                Shape::Sums(one) => sum_key::answer(&question, one),
                Shape::Groups => group_key::answer(&question),
            };
            answers.extend(verdict.map(|v| (side, row, v)));
        }
        Ok(answers)
    });
    for (side, row, verdict) in answers.collect::<Result<Vec<_>, Cancelled>>()?.into_iter().flatten() {
        verdicts.add(side, row, verdict);
    }
    Ok(())
}

fn sharers(run: &Run<'_>, spec: &Spec<'_>, members: &Members, side: Side, row: Row) -> Sharers {
    let (mut keys, mut sharers) = (vec![], Sharers::default());
    spec.keys.each(run.remainder.side(side).records, side, row, None, &mut keys);
    let tokens = spec.keys.has_tokens();
    for key in keys {
        let Some([left, right]) = members.block(key) else { continue };
        let spread = if tokens { left.len().max(1) * right.len().max(1) } else { 1 };
        if left.len() > BLOCK_SIDE_MAX || right.len() > BLOCK_SIDE_MAX || spread > KeyEvidence::SPREAD_MAX {
            continue;
        }
        let sharer = |row: Row| Sharer { row, spread: spread as u32 };
        let (own, other) = if side == Side::Left { (left, right) } else { (right, left) };
        sharers.same_side.extend(own.map(sharer).filter(|s| s.row != row));
        sharers.other_side.extend(other.map(sharer));
    }
    let own = run.remainder.side(side).records;
    let other = run.remainder.side(side.other()).records;
    sharers.other_side.retain_mut(|sharer| {
        let (left, right) = if side == Side::Left { (row, sharer.row) } else { (sharer.row, row) };
        let (l, r) = if side == Side::Left { (own, other) } else { (other, own) };
        let spread = spec.keys.agreed(sharer.spread, (l, left), (r, right));
        sharer.spread = spread.unwrap_or_default();
        spread.is_some()
    });
    let is_matched = |s: &Sharer| !run.remainder.side(side).is_free(s.row);
    if sharers.other_side.is_empty() && !sharers.same_side.iter().any(is_matched) {
        // Only what the other side has, or one of its own with a match, explains anything.
        return Sharers::default();
    }
    for (side, list) in [(side, &mut sharers.same_side), (side.other(), &mut sharers.other_side)] {
        list.sort_by_key(|s| (s.row, s.spread));
        list.dedup_by_key(|s| s.row);
        list.sort_by(|a, b| run.remainder.side(side).by_id(a.row, b.row));
    }
    sharers
}
