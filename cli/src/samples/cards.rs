//! Payouts of a card processor, and the orders of the shop they are for.

use super::dice::Dice;
use super::files::{Table, ids, order_by_key};
use super::parties::{invent, short_name};
use chrono::{Days, NaiveDate};
use matching::format_minor;

const FIRST_DAY: NaiveDate = NaiveDate::from_ymd_opt(2026, 2, 2).expect("a date");

struct Payout {
    date: NaiveDate,
    amount: i64,
    reference: String,
    text: String,
}

struct Order {
    date: NaiveDate,
    amount: i64,
    number: String,
    customer: String,
    payout: String,
}

/// Amounts are cents of a euro.
#[derive(Default)]
struct Shop {
    payouts: Vec<Payout>,
    orders: Vec<Order>,
    /// Payout, order, kind.
    truth: Vec<(Option<usize>, Option<usize>, &'static str)>,
    serial: u32,
}

/// What the processor keeps: 1.4 % and 25 cents an order, rounded to the cent over the payout.
fn fee(gross: i64, orders: i64) -> i64 {
    (gross * 14 + 500).div_euclid(1_000) + 25 * orders
}

/// About `rows` orders in payouts of a day each, with those that do not fit.
pub fn generate(seed: u64, rows: u32) -> Vec<(&'static str, String)> {
    let mut dice = Dice::new(seed ^ 0xca4d);
    let mut shop = Shop::default();
    for number in 0u32.. {
        if shop.orders.len() >= rows as usize && number >= 30 {
            break;
        }
        shop.day(number, &mut dice);
    }
    shop.write()
}

impl Shop {
    fn day(&mut self, number: u32, dice: &mut Dice) {
        let day = FIRST_DAY + Days::new(u64::from(number) % 120);
        let payout = format!("PO-{:06}", 41_000 + number * 7 + dice.below(7) as u32);
        let first = self.orders.len();
        for _ in 0..dice.between(4, 12) {
            self.order(day, dice.between(900, 24_000), &payout, dice);
        }
        if dice.percent(30) {
            // A refund comes off the next payout.
            let back = -dice.between(500, 6_000);
            self.order(day, back, &payout, dice);
        }
        let rows: Vec<usize> = (first..self.orders.len()).collect();
        let gross: i64 = rows.iter().map(|&row| self.orders[row].amount).sum();
        let mut kind = match number % 15 {
            3 => "other_fee",
            6 => "paid_in_full",
            9 => "short",
            12 => "not_paid_out",
            _ => "usual_fee",
        };
        let net = match kind {
            "paid_in_full" => gross,
            // A chargeback's fee: more than usual, less than a twentieth.
            "other_fee" => gross - fee(gross, rows.len() as i64) - gross / 80,
            "short" => gross - gross / 6,
            _ => gross - fee(gross, rows.len() as i64),
        };
        if kind == "not_paid_out" {
            rows.iter().for_each(|&row| self.truth.push((None, Some(row), kind)));
            return self.single(day, dice);
        }
        let in_text = dice.percent(25);
        if in_text && kind == "usual_fee" {
            kind = "usual_fee_in_text";
        }
        let text = format!("TILLWAY PAYOUT {} CARDS", if in_text { payout.as_str() } else { "" });
        self.payouts.push(Payout {
            date: day + Days::new(dice.between(1, 4) as u64),
            amount: net,
            reference: if in_text && kind != "other_fee" { String::new() } else { payout },
            text: text.split_whitespace().collect::<Vec<_>>().join(" "),
        });
        let payout = self.payouts.len() - 1;
        rows.iter().for_each(|&row| self.truth.push((Some(payout), Some(row), kind)));
    }

    /// One large order paid out by itself under its own number, and something that is no order at all.
    fn single(&mut self, day: NaiveDate, dice: &mut Dice) {
        let order = self.order(day, dice.between(80_000, 400_000), "", dice);
        let Order { number, amount, .. } = &self.orders[order];
        let (reference, amount) = (number.clone(), amount - fee(*amount, 1));
        self.payouts.push(Payout {
            date: day + Days::new(2),
            amount,
            reference,
            text: "TILLWAY SINGLE".into(),
        });
        self.truth.push((Some(self.payouts.len() - 1), Some(order), "single_order"));
        let rent = -dice.between(1_500, 4_500);
        let (date, text) = (day + Days::new(1), "TILLWAY TERMINAL RENT".to_owned());
        self.payouts.push(Payout { date, amount: rent, reference: String::new(), text });
        self.truth.push((Some(self.payouts.len() - 1), None, "terminal_rent"));
    }

    fn order(&mut self, day: NaiveDate, amount: i64, payout: &str, dice: &mut Dice) -> usize {
        self.serial += dice.between(1, 3) as u32;
        self.orders.push(Order {
            date: day,
            amount,
            number: format!("W-{:07}", 500_000 + self.serial),
            customer: short_name(&invent(dice).name).to_owned(),
            payout: payout.to_owned(),
        });
        self.orders.len() - 1
    }

    fn write(self) -> Vec<(&'static str, String)> {
        let payout_order = order_by_key(&self.payouts, |row| (row.date, row.text.clone(), row.amount));
        let order_order = order_by_key(&self.orders, |row| (row.date, row.number.clone()));
        let (payout_ids, order_ids) = (ids(&payout_order, "TP"), ids(&order_order, "SO"));
        let mut payouts = Table::new(b',', ["id", "paid_on", "amount", "currency", "payout", "text"]);
        for i in payout_order {
            let row = &self.payouts[i];
            let (date, amount) = (row.date.to_string(), format_minor(row.amount.into(), 2));
            payouts.row([&payout_ids[i], &date, &amount, "EUR", &row.reference, &row.text]);
        }
        let mut orders =
            Table::new(b',', ["id", "ordered_on", "order_no", "customer", "total", "currency", "payout"]);
        for i in order_order {
            let row = &self.orders[i];
            let (date, amount) = (row.date.to_string(), format_minor(row.amount.into(), 2));
            orders.row([&order_ids[i], &date, &row.number, &row.customer, &amount, "EUR", &row.payout]);
        }
        let truth =
            super::files::truth(["payout_id", "order_id", "kind"], &self.truth, &payout_ids, &order_ids);
        vec![("payouts.csv", payouts.finish()), ("orders.csv", orders.finish()), ("truth.csv", truth)]
    }
}
