//! What the elements of an OFX file mean.

use super::super::columns::Column;
use super::super::sink::{Head, Statements};
use super::super::transaction::Transaction;
use super::TRADES;
use crate::ReadError;
use chrono::NaiveDate;

const EXCERPT_BYTES_MAX: usize = 1_000;

#[derive(Default)]
pub(super) struct Reading {
    head: Head,
    statements: u64,
    begun: bool,
    /// Transactions and trades so far.
    lines: u64,
    transaction: Transaction,
    /// `PAYEE` has the full name where `NAME` is cut.
    payee: String,
    memo: String,
    /// Elements of the current transaction or trade, for an excerpt.
    excerpt: String,
    error: BankError,
    any_line: bool,
}

/// An answer of the bank that is not a statement.
#[derive(Default)]
struct BankError {
    code: String,
    severity: String,
    message: String,
    /// The last status that was an error, as a sentence.
    says: Option<String>,
}

impl Reading {
    pub fn open(&mut self, name: &str, statements: &mut Statements<'_, '_>) -> Result<(), ReadError> {
        match name {
            "STMTRS" | "CCSTMTRS" | "INVSTMTRS" => {
                self.statements += 1;
                self.head = Head { place: self.statements, ..Head::default() };
                self.begun = false;
            }
            "STMTTRN" | "STMTTRNP" => {
                self.begin(statements)?;
                self.start_line();
            }
            "LEDGERBAL" => self.begin(statements)?,
            "STATUS" => {
                self.error = BankError { says: self.error.says.take(), ..BankError::default() };
            }
            trade if TRADES.contains(&trade) => {
                self.begin(statements)?;
                self.start_line();
            }
            _ => {}
        }
        Ok(())
    }

    fn start_line(&mut self) {
        self.any_line = true;
        self.lines += 1;
        self.transaction = Transaction::default();
        self.payee.clear();
        self.memo.clear();
        self.excerpt.clear();
    }

    fn begin(&mut self, statements: &mut Statements<'_, '_>) -> Result<(), ReadError> {
        if self.begun {
            return Ok(());
        }
        self.begun = true;
        statements.begin(self.head.clone())
    }

    /// A value that is not blank, inside these aggregates.
    pub fn value(
        &mut self,
        inside: &[&str],
        element: &str,
        text: &str,
        statements: &mut Statements<'_, '_>,
    ) -> Result<(), ReadError> {
        let nearest = inside.last().copied().unwrap_or_default();
        if inside.iter().any(|name| matches!(*name, "STMTTRN" | "STMTTRNP") || TRADES.contains(name))
            && self.excerpt.len() < EXCERPT_BYTES_MAX
        {
            self.excerpt.push_str(&format!("{element}={text} "));
        }
        match (nearest, element) {
            ("STMTRS" | "CCSTMTRS" | "INVSTMTRS", "CURDEF") => text.clone_into(&mut self.head.currency),
            ("BANKACCTFROM" | "CCACCTFROM" | "INVACCTFROM", "ACCTID") => {
                text.clone_into(&mut self.head.account);
            }
            ("BANKTRANLIST" | "INVTRANLIST", "DTEND") => {
                self.head.statement = date(text);
            }
            ("LEDGERBAL", "BALAMT") => statements.set_closing(&amount(text)),
            ("STATUS", "CODE") => text.clone_into(&mut self.error.code),
            ("STATUS", "SEVERITY") => text.clone_into(&mut self.error.severity),
            ("STATUS", "MESSAGE") => text.clone_into(&mut self.error.message),
            ("STMTTRN", _) => self.transaction_value(element, text),
            ("PAYEE", "NAME") => text.clone_into(&mut self.payee),
            ("BANKACCTTO" | "CCACCTTO", "ACCTID") => {
                self.transaction.set(Column::CounterpartyAccount, text);
            }
            // The amount is in this currency; ORIGCURRENCY only tells what it was before.
            ("CURRENCY", "CURSYM") => self.transaction.set(Column::Currency, text),
            _ => {}
        }
        Ok(())
    }

    fn transaction_value(&mut self, element: &str, text: &str) {
        let transaction = &mut self.transaction;
        match element {
            "TRNTYPE" => transaction.set(Column::TransactionCode, text),
            "DTPOSTED" => transaction.set(Column::BookingDate, date(text)),
            "DTAVAIL" => transaction.set(Column::ValueDate, date(text)),
            "TRNAMT" => transaction.set(Column::Amount, amount(text)),
            "FITID" => transaction.set(Column::BankReference, text),
            "REFNUM" => transaction.set(Column::Reference, text),
            "CHECKNUM" if text.bytes().any(|b| b != b'0') => transaction.fill(Column::Reference, text),
            "NAME" => transaction.set(Column::Counterparty, text),
            "MEMO" => text.clone_into(&mut self.memo),
            _ => {}
        }
    }

    pub fn close(&mut self, name: &str, statements: &mut Statements<'_, '_>) -> Result<(), ReadError> {
        match name {
            "STMTTRN" => {
                let mut transaction = std::mem::take(&mut self.transaction);
                if !self.payee.is_empty() {
                    transaction.set(Column::Counterparty, self.payee.as_str());
                }
                let name = transaction.get(Column::Counterparty).to_owned();
                let text = if self.memo.is_empty() { &name } else { &self.memo };
                transaction.set(Column::Description, text.as_str());
                statements.take(self.lines, transaction, self.excerpt.as_bytes())
            }
            "STMTTRNP" => {
                let reason = "the transaction is pending, not booked".to_owned();
                statements.reject(self.lines, None, reason, self.excerpt.as_bytes())
            }
            "STMTRS" | "CCSTMTRS" | "INVSTMTRS" => {
                self.begin(statements)?;
                statements.close()
            }
            "STATUS" => {
                let BankError { code, severity, message, says } = &mut self.error;
                if severity == "ERROR" {
                    let text = format!("the bank answered with error {code} {message}");
                    *says = Some(text.trim_end().chars().take(300).collect());
                }
                Ok(())
            }
            trade if TRADES.contains(&trade) => {
                let reason = format!("{trade} is a movement of securities, not a booking of money");
                statements.reject(self.lines, None, reason, self.excerpt.as_bytes())
            }
            _ => Ok(()),
        }
    }

    /// A file that only says that the bank refused is no statement.
    pub fn finish(self) -> Result<(), ReadError> {
        match self.error.says {
            Some(says) if !self.any_line => Err(ReadError::NotThisFormat { says }),
            _ => Ok(()),
        }
    }
}

/// `20110331120000.000[-5:EST]` as ISO: the date as written. What is none stays as it is, for the reader of the
/// rejected line.
fn date(text: &str) -> String {
    let digits = text.get(..8).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
    let date = digits.and_then(|digits| NaiveDate::parse_from_str(digits, "%Y%m%d").ok());
    date.map_or_else(|| text.to_owned(), |date| date.to_string())
}

/// The mark may be a point or a comma, and there is no grouping.
fn amount(text: &str) -> String {
    text.replacen(',', ".", if text.contains('.') { 0 } else { 1 })
}
