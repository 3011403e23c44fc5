//! What all three ways of finding candidates have in common: what they look at and what they give.

use crate::evidence::{Evidence, KeyEvidence};
use crate::fees::Fees;
use crate::held::Held;
use crate::learned::Learned;
use crate::plan::Plan;
use crate::remainder::Remainder;
use crate::select::Pair;
use crate::sorted;
use crate::text::Texts;
use crate::tolerance::{AmountDistance, CurrencyAllowance};
use crate::twins::Node;
use crate::{Cancelled, Confidence, Pulse, Side, Watch, WorkingSet};

/// Pairs that one pass may hold at most, about 0.5 GB. A pass that finds more gives up as a whole.
pub(crate) const PAIRS_MAX: usize = 32 << 20;

/// One pass at work.
pub(crate) struct Scope<'a> {
    pub plan: &'a Plan<'a>,
    pub remainder: &'a Remainder<'a>,
    /// There when the plan has a text rule.
    pub texts: Option<&'a Texts>,
    /// Of a pass of sums, the fees that explain a difference.
    pub fees: Fees,
    /// There when the pass is a learned one and has run.
    pub learned: Option<&'a Learned>,
    pub held: &'a Held,
    pub threshold: Confidence,
    pub watch: Watch<'a>,
    pub working_set: WorkingSet,
    /// Told the share of the pass that is done, 0 to 1, now and then.
    pub advance: &'a (dyn Fn(f64) + Sync),
}

/// Pairs worth comparing with each other, and what was left out.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    /// Each pair once.
    pub pairs: Vec<Pair>,
    /// Right nodes that have candidates which are not among the pairs; sorted.
    pub right_frozen: Vec<Node>,
    pub gave_up: u64,
}

impl Scope<'_> {
    /// The evidence for two records, whether it fits the rule or not.
    pub fn evidence(&self, left: Node, right: Node, key: Option<KeyEvidence>) -> Evidence {
        let (l, r) = (self.remainder.left.records, self.remainder.right.records);
        Evidence {
            text: self.text_evidence(left, right),
            ..Evidence::of_pair(self.plan, (l, left), (r, right), key)
        }
    }

    /// `None` also where the rule lets two texts be that say nothing to each other.
    pub fn text_evidence(&self, left: Node, right: Node) -> Option<f64> {
        let (rule, texts) = (self.plan.text.as_ref()?, self.texts?);
        let similarity = texts.similarity(left, right);
        (similarity >= rule.min || !self.says_nothing(left, right)).then_some(similarity)
    }

    /// The rule lets the texts be, for that of its silent side names nobody.
    fn says_nothing(&self, left: Node, right: Node) -> bool {
        let silent = self.texts.zip(self.plan.text.as_ref().and_then(|rule| rule.silent));
        silent.is_some_and(|(texts, side)| {
            texts.says_nothing(side, if side == Side::Left { left } else { right })
        })
    }

    /// Both have one of the keys that speak against a pair, and not the same.
    pub fn conflicts(&self, left: Node, right: Node) -> bool {
        let (l, r) = (self.remainder.left.records, self.remainder.right.records);
        !self.plan.conflict.is_empty() && self.plan.conflict.differ((l, left), (r, right))
    }

    /// A pair that shares a token, as far as the texts around it name the same reference.
    pub fn agreed(&self, pair: Pair) -> Option<Pair> {
        let (l, r) = (self.remainder.left.records, self.remainder.right.records);
        let spread = self.plan.keys.agreed(pair.spread, (l, pair.left), (r, pair.right))?;
        if spread == pair.spread {
            return Some(pair);
        }
        let evidence = self.evidence(pair.left, pair.right, Some(KeyEvidence { spread }));
        let confidence = evidence.confidence(self.plan);
        (confidence >= self.threshold).then_some(Pair { confidence, spread, ..pair })
    }

    /// The pair, when everything fits, the texts are alike enough, and the threshold is reached.
    pub fn candidate(
        &self,
        allowance: &CurrencyAllowance<'_>,
        left: Node,
        right: Node,
        key: Option<KeyEvidence>,
        pulse: &mut Pulse<'_>,
    ) -> Result<Option<Pair>, Cancelled> {
        let (l, r) = (self.remainder.left.records, self.remainder.right.records);
        let amount = allowance.distance(l.amount(left).into(), r.amount(right).into());
        self.candidate_of(amount, left, right, key, pulse)
    }

    /// The same for amounts that were set side by side already, converted perhaps.
    pub fn candidate_of(
        &self,
        amount: AmountDistance,
        left: Node,
        right: Node,
        key: Option<KeyEvidence>,
        pulse: &mut Pulse<'_>,
    ) -> Result<Option<Pair>, Cancelled> {
        let (l, r) = (self.remainder.left.records, self.remainder.right.records);
        pulse.beat(1)?;
        // Dates and amounts first: texts cost a hundred times more.
        let days = self.plan.window.distance(l.date(left), r.date(right));
        if !self.plan.window.admits(days) || !amount.fits() || !self.held.allows(left, right) {
            return Ok(None);
        }
        if self.conflicts(left, right) {
            return Ok(None);
        }
        if self.texts.is_some() {
            pulse.beat(Pulse::TEXT)?;
        }
        let mut text = None;
        if let (Some(rule), Some(texts)) = (&self.plan.text, self.texts) {
            let similarity = texts.similarity_from(rule.min, left, right);
            if similarity >= rule.min {
                text = Some(similarity);
            } else if !self.says_nothing(left, right) {
                return Ok(None);
            }
        }
        let evidence = Evidence { text, ..Evidence::of_pair(self.plan, (l, left), (r, right), key) };
        let confidence = evidence.confidence(self.plan);
        let spread = key.map_or(1, |k| k.spread);
        Ok((confidence >= self.threshold).then_some(Pair { left, right, confidence, spread }))
    }
}

/// Of each pair of nodes the one with the most confidence; sorted by nodes.
pub(crate) fn best_of_each(mut pairs: Vec<Pair>, watch: Watch<'_>) -> Result<Vec<Pair>, Cancelled> {
    sorted::sort_by_key(&mut pairs, watch, |p| (p.left, p.right, std::cmp::Reverse(p.confidence), p.spread))?;
    pairs.dedup_by_key(|p| (p.left, p.right));
    Ok(pairs)
}
