//! Netting before the passes: records of one side that cancel out, see [`crate::NettingRule`].
//!
//! A rule is run as a pass between the side and itself. Positive amounts on one end and negative ones on the
//! other, its pairs are chosen as those of any pass are: what is tied is not netted.

use crate::candidates::Scope;
use crate::evidence::{Evidence, KeyEvidence};
use crate::fees::Fees;
use crate::held::Held;
use crate::keyed;
use crate::outcome::{MatchEvidence, Note, RareEvidence};
use crate::plan::{Data, Plan};
use crate::remainder::Remainder;
use crate::run::Run;
use crate::select::{Chosen, Ends, Pair, Stakes, select};
use crate::settle::deal_rows;
use crate::twins::{Node, Twins};
use crate::{Cancelled, Match, Reason, Records, Row, Rows, RuleSet, Side, Watch};
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::Arc;

/// A netting rule made ready for one side. Its index counts on behind the passes.
pub(crate) struct NettingPlan {
    pub side: Side,
    pub plan: Plan<'static>,
}

impl NettingPlan {
    /// In the order of the rules; `None` as [`Plan::for_all`].
    pub fn for_all(rules: &RuleSet, left: &Records, right: &Records) -> Option<Vec<Self>> {
        if rules.netting.is_empty() {
            return Some(vec![]);
        }
        let data = Data::of(rules, left, right, Watch::none())?;
        let sides = [(Side::Left, left), (Side::Right, right)];
        let wanted = rules.netting.iter().enumerate().flat_map(|(i, rule)| {
            sides.into_iter().filter(|(side, _)| rule.is_of(*side)).map(move |side| (i, rule, side))
        });
        let plan = |(i, rule, (side, records)): (usize, &crate::NettingRule, (Side, &Records))| {
            let index = (rules.passes.len() + i) as u16;
            Some(NettingPlan {
                side,
                plan: Plan::of(index, Cow::Owned(rule.as_pass()), records, records, &data)?,
            })
        };
        wanted.map(plan).collect()
    }

    fn reads_id(&self) -> bool {
        [Side::Left, Side::Right].into_iter().any(|end| self.plan.keys.reads_id(end))
    }

    /// What spoke for a match of this plan. The weights add up to its confidence.
    pub fn reasons(&self, records: &Records, m: &Match) -> Vec<Reason> {
        let rows = if self.side == Side::Left { &m.left } else { &m.right };
        let [a, b] = **rows else { return vec![] };
        let (positive, negative) = if records.amount(a) > 0 { (a, b) } else { (b, a) };
        let is_negative = m.evidence.note != Note::ReversalPositive;
        let (booked, reversal) = if is_negative { (positive, negative) } else { (negative, positive) };
        let key = Some(KeyEvidence { spread: m.evidence.spread });
        let evidence = Evidence::of_pair(&self.plan, (records, booked), (records, reversal), key);
        let shared = self.plan.keys.shared(&self.plan.pass, (records, booked), (records, reversal));
        let mut reasons = evidence.reasons(&self.plan, m.currency, &shared);
        for reason in &mut reasons {
            match reason.field.as_str() {
                "amount" => reason.says = "the amounts cancel out".into(),
                "date" if evidence.days == 0 => reason.says = "taken back the same day".into(),
                "date" => reason.says = format!("taken back {} days later", evidence.days),
                _ => reason.says = reason.says.replace(" on both sides", " on both"),
            }
        }
        reasons
    }
}

/// What one plan nets.
pub(crate) struct Netted {
    pub made: Vec<Match>,
    pub gave_up: u64,
    pub beyond_bound: u64,
}

/// Work: that of a keyed pass over the side's free records.
pub(crate) fn net(run: &Run<'_>, of: &NettingPlan) -> Result<Netted, Cancelled> {
    let NettingPlan { side, plan } = of;
    let rest = run.remainder.side(*side);
    let records = rest.records;
    let twins = if of.reads_id() { Arc::new(Twins::none()) } else { rest.twins.clone() };
    let remainder = Remainder { left: rest.with_twins(twins.clone()), right: rest.with_twins(twins) };
    let scope = Scope {
        plan,
        remainder: &remainder,
        texts: None,
        fees: Fees::default(),
        learned: None,
        held: &Held::default(),
        threshold: run.rules.threshold(),
        watch: run.watch,
        working_set: run.working_set,
        advance: &|_| {},
    };
    let found = keyed::find(&scope)?;
    let turned = turned(records, in_order_of_time(records, found.pairs));
    let capacity = |node: Node| remainder.left.capacity(node);
    let ends = Ends {
        left_len: records.len(),
        right_len: records.len(),
        left_capacity: &capacity,
        right_capacity: &capacity,
        right_frozen: &|_| false,
    };
    let stakes = Stakes { threshold: scope.threshold, margin: scope.plan.margin };
    let pairs = turned.iter().map(|&(pair, _)| pair).collect();
    let selection = select(pairs, &ends, stakes, run.watch)?;
    let chosen: Vec<&Chosen> = selection.chosen.iter().collect();
    let rest = &remainder.left;
    let positives = deal_rows(&chosen, rest, |p| p.left, |a, b| rest.by_id(a.right, b.right));
    let negatives = deal_rows(&chosen, rest, |p| p.right, |a, b| rest.by_id(a.left, b.left));
    let mut made = vec![];
    for ((c, positives), negatives) in chosen.iter().zip(positives).zip(negatives) {
        let place = turned.binary_search_by_key(&(c.pair.left, c.pair.right), |(p, _)| (p.left, p.right));
        let note = place.map_or(Note::ReversalNegative, |place| turned[place].1);
        let twins = rest.twins.count(c.pair.left).max(rest.twins.count(c.pair.right));
        let rows = positives.into_iter().zip(negatives);
        made.extend(rows.map(|(a, b)| netted(of, records, &c.pair, (a, b), note, twins)));
    }
    Ok(Netted { made, gave_up: found.gave_up, beyond_bound: selection.beyond_bound })
}

/// Without the pairs whose first record may itself take back an earlier one: of a cheque, its voiding and the
/// cheque issued again, the voiding belongs to the first.
fn in_order_of_time(records: &Records, mut pairs: Vec<Pair>) -> Vec<Pair> {
    let dates = |pair: &Pair| (records.date(pair.left), records.date(pair.right));
    pairs.retain(|pair| records.amount(pair.left) != 0);
    pairs.sort_unstable_by_key(|pair| (dates(pair), pair.left, pair.right));
    let mut reversals: HashSet<Node> = HashSet::new();
    let mut kept: Vec<Pair> = Vec::with_capacity(pairs.len());
    for same_days in pairs.chunk_by(|a, b| dates(a) == dates(b)) {
        let before = kept.len();
        kept.extend(same_days.iter().copied().filter(|pair| !reversals.contains(&pair.left)));
        reversals.extend(kept[before..].iter().map(|pair| pair.right));
    }
    kept
}

/// Each pair once, its positive record left, with which of the two is the reversal; sorted by nodes.
fn turned(records: &Records, pairs: Vec<Pair>) -> Vec<(Pair, Note)> {
    let turn = |pair: Pair| match records.amount(pair.left) {
        1.. => (pair, Note::ReversalNegative),
        _ => (Pair { left: pair.right, right: pair.left, ..pair }, Note::ReversalPositive),
    };
    let mut turned: Vec<(Pair, Note)> = pairs.into_iter().map(turn).collect();
    // On the same day either may be the reversal, by the key perhaps only one.
    turned.sort_unstable_by_key(|(p, note)| (p.left, p.right, Reverse(p.confidence), *note));
    turned.dedup_by_key(|(p, _)| (p.left, p.right));
    turned
}

fn netted(
    of: &NettingPlan,
    records: &Records,
    pair: &Pair,
    rows: (Row, Row),
    note: Note,
    twins: u32,
) -> Match {
    let both: Rows = vec![rows.0.min(rows.1), rows.0.max(rows.1)].into();
    let none: Rows = vec![].into();
    let (left, right) = if of.side == Side::Left { (both, none) } else { (none, both) };
    let (left_twins, right_twins) = if of.side == Side::Left { (twins, 0) } else { (0, twins) };
    let evidence =
        MatchEvidence { spread: pair.spread, left_twins, right_twins, note, rare: RareEvidence::NONE };
    Match {
        pass: of.plan.index,
        tier: of.plan.pass.tier,
        confidence: pair.confidence,
        currency: records.currency(rows.0),
        left,
        right,
        difference: 0,
        evidence,
    }
}
