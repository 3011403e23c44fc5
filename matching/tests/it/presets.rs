//! Presets on files that other people made; skipped where those are absent.

use crate::real_files::{csv_file, folder, json_file, renamed, run};
use matching::{Preset, Records, RuleSet};

fn fitted(preset: Preset, left: &Records, right: &Records) -> RuleSet {
    preset.rules().fit(left.field_names(), right.field_names()).rules
}

#[test]
fn bank_to_ledger_joins_what_the_references_join() {
    let Some(data) = folder("context-02-bank-statement-vs-ledger") else { return };
    let bank = csv_file(data.join("bank-statement.csv"));
    let ledger = json_file(data.join("midaz-ledger-export.json"));
    let fields = [("reference", "reference"), ("description", "description")];
    let left = renamed(&bank, ["bank_entry_id", "booking_date", "amount"], &fields);
    let right = renamed(&ledger, ["ledger_entry_id", "posted_at", "amount"], &fields);
    let rules = fitted(Preset::BankToLedger, &left, &right);
    let outcome = run(&left, &right, &rules);
    let right_pair = |l: u32, r: u32| {
        let (l, r) = (&bank[l as usize], &ledger[r as usize]);
        l["reference"] == r["reference"]
            || !l["end_to_end_id"].is_empty() && l["end_to_end_id"] == r["end_to_end_id"]
    };
    let good = outcome.matches.iter().filter(|m| right_pair(m.left[0], m.right[0])).count();
    println!("bank-to-ledger on another's files: {good} of {} matches right", outcome.matches.len());
    assert_eq!(good, outcome.matches.len());
    // 750 by careful rules written for these files.
    assert!(good >= 740, "{good}");
}

#[test]
fn card_payouts_meet_single_orders() {
    let Some(data) = folder("context-01-card-acquirer-settlement") else { return };
    let settlements = json_file(data.join("acquirer-settlement.json"));
    let sales = csv_file(data.join("ledger-midaz.csv"));
    let fields = [("reference", "order_id")];
    let left = renamed(&settlements, ["acquirer_tx_id", "settlement_date", "gross_amount"], &fields);
    let right = renamed(&sales, ["ledger_tx_id", "occurred_at", "amount"], &fields);
    let rules = fitted(Preset::CardPayoutsToOrders, &left, &right);
    let outcome = run(&left, &right, &rules);
    let is_right = |l: u32, r: u32| settlements[l as usize]["order_id"] == sales[r as usize]["order_id"];
    let good = outcome.matches.iter().filter(|m| is_right(m.left[0], m.right[0])).count();
    println!("card payouts on another's files: {good} of {} matches right", outcome.matches.len());
    assert_eq!(good, outcome.matches.len());
    // 785 by careful rules written for these files.
    assert!(good >= 775, "{good}");
}
