//! The reasons of a match in words, worked out again from its records when somebody asks.

use crate::evidence::{Evidence, KeyEvidence};
use crate::netting::NettingPlan;
use crate::outcome::{Contradicted, Note};
use crate::plan::{Plan, Shape};
use crate::settle::rate_reasons;
use crate::sums::Sums;
use crate::twins::by_id;
use crate::{Conversion, Match, Reason, Records, Row, RuleSet, Side, Watch};

/// Explains the matches of one outcome. Cheap to make, and to be shared by threads.
pub struct Reasoner<'a> {
    left: &'a Records,
    right: &'a Records,
    plans: Vec<Plan<'a>>,
    netting: Vec<NettingPlan>,
}

impl<'a> Reasoner<'a> {
    /// The same records and rules that gave the outcome. Rules that could not have given one explain nothing.
    pub fn new(left: &'a Records, right: &'a Records, rules: &'a RuleSet) -> Self {
        let fits = rules.check(Some(left.field_names()), Some(right.field_names())).is_empty();
        let plans = if fits { Plan::for_all(rules, left, right, Watch::none()) } else { None };
        let netting = if fits { NettingPlan::for_all(rules, left, right) } else { None };
        Reasoner { left, right, plans: plans.unwrap_or_default(), netting: netting.unwrap_or_default() }
    }

    /// Of each of the match's records that is in another currency, what it was taken for in that of the match.
    pub fn conversions(&self, m: &Match) -> Vec<(Side, Row, Conversion)> {
        let Some(plan) = self.plans.get(usize::from(m.pass)) else { return vec![] };
        let of = |side, records, rows| {
            let conversions = plan.conversions(m.currency, records, rows).into_iter();
            conversions.map(move |(row, conversion)| (side, row, conversion))
        };
        of(Side::Left, self.left, &*m.left).chain(of(Side::Right, self.right, &*m.right)).collect()
    }

    /// What spoke for the match. The weights add up to its confidence, or to log2 of its odds: see
    /// [`Reason::weight`].
    pub fn reasons(&self, m: &Match) -> Vec<Reason> {
        let mut reasons = if m.is_netted() { self.reasons_of_netted(m) } else { self.reasons_of_pass(m) };
        reasons.extend(twin_reasons(m));
        reasons
    }

    /// Reads a little of what [`Self::reasons`] will read, so that whoever is about to ask for many of them need not
    /// wait for memory each time. The number means nothing.
    pub fn fetch(&self, m: &Match) -> u64 {
        let Some(plan) = self.plans.get(usize::from(m.pass)) else { return 0 };
        let rows = m.left.first().copied().zip(m.right.first().copied());
        rows.map_or(0, |(left, right)| plan.keys.fetch((self.left, left), (self.right, right)))
    }

    fn reasons_of_netted(&self, m: &Match) -> Vec<Reason> {
        let side = if m.right.is_empty() { Side::Left } else { Side::Right };
        let records = if side == Side::Left { self.left } else { self.right };
        let plan = self.netting.iter().find(|plan| plan.plan.index == m.pass && plan.side == side);
        plan.map_or(vec![], |plan| plan.reasons(records, m))
    }

    fn reasons_of_pass(&self, m: &Match) -> Vec<Reason> {
        let Some(plan) = self.plans.get(usize::from(m.pass)) else { return vec![] };
        let rare = m.evidence.rare.get();
        if let (Some(learned), Some(plan)) = (rare.and_then(|rare| rare.learned.as_ref()), &plan.learned) {
            let mut reasons = learned.reasons(plan, (self.left, m.left[0]), (self.right, m.right[0]));
            if m.evidence.note == Note::Contradicted {
                reasons.push(Reason { weight: 0.0, ..Contradicted::reason("text") });
            }
            return reasons;
        }
        let key = (!plan.keys.is_empty()).then_some(KeyEvidence { spread: m.evidence.spread });
        let (left, right) = (representative(self.left, &m.left), representative(self.right, &m.right));
        let text = rare.and_then(|rare| rare.text).map(f64::from);
        let evidence = if plan.shape() == Shape::Pairs {
            Evidence { text, ..Evidence::of_pair(plan, (self.left, left), (self.right, right), key) }
        } else {
            let (left, right) = ((self.left, &*m.left), (self.right, &*m.right));
            let Some(sums) = Sums::of(plan, m.currency, left, right) else { return vec![] };
            let evidence = sums.evidence(plan, key);
            let settled = evidence.settled.filter(|_| m.remainder().is_some());
            let (in_reach, fee) = rare.map_or((0, None), |rare| (rare.in_reach.into(), rare.fee));
            Evidence { text, in_reach, fee, settled, ..evidence }
        };
        let shared = plan.keys.shared(&plan.pass, (self.left, left), (self.right, right));
        let mut reasons = evidence.reasons(plan, m.currency, &shared);
        if let (Note::Contradicted, Some(rule)) = (m.evidence.note, &plan.pass.doubt) {
            reasons.push(Contradicted::reason(rule.left.first().map_or("text", String::as_str)));
        }
        let sum: f64 = reasons.iter().map(|r| r.weight).sum();
        let rest = ((m.confidence.as_f64() - sum) * 1e6).round() / 1e6;
        if rest != 0.0 {
            let says = "how often such evidence is right in these files".to_owned();
            reasons.push(Reason { field: "calibration".into(), says, weight: rest });
        }
        reasons.extend(rate_reasons(plan, m.currency, (self.left, &m.left), (self.right, &m.right)));
        reasons
    }
}

fn twin_reasons(m: &Match) -> impl Iterator<Item = Reason> {
    let twins = [(Side::Left, m.evidence.left_twins), (Side::Right, m.evidence.right_twins)];
    twins.into_iter().filter(|&(_, twins)| twins > 1).map(|(side, twins)| {
        let says = format!("one of {twins} identical {} records, taken by id", side.as_str());
        Reason { field: "identical".into(), says, weight: 0.0 }
    })
}

/// The record that stands for several: the one with the smallest id.
fn representative(records: &Records, rows: &[Row]) -> Row {
    rows.iter().copied().min_by(|&a, &b| by_id(records, a, b)).unwrap_or_default()
}
