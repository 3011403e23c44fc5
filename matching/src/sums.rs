//! Sums set side by side: what several records of one side are worth together against one or more of the
//! other.

use crate::evidence::{Evidence, KeyEvidence, Settled};
use crate::exchange::Exchange;
use crate::fees::Deposit;
use crate::plan::{Plan, Shape};
use crate::{Currency, Records, Row, Side};

/// What records of one side and one currency are together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Total {
    pub records: u32,
    /// Minor units, signs as in the file.
    pub sum: i128,
    /// Of the largest record, without its sign.
    pub largest: u64,
    pub first_date: i32,
    pub last_date: i32,
}

impl Total {
    /// `rows`: not empty.
    pub fn of(records: &Records, rows: &[Row]) -> Self {
        let dates = || rows.iter().map(|&row| records.date(row));
        Total {
            records: rows.len() as u32,
            sum: rows.iter().map(|&row| i128::from(records.amount(row))).sum(),
            largest: rows.iter().map(|&row| records.amount(row).unsigned_abs()).max().unwrap_or_default(),
            first_date: dates().min().unwrap_or_default(),
            last_date: dates().max().unwrap_or_default(),
        }
    }

    /// In another currency than some of them have. `None` where one has no rate.
    pub fn converted(exchange: &Exchange, records: &Records, rows: &[Row], to: Currency) -> Option<Self> {
        let amounts = exchange.convert_rows(records, rows, to)?;
        Some(Total {
            sum: amounts.iter().map(|&amount| i128::from(amount)).sum(),
            largest: amounts.iter().map(|amount| amount.unsigned_abs()).max().unwrap_or_default(),
            ..Total::of(records, rows)
        })
    }

    pub fn of_one(records: &Records, row: Row) -> Self {
        let (amount, date) = (records.amount(row), records.date(row));
        let (sum, largest) = (amount.into(), amount.unsigned_abs());
        Total { records: 1, sum, largest, first_date: date, last_date: date }
    }
}

/// Two totals in one currency, one of each side.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sums {
    pub currency: Currency,
    pub left: Total,
    pub right: Total,
    /// Some of the records are in another one.
    pub is_converted: bool,
}

impl Sums {
    /// Of these records, in `currency`. `None` where some are in another one and the pass has no rate.
    pub fn of(
        plan: &Plan<'_>,
        currency: Currency,
        (left, left_rows): (&Records, &[Row]),
        (right, right_rows): (&Records, &[Row]),
    ) -> Option<Self> {
        let total = |records: &Records, rows: &[Row]| {
            if rows.iter().all(|&row| records.currency(row) == currency) {
                return Some((Total::of(records, rows), false));
            }
            let exchange = plan.exchange.as_ref()?;
            Some((Total::converted(&exchange.rates, records, rows, currency)?, true))
        };
        let ((left, of_left), (right, of_right)) = (total(left, left_rows)?, total(right, right_rows)?);
        Some(Sums { currency, left, right, is_converted: of_left || of_right })
    }

    /// All but fee and text. The date that counts is the farthest of any two records.
    pub fn evidence(&self, plan: &Plan<'_>, key: Option<KeyEvidence>) -> Evidence {
        let (left, right) = (self.left, self.right);
        let allowance = match &plan.exchange {
            Some(exchange) if self.is_converted => &exchange.allowance,
            _ => &plan.allowance,
        };
        let amount = allowance.in_currency(self.currency).distance(left.sum, right.sum);
        let days = [
            plan.window.distance(left.last_date, right.first_date),
            plan.window.distance(left.first_date, right.last_date),
        ];
        // A day outside the window counts first, then the larger distance.
        let far = |days: &i64| (!plan.window.admits(*days), days.abs(), *days);
        let days = if far(&days[0]) > far(&days[1]) { days[0] } else { days[1] };
        Evidence {
            key,
            amount,
            days,
            text: None,
            group: Some((left.records, right.records)),
            in_reach: 0,
            fee: None,
            settled: if amount.fits() { None } else { self.settled(plan) },
        }
    }

    /// In a pass with splits, how much of the larger sum the smaller one settles: one record with several of
    /// the same sign, none of which is larger.
    fn settled(&self, plan: &Plan<'_>) -> Option<Settled> {
        let Shape::Sums(one) = plan.shape() else { return None };
        let (single, many) =
            if one == Side::Left { (self.left, self.right) } else { (self.right, self.left) };
        let sign = if plan.allowance.flip_sign { -1 } else { 1 };
        let (left, right) = (self.left.sum, sign * self.right.sum);
        if !plan.pass.split || left.signum() * right.signum() != 1 || many.largest > single.largest {
            return None;
        }
        let (left, right) = (left.unsigned_abs(), right.unsigned_abs());
        let (small, large) = (left.min(right), left.max(right));
        let larger = if left > right { Side::Left } else { Side::Right };
        let is_open = small < large && i64::try_from(large - small).is_ok();
        is_open.then_some(Settled { share: small as f64 / large as f64, larger })
    }

    /// As a fee sees them, both in the signs of the gross sum's file. The net one is the single record's; of
    /// two groups the smaller one.
    pub fn deposit(&self, plan: &Plan<'_>) -> Deposit {
        let sign = if plan.allowance.flip_sign { -1 } else { 1 };
        let left_is_net = match plan.shape() {
            Shape::Sums(one) => one == Side::Left,
            Shape::Pairs | Shape::Groups => self.left.sum.abs() <= self.right.sum.abs(),
        };
        if left_is_net {
            Deposit { gross: sign * self.right.sum, net: self.left.sum, items: self.right.records }
        } else {
            Deposit { gross: self.left.sum, net: sign * self.right.sum, items: self.left.records }
        }
    }
}
