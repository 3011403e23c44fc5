//! 100,000 bank lines against 110,000 ledger lines with known truth, made by a generator that is not ours.

use crate::deployment::Peaceful;
use crate::findings::{Findings, Match};
use crate::pair::{Pair, Totals, check_balance, minor, rules};
use crate::project::Project;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

type Row = BTreeMap<String, String>;

#[test]
fn a_hundred_thousand_lines_come_out_as_their_truth_says() {
    let place = Peaceful::shared();
    let project = Project::of_somebody(&place.api.url);
    match std::env::var_os("COUNTERFOIL_TEST_PAIR_100K") {
        Some(folder) => large_pair(&project, &PathBuf::from(folder)),
        None => {
            println!("COUNTERFOIL_TEST_PAIR_100K is not set: the test uses the repository's own generator");
            let samples = Pair::make(10, 100_000);
            let (left, right) = samples.bring_into(&project);
            samples.check(&project.submit(&left, &right, &rules()).wait_until_completed().summary());
        }
    }
}

fn mapping(id: &str, date: &str, fields: &Value) -> Value {
    json!({
        "format": "csv",
        "id": id,
        "date": { "column": date },
        "amount": { "column": "amount" },
        "currency": { "column": "currency" },
        "fields": fields,
    })
}

fn rules_for_invoices() -> Value {
    let key = |left: &str, right: &str, normalise: &str| json!([{ "left": left, "right": right, "normalise": normalise }]);
    let days = |days: u32| json!({ "window_days": days });
    json!({
        "version": 1,
        "name": "bank against ledger",
        "pass": [
            { "name": "reference", "key": key("reference", "reference", "alphanumeric"), "date": days(5) },
            { "name": "deposit", "cardinality": "1:n", "key": key("reference", "batch", "tokens"), "date": days(5) },
            {
                "name": "deposit in the text", "cardinality": "1:n",
                "key": key("description", "batch", "tokens"), "date": days(5),
            },
            { "name": "digits", "key": key("reference", "reference", "digits"), "date": days(5) },
            { "name": "reference in the text", "key": key("description", "reference", "tokens"), "date": days(5) },
            {
                "name": "amount and name", "date": days(5),
                "text": { "left": ["reference", "description"], "right": ["reference", "counterparty"], "min": 0.6 },
            },
            {
                "name": "about the amount, and name", "tier": "suggested", "date": days(5),
                "amount": { "percent": "0.5" },
                "text": { "left": ["reference", "description"], "right": ["reference", "counterparty"], "min": 0.7 },
            },
        ],
    })
}

fn large_pair(project: &Project, folder: &Path) {
    let bytes = |name: &str| std::fs::read(folder.join(name)).expect(name);
    let (bank, ledger) = (bytes("bank.csv"), bytes("ledger.csv"));
    let fields = json!({ "reference": "reference", "description": "description" });
    let left = project.source("bank.csv", &bank, &mapping("bank_id", "booking_date", &fields));
    let fields = json!({ "reference": "invoice_ref", "counterparty": "counterparty", "batch": "batch_ref" });
    let right = project.source("ledger.csv", &ledger, &mapping("ledger_id", "date", &fields));
    let job = project.submit(&left, &right, &rules_for_invoices());
    let summary = job.wait_until_completed().summary();

    let (bank, ledger) = (rows(&bank), rows(&ledger));
    check_balance(&summary, &totals(&bank, &ledger));
    let found = Findings::downloaded(&job);
    found.check_every_record_once(
        bank.iter().map(|row| &row["bank_id"]),
        ledger.iter().map(|row| &row["ledger_id"]),
    );
    check_against_truth(&found, &rows(&bytes("truth.csv")));
}

fn rows(file: &[u8]) -> Vec<Row> {
    csv::Reader::from_reader(file).into_deserialize().collect::<Result<_, _>>().expect("rows")
}

fn totals(bank: &[Row], ledger: &[Row]) -> BTreeMap<String, Totals> {
    let mut totals = BTreeMap::<String, Totals>::new();
    for row in bank {
        let of = totals.entry(row["currency"].clone()).or_default();
        of.left_count += 1;
        of.left += minor(&row["amount"], &row["currency"]);
    }
    for row in ledger {
        let of = totals.entry(row["currency"].clone()).or_default();
        of.right_count += 1;
        of.right += minor(&row["amount"], &row["currency"]);
    }
    totals
}

/// A bank line is in one pair, or is the sum of a group.
fn check_against_truth(found: &Findings, truth: &[Row]) {
    let mut pairs = BTreeSet::new();
    let mut groups = BTreeMap::<String, BTreeSet<String>>::new();
    for row in truth {
        let (bank, ledger) = (row["bank_id"].clone(), row["ledger_id"].clone());
        if row["kind"] == "group" {
            groups.entry(bank).or_default().insert(ledger);
        } else {
            pairs.insert((bank, ledger));
        }
    }
    let groups: BTreeSet<Match> =
        groups.into_iter().map(|(bank, right)| Match { left: BTreeSet::from([bank]), right }).collect();
    let found_pairs = found.pairs();
    let found_groups: BTreeSet<Match> =
        found.matches.iter().filter(|m| m.left.len() + m.right.len() > 2).cloned().collect();
    let share = |part: usize, whole: usize| part as f64 / whole as f64;
    let right_pairs = found_pairs.intersection(&pairs).count();
    let right_groups = found_groups.intersection(&groups).count();
    // Measured: 1, 0.9762, 1, 1. What is missed has neither a reference nor a readable name.
    let measured = [
        ("pairs found that are true", share(right_pairs, found_pairs.len()), 0.999),
        ("true pairs found", share(right_pairs, pairs.len()), 0.97),
        ("groups found that are true", share(right_groups, found_groups.len()), 0.999),
        ("true groups found", share(right_groups, groups.len()), 0.99),
    ];
    println!("{measured:.4?}");
    for (what, share, least) in measured {
        assert!(share >= least, "{what}: {share:.4}, and should be {least}");
    }
}
