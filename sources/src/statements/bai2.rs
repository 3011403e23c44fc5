//! BAI2 balance reports: records `01` file, `02` group, `03` account, `16` transaction, `88` more of the one
//! before, `49`, `98`, `99` trailers with control totals.
//!
//! Amounts are whole minor units of the account's currency. Type codes 100 to 399 are credits, 400 to 699
//! debits; others are the bank's own or loans and are rejected. Summary records of an account (codes below 100
//! and totals such as 100 and 400) give its balances, never records.

use super::columns::Column;
use super::sink::{Head, Statements};
use super::text::{decoded, is_no_reference, short_date};
use super::transaction::Transaction;
use crate::ReadError;
use crate::physical_lines::PhysicalLines;
use matching::{Currency, format_minor};
use std::io::BufRead;

const OPENING_LEDGER: &str = "010";
const CLOSING_LEDGER: &str = "015";

pub(super) fn read<B: BufRead>(
    mut input: PhysicalLines<B>,
    statements: &mut Statements<'_, '_>,
) -> Result<(), ReadError> {
    let bytes_max = statements.line_bytes_max();
    let mut report = Report::default();
    let mut record: Option<(u64, String)> = None;
    let mut buffer = vec![];
    for number in 1.. {
        buffer.clear();
        if input.append(&mut buffer, bytes_max + 1)? == 0 {
            break;
        }
        if buffer.len() > bytes_max && buffer.last() != Some(&b'\n') {
            input.skip_rest(|bytes| statements.tick(bytes))?;
        }
        let text = decoded(&buffer);
        let line = text.trim_end();
        if line.is_empty() {
        } else if let Some(more) = line.strip_prefix("88,") {
            let Some((_, record)) = &mut record else {
                return Err(not_bai2("its first record is a continuation"));
            };
            if record.len() <= bytes_max {
                append_more(record, more);
            }
        } else {
            if record.is_none() && !line.starts_with("01,") {
                return Err(not_bai2("it does not begin with a record 01"));
            }
            report.take(record.replace((number, line.to_owned())), statements)?;
        }
        statements.tick(input.bytes_read())?;
    }
    report.take(record, statements)?;
    if !report.ended {
        let says = "the file ends without its trailer (record 99)".to_owned();
        return Err(ReadError::Broken { place: "its end".to_owned(), says });
    }
    statements.tick(input.bytes_read())
}

fn not_bai2(why: &str) -> ReadError {
    ReadError::NotThisFormat { says: format!("the file is not BAI2 as the mapping says: {why}") }
}

/// A record that ended with `/` goes on with further fields; one without, within its text.
fn append_more(record: &mut String, more: &str) {
    if record.ends_with('/') {
        record.pop();
        record.push(',');
    } else {
        record.push('\n');
    }
    record.push_str(more);
}

#[derive(Default)]
struct Report {
    currency: String,
    date: String,
    group_place: u64,
    /// Exponent of the open account's currency.
    exponent: Option<u32>,
    /// Minor units: what the account's trailer must say.
    control: i128,
    ended: bool,
}

impl Report {
    fn take(
        &mut self,
        record: Option<(u64, String)>,
        statements: &mut Statements<'_, '_>,
    ) -> Result<(), ReadError> {
        let Some((line, record)) = record else { return Ok(()) };
        let body = record.strip_suffix('/').unwrap_or(&record);
        let mut fields = body.split(',').map(str::trim);
        match fields.next().unwrap_or_default() {
            "01" => Ok(()),
            "02" => {
                let fields: Vec<_> = fields.collect();
                let at = |i: usize| fields.get(i).copied().unwrap_or_default();
                self.date = short_date(at(3)).map(|date| date.to_string()).unwrap_or_default();
                self.currency = if at(5).is_empty() { "USD" } else { at(5) }.to_owned();
                self.group_place = line;
                Ok(())
            }
            "03" => self.begin_account(line, fields, statements),
            "16" => self.take_transaction(line, &record, statements),
            "49" => {
                let said = fields.next().unwrap_or_default();
                if said.parse() != Ok(self.control) {
                    let says = format!(
                        "its control total is {said:?} in the trailer of line {line}, but its amounts sum to {}",
                        self.control
                    );
                    statements.remark(says);
                }
                statements.close()
            }
            "98" => Ok(()),
            "99" => {
                self.ended = true;
                Ok(())
            }
            other => {
                statements.remark(format!("line {line} has an unknown record type {:?}", shown(other)));
                Ok(())
            }
        }
    }

    fn begin_account<'f>(
        &mut self,
        line: u64,
        mut fields: impl Iterator<Item = &'f str>,
        statements: &mut Statements<'_, '_>,
    ) -> Result<(), ReadError> {
        let account = fields.next().unwrap_or_default().to_owned();
        let currency = fields.next().filter(|code| !code.is_empty()).unwrap_or(&self.currency).to_owned();
        self.exponent = Currency::parse(&currency).ok().map(|currency| currency.exponent());
        self.control = 0;
        let statement = self.date.clone();
        statements.begin(Head { place: line, statement, account, key: String::new(), currency })?;
        while let Some(code) = fields.next() {
            // Some banks end the record with a comma too many.
            if code.is_empty() {
                continue;
            }
            let amount = fields.next().unwrap_or_default();
            fields.next();
            skip_funds(&mut fields);
            let Ok(minor) = amount.trim_start_matches('+').parse::<i64>() else {
                if !amount.is_empty() {
                    statements.remark(format!(
                        "its summary {} has no amount: {:?}",
                        shown(code),
                        shown(amount)
                    ));
                }
                continue;
            };
            self.control += i128::from(minor);
            let text = format_minor(minor.into(), self.exponent.unwrap_or(2));
            match code {
                OPENING_LEDGER => statements.set_opening(&text),
                CLOSING_LEDGER => statements.set_closing(&text),
                _ => {}
            }
        }
        Ok(())
    }

    fn take_transaction(
        &mut self,
        line: u64,
        record: &str,
        statements: &mut Statements<'_, '_>,
    ) -> Result<(), ReadError> {
        // The text goes to the end of the record, commas and slashes included.
        let mut fields = record.split(',').skip(1).map(|field| field.trim_end_matches('/'));
        let (code, amount) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        let refuse = |column: &str, reason: String, statements: &mut Statements<'_, '_>| {
            statements.reject(line, Some(column), reason, record.as_bytes())
        };
        let sign = match code.parse::<u16>() {
            Ok(100..400) => "",
            Ok(400..700) => "-",
            _ => {
                let reason = format!("the type code {:?} is neither a credit nor a debit", shown(code));
                return refuse("transaction_code", reason, statements);
            }
        };
        let Ok(minor) = amount.parse::<u64>() else {
            return refuse(
                "amount",
                format!("{:?} is not an amount in minor units", shown(amount)),
                statements,
            );
        };
        self.control += i128::from(minor);
        let Some(exponent) = self.exponent else {
            return refuse("currency", "the account has no known currency".to_owned(), statements);
        };
        let mut transaction = Transaction::default();
        transaction.set(Column::Amount, format!("{sign}{}", format_minor(minor.into(), exponent)));
        transaction.set(Column::BookingDate, self.date.as_str());
        transaction.set(Column::TransactionCode, code);
        transaction.set(Column::ValueDate, skip_funds(&mut fields));
        let (bank, customer) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        if !is_no_reference(bank) {
            transaction.set(Column::BankReference, bank.trim());
        }
        if !is_no_reference(customer) {
            transaction.set(Column::Reference, customer.trim());
        }
        let text = fields.collect::<Vec<_>>().join(",");
        transaction.set(Column::Description, text.replace('\n', " ").trim());
        statements.take(line, transaction, record.as_bytes())
    }
}

/// The fields behind a funds type; gives its value date, if it has one, as ISO.
fn skip_funds<'f>(fields: &mut impl Iterator<Item = &'f str>) -> String {
    match fields.next().unwrap_or_default().trim() {
        "S" => {
            fields.nth(2);
            String::new()
        }
        "V" => {
            let date = short_date(fields.next().unwrap_or_default());
            fields.next();
            date.map(|date| date.to_string()).unwrap_or_default()
        }
        "D" => {
            let pairs: usize = fields.next().and_then(|count| count.trim().parse().ok()).unwrap_or(0);
            for _ in 0..pairs.min(1_000) * 2 {
                fields.next();
            }
            String::new()
        }
        _ => String::new(),
    }
}

fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}
