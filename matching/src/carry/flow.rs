//! How the open items of a chain of runs change, in numbers.

use super::{CarriedSide, Origin};
use crate::{Currency, ExceptionKind, Outcome, Records, Row, Side, Tier};

/// How one currency's open items of one side changed: `before + restated + new - matched + remainder == after`,
/// in count and amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenFlow {
    pub side: Side,
    pub currency: Currency,
    /// Carried in, as the earlier run left them.
    pub before: Sum,
    /// What the new file changed about them. Of a changed currency, minus in the one and plus in the other.
    pub restated: Sum,
    /// Records of this run's file, without repeated and held back ones.
    pub new: Sum,
    /// Inside confirmed matches.
    pub matched: Sum,
    /// Of `matched`, what stays open after part payments.
    pub remainder: Sum,
    /// What the next run carries in.
    pub after: Sum,
    /// The part of `matched` that was carried in.
    pub resolved: Sum,
    /// The part of `after` that was carried in.
    pub persisting: Sum,
    /// Held back; in none of the others.
    pub already_matched: Sum,
}

impl OpenFlow {
    /// What of `after` nothing explains. Zero, or an item was lost on the way.
    pub fn residual(&self) -> Sum {
        Sum {
            count: self.after.count + self.matched.count
                - self.remainder.count
                - self.before.count
                - self.restated.count
                - self.new.count,
            amount: self.after.amount + self.matched.amount
                - self.remainder.amount
                - self.before.amount
                - self.restated.amount
                - self.new.amount,
        }
    }
}

/// The flow of open items of one side, by currency. After [`CarriedSide::hold_back`].
///
/// Every figure is added up on its own: `before` from the items as they were loaded, `matched` from the matches,
/// `after` from exceptions and suggestions.
pub fn open_flow(side: Side, carried: &CarriedSide, outcome: &Outcome) -> Vec<OpenFlow> {
    let records = &carried.records;
    let mut flow = Flow { side, by_currency: vec![] };
    let mut is_held_back = vec![];
    for exception in outcome.exceptions.iter().filter(|e| e.side == side) {
        let row = exception.row;
        let of = flow.of(records.currency(row));
        if exception.kind == ExceptionKind::AlreadyMatched {
            of.already_matched.add(records.amount(row));
            is_held_back.push(row);
            continue;
        }
        of.after.add(records.amount(row));
        if carried.origin(row) != Origin::New {
            of.persisting.add(records.amount(row));
        }
    }
    for found in &outcome.matches {
        let rows = if side == Side::Left { &found.left } else { &found.right };
        for &row in rows {
            let (amount, is_carried) = (records.amount(row), carried.origin(row) != Origin::New);
            let of = flow.of(records.currency(row));
            let (whole, part) = match found.tier {
                Tier::Confirmed => (&mut of.matched, &mut of.resolved),
                Tier::Suggested => (&mut of.after, &mut of.persisting),
            };
            whole.add(amount);
            if is_carried {
                part.add(amount);
            }
        }
    }
    for (row, amount) in open_remainders(side, records, outcome) {
        let of = flow.of(records.currency(row));
        of.remainder.add(amount);
        of.after.add(amount);
    }
    // Held back records were put behind all others.
    let last_new = is_held_back.iter().min().map_or(records.len(), |&row| row as usize);
    for row in carried.carried_count()..last_new {
        flow.of(records.currency(row as Row)).new.add(records.amount(row as Row));
    }
    for (currency, sum) in &carried.before.0 {
        flow.of(*currency).before = *sum;
    }
    for (currency, sum) in &carried.restated_by.0 {
        flow.of(*currency).restated = *sum;
    }
    flow.by_currency.sort_unstable_by_key(|of| of.currency);
    flow.by_currency
}

/// What stays open of confirmed matches: the record, and the amount that is left of it. Of an overpayment by several
/// records, the one with the largest amount stands for it, of equals the one with the smallest id.
pub fn open_remainders(side: Side, records: &Records, outcome: &Outcome) -> impl Iterator<Item = (Row, i64)> {
    outcome.matches.iter().filter(|found| found.tier == Tier::Confirmed).filter_map(move |found| {
        let remainder = found.remainder().filter(|remainder| remainder.side == side)?;
        let rows = if side == Side::Left { &found.left } else { &found.right };
        let order = |&a: &Row, &b: &Row| {
            let size = |row| records.amount(row).unsigned_abs();
            size(b).cmp(&size(a)).then_with(|| records.id(a).cmp(records.id(b)))
        };
        Some((rows.iter().copied().min_by(order)?, remainder.amount))
    })
}

/// Records and what they add up to, in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    /// Below 0 only in differences.
    pub count: i64,
    pub amount: i128,
}

impl Sum {
    fn add(&mut self, amount: i64) {
        self.count += 1;
        self.amount += i128::from(amount);
    }
}

/// By currency. A run has few, and neighbours mostly share theirs.
#[derive(Debug, Clone, Default)]
pub(super) struct Sums(Vec<(Currency, Sum)>);

impl Sums {
    pub fn add(&mut self, currency: Currency, count: i64, amount: impl Into<i128>) {
        let at = self.0.iter().position(|(of, _)| *of == currency).unwrap_or_else(|| {
            self.0.push((currency, Sum::default()));
            self.0.len() - 1
        });
        let sum = &mut self.0[at].1;
        sum.count += count;
        sum.amount += amount.into();
    }
}

struct Flow {
    side: Side,
    by_currency: Vec<OpenFlow>,
}

impl Flow {
    fn of(&mut self, currency: Currency) -> &mut OpenFlow {
        let at = self.by_currency.iter().position(|of| of.currency == currency).unwrap_or_else(|| {
            let nothing = Sum::default();
            self.by_currency.push(OpenFlow {
                side: self.side,
                currency,
                before: nothing,
                restated: nothing,
                new: nothing,
                matched: nothing,
                remainder: nothing,
                after: nothing,
                resolved: nothing,
                persisting: nothing,
                already_matched: nothing,
            });
            self.by_currency.len() - 1
        });
        &mut self.by_currency[at]
    }
}
