//! One booked entry with its transactions, and which of them become records.

use super::super::columns::Column;
use super::super::transaction::Transaction;
use matching::{Currency, DecimalMark, format_minor, parse_minor};

/// Bytes of all transactions of an entry; beyond, the entry stays whole.
const DETAILS_BYTES_MAX: usize = 64 << 20;
/// Bytes of the joined texts of an entry that stays whole.
const TEXT_BYTES_MAX: usize = 4_000;

/// Amount, currency and direction, as written.
#[derive(Debug, Clone, Default)]
pub(super) struct Money {
    pub amount: String,
    pub currency: String,
    /// `CRDT` or `DBIT`.
    pub direction: String,
}

impl Money {
    /// Minor units.
    fn signed(&self, currency: Currency) -> Option<i64> {
        let amount = parse_minor(&self.amount, currency.exponent(), DecimalMark::Point).ok()?;
        match self.direction.as_str() {
            "CRDT" => Some(amount),
            "DBIT" => Some(-amount),
            _ => None,
        }
    }
}

/// The two parties of a transaction: which one is the other one depends on the direction.
#[derive(Debug, Clone, Default)]
pub(super) struct Party {
    pub name: String,
    pub ultimate_name: String,
    pub account: String,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Detail {
    pub money: Money,
    pub debtor: Party,
    pub creditor: Party,
    pub cells: Transaction,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Entry {
    pub money: Money,
    pub status: String,
    /// Reference, dates, code and text of the entry itself.
    pub cells: Transaction,
    pub batch: String,
    pub details: Vec<Detail>,
    pub details_bytes: usize,
    /// The transactions did not fit into their limit.
    pub too_many_details: bool,
}

impl Entry {
    pub fn add_detail(&mut self, detail: Detail) {
        self.details_bytes += size_of::<Detail>() + detail.cells.size_bytes();
        if self.details_bytes > DETAILS_BYTES_MAX {
            self.too_many_details = true;
            self.details.clear();
        }
        if !self.too_many_details {
            self.details.push(detail);
        }
    }

    pub fn excerpt(&self) -> String {
        let Money { amount, currency, direction } = &self.money;
        let reference = self.cells.get(Column::BankReference);
        format!("entry {reference} {amount} {currency} {direction} {}", self.cells.get(Column::BookingDate))
    }

    /// The records of the entry, which sum to it; or why there are none.
    pub fn into_transactions(mut self) -> Result<Vec<Transaction>, String> {
        match self.status.as_str() {
            "" | "BOOK" => {}
            status => {
                let status: String = status.chars().take(20).collect();
                return Err(format!("the entry is not booked, its status is {status}"));
            }
        }
        let sign = match self.money.direction.as_str() {
            "CRDT" => "",
            "DBIT" => "-",
            other => {
                let other: String = other.chars().take(20).collect();
                return Err(format!("{other:?} is neither CRDT nor DBIT"));
            }
        };
        if self.money.amount.starts_with(['-', '+']) {
            return Err("the amount of an entry has no sign".to_owned());
        }
        if self.cells.get(Column::BookingDate).is_empty() {
            // Some banks leave it out when both are the same.
            let date = self.cells.get(Column::ValueDate).to_owned();
            self.cells.set(Column::BookingDate, date);
        }
        self.cells.set(Column::Amount, format!("{sign}{}", self.money.amount));
        self.cells.set(Column::Currency, self.money.currency.as_str());
        if self.details.len() > 1
            && let Some(amounts) = self.split()
        {
            return Ok(self.into_split(&amounts));
        }
        Ok(vec![self.into_whole()])
    }

    /// Signed amounts of the transactions, when they explain the entry exactly.
    fn split(&self) -> Option<Vec<(i64, Currency)>> {
        let currency = Currency::parse(&self.money.currency).ok()?;
        let whole = self.money.signed(currency)?;
        let mut amounts = Vec::with_capacity(self.details.len());
        for detail in &self.details {
            let mut money = detail.money.clone();
            if money.direction.is_empty() {
                money.direction.clone_from(&self.money.direction);
            }
            if Currency::parse(&money.currency).ok()? != currency {
                return None;
            }
            amounts.push((money.signed(currency)?, currency));
        }
        let sum: i128 = amounts.iter().map(|(amount, _)| i128::from(*amount)).sum();
        (sum == i128::from(whole)).then_some(amounts)
    }

    fn into_split(self, amounts: &[(i64, Currency)]) -> Vec<Transaction> {
        let entry_reference = self.cells.get(Column::BankReference).to_owned();
        let batch = if self.batch.is_empty() { entry_reference.clone() } else { self.batch };
        let details = self.details.into_iter().zip(amounts).enumerate();
        let record = |(i, (detail, (amount, currency))): (usize, (Detail, &(i64, Currency)))| {
            let mut record = self.cells.clone();
            record.set(Column::Amount, format_minor((*amount).into(), currency.exponent()));
            record.set(Column::Batch, batch.as_str());
            record.set(Column::Description, "");
            let own = detail.cells.get(Column::BankReference);
            if own.is_empty() || own == entry_reference {
                let reference = if entry_reference.is_empty() {
                    String::new()
                } else {
                    format!("{entry_reference}/{}", i + 1)
                };
                record.set(Column::BankReference, reference);
            }
            add_detail(&mut record, &detail, *amount >= 0);
            record.fill(Column::Description, self.cells.get(Column::Description));
            record
        };
        details.map(record).collect()
    }

    fn into_whole(self) -> Transaction {
        let mut record = self.cells;
        let incoming = self.money.direction == "CRDT";
        record.set(Column::Batch, self.batch);
        match self.details.as_slice() {
            [detail] => {
                // What the transaction says is better than the words of the bank.
                let words = record.get(Column::Description).to_owned();
                record.set(Column::Description, "");
                add_detail(&mut record, detail, incoming);
                record.fill(Column::Description, &words);
            }
            details => {
                for detail in details {
                    let text = detail.cells.get(Column::Description);
                    if record.get(Column::Description).len() + text.len() < TEXT_BYTES_MAX {
                        record.add(Column::Description, text);
                    }
                }
            }
        }
        record
    }
}

fn add_detail(record: &mut Transaction, detail: &Detail, incoming: bool) {
    for column in [
        Column::BankReference,
        Column::Description,
        Column::EndToEndId,
        Column::MandateId,
        Column::Reference,
        Column::TransactionCode,
    ] {
        record.fill(column, detail.cells.get(column));
    }
    let (other, own) =
        if incoming { (&detail.debtor, &detail.creditor) } else { (&detail.creditor, &detail.debtor) };
    // Banks that name one party only, name the other one, whichever element they use.
    let other = if other.name.is_empty() && other.account.is_empty() { own } else { other };
    let name = if other.name.is_empty() { &other.ultimate_name } else { &other.name };
    record.fill(Column::Counterparty, name);
    record.fill(Column::CounterpartyAccount, &other.account);
}
