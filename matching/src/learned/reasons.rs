//! The evidence of a learned pair in words, each part with its bits.

use super::codes::each_mention;
use super::plan::{ComparisonPlan, Kind};
use super::{FieldEvidence, LearnedEvidence, LearnedPlan};
use crate::evidence::says_days;
use crate::{Reason, Records, Row, format_minor};

/// Characters of a value that a reason shows.
const SHOWN_CHARS_MAX: usize = 60;

impl LearnedEvidence {
    /// One reason for each part; the weights are bits, and log2 of the confidence's odds is their sum.
    pub fn reasons(&self, plan: &LearnedPlan, left: (&Records, Row), right: (&Records, Row)) -> Vec<Reason> {
        let mut reasons = Vec::with_capacity(self.fields.len() + 2);
        let mut add = |field: &str, says: String, bits: f32| {
            let weight = (f64::from(bits) * 1e4).round() / 1e4;
            reasons.push(Reason { field: field.to_owned(), says, weight })
        };
        for (comparison, evidence) in plan.comparisons.iter().zip(&self.fields) {
            let says = says(comparison, *evidence, left, right);
            add(&comparison.name, says, evidence.bits);
        }
        if self.calibration.abs() > 0.00005 {
            add("calibration", "what such a sum of evidence is worth here".into(), self.calibration);
        }
        add("prior", "odds of any two records, before they are compared".into(), self.prior);
        if self.others < -0.00005 {
            let says = "other candidates of both records".to_owned();
            add("competition", says, self.others);
        }
        if self.few < -0.00005 {
            let says = format!("learned from {:.0} matches, which cannot make surer", self.taught_by);
            add("experience", says, self.few);
        }
        reasons
    }
}

fn says(
    comparison: &ComparisonPlan,
    evidence: FieldEvidence,
    left: (&Records, Row),
    right: (&Records, Row),
) -> String {
    let name = &comparison.name;
    let level = evidence.agreement.level;
    if level == 0 {
        return format!("{name} missing on a side");
    }
    let value = || {
        let text = comparison.left.iter().map(|c| c.text(left.0, left.1).trim()).find(|t| !t.is_empty());
        text.unwrap_or_default().chars().take(SHOWN_CHARS_MAX).collect::<String>()
    };
    let rare = match evidence.agreement.rarity {
        0 => String::new(),
        rarity => match 2f64.powf(f64::from(rarity) / 8.0) {
            one_in if one_in < 1.5 => ", as in all records".to_owned(),
            one_in => format!(", as in one of {one_in:.0} records"),
        },
    };
    match comparison.kind {
        Kind::Text => match level {
            12 => format!("{name} equal: {}{rare}", value()),
            11 => format!("{name} more than 90 % alike{rare}"),
            2 => format!("{name} less than 10 % alike"),
            1 => format!("{name}: one names nothing the other side knows"),
            level => format!("{name} {} to {} % alike{rare}", (level - 2) * 10, (level - 1) * 10),
        },
        Kind::Code => match level {
            5 => format!("{name} {} on both sides{rare}", value()),
            4 => format!("{name} shares a reference{rare}"),
            3 => format!("{name} one character off"),
            2 => format!("{name} alike"),
            _ => format!("{name} differs"),
        },
        Kind::Mentions => match level {
            4 => format!("{name}{}{rare}", shared_mention(comparison, left, right)),
            _ => format!("{name} differ"),
        },
        Kind::Number => match level {
            7 => format!("{name} equal: {}{rare}", value()),
            6 => format!("{name} at most 0.1 % apart"),
            5 => format!("{name} at most 1 % apart"),
            4 => format!("{name} at most 5 % apart"),
            3 => format!("{name} at most 20 % apart"),
            2 => format!("{name} at most 50 % apart"),
            _ => format!("{name} differs"),
        },
        Kind::Amount { flip } => {
            let (a, b) = (i128::from(left.0.amount(left.1)), i128::from(right.0.amount(right.1)));
            let currency = left.0.currency(left.1);
            match a - if flip { -b } else { b } {
                0 => format!("amount equal{rare}"),
                d => {
                    let side = if d > 0 { "left" } else { "right" };
                    format!("{side} is {} {currency} more", format_minor(d.abs(), currency.exponent()))
                }
            }
        }
        Kind::Date => says_days(i64::from(right.0.date(right.1)) - i64::from(left.0.date(left.1)), false),
    }
}

/// `: KXTG9341T`, the longest thing that both texts mention.
fn shared_mention(comparison: &ComparisonPlan, left: (&Records, Row), right: (&Records, Row)) -> String {
    let mut mine = vec![];
    comparison.left.iter().for_each(|c| each_mention(c.text(left.0, left.1), |m| mine.push(m.to_owned())));
    let mut best = String::new();
    for column in &comparison.right {
        each_mention(column.text(right.0, right.1), |m| {
            if mine.iter().any(|own| own == m) && (m.len(), m) > (best.len(), best.as_str()) {
                best = m.to_owned();
            }
        });
    }
    if best.is_empty() { best } else { format!(": {best}") }
}
