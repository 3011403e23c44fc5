//! One pass at work: what it finds, decides and keeps.

use super::Run;
use super::decide::{Decided, decide, decide_sums, weigh};
use crate::candidates::Candidates;
use crate::chance::{Odds, Seen};
use crate::keyed;
use crate::learned;
use crate::nearby;
use crate::open::{Between, Open};
use crate::plan::{Plan, Shape};
use crate::searched;
use crate::select::{Chosen, Pair};
use crate::settle;
use crate::summed;
use crate::two_sided::{self, TwoSided};
use crate::within_key;
use crate::{Cancelled, Phase, Side};

impl<'a> Run<'a> {
    pub(super) fn run_pass(&mut self, plan: &'a Plan<'a>) -> Result<(), Cancelled> {
        let phase = Phase::Pass { index: plan.index.into(), name: plan.pass.name.clone() };
        let advance = |share: f64| self.report(phase.clone(), share);
        let scope = self.scope(plan, &advance);
        let free = self.free_counts();
        match plan.shape() {
            Shape::Pairs => {
                let found = if plan.keys.is_empty() { nearby::find(&scope)? } else { keyed::find(&scope)? };
                let candidates = found.pairs.len();
                let decided = decide(&scope, found, plan.margin)?;
                self.calibrate_and_settle(plan, decided, Seen::of(candidates, free))?;
            }
            Shape::Sums(_) | Shape::Groups => {
                if !plan.keys.is_empty() {
                    let found = summed::find(&scope)?;
                    let seen = Seen::of(found.pairs.len(), found.between.counts(free));
                    let decided = decide_sums(&scope, found, plan.margin)?;
                    self.calibrate_and_settle(plan, decided, seen)?;
                }
                self.search(plan)?;
            }
        }
        Ok(())
    }

    /// Of a pass of sums that searches, what is left of its records.
    fn search(&mut self, plan: &'a Plan<'a>) -> Result<(), Cancelled> {
        let Some(search) = &plan.search else { return Ok(()) };
        self.hold();
        let scope = self.scope(plan, &|_| {});
        let one = match plan.shape() {
            Shape::Pairs => return Ok(()),
            Shape::Sums(one) => one,
            Shape::Groups => {
                let TwoSided { left, right, chosen, open, gave_up } = two_sided::find(&scope, search)?;
                let seen = Seen::of(chosen.len(), self.free_counts());
                let found = (Between::Groups { left, right }, chosen, open, gave_up);
                return self.settle_search(plan, found, seen);
            }
        };
        let found = if plan.keys.is_empty() {
            searched::find(&scope, one, search)?
        } else {
            within_key::find(&scope, one, search)?
        };
        // Of the other side there are as many sums as were chosen.
        let (chosen, (left, right)) = (found.chosen.len(), self.free_counts());
        let free = if one == Side::Left { (left, chosen) } else { (chosen, right) };
        let between = Between::Sums { one, groups: found.groups };
        self.settle_search(plan, (between, found.chosen, found.open, found.gave_up), Seen::of(chosen, free))
    }

    /// What a search chose, and what it left open.
    fn settle_search(
        &mut self,
        plan: &'a Plan<'a>,
        (between, chosen, pairs, gave_up): (Between, Vec<Chosen>, Vec<Pair>, u64),
        seen: Seen,
    ) -> Result<(), Cancelled> {
        let made = settle::group_matches(&self.scope(plan, &|_| {}), &between, &chosen)?;
        // Another sum is another sum, however much nearer its dates: all of them are tied.
        let tied = pairs.clone();
        let open = Open { plan: plan.index.into(), pairs, tied, between };
        let decided = Decided { made, open, gave_up, beyond_bound: 0 };
        self.calibrate_and_settle(plan, decided, Seen { is_search: true, ..seen })
    }

    /// Free nodes of the left and the right side.
    fn free_counts(&self) -> (usize, usize) {
        let free = |side| self.remainder.side(side).free_nodes_count();
        (free(Side::Left), free(Side::Right))
    }

    fn calibrate_and_settle(
        &mut self,
        plan: &Plan<'_>,
        mut decided: Decided,
        seen: Seen,
    ) -> Result<(), Cancelled> {
        let odds = Odds::of(plan, &seen, &decided.made);
        self.odds[usize::from(plan.index)] = Some(odds);
        self.doubt(plan, &mut decided.made)?;
        weigh(&mut decided.made, odds, plan.threshold);
        self.settle(plan, decided);
        Ok(())
    }

    fn settle(&mut self, plan: &Plan<'_>, decided: Decided) {
        let index = usize::from(plan.index);
        self.gave_up[index] += decided.gave_up;
        self.beyond_bound[index] += decided.beyond_bound;
        self.keep(decided.made);
        if !decided.open.pairs.is_empty() {
            self.open.push(decided.open);
        }
    }

    /// A learned pass. Its confidences count all competition in; pairs below the threshold that are the best
    /// of a record which surely has its counterpart among several stay open.
    pub(super) fn run_learned(&mut self, plan: &'a Plan<'a>) -> Result<(), Cancelled> {
        let Some(learned_plan) = &plan.learned else { return Ok(()) };
        let phase = Phase::Pass { index: plan.index.into(), name: plan.pass.name.clone() };
        let advance = |share: f64| self.report(phase.clone(), share);
        let index = usize::from(plan.index);
        let learned = learned::find(&self.scope(plan, &advance), learned_plan)?;
        let gave_up = learned.gave_up;
        let mut found = learned.pairs.clone();
        self.learned.push((index, learned));
        let scope = self.scope(plan, &|_| {});
        found.retain(|pair| !scope.conflicts(pair.left, pair.right));
        let (threshold, margin) = (plan.threshold, plan.margin);
        let undecided = learned::undecided(&found, threshold);
        let sure = found.into_iter().filter(|p| p.confidence >= threshold).collect();
        let sure = Candidates { pairs: sure, gave_up, ..Candidates::default() };
        let Decided { mut made, mut open, beyond_bound, .. } = decide(&scope, sure, margin)?;
        self.doubt(plan, &mut made)?;
        self.settle(plan, Decided { made, open: Open::default(), gave_up, beyond_bound });
        open.pairs.extend(undecided);
        open.pairs.retain(|pair| open.between.is_open(&self.remainder, pair));
        let contended = learned::contended(&open.pairs, margin);
        open.tied.extend(contended.into_iter().filter(|pair| pair.confidence < threshold));
        if !open.pairs.is_empty() {
            self.open.push(open);
        }
        Ok(())
    }
}
