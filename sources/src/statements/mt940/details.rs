//! `:86:`, what the bank tells about a transaction: numbered subfields, slash codes, or plain text.

use super::super::columns::Column;
use super::super::text::is_no_reference;
use super::super::transaction::Transaction;

/// Lines of this length were cut by the bank, not by a person: the next one goes on within the word.
const FULL_LINE_CHARS: usize = 65;
/// The same for the numbered subfields ?20 to ?29 and ?60 to ?63.
const FULL_SUBFIELD_CHARS: usize = 27;

/// Adds what the `:86:` fields behind a `:61:` say.
pub(super) fn add(transaction: &mut Transaction, fields: &[String]) {
    for field in fields {
        if let Some(mark) = subfield_mark(field) {
            add_subfields(transaction, &field.replace('\n', ""), mark);
        } else if field.starts_with('/') && add_slash_codes(transaction, &joined(field, "")) {
        } else {
            let text = joined(field, " ");
            let known = transaction.get(Column::Description);
            if text.contains(known) {
                transaction.set(Column::Description, "");
            }
            transaction.add(Column::Description, &text);
        }
    }
}

fn joined(field: &str, between: &str) -> String {
    let mut text = String::with_capacity(field.len());
    let mut full = true;
    for line in field.split('\n') {
        if !full {
            text.push_str(between);
        }
        text.push_str(line);
        full = line.chars().count() == FULL_LINE_CHARS;
    }
    text
}

/// `166?00GUTSCHRIFT?10…`: three digits, a mark, and a number behind each mark.
fn subfield_mark(field: &str) -> Option<char> {
    let mut chars = field.chars();
    let code = chars.by_ref().take(3).filter(char::is_ascii_digit).count() == 3;
    let mark = chars.next().filter(|c| matches!(c, '?' | '>' | '~' | '|' | '&' | '^' | '#'))?;
    let number = chars.take(2).filter(char::is_ascii_digit).count() == 2;
    (code && number).then_some(mark)
}

fn add_subfields(transaction: &mut Transaction, field: &str, mark: char) {
    let (mut purpose, mut name, mut booking_text, mut full) = (String::new(), String::new(), "", true);
    let mut parts = field.split(mark);
    let code = parts.next().unwrap_or_default();
    transaction.add(Column::TransactionCode, code);
    for part in parts {
        let Some((number, text)) = part.split_at_checked(2) else { continue };
        match number.parse::<u8>().unwrap_or(u8::MAX) {
            0 => booking_text = text,
            20..=29 | 60..=63 => {
                if !full && !text.starts_with(' ') {
                    purpose.push(' ');
                }
                purpose.push_str(text);
                full = text.chars().count() == FULL_SUBFIELD_CHARS;
            }
            31 => transaction.fill(Column::CounterpartyAccount, text),
            32 => name.push_str(text),
            33 => {
                // Names are cut at 27 characters; shorter first halves end with a word.
                if name.chars().count() < FULL_SUBFIELD_CHARS {
                    name.push(' ');
                }
                name.push_str(text.trim());
            }
            _ => {}
        }
    }
    transaction.set(Column::Counterparty, name.trim());
    add_purpose(transaction, &purpose, booking_text);
}

/// `EREF+…MREF+…SVWZ+…`: SEPA texts by key. What is in front of the first key is text.
fn add_purpose(transaction: &mut Transaction, purpose: &str, booking_text: &str) {
    const KEYS: [&str; 12] = [
        "EREF+", "KREF+", "MREF+", "CRED+", "DEBT+", "COAM+", "OAMT+", "SVWZ+", "ABWA+", "ABWE+", "PURP+",
        "MTLG:",
    ];
    let mut found: Vec<(usize, &str)> =
        KEYS.iter().filter_map(|key| purpose.find(key).map(|at| (at, *key))).collect();
    found.sort_unstable();
    let first = found.first().map_or(purpose.len(), |(at, _)| *at);
    let mut text = purpose[..first].trim().to_owned();
    for (i, (at, key)) in found.iter().enumerate() {
        let end = found.get(i + 1).map_or(purpose.len(), |(at, _)| *at);
        let value = purpose[at + key.len()..end].trim();
        match *key {
            "EREF+" if !is_no_reference(value) => transaction.fill(Column::EndToEndId, value),
            "KREF+" if !is_no_reference(value) => transaction.fill(Column::Reference, value),
            "MREF+" => transaction.fill(Column::MandateId, value),
            "SVWZ+" | "MTLG:" => {
                if !text.is_empty() {
                    text.push(' ');
                }
                text.push_str(value);
            }
            _ => {}
        }
    }
    let text = if text.is_empty() { booking_text } else { &text };
    transaction.add(Column::Description, text);
}

/// `/EREF/…/BENM//NAME/…/REMI/…`. False when no known code is there and the text is plain.
fn add_slash_codes(transaction: &mut Transaction, field: &str) -> bool {
    const CODES: [&str; 27] = [
        "EREF", "PREF", "KREF", "REMI", "NAME", "IBAN", "ACCW", "BIC", "ORDP", "BENM", "TRTP", "CSID",
        "MARF", "TRCD", "ISDT", "RTRN", "CNTP", "ADDR", "ULTC", "ULTD", "PURP", "ID", "PT", "PY", "ABC",
        "SVCL", "CHGS",
    ];
    let mut found: Vec<(usize, &str)> = vec![];
    for (at, _) in field.match_indices('/') {
        let rest = &field[at + 1..];
        if let Some(code) =
            CODES.iter().find(|code| rest.strip_prefix(**code).is_some_and(|r| r.starts_with('/')))
            && found.last().is_none_or(|(last, code)| at > last + code.len())
        {
            found.push((at, code));
        }
    }
    if found.is_empty() {
        return false;
    }
    let mut text = String::new();
    for (i, (at, code)) in found.iter().enumerate() {
        let end = found.get(i + 1).map_or(field.len(), |(at, _)| *at);
        let value = field[(at + code.len() + 2).min(end)..end].trim_matches(['/', ' ']);
        match *code {
            "EREF" if !is_no_reference(value) => transaction.fill(Column::EndToEndId, value),
            "PREF" | "KREF" if !is_no_reference(value) => transaction.fill(Column::Reference, value),
            "MARF" => transaction.fill(Column::MandateId, value),
            "NAME" => transaction.fill(Column::Counterparty, value),
            "IBAN" | "ACCW" => transaction.fill(Column::CounterpartyAccount, value),
            "CNTP" => {
                // Account, BIC, name, city.
                let mut parts = value.split('/');
                transaction.fill(Column::CounterpartyAccount, parts.next().unwrap_or_default());
                transaction.fill(Column::Counterparty, parts.nth(1).unwrap_or_default());
            }
            "REMI" | "PY" => {
                let value = value.strip_prefix("USTD//").or(value.strip_prefix("STRD/")).unwrap_or(value);
                if !text.is_empty() && !value.is_empty() {
                    text.push(' ');
                }
                text.push_str(value);
            }
            _ => {}
        }
    }
    let text = if text.trim().is_empty() { field } else { &text };
    transaction.add(Column::Description, text);
    true
}
