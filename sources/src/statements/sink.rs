//! Takes statements and their transactions from a format and makes lines and controls of them.

use super::columns::{COLUMNS, Column};
use super::control::StatementControl;
use super::text::is_no_reference;
use super::transaction::Transaction;
use crate::read::Lines;
use crate::{CurrencySource, Mapping, ReadError};
use matching::{Currency, DecimalMark, parse_minor};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

const REMARKS_MAX: usize = 20;
/// Bytes of a remembered name: longer ones are cut, they only tell statements apart.
const NAME_BYTES_MAX: usize = 200;

pub(crate) struct Statements<'l, 'a> {
    lines: &'l mut Lines<'a>,
    /// Where each of the mapping's columns is in [`COLUMNS`].
    positions: Vec<usize>,
    fixed: Option<Currency>,
    negate: bool,
    /// How often a name was given, by its hash: keeps ids apart for twelve bytes each. A collision costs a
    /// needless `#2`; equal ids in the end are found by [`Lines`].
    names: HashMap<u64, u32>,
    open: Option<Open>,
}

struct Open {
    control: StatementControl,
    /// Tells statements of an account apart where their numbers do not.
    key: String,
    currency_text: String,
    transactions: u64,
    /// Records in another currency than the statement's.
    foreign: u64,
}

/// The head of a statement; anything may be missing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Head {
    pub place: u64,
    pub statement: String,
    pub account: String,
    /// Part of made ids besides the statement: a date, for banks that number all statements 0.
    pub key: String,
    pub currency: String,
}

impl<'l, 'a> Statements<'l, 'a> {
    pub fn new(mapping: &Mapping, lines: &'l mut Lines<'a>) -> Result<Self, ReadError> {
        let place = |name: &String| COLUMNS.iter().position(|column| column == name);
        let positions: Option<Vec<_>> = lines.columns().iter().map(place).collect();
        let Some(positions) = positions else {
            return Err(ReadError::MissingColumns(mapping.check()));
        };
        let fixed = match &mapping.currency {
            Some(CurrencySource::Fixed(code)) => Currency::parse(code).ok(),
            Some(CurrencySource::Column(_)) | None => None,
        };
        let negate = mapping.amount.as_ref().is_some_and(|amount| amount.negate);
        Ok(Statements { lines, positions, fixed, negate, names: HashMap::new(), open: None })
    }

    pub fn line_bytes_max(&self) -> usize {
        self.lines.limits().line_bytes_max
    }

    pub fn tick(&mut self, bytes_read: u64) -> Result<(), ReadError> {
        self.lines.tick(bytes_read)
    }

    /// Begins a statement; the one before ends.
    pub fn begin(&mut self, head: Head) -> Result<(), ReadError> {
        self.close()?;
        let currency = Currency::parse(&head.currency).ok();
        let control = StatementControl {
            place: head.place,
            statement: cut(head.statement.trim()),
            account: cut(head.account.trim()),
            currency: currency.or(self.fixed.filter(|_| head.currency.is_empty())),
            opening: None,
            closing: None,
            sum: 0,
            kept: 0,
            rejected: 0,
            difference: None,
            remarks: vec![],
        };
        let (key, currency_text) = (cut(&head.key), head.currency);
        self.open = Some(Open { control, key, currency_text, transactions: 0, foreign: 0 });
        Ok(())
    }

    pub fn has_begun(&self) -> bool {
        self.open.is_some()
    }

    /// A signed decimal with a point, in the currency of the statement.
    pub fn set_opening(&mut self, amount: &str) {
        self.set_balance(amount, "opening", |control| &mut control.opening);
    }

    pub fn set_closing(&mut self, amount: &str) {
        self.set_balance(amount, "closing", |control| &mut control.closing);
    }

    fn set_balance(
        &mut self,
        amount: &str,
        which: &str,
        place: impl Fn(&mut StatementControl) -> &mut Option<i64>,
    ) {
        let Some(open) = &mut self.open else { return };
        let Some(currency) = open.control.currency else {
            let currency: String = open.currency_text.chars().take(20).collect();
            return self.remark(format!("its {which} balance has no known currency ({currency:?})"));
        };
        match parse_minor(amount, currency.exponent(), DecimalMark::Point) {
            Ok(minor) => *place(&mut open.control) = Some(minor),
            Err(error) => self.remark(format!("its {which} balance cannot be read: {error}")),
        }
    }

    /// Something of the open statement that does not agree with itself.
    pub fn remark(&mut self, says: String) {
        if let Some(open) = &mut self.open
            && open.control.remarks.len() < REMARKS_MAX
        {
            open.control.remarks.push(says);
        }
    }

    /// A transaction of the open statement. Account, statement, currency and id are filled in where the
    /// transaction has none of its own. `line` is where it is, `raw` what an excerpt is made from.
    pub fn take(&mut self, line: u64, mut transaction: Transaction, raw: &[u8]) -> Result<(), ReadError> {
        if self.open.is_none() {
            self.begin(Head { place: line, ..Head::default() })?;
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        transaction.fill(Column::Currency, &open.currency_text);
        if let Some(fixed) = self.fixed {
            transaction.fill(Column::Currency, fixed.code());
            if !transaction.get(Column::Currency).eq_ignore_ascii_case(fixed.code()) {
                let reason = format!(
                    "the currency is {}, the mapping says {fixed}",
                    transaction.get(Column::Currency)
                );
                return self.reject(line, Some("currency"), reason, raw);
            }
        }
        open.transactions += 1;
        transaction.fill(Column::Account, &open.control.account);
        transaction.fill(Column::Statement, &open.control.statement);
        let account = transaction.get(Column::Account);
        let bank_reference = transaction.get(Column::BankReference);
        let mut id = if is_no_reference(bank_reference) {
            let (statement, key) = (transaction.get(Column::Statement), &open.key);
            named(&[account, statement, key, &open.transactions.to_string()])
        } else {
            named(&[account, bank_reference])
        };
        let times = self.names.entry(hash(&id)).or_insert(0);
        *times += 1;
        if *times > 1 {
            id.push_str(&format!("#{times}"));
        }
        transaction.set(Column::Id, id);
        let cells: Vec<&str> = self.positions.iter().map(|column| transaction.cell(*column)).collect();
        let before = self.lines.records().len();
        self.lines.take(line, &cells, raw)?;
        let records = self.lines.records();
        if records.len() == before {
            open.control.rejected += 1;
            return Ok(());
        }
        let row = before as u32;
        open.control.kept += 1;
        match open.control.currency {
            Some(currency) if currency != records.currency(row) => open.foreign += 1,
            _ => {
                let amount = i128::from(records.amount(row));
                open.control.sum += if self.negate { -amount } else { amount };
            }
        }
        Ok(())
    }

    /// A transaction of the open statement that cannot become a record.
    pub fn reject(
        &mut self,
        line: u64,
        column: Option<&str>,
        reason: String,
        raw: &[u8],
    ) -> Result<(), ReadError> {
        if self.open.is_none() {
            self.begin(Head { place: line, ..Head::default() })?;
        }
        if let Some(open) = &mut self.open {
            open.control.rejected += 1;
            open.transactions += 1;
        }
        self.lines.reject(line, column.map(str::to_owned), reason, raw)
    }

    /// Ends the open statement, if there is one.
    pub fn close(&mut self) -> Result<(), ReadError> {
        if let Some(Open { control, foreign: foreign @ 1.., .. }) = &self.open
            && control.closing.is_some()
        {
            self.remark(format!("{foreign} of its transactions are in another currency than its balances"));
        }
        let Some(Open { mut control, .. }) = self.open.take() else { return Ok(()) };
        if let (Some(opening), Some(closing)) = (control.opening, control.closing) {
            control.difference = Some(i128::from(closing) - i128::from(opening) - control.sum);
        }
        self.lines.add_control(control)
    }
}

/// The parts that are not empty, with slashes between.
fn named(parts: &[&str]) -> String {
    parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join("/")
}

/// The same for the same text in every run: ids must be.
fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

fn cut(text: &str) -> String {
    let mut end = text.len().min(NAME_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}
