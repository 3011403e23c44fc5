//! One window of a block: which of its records have the same sum.

use super::{Answer, Block, RECORDS_MAX};
use crate::balanced::{Balances, CHOICES_MAX};
use crate::candidates::Scope;
use crate::groups::Group;
use crate::plan::SearchPlan;
use crate::searched::BY_CHANCE_MAX;
use crate::subsets::{ANSWERS_MAX, left_out, left_out_by_chance};
use crate::{Cancelled, Pulse, Row, Side};
use std::collections::HashSet;

/// Records of both sides and one currency, by day and then id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Members(Vec<(i32, Side, Row)>);

/// What a window came to.
#[derive(Debug, Clone)]
pub(super) enum Searched {
    /// All answers of the fewest records; none, or one, or several.
    Found(Vec<Answer>),
    GaveUp,
}

impl Members {
    pub fn of(scope: &Scope<'_>, block: &Block) -> Self {
        let mut members: Vec<(i32, Side, Row)> = vec![];
        for (side, rows) in [(Side::Left, &block.left), (Side::Right, &block.right)] {
            let records = scope.remainder.side(side).records;
            // The lists are by id, and sorting by day is stable.
            members.extend(rows.iter().map(|&row| (records.date(row), side, row)));
        }
        members.sort_by_key(|&(day, side, _)| (day, side));
        Members(members)
    }

    pub fn remove(&mut self, gone: &HashSet<(Side, Row)>) {
        self.0.retain(|&(_, side, row)| !gone.contains(&(side, row)));
    }

    /// The longest runs of days that the pass's window spans, none inside another, that have records of both sides.
    pub fn windows(&self, scope: &Scope<'_>) -> Vec<Members> {
        let mut windows = vec![];
        let mut end = 0;
        for (start, &(day, ..)) in self.0.iter().enumerate() {
            let inside = |&&(other, ..): &&(i32, Side, Row)| match scope.plan.window.days {
                Some(days) => i64::from(other) - i64::from(day) <= days,
                None => true,
            };
            let reach = start + self.0[start..].iter().take_while(inside).count();
            if reach > end {
                end = reach;
                let window = Members(self.0[start..end].to_vec());
                if [Side::Left, Side::Right].into_iter().all(|side| !window.rows(side).is_empty()) {
                    windows.push(window);
                }
            }
        }
        windows
    }

    fn rows(&self, side: Side) -> Vec<Row> {
        self.0.iter().filter(|member| member.1 == side).map(|member| member.2).collect()
    }
}

pub(super) fn search(
    scope: &Scope<'_>,
    search: &SearchPlan,
    spread: Option<u32>,
    window: &Members,
    pulse: &mut Pulse<'_>,
) -> Result<Searched, Cancelled> {
    let mut sides = Sides::of(scope, window);
    let count = sides.left.len() + sides.right.len();
    pulse.beat(64 * count as u32)?;
    if count <= search.records_max {
        return sides.fewest(scope, spread, pulse);
    }
    if spread.is_none() || count > RECORDS_MAX {
        return Ok(Searched::GaveUp);
    }
    sides.nearly_all(scope, spread, pulse)
}

/// The records of a window, by amount and then id, with their amounts as they are compared.
struct Sides {
    left: Vec<(i128, Row)>,
    right: Vec<(i128, Row)>,
    /// How far the sums may be apart; of a percentage the most that counts.
    apart: i128,
}

impl Sides {
    fn of(scope: &Scope<'_>, window: &Members) -> Self {
        let of = |side: Side, rows: Vec<Row>| {
            let rest = scope.remainder.side(side);
            let sign = if side == Side::Right && scope.plan.allowance.flip_sign { -1 } else { 1 };
            let amount = |row| (sign * i128::from(rest.records.amount(row)), row);
            let mut rows: Vec<(i128, Row)> = rows.into_iter().map(amount).collect();
            rows.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| rest.by_id(a.1, b.1)));
            rows
        };
        let (left, right) =
            (of(Side::Left, window.rows(Side::Left)), of(Side::Right, window.rows(Side::Right)));
        let reach = |rows: &[(i128, Row)]| rows.iter().map(|(amount, _)| amount.abs()).sum::<i128>();
        let currency = scope.remainder.left.records.currency(left[0].1);
        let apart = scope.plan.allowance.in_currency(currency).apart_max(reach(&left).max(reach(&right)));
        Sides { left, right, apart }
    }

    fn fewest(
        &mut self,
        scope: &Scope<'_>,
        spread: Option<u32>,
        pulse: &mut Pulse<'_>,
    ) -> Result<Searched, Cancelled> {
        let amounts = |rows: &[(i128, Row)]| rows.iter().map(|row| row.0).collect::<Vec<_>>();
        let balances = Balances::of(&amounts(&self.left), &amounts(&self.right));
        let count = self.left.len() + self.right.len();
        let mut by_chance = 0.0;
        for size in balances.sizes() {
            // Each sum of a half is looked up twice among those of the other.
            pulse.beat(32 << count.div_ceil(2))?;
            let choices = balances.of_size(size, self.apart);
            by_chance += balances.by_chance(size, self.apart, choices.len());
            if by_chance > BY_CHANCE_MAX || choices.len() > CHOICES_MAX {
                return Ok(Searched::GaveUp);
            }
            pulse.beat(256 * choices.len() as u32)?;
            let mut answers = vec![];
            for bits in choices {
                let of = |rows: &[(i128, Row)], bits: u32| -> Vec<Row> {
                    rows.iter()
                        .enumerate()
                        .filter(|(i, _)| bits >> i & 1 == 1)
                        .map(|(_, row)| row.1)
                        .collect()
                };
                let (left, right) = (of(&self.left, bits), of(&self.right, bits >> self.left.len()));
                answers.extend(self.answer(scope, spread, left, right));
            }
            super::without_exchanges(scope, &mut answers);
            if !answers.is_empty() {
                return Ok(Searched::Found(listed(answers)));
            }
        }
        Ok(Searched::Found(vec![]))
    }

    /// All but one or two of the records.
    fn nearly_all(
        &mut self,
        scope: &Scope<'_>,
        spread: Option<u32>,
        pulse: &mut Pulse<'_>,
    ) -> Result<Searched, Cancelled> {
        let left = self.left.iter().map(|&(amount, row)| (amount, Side::Left, row));
        let right = self.right.iter().map(|&(amount, row)| (-amount, Side::Right, row));
        let mut all: Vec<(i128, Side, Row)> = left.chain(right).collect();
        all.sort_by_key(|&(amount, side, _)| (amount, side));
        // Amounts are those of records, or negatives of them: the smallest of all has none.
        let amounts: Option<Vec<i64>> = all.iter().map(|&(amount, ..)| i64::try_from(amount).ok()).collect();
        let Some(amounts) = amounts else { return Ok(Searched::GaveUp) };
        let target = -self.apart..=self.apart;
        pulse.beat(64 * amounts.len() as u32)?;
        if left_out_by_chance(&amounts, 2 * self.apart + 1) > BY_CHANCE_MAX {
            return Ok(Searched::GaveUp);
        }
        let mut answers = vec![];
        for out in left_out(&amounts, &target) {
            pulse.beat(16 * amounts.len() as u32)?;
            let kept = |side: Side| -> Vec<Row> {
                let kept = all.iter().enumerate().filter(|(i, of)| of.1 == side && !out.contains(i));
                kept.map(|(_, of)| of.2).collect()
            };
            answers.extend(self.answer(scope, spread, kept(Side::Left), kept(Side::Right)));
        }
        super::without_exchanges(scope, &mut answers);
        // To leave out one record is simpler than to leave out two.
        let most = answers.iter().map(Answer::len).max();
        answers.retain(|answer| Some(answer.len()) == most);
        Ok(Searched::Found(listed(answers)))
    }

    /// `None` when it does not fit the rule.
    fn answer(
        &self,
        scope: &Scope<'_>,
        spread: Option<u32>,
        left: Vec<Row>,
        right: Vec<Row>,
    ) -> Option<Answer> {
        if left.is_empty() || right.is_empty() {
            return None;
        }
        let group = |side: Side, rows, of: &[(i128, Row)]| {
            let records = scope.remainder.side(side).records;
            Group { in_reach: of.len() as u32, ..Group::of(records, rows) }
        };
        let left = group(Side::Left, left, &self.left);
        let right = group(Side::Right, right, &self.right);
        let evidence = scope.groups_evidence(&left, &right, Block::key(spread));
        let confidence = evidence.confidence(scope.plan);
        let min = scope.plan.text.as_ref().map_or(0.0, |rule| rule.min);
        let fits = evidence.fits(scope.plan)
            && confidence >= scope.threshold
            && evidence.text.is_none_or(|similarity| similarity >= min);
        fits.then_some(Answer { left, right, confidence, spread: spread.unwrap_or(1), is_tied: false })
    }
}

/// With more answers than can be listed none is right.
fn listed(mut answers: Vec<Answer>) -> Vec<Answer> {
    if answers.len() > ANSWERS_MAX {
        answers.truncate(ANSWERS_MAX);
        answers.iter_mut().for_each(|answer| answer.is_tied = true);
    }
    answers
}
