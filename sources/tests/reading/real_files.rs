//! Files that others wrote, where they are at hand: nothing rejected, and totals as an independent sum has them.

use crate::common::{mapping, read};
use matching::format_minor;
use sources::ReadLimits;
use std::path::PathBuf;

fn example(path: &str) -> Option<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/lerian_examples");
    if !folder.is_dir() {
        println!("skipped: ../shared/data/lerian_examples is not beside this checkout");
        return None;
    }
    Some(std::fs::read(folder.join(path)).expect(path))
}

/// `fields` are columns kept under their own names.
fn check(path: &str, id: &str, date: &str, amount: &str, currency: &str, fields: &[&str]) {
    let Some(bytes) = example(path) else { return };
    let format = if path.ends_with(".json") { "json" } else { "csv" };
    let fields: Vec<_> = fields.iter().map(|field| format!("{field} = {field:?}")).collect();
    let mapping = mapping(&format!(
        "format = {format:?}\nid = {id:?}\ndate.column = {date:?}\namount.column = {amount:?}\n\
         currency = {currency}\nfields = {{ {} }}",
        fields.join(", ")
    ));
    let outcome = read(&mapping, &bytes, &ReadLimits::default()).expect(path);
    assert_eq!((outcome.records.len(), outcome.rejected.len()), (1_000, 0), "{path}");
    let total: i128 = outcome.records.rows().map(|row| i128::from(outcome.records.amount(row))).sum();
    let text = String::from_utf8(bytes).expect("UTF-8");
    let cells = if format == "json" { json_cells(&text, amount) } else { csv_cells(&text, amount) };
    assert_eq!(cells.len(), 1_000);
    assert_eq!(format_minor(total, 2), format_minor(cells.iter().map(|cell| cents(cell)).sum(), 2), "{path}");
}

/// By a general JSON reader.
fn json_cells(text: &str, column: &str) -> Vec<String> {
    let elements: Vec<serde_json::Value> = serde_json::from_str(text).expect("an array");
    elements.iter().map(|element| element[column].as_str().expect("a text").to_owned()).collect()
}

/// By cutting at commas: these files have no quotes.
fn csv_cells(text: &str, column: &str) -> Vec<String> {
    assert!(!text.contains('"'));
    let mut lines = text.lines();
    let place = lines.next().expect("a header").split(',').position(|name| name == column).expect(column);
    lines.map(|line| line.split(',').nth(place).expect("a cell").to_owned()).collect()
}

fn cents(text: &str) -> i128 {
    let (whole, fraction) = text.split_once('.').expect("two decimals");
    assert_eq!(fraction.len(), 2);
    format!("{whole}{fraction}").parse().expect("digits")
}

#[test]
fn card_settlement_files_are_read_to_the_cent() {
    let folder = "context-01-card-acquirer-settlement/data";
    let ccy = "{ column = \"currency\" }";
    let keys = ["order_id", "authorization_code", "scenario"];
    check(
        &format!("{folder}/acquirer-settlement.json"),
        "acquirer_tx_id",
        "settlement_date",
        "gross_amount",
        ccy,
        &keys,
    );
    check(&format!("{folder}/ledger-midaz.csv"), "ledger_tx_id", "occurred_at", "amount", ccy, &keys);
    check(&format!("{folder}/chargebacks.csv"), "chargeback_id", "occurred_at", "amount", ccy, &keys);
    let fees = format!("{folder}/acquirer-fees.csv");
    check(&fees, "fee_id", "charged_at", "fee_amount", "{ fixed = \"BRL\" }", &["order_id", "fee_type"]);
}

#[test]
fn bank_and_ledger_files_are_read_to_the_cent() {
    let folder = "context-02-bank-statement-vs-ledger/data";
    let ccy = "{ column = \"currency\" }";
    let keys = ["end_to_end_id", "reference", "scenario"];
    check(
        &format!("{folder}/midaz-ledger-export.json"),
        "ledger_entry_id",
        "posted_at",
        "amount",
        ccy,
        &keys,
    );
    check(&format!("{folder}/bank-statement.csv"), "bank_entry_id", "booking_date", "amount", ccy, &keys);
    check(
        &format!("{folder}/bank-adjustments.csv"),
        "adjustment_id",
        "adjustment_date",
        "amount",
        ccy,
        &keys,
    );
}

#[test]
fn marketplace_files_are_read_to_the_cent() {
    let folder = "context-03-marketplace-payouts/data";
    let ccy = "{ column = \"currency\" }";
    check(
        &format!("{folder}/gateway-transactions.json"),
        "gateway_tx_id",
        "captured_at",
        "net_amount",
        ccy,
        &["order_id"],
    );
    check(
        &format!("{folder}/orders.csv"),
        "order_id",
        "order_date",
        "gross_amount",
        ccy,
        &["order_id", "payment_id"],
    );
    check(&format!("{folder}/refunds.csv"), "refund_id", "refunded_at", "amount", ccy, &["gateway_tx_id"]);
    check(
        &format!("{folder}/seller-payouts.csv"),
        "payout_id",
        "payout_date",
        "amount",
        ccy,
        &["payout_batch_id"],
    );
}
