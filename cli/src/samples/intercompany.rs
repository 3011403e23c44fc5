//! What two companies of one group have booked about each other: the one in euros, the other mostly in dollars, and
//! the rates between.

use super::dice::Dice;
use super::files::{Table, ids, order_by_key};
use chrono::{Datelike, Days, NaiveDate, Weekday};
use matching::{Currency, format_minor};

const FIRST_DAY: NaiveDate = NaiveDate::from_ymd_opt(2026, 3, 2).expect("a date");
const DAYS: u64 = 90;
const KINDS: [(&str, i64); 10] = [
    ("same_currency", 25),
    ("converted", 30),
    ("number_reformatted", 10),
    ("number_in_text", 10),
    ("cut_off", 6),
    ("less_charges", 6),
    ("wrong_amount", 4),
    ("missing_south", 4),
    ("missing_north", 3),
    ("rounded", 2),
];

struct Booking {
    date: NaiveDate,
    amount: i64,
    currency: Currency,
    document: String,
    text: String,
}

/// Dollars for a euro, in ten-thousandths, by day; none on weekends.
struct Rates(Vec<(NaiveDate, i64)>);

#[derive(Default)]
struct Group {
    north: Vec<Booking>,
    south: Vec<Booking>,
    truth: Vec<(Option<usize>, Option<usize>, &'static str)>,
}

pub fn generate(seed: u64, rows: u32) -> Vec<(&'static str, String)> {
    let mut dice = Dice::new(seed ^ 0x1c0);
    let rates = Rates::new(&mut dice);
    let mut group = Group::default();
    let mut serial = 2_600;
    for n in 0..rows.max(KINDS.len() as u32) as usize {
        serial += dice.between(1, 4);
        let kind = KINDS.get(n).map_or_else(|| pick(&mut dice), |kind| kind.0);
        group.happen(kind, serial, &rates, &mut dice);
    }
    group.write(&rates)
}

fn pick(dice: &mut Dice) -> &'static str {
    let mut ticket = dice.below(KINDS.iter().map(|kind| kind.1 as u64).sum()) as i64;
    let hit = KINDS.iter().find(|kind| {
        ticket -= kind.1;
        ticket < 0
    });
    hit.map_or("converted", |kind| kind.0)
}

fn currency(code: &str) -> Currency {
    Currency::parse(code).expect("a known code")
}

/// The next day that is no Saturday or Sunday, this one included.
fn working(mut day: NaiveDate) -> NaiveDate {
    while matches!(day.weekday(), Weekday::Sat | Weekday::Sun) {
        day = day + Days::new(1);
    }
    day
}

impl Rates {
    fn new(dice: &mut Dice) -> Self {
        let mut rate = 10_850;
        let days = (0..DAYS + 40).map(|n| FIRST_DAY + Days::new(n));
        Rates(
            days.filter(|day| working(*day) == *day)
                .map(|day| {
                    rate += dice.between(-60, 60);
                    (day, rate)
                })
                .collect(),
        )
    }

    /// Cents of a dollar for those of a euro, on that day or the last one before.
    fn dollars(&self, euros: i64, day: NaiveDate) -> i64 {
        let known = self.0.iter().rev().find(|(of, _)| *of <= day);
        let exact = i128::from(euros) * i128::from(known.map_or(10_850, |(_, rate)| *rate));
        ((exact.abs() + 5_000) / 10_000 * exact.signum()) as i64
    }
}

impl Group {
    fn happen(&mut self, kind: &'static str, serial: i64, rates: &Rates, dice: &mut Dice) {
        let date = working(FIRST_DAY + Days::new(dice.below(DAYS)));
        // What south owes north is positive in north's books and negative in south's.
        let amount = dice.between(20_000, 9_000_000) * if dice.percent(70) { 1 } else { -1 };
        let document = format!("IC-{serial:05}");
        let what =
            *dice.pick(&["management fee", "freight", "licence", "raw material", "salaries", "IT services"]);
        let converts = !matches!(kind, "same_currency" | "rounded");
        let (north, south) =
            if converts { (amount, -rates.dollars(amount, date)) } else { (amount, -amount) };
        let mut a = Booking {
            date,
            amount: north,
            currency: currency("EUR"),
            document: document.clone(),
            text: format!("south: {what}"),
        };
        let mut b = Booking {
            date: working(date + Days::new(dice.below(3))),
            amount: south,
            currency: currency(if converts { "USD" } else { "EUR" }),
            document: document.clone(),
            text: format!("north: {what}"),
        };
        match kind {
            "number_reformatted" => b.document = format!("ic/{serial}"),
            "number_in_text" => {
                b.document.clear();
                b.text = format!("north: {what}, their document {document}");
            }
            // Booked in the next month, after the books were closed.
            "cut_off" => b.date = working(date + Days::new(dice.between(7, 9) as u64)),
            "less_charges" => b.amount -= dice.between(800, 4_500) * b.amount.signum(),
            "wrong_amount" => b.amount -= b.amount / dice.between(4, 9),
            "rounded" => a.amount += dice.between(1, 5),
            _ => {}
        }
        let north = (kind != "missing_north").then(|| push(&mut self.north, a));
        let south = (kind != "missing_south").then(|| push(&mut self.south, b));
        self.truth.push((north, south, kind));
    }

    fn write(self, rates: &Rates) -> Vec<(&'static str, String)> {
        let (north, north_ids) = book(&self.north, "N");
        let (south, south_ids) = book(&self.south, "S");
        let mut table = Table::new(b',', ["from", "to", "date", "rate"]);
        for (day, rate) in &rates.0 {
            table.row(["EUR", "USD", &day.to_string(), &format_minor((*rate).into(), 4)]);
        }
        let truth =
            super::files::truth(["north_id", "south_id", "kind"], &self.truth, &north_ids, &south_ids);
        vec![("north.csv", north), ("south.csv", south), ("rates.csv", table.finish()), ("truth.csv", truth)]
    }
}

fn push(to: &mut Vec<Booking>, booking: Booking) -> usize {
    to.push(booking);
    to.len() - 1
}

/// One company's account with the other, and the id of each booking.
fn book(bookings: &[Booking], prefix: &str) -> (String, Vec<String>) {
    let order = order_by_key(bookings, |row| (row.date, row.document.clone(), row.amount));
    let ids = ids(&order, prefix);
    let mut table = Table::new(b',', ["id", "date", "amount", "currency", "reference", "description"]);
    for i in order {
        let row = &bookings[i];
        let amount = format_minor(row.amount.into(), row.currency.exponent());
        table.row([&ids[i], &row.date.to_string(), &amount, row.currency.code(), &row.document, &row.text]);
    }
    (table.finish(), ids)
}
