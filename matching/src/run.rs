//! One reconciliation at work: what is left after each pass, what is still tied, what was matched.

mod decide;
mod doubt;
mod pass;

use crate::candidates::{Candidates, Scope};
use crate::chance::Odds;
use crate::explain;
use crate::fees::Fees;
use crate::held::Held;
use crate::learned::Learned;
use crate::netting::{self, NettingPlan};
use crate::open::{Between, End, Open};
use crate::plan::Plan;
use crate::proof;
use crate::remainder::{Remainder, Rest};
use crate::sorted;
use crate::summed;
use crate::text::{TextSource, Texts};
use crate::twins::Twins;
use crate::{
    Cancelled, Match, Outcome, PassCount, Phase, Progress, Records, Row, RuleSet, Side, Watch, WorkingSet,
};
use decide::{decide, weigh};
use std::collections::HashSet;

/// Shares of the whole work, for [`Progress::fraction`]; measured on a million rows, not exact.
const PREPARED: f64 = 0.05;
const MATCHED: f64 = 0.85;

pub(crate) struct Run<'a> {
    pub rules: &'a RuleSet,
    pub plans: &'a [Plan<'a>],
    netting: &'a [NettingPlan],
    /// Left and right records that are netted.
    netted: [HashSet<Row>; 2],
    pub remainder: Remainder<'a>,
    pub matches: Vec<Match>,
    pub open: Vec<Open>,
    /// One per distinct text rule that has run: index of the first plan with it, and its texts.
    texts: Vec<(usize, Texts)>,
    /// By index of the pass, of those that are learned and have run.
    learned: Vec<(usize, Learned)>,
    held: Held,
    gave_up: Vec<u64>,
    /// By pass, see [`PassCount::beyond_bound`].
    beyond_bound: Vec<u64>,
    /// How many passes have run.
    turn: usize,
    /// By pass, of those with fixed weights that have run.
    odds: Vec<Option<Odds>>,
    /// By pass, known when it begins.
    fees: Vec<Fees>,
    pub watch: Watch<'a>,
    pub working_set: WorkingSet,
}

impl<'a> Run<'a> {
    pub fn begin(
        left: &'a Records,
        right: &'a Records,
        rules: &'a RuleSet,
        (plans, netting): (&'a [Plan<'a>], &'a [NettingPlan]),
        watch: Watch<'a>,
    ) -> Result<Self, Cancelled> {
        let total = (left.len() + right.len()) as u64;
        (watch.progress)(Progress { phase: Phase::Prepare, rows_done: 0, rows_total: total, fraction: 0.0 });
        watch.check()?;
        let rest = |records, side| {
            // A rule that reads the ids can tell records apart that are otherwise the same.
            let reads_id = plans.iter().any(|p| p.keys.reads_id(side) || p.conflict.reads_id(side));
            let twins = if reads_id { Twins::none() } else { Twins::find(records, watch)? };
            Ok(Rest::new(records, twins))
        };
        let remainder = Remainder { left: rest(left, Side::Left)?, right: rest(right, Side::Right)? };
        Ok(Run {
            rules,
            plans,
            netting,
            netted: Default::default(),
            remainder,
            matches: vec![],
            open: vec![],
            texts: vec![],
            learned: vec![],
            held: Held::default(),
            gave_up: vec![0; plans.len() + rules.netting.len()],
            beyond_bound: vec![0; plans.len() + rules.netting.len()],
            turn: 0,
            odds: vec![None; plans.len()],
            fees: vec![Fees::default(); plans.len()],
            watch,
            working_set: WorkingSet::default(),
        })
    }

    pub fn within(self, working_set: WorkingSet) -> Self {
        Run { working_set, ..self }
    }

    pub fn complete(mut self) -> Result<Outcome, Cancelled> {
        self.net()?;
        for (turn, place) in self.rules.passes_in_order().into_iter().enumerate() {
            let plan = &self.plans[place];
            self.turn = turn;
            self.report(Phase::Pass { index: plan.index.into(), name: plan.pass.name.clone() }, 0.0);
            self.watch.check()?;
            self.read_texts(plan)?;
            self.fees[usize::from(plan.index)] = summed::fees(&self.scope(plan, &|_| {}))?;
            if plan.learned.is_some() {
                // These passes take the most memory.
                self.forget_texts()?;
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
        let proof = proof::prove(left, right, self.plans, (&self.matches, &exceptions), self.watch)?;
        let passes = self.count_passes();
        let (phase, rows) = (Phase::Explain, (left.len() + right.len()) as u64);
        let by = |m: &Match| (std::cmp::Reverse(m.confidence), m.first_rows());
        sorted::sort_by_kept_key(&mut self.matches, self.watch, by)?;
        (self.watch.progress)(Progress { phase, rows_done: rows, rows_total: rows, fraction: 1.0 });
        Ok(Outcome { matches: self.matches, exceptions, proof, passes })
    }

    fn net(&mut self) -> Result<(), Cancelled> {
        for of in self.netting {
            let found = netting::net(self, of)?;
            let index = usize::from(of.plan.index);
            self.gave_up[index] += found.gave_up;
            self.beyond_bound[index] += found.beyond_bound;
            let rows = found.made.iter().flat_map(|m| m.left.iter().chain(&m.right).copied());
            self.netted[of.side as usize].extend(rows);
            self.keep(found.made);
        }
        Ok(())
    }

    /// Whether the record and another one of its side cancel out.
    pub fn is_netted(&self, side: Side, row: Row) -> bool {
        self.netted[side as usize].contains(&row)
    }

    /// Looks again at what earlier passes left open: later matches may have taken the competition away.
    fn eliminate(&mut self) -> Result<(), Cancelled> {
        loop {
            let mut kept = false;
            for i in 0..self.open.len() {
                let mut open = std::mem::take(&mut self.open[i]);
                let before = open.pairs.len();
                open.pairs.retain(|pair| open.between.is_open(&self.remainder, pair));
                open.tied.retain(|pair| open.between.is_open(&self.remainder, pair));
                // The probabilities of a learned pass have weighed all competition already.
                let is_learned = self.plans.get(open.plan).is_some_and(|plan| plan.learned.is_some());
                if matches!(open.between, Between::Records) && !is_learned && open.pairs.len() < before {
                    let scope = self.scope(&self.plans[open.plan], &|_| {});
                    let found =
                        Candidates { pairs: std::mem::take(&mut open.pairs), ..Candidates::default() };
                    let mut decided = decide(&scope, found, scope.plan.margin)?;
                    self.doubt(&self.plans[open.plan], &mut decided.made)?;
                    if let Some(odds) = self.odds[open.plan] {
                        weigh(&mut decided.made, odds, self.plans[open.plan].threshold);
                    }
                    open = decided.open;
                    kept |= !decided.made.is_empty();
                    self.keep(decided.made);
                }
                self.open[i] = open;
            }
            if !kept {
                return Ok(());
            }
        }
    }

    /// Ties bind later passes: they may decide between the tied records, not find others for them.
    fn hold(&mut self) {
        let mut held = Held::default();
        for open in &self.open {
            for pair in &open.tied {
                if matches!(open.between, Between::Records) {
                    held.hold_pair(pair);
                    continue;
                }
                for end in End::BOTH {
                    let rest = self.remainder.side(open.between.side(end));
                    let rows = open.between.rows(&self.remainder, end, pair);
                    for row in rows.into_iter().flatten() {
                        held.hold(open.between.side(end), rest.twins.node(row));
                    }
                }
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

    /// Matched records stay matched: nobody asks for their texts again.
    fn forget_texts(&mut self) -> Result<(), Cancelled> {
        let Run { texts, remainder, watch, .. } = self;
        for (_, texts) in texts {
            texts.keep(|side, row| remainder.side(side).stands_for_free(row), *watch)?;
        }
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
            threshold: plan.threshold,
            watch: self.watch,
            working_set: self.working_set,
            advance,
        }
    }

    /// `share` of the phase that is done.
    pub(crate) fn report(&self, phase: Phase, share: f64) {
        let fraction = match &phase {
            Phase::Prepare => PREPARED * share,
            Phase::Pass { .. } => {
                PREPARED + (MATCHED - PREPARED) * (self.turn as f64 + share) / self.plans.len() as f64
            }
            Phase::Explain => MATCHED + (1.0 - MATCHED) * share,
        };
        let rows_total = (self.remainder.left.records.len() + self.remainder.right.records.len()) as u64;
        let rows_done = self.remainder.matched_count();
        (self.watch.progress)(Progress { phase, rows_done, rows_total, fraction });
    }

    fn count_passes(&self) -> Vec<PassCount> {
        let names = self.rules.passes.iter().map(|pass| &pass.name);
        let names = names.chain(self.rules.netting.iter().map(|rule| &rule.name));
        let empty = |(i, name): (usize, &String)| PassCount {
            name: name.clone(),
            matches: 0,
            left_records: 0,
            right_records: 0,
            gave_up: self.gave_up[i],
            beyond_bound: self.beyond_bound[i],
        };
        let mut counts: Vec<PassCount> = names.enumerate().map(empty).collect();
        for m in &self.matches {
            let count = &mut counts[usize::from(m.pass)];
            count.matches += 1;
            count.left_records += m.left.len() as u64;
            count.right_records += m.right.len() as u64;
        }
        counts
    }
}
