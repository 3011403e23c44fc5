//! SWIFT MT940 and MT942: fields `:61:` between `:20:` and `:62F:`, as banks really write them.
//!
//! A field goes from its tag to the next one. Everything in front of the first tag and behind a line of `-` is
//! envelope. The currency comes from the opening balance `:60F:` (or `:34F:`, or the end of `:25:`).

mod details;
mod statement_line;

use super::columns::Column;
use super::sink::{Head, Statements};
use super::text::{decoded, looks_like_iban, short_date};
use super::transaction::Transaction;
use crate::ReadError;
use crate::physical_lines::PhysicalLines;
use matching::Currency;
use std::io::BufRead;

pub(super) fn read<B: BufRead>(
    mut input: PhysicalLines<B>,
    statements: &mut Statements<'_, '_>,
) -> Result<(), ReadError> {
    let bytes_max = statements.line_bytes_max();
    let mut message = Message::default();
    let mut field: Option<Field> = None;
    let mut any_tag = false;
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
        let mut line = text.trim_end_matches(['\r', '\n']);
        if let Some((_, block)) = line.split_once("{4:").filter(|_| line.starts_with('{')) {
            line = block;
        }
        if let Some((tag, rest)) = tag_of(line) {
            any_tag = true;
            message.take_field(field.take(), statements)?;
            field = Some(Field { tag: tag.to_owned(), text: rest.to_owned(), line: number });
        } else if matches!(line, "-" | "-XXX") || line.starts_with("-}") {
            // The end of a message, in the three ways that banks write it.
            message.take_field(field.take(), statements)?;
        } else if let Some(field) = &mut field
            && !line.trim().is_empty()
            && field.text.len() <= bytes_max
        {
            field.text.push('\n');
            field.text.push_str(line);
        }
        statements.tick(input.bytes_read())?;
    }
    message.take_field(field, statements)?;
    message.finish_transaction(statements)?;
    if !any_tag {
        return Err(ReadError::NotThisFormat {
            says: "the file is not MT940 as the mapping says: no line begins with a tag like :20:".to_owned(),
        });
    }
    statements.tick(input.bytes_read())
}

struct Field {
    tag: String,
    /// Lines with LF between.
    text: String,
    line: u64,
}

/// `:60F:` and what follows on the line.
fn tag_of(line: &str) -> Option<(&str, &str)> {
    let (tag, rest) = line.strip_prefix(':')?.split_once(':')?;
    let known_shape = match tag.as_bytes() {
        [a, b] => a.is_ascii_digit() && b.is_ascii_digit() || tag == "NS",
        [a, b, c] => {
            a.is_ascii_digit() && b.is_ascii_digit() && (c.is_ascii_digit() || c.is_ascii_uppercase())
        }
        _ => false,
    };
    known_shape.then_some((tag, rest))
}

/// What was read of the current message.
#[derive(Default)]
struct Message {
    head: Head,
    /// With the line it began on, its text, and its `:86:`.
    transaction: Option<(u64, String, Vec<String>)>,
}

impl Message {
    fn take_field(
        &mut self,
        field: Option<Field>,
        statements: &mut Statements<'_, '_>,
    ) -> Result<(), ReadError> {
        let Some(Field { tag, text, line }) = field else { return Ok(()) };
        let first = text.lines().next().unwrap_or_default().trim();
        match tag.as_str() {
            "20" => {
                self.finish_transaction(statements)?;
                statements.close()?;
                self.head = Head { place: line, ..Head::default() };
            }
            // Behind a transaction it can only be a damaged :86: and must not rename the account.
            "25" | "25P" if self.transaction.is_none() => {
                self.head.currency = currency_behind(first).to_owned();
                first.clone_into(&mut self.head.account);
            }
            "28" | "28C" => first.clone_into(&mut self.head.statement),
            "34F" if first.len() >= 3 => {
                first.chars().take(3).collect::<String>().clone_into(&mut self.head.currency)
            }
            "60F" | "60M" => {
                self.finish_transaction(statements)?;
                statements.close()?;
                self.begin(line, Some(first), statements)?;
            }
            "61" => {
                self.finish_transaction(statements)?;
                self.transaction = Some((line, text, vec![]));
            }
            "86" => {
                if let Some((_, _, details)) = &mut self.transaction {
                    details.push(text);
                }
            }
            "62F" | "62M" => {
                self.finish_transaction(statements)?;
                let balance = Balance::parse(first);
                if !statements.has_begun() {
                    if let Some(balance) = &balance {
                        self.head.currency.clone_from(&balance.currency);
                    }
                    self.begin(line, None, statements)?;
                }
                match balance {
                    Some(balance) => statements.set_closing(&balance.amount),
                    None => {
                        statements.remark(format!("its closing balance cannot be read: {:?}", shown(first)))
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn begin(
        &self,
        line: u64,
        opening: Option<&str>,
        statements: &mut Statements<'_, '_>,
    ) -> Result<(), ReadError> {
        let mut head = self.head.clone();
        if head.place == 0 {
            head.place = line;
        }
        let balance = opening.and_then(Balance::parse);
        if let Some(balance) = &balance {
            head.currency.clone_from(&balance.currency);
            head.key.clone_from(&balance.date);
        }
        statements.begin(head)?;
        match (balance, opening) {
            (Some(balance), _) => statements.set_opening(&balance.amount),
            (None, Some(text)) => {
                statements.remark(format!("its opening balance cannot be read: {:?}", shown(text)))
            }
            (None, None) => {}
        }
        Ok(())
    }

    fn finish_transaction(&mut self, statements: &mut Statements<'_, '_>) -> Result<(), ReadError> {
        let Some((line, text, details)) = self.transaction.take() else { return Ok(()) };
        if !statements.has_begun() {
            self.begin(line, None, statements)?;
        }
        let raw = format!(":61:{text}");
        let mut transaction = match statement_line::parse(&text) {
            Ok(transaction) => transaction,
            Err(reason) => return statements.reject(line, None, reason, raw.as_bytes()),
        };
        details::add(&mut transaction, &details);
        tidy(&mut transaction);
        statements.take(line, transaction, raw.as_bytes())
    }
}

fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

/// The supplementary line of `:61:` is a counterparty account in some dialects and text in others.
fn tidy(transaction: &mut Transaction) {
    let code = transaction.get(Column::TransactionCode).to_owned();
    transaction.set(Column::TransactionCode, code.trim_end_matches('/'));
    let account = transaction.get(Column::CounterpartyAccount);
    if !account.is_empty() {
        let compact: String = account.chars().filter(|c| !c.is_whitespace()).collect();
        if looks_like_iban(&compact) {
            transaction.set(Column::CounterpartyAccount, compact);
        }
    }
}

/// `51210600/9223382012EUR`. The end of an IBAN says nothing about a currency.
fn currency_behind(account: &str) -> &str {
    let at = account.len().saturating_sub(3);
    let Some((number, code)) = account.split_at_checked(at) else { return "" };
    let ends_in_digit = number.as_bytes().last().is_some_and(u8::is_ascii_digit);
    let is_code = code.bytes().all(|b| b.is_ascii_uppercase()) && Currency::parse(code).is_ok();
    if is_code && ends_in_digit && !looks_like_iban(account) { code } else { "" }
}

/// `C100318EUR380115,12`: mark, date, currency, amount.
struct Balance {
    date: String,
    currency: String,
    /// Signed, with a decimal point.
    amount: String,
}

impl Balance {
    fn parse(text: &str) -> Option<Self> {
        let sign = match text.as_bytes().first()? {
            b'C' => "",
            b'D' => "-",
            _ => return None,
        };
        let (date, rest) = text[1..].split_at_checked(6)?;
        short_date(date)?;
        let (currency, amount) = rest.split_at_checked(3)?;
        let amount = amount.trim().replacen(',', ".", 1);
        let is_number = !amount.is_empty() && amount.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        (is_number && currency.bytes().all(|b| b.is_ascii_uppercase())).then(|| Balance {
            date: date.to_owned(),
            currency: currency.to_owned(),
            amount: format!("{sign}{amount}"),
        })
    }
}
