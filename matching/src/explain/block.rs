//! Looking a free record's key up among all records of both sides, matched ones too.

use super::{Verdict, Verdicts, group_key, same_key, sum_key};
use crate::evidence::KeyEvidence;
use crate::keys::{Fingerprint, FingerprintMap, FingerprintSet};
use crate::plan::{KeyPlan, Plan, Shape};
use crate::run::Run;
use crate::{Cancelled, Row, Side};
use rayon::prelude::*;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// A key that more records of one side have explains nothing.
const BLOCK_SIDE_MAX: usize = 200;

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

pub(super) struct MatchOf {
    left: HashMap<Row, u32>,
    right: HashMap<Row, u32>,
}

impl MatchOf {
    pub fn get(&self, side: Side, row: Row) -> Option<usize> {
        let of = if side == Side::Left { &self.left } else { &self.right };
        of.get(&row).map(|&i| i as usize)
    }
}

pub(super) fn explain(run: &Run<'_>, spec: &Spec<'_>, verdicts: &mut Verdicts) -> Result<(), Cancelled> {
    let sides = [Side::Left, Side::Right];
    let mut asking: Vec<(Side, Row)> = vec![];
    for side in sides {
        let free = run.remainder.side(side).free_rows().map(|row| (side, row));
        asking.extend(free.filter(|&(side, row)| !verdicts.has(side, row)));
    }
    let index = Index::of(run, spec, &asking)?;
    let match_of = index.matches_of_members(run);
    let answers = asking.par_chunks(256).map(|asking| {
        let mut answers: Vec<(Side, Row, Verdict)> = vec![];
        for &(side, row) in asking {
            run.watch.check()?;
            let sharers = index.sharers(run, spec, side, row);
            let question = Question { run, spec, match_of: &match_of, side, row, sharers };
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

/// Who has the keys that the asking records have.
struct Index {
    /// By key, side and id.
    members: Vec<(Fingerprint, Side, Row)>,
    /// Per key: where its left records begin, where its right ones begin, where they end.
    blocks: FingerprintMap<(Range<usize>, Range<usize>)>,
}

impl Index {
    fn of(run: &Run<'_>, spec: &Spec<'_>, asking: &[(Side, Row)]) -> Result<Self, Cancelled> {
        let keys_of = |side: Side, row: Row, found: &mut Vec<Fingerprint>| {
            spec.keys.each(run.remainder.side(side).records, side, row, None, found);
        };
        let lists = asking.par_chunks(1024).map(|asking| {
            run.watch.check()?;
            let (mut all, mut found) = (vec![], vec![]);
            for &(side, row) in asking {
                keys_of(side, row, &mut found);
                all.extend(found.iter().map(|&key| (key, side)));
            }
            Ok(all)
        });
        let asked = worth_asking(lists.collect::<Result<Vec<_>, Cancelled>>()?.concat(), spec);
        run.watch.check()?;
        let mut members = vec![];
        if !asked.is_empty() {
            for side in [Side::Left, Side::Right] {
                let rows: Vec<Row> = run.remainder.side(side).records.rows().collect();
                let lists = rows.par_chunks(4096).map(|rows| {
                    run.watch.check()?;
                    let (mut all, mut found) = (vec![], vec![]);
                    for &row in rows {
                        keys_of(side, row, &mut found);
                        all.extend(found.iter().filter(|k| asked.contains(k)).map(|&k| (k, side, row)));
                    }
                    Ok(all)
                });
                members.extend(lists.collect::<Result<Vec<_>, Cancelled>>()?.into_iter().flatten());
            }
        }
        members.par_sort_unstable();
        run.watch.check()?;
        let mut blocks = FingerprintMap::default();
        let mut start = 0;
        for same in members.chunk_by(|a, b| a.0 == b.0) {
            let middle = start + same.partition_point(|m| m.1 == Side::Left);
            let end = start + same.len();
            blocks.insert(same[0].0, (start..middle, middle..end));
            start = end;
        }
        Ok(Index { members, blocks })
    }

    fn sharers(&self, run: &Run<'_>, spec: &Spec<'_>, side: Side, row: Row) -> Sharers {
        let (mut keys, mut sharers) = (vec![], Sharers::default());
        spec.keys.each(run.remainder.side(side).records, side, row, None, &mut keys);
        let tokens = spec.keys.has_tokens();
        for key in keys {
            let Some((left, right)) = self.blocks.get(&key) else { continue };
            let spread = if tokens { left.len().max(1) * right.len().max(1) } else { 1 };
            if left.len() > BLOCK_SIDE_MAX || right.len() > BLOCK_SIDE_MAX || spread > KeyEvidence::SPREAD_MAX
            {
                continue;
            }
            let rows = |range: &Range<usize>| {
                let members = self.members[range.clone()].iter();
                members.map(|&(_, _, row)| Sharer { row, spread: spread as u32 }).collect::<Vec<_>>()
            };
            let (own, other) = if side == Side::Left { (left, right) } else { (right, left) };
            sharers.same_side.extend(rows(own).into_iter().filter(|s| s.row != row));
            sharers.other_side.extend(rows(other));
        }
        for (side, list) in [(side, &mut sharers.same_side), (side.other(), &mut sharers.other_side)] {
            list.sort_by_key(|s| (s.row, s.spread));
            list.dedup_by_key(|s| s.row);
            list.sort_by(|a, b| run.remainder.side(side).by_id(a.row, b.row));
        }
        sharers
    }

    fn matches_of_members(&self, run: &Run<'_>) -> MatchOf {
        let mut wanted: [HashSet<Row>; 2] = Default::default();
        for &(_, side, row) in &self.members {
            if !run.remainder.side(side).is_free(row) {
                wanted[side as usize].insert(row);
            }
        }
        let mut of = MatchOf { left: HashMap::new(), right: HashMap::new() };
        for (i, m) in run.matches.iter().enumerate().filter(|(_, m)| !m.is_netted()) {
            of.left.extend(m.left.iter().filter(|r| wanted[0].contains(r)).map(|&r| (r, i as u32)));
            of.right.extend(m.right.iter().filter(|r| wanted[1].contains(r)).map(|&r| (r, i as u32)));
        }
        of
    }
}

/// The keys that few enough of the asking records have to say something; the others are already known to
/// be in blocks that are too large, and collecting those would be most of the work.
fn worth_asking(mut keys: Vec<(Fingerprint, Side)>, spec: &Spec<'_>) -> FingerprintSet {
    keys.par_sort_unstable();
    let few = |same: &&[(Fingerprint, Side)]| {
        let left = same.partition_point(|k| k.1 == Side::Left);
        is_small(left, same.len() - left, spec.keys.has_tokens())
    };
    keys.chunk_by(|a, b| a.0 == b.0).filter(few).map(|same| same[0].0).collect()
}

/// Whether a block of so many left and right records explains anything.
fn is_small(left: usize, right: usize, tokens: bool) -> bool {
    let joins_few = left.max(1) * right.max(1) <= KeyEvidence::SPREAD_MAX;
    left <= BLOCK_SIDE_MAX && right <= BLOCK_SIDE_MAX && (joins_few || !tokens)
}
