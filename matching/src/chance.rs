//! How often a pass with fixed weights is right: what it finds by chance is counted, not guessed.

use crate::plan::Plan;
use crate::{Confidence, Match};

/// Bits of odds per whole unit of evidence: inside a pass more evidence is always more probable.
const BITS_PER_UNIT: f64 = 20.0;

/// What one pass saw.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    /// Pairs inside the rule.
    pub candidates: usize,
    /// Records of each side (or groups) that the pass had.
    pub left: usize,
    pub right: usize,
    /// The sums were searched for.
    pub is_search: bool,
}

impl Seen {
    pub fn of(candidates: usize, (left, right): (usize, usize)) -> Self {
        Seen { candidates, left, right, is_search: false }
    }
}

/// From the evidence of a match to the probability that it is right; increasing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Odds {
    /// Evidence with even odds.
    even: f64,
}

impl Odds {
    /// A record with its counterpart found has, at times, other candidates inside the rule: so often chance
    /// alone gives one. A record without a counterpart finds one just as often, and it is a wrong match when
    /// that one is without a counterpart too.
    pub fn of(plan: &Plan<'_>, seen: &Seen, made: &[Match]) -> Self {
        let chosen = made.len();
        let (left_free, right_free) = (seen.left.saturating_sub(chosen), seen.right.saturating_sub(chosen));
        let share = |part: usize, of: usize| part as f64 / of.max(1) as f64;
        let by_chance = share(seen.candidates.saturating_sub(chosen), chosen).min(1.0);
        let wrong = by_chance * left_free as f64 * share(right_free, seen.right);
        let wrong = wrong.min(by_chance * right_free as f64 * share(left_free, seen.left));
        let (few, least) = doubt(plan, seen.is_search);
        let wrong = (wrong + few) / (chosen as f64 + wrong.min(chosen as f64) + 1.0);
        let wrong = wrong.clamp(least, 0.5);
        let sum: u64 = made.iter().map(|m| u64::from(m.confidence.millionths())).sum();
        let mean = sum as f64 / 1e6 / made.len().max(1) as f64;
        let mean = if made.is_empty() { 0.9 } else { mean };
        Odds { even: mean - ((1.0 - wrong) / wrong).log2() / BITS_PER_UNIT }
    }

    pub fn probability(&self, evidence: Confidence) -> Confidence {
        let odds = (BITS_PER_UNIT * (evidence.as_f64() - self.even)).exp2();
        Confidence::from_f64(odds / (1.0 + odds))
    }
}

/// Wrong matches taken for granted beside those counted, and the least share of them: by judgement, since no
/// file without a known truth shows them. A sum that was searched for and an amount with a date are less sure
/// than a reference.
fn doubt(plan: &Plan<'_>, is_search: bool) -> (f64, f64) {
    if is_search {
        (0.2, 0.01)
    } else if !plan.keys.is_empty() {
        (0.01, 2e-5)
    } else if plan.text.is_some() {
        (0.05, 2e-4)
    } else {
        (0.3, 0.02)
    }
}
