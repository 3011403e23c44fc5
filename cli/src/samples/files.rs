//! The three files as text, as a German bank and an English ledger would export them.

use super::Samples;
use super::books::Books;
use matching::{DecimalMark, format_minor};

/// Sorts each side by date and numbers it, so that ids tell nothing about who belongs to whom.
pub fn write(books: Books) -> Samples {
    let bank_order = order_by_key(&books.bank, |row| (row.date, row.counterparty.clone(), row.amount));
    let ledger_order = order_by_key(&books.ledger, |row| (row.date, row.party.clone(), row.invoice.clone()));
    let bank_ids = ids(&bank_order, "BT");
    let ledger_ids = ids(&ledger_order, "GL");

    let mut bank = Table::new(
        b';',
        ["Transaction", "Booking date", "Amount", "Currency", "Reference", "Counterparty", "Remittance text"],
    );
    for i in bank_order {
        let row = &books.bank[i];
        bank.row([
            &bank_ids[i],
            &row.date.format("%d.%m.%Y").to_string(),
            &written_amount(row.amount, row.currency.exponent(), DecimalMark::Comma),
            row.currency.code(),
            &row.reference,
            &row.counterparty,
            &row.text,
        ]);
    }
    let mut ledger = Table::new(
        b',',
        ["entry_id", "posted_on", "invoice_no", "party", "memo", "batch", "amount", "currency"],
    );
    for i in ledger_order {
        let row = &books.ledger[i];
        ledger.row([
            &ledger_ids[i],
            &row.date.to_string(),
            &row.invoice,
            &row.party,
            &row.memo,
            &row.batch,
            &written_amount(row.amount, row.currency.exponent(), DecimalMark::Point),
            row.currency.code(),
        ]);
    }
    let pairs: Vec<_> = books.truth.iter().map(|t| (t.bank, t.ledger, t.kind)).collect();
    let truth = truth(["bank_id", "ledger_id", "kind"], &pairs, &bank_ids, &ledger_ids);
    Samples { bank: bank.finish(), ledger: ledger.finish(), truth }
}

/// Who belongs to whom, by the ids of their files; sorted.
pub fn truth(
    columns: [&str; 3],
    pairs: &[(Option<usize>, Option<usize>, &'static str)],
    left_ids: &[String],
    right_ids: &[String],
) -> String {
    let id = |ids: &[String], i: Option<usize>| i.map(|i| ids[i].clone()).unwrap_or_default();
    let mut pairs: Vec<_> =
        pairs.iter().map(|&(left, right, kind)| (id(left_ids, left), id(right_ids, right), kind)).collect();
    pairs.sort();
    let mut table = Table::new(b',', columns);
    for (left_id, right_id, kind) in &pairs {
        table.row([left_id, right_id, kind]);
    }
    table.finish()
}

/// Stable, so that equal rows keep the order in which they happened.
pub fn order_by_key<T, K: Ord>(rows: &[T], key: impl Fn(&T) -> K) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_cached_key(|i| key(&rows[*i]));
    order
}

/// The id of each row, by its index before sorting.
pub fn ids(order: &[usize], prefix: &str) -> Vec<String> {
    let mut ids = vec![String::new(); order.len()];
    for (place, i) in order.iter().enumerate() {
        ids[*i] = format!("{prefix}{:06}", place + 1);
    }
    ids
}

/// With a decimal comma the thousands are grouped by points, with a point not at all.
fn written_amount(minor: i64, exponent: u32, mark: DecimalMark) -> String {
    let plain = format_minor(minor.into(), exponent);
    if mark == DecimalMark::Point {
        return plain;
    }
    let (sign, digits) = plain.strip_prefix('-').map_or(("", plain.as_str()), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut grouped = String::new();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            grouped.push('.');
        }
        grouped.push(digit);
    }
    let comma = if fraction.is_empty() { "" } else { "," };
    format!("{sign}{grouped}{comma}{fraction}")
}

/// CSV in memory.
pub struct Table {
    csv: csv::Writer<Vec<u8>>,
}

impl Table {
    pub fn new<const N: usize>(delimiter: u8, columns: [&str; N]) -> Self {
        let mut table = Table { csv: csv::WriterBuilder::new().delimiter(delimiter).from_writer(vec![]) };
        table.row(columns);
        table
    }

    pub fn row<const N: usize>(&mut self, cells: [&str; N]) {
        self.csv.write_record(cells).expect("writing to memory");
    }

    pub fn finish(self) -> String {
        let bytes = self.csv.into_inner().map_err(|e| e.into_error()).expect("writing to memory");
        String::from_utf8(bytes).expect("made of texts")
    }
}
