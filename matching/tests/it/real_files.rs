//! Files that other people made for trying reconciliation, with the outcome they describe for each row.
//! They are not part of this repository; where they are absent the tests say so and check nothing.

use crate::soundness::assert_sound;
use crate::table::rule_set;
use matching::{
    Currency, DecimalMark, ExceptionKind, Outcome, Records, RecordsBuilder, RuleSet, Side, Watch,
    parse_minor, reconcile,
};
use std::collections::BTreeMap;
use std::path::PathBuf;

pub type Cells = BTreeMap<String, String>;

pub fn folder(name: &str) -> Option<PathBuf> {
    let folder =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/lerian_examples").join(name);
    if !folder.is_dir() {
        eprintln!("SKIPPED: {} is not there", folder.display());
        return None;
    }
    Some(folder.join("data"))
}

pub fn csv_file(path: PathBuf) -> Vec<Cells> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    reader.deserialize().map(|row| row.unwrap()).collect()
}

pub fn json_file(path: PathBuf) -> Vec<Cells> {
    serde_json::from_reader(std::fs::File::open(path).unwrap()).unwrap()
}

/// `columns`: id, date, amount; then the text fields.
fn records(rows: &[Cells], columns: [&str; 3], fields: &[&str]) -> Records {
    let same: Vec<(&str, &str)> = fields.iter().map(|field| (*field, *field)).collect();
    renamed(rows, columns, &same)
}

/// `fields`: the name of each and the column it is in.
pub fn renamed(rows: &[Cells], columns: [&str; 3], fields: &[(&str, &str)]) -> Records {
    let mut builder = RecordsBuilder::new(fields.iter().map(|(name, _)| name.to_string()).collect());
    for (i, row) in rows.iter().enumerate() {
        let currency = Currency::parse(&row["currency"]).unwrap();
        let amount = parse_minor(&row[columns[2]], currency.exponent(), DecimalMark::Point).unwrap();
        let texts: Vec<&str> = fields.iter().map(|(_, column)| row[*column].as_str()).collect();
        builder.push(&row[columns[0]], i as u64, amount, currency, day(&row[columns[1]]), &texts).unwrap();
    }
    builder.build()
}

/// Days since 2026-01-01 of a date in the first half of 2026; where the count starts makes no difference.
fn day(text: &str) -> i32 {
    assert!(text.starts_with("2026-"), "{text}");
    let (month, day): (usize, i32) = (text[5..7].parse().unwrap(), text[8..10].parse().unwrap());
    [0, 31, 59, 90, 120, 151][month - 1] + day - 1
}

/// How the rows of each scenario ended.
fn ends(outcome: &Outcome, side: Side, rows: &[Cells]) -> BTreeMap<(String, &'static str), usize> {
    let mut of_row: Vec<Option<ExceptionKind>> = vec![None; rows.len()];
    for e in outcome.exceptions.iter().filter(|e| e.side == side) {
        of_row[e.row as usize] = Some(e.kind);
    }
    let mut ends = BTreeMap::new();
    for (row, kind) in rows.iter().zip(of_row) {
        let end = kind.map_or("matched", ExceptionKind::as_str);
        *ends.entry((row["scenario"].clone(), end)).or_default() += 1;
    }
    ends
}

fn check_ends(found: BTreeMap<(String, &'static str), usize>, expected: &[(&str, &str, usize)]) {
    let found: Vec<(&str, &str, usize)> =
        found.iter().map(|((scenario, end), n)| (scenario.as_str(), *end, *n)).collect();
    assert_eq!(found, expected);
}

pub fn run(left: &Records, right: &Records, rules: &RuleSet) -> Outcome {
    let outcome = reconcile(left, right, rules, Watch::none()).unwrap();
    assert_sound(left, right, rules, &outcome);
    outcome
}

#[test]
fn card_sales_meet_their_settlements() {
    let Some(data) = folder("context-01-card-acquirer-settlement") else { return };
    let (sales, settlements) =
        (csv_file(data.join("ledger-midaz.csv")), json_file(data.join("acquirer-settlement.json")));
    let fields = ["order_id", "authorization_code"];
    let left = records(&sales, ["ledger_tx_id", "occurred_at", "amount"], &fields);
    let right = records(&settlements, ["acquirer_tx_id", "settlement_date", "gross_amount"], &fields);
    let rules = rule_set(
        r#"
        ambiguity_margin = 0.01
        [[pass]]
        name = "order and authorization"
        key = [
          { left = "order_id", right = "order_id" },
          { left = "authorization_code", right = "authorization_code" },
        ]
        date = { window_days = 7, direction = "right_later" }
        [[pass]]
        name = "order, rounded"
        key = [{ left = "order_id", right = "order_id" }]
        amount = { absolute = "0.05" }
        date = { window_days = 7, direction = "right_later" }
        "#,
        &left,
        &right,
    );
    let outcome = run(&left, &right, &rules);
    // The totals were counted from the files by joining them on the order. Of an order settled three times
    // one is the match (the nearest day, or by id), and a chargeback shares its order with the sale, which
    // has the settlement.
    check_ends(
        ends(&outcome, Side::Left, &sales),
        &[
            ("ledger_chargeback", "amount_differs", 1),
            ("ledger_chargeback", "missing_right", 59),
            ("ledger_only", "missing_right", 120),
            ("ledger_sale_candidate", "amount_differs", 15),
            ("ledger_sale_candidate", "matched", 785),
            ("ledger_sale_candidate", "missing_right", 20),
        ],
    );
    check_ends(
        ends(&outcome, Side::Right, &settlements),
        &[
            ("acquirer_only_settlement", "missing_left", 150),
            ("amount_mismatch_outside_tolerance", "amount_differs", 15),
            ("amount_mismatch_outside_tolerance", "missing_left", 1),
            ("amount_tolerance_candidate", "duplicate", 1),
            ("amount_tolerance_candidate", "matched", 18),
            ("duplicate_settlement_candidate", "duplicate", 28),
            ("duplicate_settlement_candidate", "matched", 2),
            ("exact_order_and_authorization_match", "matched", 704),
            ("exact_order_and_authorization_match", "missing_left", 16),
            ("fee_variance_candidate", "matched", 17),
            ("fee_variance_candidate", "missing_left", 1),
            ("settlement_lag_candidate", "duplicate", 1),
            ("settlement_lag_candidate", "matched", 44),
            ("settlement_lag_candidate", "missing_left", 2),
        ],
    );
}

#[test]
fn bank_lines_meet_the_ledger_by_two_keys() {
    let Some(data) = folder("context-02-bank-statement-vs-ledger") else { return };
    let (ledger, bank) =
        (json_file(data.join("midaz-ledger-export.json")), csv_file(data.join("bank-statement.csv")));
    let fields = ["end_to_end_id", "reference"];
    let left = records(&ledger, ["ledger_entry_id", "posted_at", "amount"], &fields);
    let right = records(&bank, ["bank_entry_id", "booking_date", "amount"], &fields);
    let rules = rule_set(
        r#"
        [[pass]]
        name = "end to end"
        key = [{ left = "end_to_end_id", right = "end_to_end_id" }]
        date = { window_days = 1, direction = "right_later" }
        [[pass]]
        name = "reference"
        key = [{ left = "reference", right = "reference" }]
        date = { window_days = 1, direction = "right_later" }
        [[pass]]
        name = "reference, rounded"
        key = [{ left = "reference", right = "reference" }]
        amount = { absolute = "0.05" }
        date = { window_days = 1, direction = "right_later" }
        "#,
        &left,
        &right,
    );
    let outcome = run(&left, &right, &rules);
    // Of a line that is there twice one is the match, whichever the file calls the double: the nearer in
    // amount and date, or by id where they are the same.
    check_ends(
        ends(&outcome, Side::Left, &ledger),
        &[
            ("ledger_bank_candidate", "amount_differs", 10),
            ("ledger_bank_candidate", "matched", 750),
            ("ledger_bank_candidate", "missing_right", 100),
            ("ledger_only", "missing_right", 120),
            ("missing_e2e_uses_reference_fallback", "missing_right", 20),
        ],
    );
    check_ends(
        ends(&outcome, Side::Right, &bank),
        &[
            ("amount_mismatch_outside_tolerance", "amount_differs", 10),
            ("amount_mismatch_outside_tolerance", "missing_left", 1),
            ("amount_tolerance_candidate", "duplicate", 1),
            ("amount_tolerance_candidate", "matched", 17),
            ("bank_fee_only", "missing_left", 50),
            ("bank_only_unmatched", "missing_left", 160),
            ("bank_statement_match_candidate", "duplicate", 3),
            ("bank_statement_match_candidate", "matched", 719),
            ("duplicate_bank_line", "duplicate", 25),
            ("duplicate_bank_line", "matched", 5),
            ("missing_e2e_uses_reference_fallback", "matched", 9),
        ],
    );
}
