//! Both sides while they are being written.

use super::dice::Dice;
use super::parties::{Party, invent};
use chrono::{Days, NaiveDate};
use matching::Currency;

/// Two months of business begin here.
const FIRST_DAY: NaiveDate = NaiveDate::from_ymd_opt(2026, 1, 5).expect("a date");
const DAYS: u64 = 58;

/// Amounts are minor units.
#[derive(Debug, Clone)]
pub struct BankRow {
    pub date: NaiveDate,
    pub amount: i64,
    pub currency: Currency,
    pub reference: String,
    pub counterparty: String,
    pub text: String,
}

#[derive(Debug, Clone)]
pub struct LedgerRow {
    pub date: NaiveDate,
    pub amount: i64,
    pub currency: Currency,
    pub invoice: String,
    pub party: String,
    pub memo: String,
    pub batch: String,
}

/// Indexes into the rows; one side may be missing.
pub struct Truth {
    pub bank: Option<usize>,
    pub ledger: Option<usize>,
    pub kind: &'static str,
}

pub struct Books {
    pub bank: Vec<BankRow>,
    pub ledger: Vec<LedgerRow>,
    pub truth: Vec<Truth>,
    parties: Vec<Party>,
    invoices: u32,
    batches: u32,
}

impl Books {
    pub fn new(dice: &mut Dice) -> Self {
        let parties = (0..240).map(|_| invent(dice)).collect();
        Books { bank: vec![], ledger: vec![], truth: vec![], parties, invoices: 400, batches: 70 }
    }

    pub fn bank_rows(&self) -> usize {
        self.bank.len()
    }

    pub fn add_bank(&mut self, row: BankRow) -> usize {
        self.bank.push(row);
        self.bank.len() - 1
    }

    pub fn add_ledger(&mut self, row: LedgerRow) -> usize {
        self.ledger.push(row);
        self.ledger.len() - 1
    }

    pub fn say(&mut self, kind: &'static str, bank: Option<usize>, ledger: Option<usize>) {
        self.truth.push(Truth { bank, ledger, kind });
    }

    pub fn next_batch(&mut self, dice: &mut Dice) -> u32 {
        self.batches += dice.between(1, 3) as u32;
        self.batches
    }

    /// An invoice to a customer on some day, ready for the ledger.
    pub fn invoice(&mut self, dice: &mut Dice) -> LedgerRow {
        let party = dice.below(self.parties.len() as u64) as usize;
        self.invoice_to(party, dice)
    }

    /// An invoice to a customer who pays in `currency`.
    pub fn invoice_in(&mut self, currency: Currency, dice: &mut Dice) -> LedgerRow {
        let first = dice.below(self.parties.len() as u64) as usize;
        let order = (first..self.parties.len()).chain(0..first);
        let party = order.into_iter().find(|i| self.parties[*i].currency == currency).unwrap_or(first);
        self.invoice_to(party, dice)
    }

    fn invoice_to(&mut self, party: usize, dice: &mut Dice) -> LedgerRow {
        self.invoices += dice.between(1, 4) as u32;
        let Party { name, currency } = &self.parties[party];
        LedgerRow {
            date: FIRST_DAY + Days::new(dice.below(DAYS)),
            amount: amount(*currency, dice),
            currency: *currency,
            invoice: format!("AR26-{:05}", self.invoices),
            party: name.clone(),
            memo: String::new(),
            batch: String::new(),
        }
    }
}

/// Many small amounts, few large ones, and now and then a round one.
fn amount(currency: Currency, dice: &mut Dice) -> i64 {
    let (low, high) = *dice.pick(&[(10, 200), (10, 200), (200, 2_000), (200, 2_000), (2_000, 20_000)]);
    let major = dice.between(low, high);
    // A yen is worth about as much as a cent.
    let minor = major * 100 + dice.between(0, 99);
    let minor = if dice.percent(15) { minor / 1_000 * 1_000 + 1_000 } else { minor };
    minor * 10_i64.pow(currency.exponent()) / 100 * if currency.exponent() == 0 { 100 } else { 1 }
}
