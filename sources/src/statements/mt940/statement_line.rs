//! `:61:`, one transaction: dates, direction, amount, type, references.

use super::super::columns::Column;
use super::super::text::{is_no_reference, looks_like_iban, short_date};
use super::super::transaction::Transaction;
use chrono::{Datelike, NaiveDate};

/// Longest customer reference; what banks write behind it is the other party's name.
const REFERENCE_CHARS: usize = 16;

/// `0709070904CR50990,05NTRFNONREF//0724710333343453`, and a supplementary line perhaps.
///
/// An error says in words what cannot be read.
pub(super) fn parse(text: &str) -> Result<Transaction, String> {
    let (line, supplement) = text.split_once('\n').unwrap_or((text, ""));
    let (value_date, rest) = line.split_at_checked(6).unwrap_or((line, ""));
    let Some(value) = short_date(value_date) else {
        return Err(format!("{:?} is not a value date like 260131", shown(value_date)));
    };
    let (booking, rest) = booking_date(value, rest)?;
    let (sign, rest) = direction(rest)?;
    let end = rest.bytes().position(|b| !(b.is_ascii_digit() || b == b',' || b == b'.'));
    let (amount, rest) = rest.split_at(end.unwrap_or(rest.len()));
    if amount.is_empty() {
        return Err(format!("there is no amount before {:?}", shown(rest)));
    }
    let (code, references) = rest.split_at_checked(4).unwrap_or((rest, ""));
    if !code.starts_with(['N', 'F', 'S']) || !code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b' ') {
        return Err(format!("{:?} is not a transaction type like NTRF", shown(code)));
    }

    let mut transaction = Transaction::default();
    transaction.set(Column::BookingDate, booking.to_string());
    transaction.set(Column::ValueDate, value.to_string());
    transaction.set(Column::Amount, format!("{sign}{}", amount.replacen(',', ".", 1)));
    transaction.set(Column::TransactionCode, code.trim());
    take_references(&mut transaction, references);
    let supplement = supplement.replace('\n', " ");
    match supplement.trim() {
        account if looks_like_iban(account) => transaction.set(Column::CounterpartyAccount, account),
        text => transaction.set(Column::Description, text),
    }
    Ok(transaction)
}

/// Four digits, four blanks or nothing. The year is the one that lies nearest to the value date.
fn booking_date(value: NaiveDate, rest: &str) -> Result<(NaiveDate, &str), String> {
    let Some((entry, behind)) = rest.split_at_checked(4) else { return Ok((value, rest)) };
    if entry.bytes().all(|b| b == b' ') {
        return Ok((value, behind));
    }
    if !entry.bytes().all(|b| b.is_ascii_digit()) {
        return Ok((value, rest.trim_start()));
    }
    let (month, day) = (entry[..2].parse().unwrap_or(0), entry[2..].parse().unwrap_or(0));
    let years = [value.year(), value.year() - 1, value.year() + 1];
    let dates = years.iter().filter_map(|year| NaiveDate::from_ymd_opt(*year, month, day));
    let nearest = dates.min_by_key(|date| (*date - value).num_days().abs());
    nearest.map(|date| (date, behind)).ok_or_else(|| format!("{entry:?} is not an entry date like 0131"))
}

/// `C`, `D`, `RC` (a credit taken back), `RD`, `EC`, `ED`; a letter behind it is part of the currency's name.
fn direction(rest: &str) -> Result<(&'static str, &str), String> {
    let (reversed, mark) = match rest.as_bytes().first() {
        Some(b'R') => (true, &rest[1..]),
        Some(b'E') => (false, &rest[1..]),
        _ => (false, rest),
    };
    let debit = match mark.as_bytes().first() {
        Some(b'D') => true,
        Some(b'C') => false,
        _ => return Err(format!("{:?} is neither debit (D) nor credit (C)", shown(rest))),
    };
    let behind = &mark[1..];
    let funds_code = behind.as_bytes().first().is_some_and(u8::is_ascii_alphabetic);
    let behind = if funds_code { &behind[1..] } else { behind };
    Ok((if debit == reversed { "" } else { "-" }, behind.trim_start()))
}

/// `reference//bank reference`. Words that only point to `:86:` are no references.
fn take_references(transaction: &mut Transaction, references: &str) {
    let (reference, bank_reference) = references.split_once("//").unwrap_or((references, ""));
    if let Some((at, _)) = reference.char_indices().nth(REFERENCE_CHARS) {
        transaction.set(Column::Counterparty, reference[at..].trim());
    }
    let reference: String = reference.chars().take(REFERENCE_CHARS).collect();
    let points_elsewhere = matches!(
        reference.trim().trim_end_matches('+'),
        "EREF" | "KREF" | "MREF" | "PREF" | "CREF" | "BREF" | "IREF"
    );
    if !is_no_reference(&reference) && !points_elsewhere {
        transaction.set(Column::Reference, reference.trim());
    }
    if !is_no_reference(bank_reference) {
        transaction.set(Column::BankReference, bank_reference.trim());
    }
}

fn shown(text: &str) -> String {
    text.chars().take(20).collect()
}
