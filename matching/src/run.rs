//! One reconciliation at work: what is left after each pass, what is still tied, what was matched.

use crate::candidates::{Candidates, Scope};
use crate::chance::{Odds, Seen};
use crate::explain;
use crate::fees::Fees;
use crate::groups::{self, Group};
use crate::held::Held;
use crate::keyed;
use crate::learned::{self, Learned};
use crate::nearby;
use crate::plan::Plan;
use crate::proof;
use crate::remainder::{Remainder, Rest};
use crate::searched;
use crate::select::{Chosen, Ends, Pair, contended, select};
use crate::settle;
use crate::text::{TextSource, Texts};
use crate::twins::Twins;
use crate::{
    Cancelled, Confidence, Match, Outcome, PassCount, Phase, Progress, Records, RuleSet, Side, Watch,
};
use rayon::prelude::*;

/// Shares of the whole work, for [`Progress::fraction`]; measured on a million rows, not exact.
const PREPARED: f64 = 0.05;
const MATCHED: f64 = 0.85;

/// The pairs one pass could not decide, kept in case later passes decide some of them.
pub(crate) struct Open {
    pub plan: usize,
    /// Of a sum pass: left is the single record's node, right the group's index.
    pub pairs: Vec<Pair>,
    /// Pairs this near to the best of an end are as good as it.
    pub margin: Confidence,
    /// Of a sum pass: the single record's side and the groups the pairs speak of.
    pub groups: Option<(Side, Vec<Group>)>,
}

pub(crate) struct Run<'a> {
    pub rules: &'a RuleSet,
    pub plans: &'a [Plan<'a>],
    pub remainder: Remainder<'a>,
    pub matches: Vec<Match>,
    pub open: Vec<Open>,
    /// One per distinct text rule that has run: index of the first plan with it, and its texts.
    texts: Vec<(usize, Texts)>,
    /// By index of the pass, of those that are learned and have run.
    learned: Vec<(usize, Learned)>,
    held: Held,
    gave_up: Vec<u64>,
    /// By pass, of those with fixed weights that have run.
    odds: Vec<Option<Odds>>,
    /// By pass, known when it begins.
    fees: Vec<Fees>,
    pub watch: Watch<'a>,
}

impl<'a> Run<'a> {
    pub fn begin(
        left: &'a Records,
        right: &'a Records,
        rules: &'a RuleSet,
        plans: &'a [Plan<'a>],
        watch: Watch<'a>,
    ) -> Result<Self, Cancelled> {
        let total = (left.len() + right.len()) as u64;
        (watch.progress)(Progress { phase: Phase::Prepare, rows_done: 0, rows_total: total, fraction: 0.0 });
        watch.check()?;
        let rest = |records, side| {
            // A rule that reads the ids can tell records apart that are otherwise the same.
            let reads_id = plans.iter().any(|p| p.keys.reads_id(side));
            let twins = if reads_id { Twins::none() } else { Twins::find(records, watch)? };
            Ok(Rest::new(records, twins))
        };
        let remainder = Remainder { left: rest(left, Side::Left)?, right: rest(right, Side::Right)? };
        Ok(Run {
            rules,
            plans,
            remainder,
            matches: vec![],
            open: vec![],
            texts: vec![],
            learned: vec![],
            held: Held::default(),
            gave_up: vec![0; plans.len()],
            odds: vec![None; plans.len()],
            fees: vec![Fees::default(); plans.len()],
            watch,
        })
    }

    pub fn complete(mut self) -> Result<Outcome, Cancelled> {
        for plan in self.plans {
            self.report(Phase::Pass { index: plan.index.into(), name: plan.pass.name.clone() }, 0.0);
            self.watch.check()?;
            self.read_texts(plan)?;
            if let Some(one) = plan.one_side() {
                self.fees[usize::from(plan.index)] = groups::fees(&self.scope(plan, &|_| {}), one)?;
            }
            if plan.learned.is_some() {
                self.run_learned(plan)?;
            } else {
                self.run_pass(plan)?;
            }
            self.eliminate()?;
            self.hold();
        }
        self.report(Phase::Explain, 0.0);
        let exceptions = explain::explain(&self)?;
        let (left, right) = (self.remainder.left.records, self.remainder.right.records);
        let proof = proof::prove(left, right, self.plans, &self.matches, &exceptions);
        let passes = self.count_passes();
        let (phase, rows) = (Phase::Explain, (left.len() + right.len()) as u64);
        self.matches.par_sort_unstable_by_key(|m| (std::cmp::Reverse(m.confidence), m.left[0]));
        (self.watch.progress)(Progress { phase, rows_done: rows, rows_total: rows, fraction: 1.0 });
        Ok(Outcome { matches: self.matches, exceptions, proof, passes })
    }

    fn run_pass(&mut self, plan: &'a Plan<'a>) -> Result<(), Cancelled> {
        let phase = Phase::Pass { index: plan.index.into(), name: plan.pass.name.clone() };
        let advance = |share: f64| self.report(phase.clone(), share);
        let scope = self.scope(plan, &advance);
        let index = usize::from(plan.index);
        let free = |side| self.remainder.side(side).free_nodes().len();
        let (left, right) = (free(Side::Left), free(Side::Right));
        let (mut made, open, gave_up, candidates, groups) = match plan.one_side() {
            None => {
                let found = if plan.keys.is_empty() { nearby::find(&scope)? } else { keyed::find(&scope)? };
                let (gave_up, candidates) = (found.gave_up, found.pairs.len());
                let (made, pairs) = decide(&scope, found, self.margin())?;
                (
                    made,
                    Open { plan: index, pairs, margin: self.margin(), groups: None },
                    gave_up,
                    candidates,
                    None,
                )
            }
            Some(one) => {
                if let Some(search) = &plan.search {
                    let found = searched::find(&scope, one, search)?;
                    let made = settle::group_matches(&scope, one, &found.groups, &found.chosen)?;
                    (
                        made,
                        Open {
                            plan: index,
                            pairs: found.open,
                            // Another sum is another sum, however much nearer its dates.
                            margin: Confidence::ONE,
                            groups: Some((one, found.groups)),
                        },
                        found.gave_up,
                        found.chosen.len(),
                        Some(found.chosen.len()),
                    )
                } else {
                    let found = groups::find(&scope, one)?;
                    let (candidates, groups_found) = (found.pairs.len(), found.groups.len());
                    let single = self.remainder.side(one);
                    let ends = Ends {
                        left_len: single.records.len(),
                        right_len: found.groups.len(),
                        left_capacity: &|node| single.capacity(node),
                        right_capacity: &|_| 1,
                        right_frozen: &|_| false,
                    };
                    let selection = select(found.pairs, &ends, self.margin(), self.watch)?;
                    let made = settle::group_matches(&scope, one, &found.groups, &selection.chosen)?;
                    let groups = if selection.open.is_empty() { vec![] } else { found.groups };
                    (
                        made,
                        Open {
                            plan: index,
                            pairs: selection.open,
                            margin: self.margin(),
                            groups: Some((one, groups)),
                        },
                        found.gave_up,
                        candidates,
                        Some(groups_found),
                    )
                }
            }
        };
        let chosen = made.len();
        let one_left = plan.one_side() != Some(Side::Right);
        let (left, right) = match groups {
            None => (left, right),
            Some(groups) if one_left => (left, groups),
            Some(groups) => (groups, right),
        };
        let seen = Seen {
            candidates,
            chosen,
            left_free: left.saturating_sub(chosen),
            left,
            right_free: right.saturating_sub(chosen),
            right,
        };
        let odds = Odds::of(plan, &seen, &made);
        self.odds[index] = Some(odds);
        self.weigh(&mut made, odds);
        self.gave_up[index] += gave_up;
        self.keep(made);
        if !open.pairs.is_empty() {
            self.open.push(open);
        }
        Ok(())
    }

    /// From evidence to probability. What is not probable enough is not made.
    fn weigh(&self, made: &mut Vec<Match>, odds: Odds) {
        made.par_iter_mut().for_each(|m| m.confidence = odds.probability(m.confidence));
        let threshold = self.rules.threshold();
        made.retain(|m| m.confidence >= threshold);
    }

    /// A learned pass. Its confidences count all competition in; pairs below the threshold that are the best
    /// of a record which surely has its counterpart among several stay open.
    fn run_learned(&mut self, plan: &'a Plan<'a>) -> Result<(), Cancelled> {
        let Some(learned_plan) = &plan.learned else { return Ok(()) };
        let phase = Phase::Pass { index: plan.index.into(), name: plan.pass.name.clone() };
        let advance = |share: f64| self.report(phase.clone(), share);
        let index = usize::from(plan.index);
        let learned = learned::find(&self.scope(plan, &advance), learned_plan)?;
        self.gave_up[index] += learned.gave_up;
        let found = Candidates { pairs: learned.pairs.clone(), ..Candidates::default() };
        self.learned.push((index, learned));
        let scope = self.scope(plan, &|_| {});
        let threshold = self.rules.threshold();
        let open = learned::undecided(&found.pairs, threshold);
        let sure = found.pairs.into_iter().filter(|p| p.confidence >= threshold).collect();
        let sure = Candidates { pairs: sure, ..Candidates::default() };
        let (made, mut left_open) = decide(&scope, sure, self.margin())?;
        left_open.extend(open);
        self.keep(made);
        left_open.retain(|pair| self.is_open(pair, &None));
        if !left_open.is_empty() {
            self.open.push(Open { plan: index, pairs: left_open, margin: self.margin(), groups: None });
        }
        Ok(())
    }

    /// Looks again at what earlier passes left open: later matches may have taken the competition away.
    fn eliminate(&mut self) -> Result<(), Cancelled> {
        loop {
            let mut kept = false;
            for i in 0..self.open.len() {
                let mut open = std::mem::replace(
                    &mut self.open[i],
                    Open { plan: 0, pairs: vec![], margin: Confidence::ZERO, groups: None },
                );
                let before = open.pairs.len();
                open.pairs.retain(|pair| self.is_open(pair, &open.groups));
                // The probabilities of a learned pass have weighed all competition already.
                let is_learned = self.plans[open.plan].learned.is_some();
                if open.groups.is_none() && !is_learned && open.pairs.len() < before {
                    let scope = self.scope(&self.plans[open.plan], &|_| {});
                    let found =
                        Candidates { pairs: std::mem::take(&mut open.pairs), ..Candidates::default() };
                    let (mut made, pairs) = decide(&scope, found, self.margin())?;
                    open.pairs = pairs;
                    if let Some(odds) = self.odds[open.plan] {
                        self.weigh(&mut made, odds);
                    }
                    kept |= !made.is_empty();
                    self.keep(made);
                }
                self.open[i] = open;
            }
            if !kept {
                return Ok(());
            }
        }
    }

    fn is_open(&self, pair: &Pair, groups: &Option<(Side, Vec<Group>)>) -> bool {
        match groups {
            None => {
                self.remainder.left.capacity(pair.left) > 0 && self.remainder.right.capacity(pair.right) > 0
            }
            Some((one, groups)) => {
                let many = self.remainder.side(one.other());
                self.remainder.side(*one).capacity(pair.left) > 0
                    && groups[pair.right as usize].rows.iter().all(|&row| many.is_free(row))
            }
        }
    }

    /// Ties bind later passes: they may decide between the tied records, not find others for them.
    fn hold(&mut self) {
        let mut held = Held::default();
        for open in &self.open {
            for pair in contended(&open.pairs, open.margin) {
                let Some((one, groups)) = &open.groups else {
                    held.hold_pair(&pair);
                    continue;
                };
                held.hold(*one, pair.left);
                let many = self.remainder.side(one.other());
                let rows = &groups[pair.right as usize].rows;
                rows.iter().for_each(|&row| held.hold(one.other(), many.twins.node(row)));
            }
        }
        self.held = held;
    }

    fn keep(&mut self, made: Vec<Match>) {
        for m in &made {
            m.left.iter().for_each(|&row| self.remainder.left.take(row));
            m.right.iter().for_each(|&row| self.remainder.right.take(row));
        }
        if self.matches.is_empty() {
            self.matches = made;
        } else {
            self.matches.extend(made);
        }
    }

    /// Reads the texts of the plan's rule, unless an earlier pass had the same.
    fn read_texts(&mut self, plan: &Plan<'_>) -> Result<(), Cancelled> {
        let Some(rule) = &plan.text else { return Ok(()) };
        if self.texts_of(plan).is_some() {
            return Ok(());
        }
        let (left, right) = (&self.remainder.left, &self.remainder.right);
        let texts = Texts::read(
            TextSource { records: left.records, columns: &rule.left, wanted: &|row| left.is_free(row) },
            TextSource { records: right.records, columns: &rule.right, wanted: &|row| right.is_free(row) },
            self.watch,
        )?;
        self.texts.push((plan.index.into(), texts));
        Ok(())
    }

    pub(crate) fn texts_of(&self, plan: &Plan<'_>) -> Option<&Texts> {
        let rule = plan.text.as_ref()?;
        let same = |&&(first, _): &&(usize, Texts)| {
            self.plans[first].text.as_ref().is_some_and(|t| t.left == rule.left && t.right == rule.right)
        };
        self.texts.iter().find(same).map(|(_, texts)| texts)
    }

    pub(crate) fn scope<'s>(&'s self, plan: &'s Plan<'s>, advance: &'s (dyn Fn(f64) + Sync)) -> Scope<'s> {
        Scope {
            plan,
            remainder: &self.remainder,
            texts: self.texts_of(plan),
            fees: self.fees[usize::from(plan.index)].clone(),
            learned: self.learned.iter().find(|(i, _)| *i == usize::from(plan.index)).map(|(_, l)| l),
            held: &self.held,
            threshold: self.rules.threshold(),
            watch: self.watch,
            advance,
        }
    }

    pub(crate) fn margin(&self) -> Confidence {
        Confidence::from_f64(self.rules.ambiguity_margin)
    }

    /// `share` of the phase that is done.
    pub(crate) fn report(&self, phase: Phase, share: f64) {
        let fraction = match &phase {
            Phase::Prepare => PREPARED * share,
            Phase::Pass { index, .. } => {
                PREPARED + (MATCHED - PREPARED) * (*index as f64 + share) / self.plans.len() as f64
            }
            Phase::Explain => MATCHED + (1.0 - MATCHED) * share,
        };
        let rows_total = (self.remainder.left.records.len() + self.remainder.right.records.len()) as u64;
        let rows_done = self.remainder.matched_count();
        (self.watch.progress)(Progress { phase, rows_done, rows_total, fraction });
    }

    fn count_passes(&self) -> Vec<PassCount> {
        let names = self.plans.iter().zip(&self.gave_up);
        let mut counts: Vec<PassCount> = names
            .map(|(plan, &gave_up)| PassCount {
                name: plan.pass.name.clone(),
                matches: 0,
                left_records: 0,
                right_records: 0,
                gave_up,
            })
            .collect();
        for m in &self.matches {
            let count = &mut counts[usize::from(m.pass)];
            count.matches += 1;
            count.left_records += m.left.len() as u64;
            count.right_records += m.right.len() as u64;
        }
        counts
    }
}

/// Matches one to one, and the pairs that stay open.
fn decide(
    scope: &Scope<'_>,
    found: Candidates,
    margin: Confidence,
) -> Result<(Vec<Match>, Vec<Pair>), Cancelled> {
    let (left, right) = (&scope.remainder.left, &scope.remainder.right);
    let ends = Ends {
        left_len: left.records.len(),
        right_len: right.records.len(),
        left_capacity: &|node| left.capacity(node),
        right_capacity: &|node| right.capacity(node),
        right_frozen: &|node| found.right_frozen.binary_search(&node).is_ok(),
    };
    let selection = select(found.pairs, &ends, margin, scope.watch)?;
    let chosen: &[Chosen] = &selection.chosen;
    Ok((settle::pair_matches(scope, chosen)?, selection.open))
}
