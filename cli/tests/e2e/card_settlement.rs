//! Card sales against the acquirer's settlement, and the settlement against the acquirer's fees: three sources
//! written by others, in CSV and JSON, with three currencies.

use crate::deployment::Peaceful;
use crate::examples::{Example, Row, folder, totals};
use crate::findings::{Findings, Match, Side};
use crate::pair::{Pair, check_balance, minor, rules};
use crate::project::{Job, Project, text};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

#[test]
fn sales_settlement_and_fees_come_out_as_their_scenarios_say() {
    let place = Peaceful::shared();
    let project = Project::of_somebody(&place.api.url);
    match folder() {
        Some(folder) => files_of_others(&project, &folder.join("context-01-card-acquirer-settlement/data")),
        None => {
            let samples = Pair::make(8, 600);
            let (left, right) = samples.bring_into(&project);
            samples.check(&project.submit(&left, &right, &rules()).wait_until_completed().summary());
        }
    }
}

struct Files {
    sales: Example,
    settlement: Example,
    fees: Example,
}

fn files_of_others(project: &Project, folder: &Path) {
    let files = Files {
        sales: Example::read(&folder.join("ledger-midaz.csv")),
        settlement: Example::read(&folder.join("acquirer-settlement.json")),
        fees: Example::read(&folder.join("acquirer-fees.csv")),
    };
    let currency = json!({ "column": "currency" });
    let sales = project.source(
        "ledger-midaz.csv",
        &files.sales.bytes,
        &mapping(
            "csv",
            ["ledger_tx_id", "occurred_at", "amount"],
            &currency,
            &["order_id", "authorization_code"],
        ),
    );
    // One upload, two meanings: sales are compared gross, fees by themselves. Where the settlement is left out of the
    // fields, a sale that was settled twice has two identical records, of which one is the duplicate; with it they
    // are different records that fit equally well, and ambiguous.
    let upload = project.upload("acquirer-settlement.json", &files.settlement.bytes).expect(201);
    let [gross, fee] =
        [("gross_amount", "authorization_code"), ("fee_amount", "settlement_id")].map(|(amount, key)| {
            let columns = ["acquirer_tx_id", "settlement_date", amount];
            let mapping = mapping("json", columns, &currency, &["order_id", key]);
            text(&project.describe(&text(&upload, "id"), amount, &mapping).expect(201), "id")
        });
    // The file does not say in which currency; its README says BRL.
    let fees = project.source(
        "acquirer-fees.csv",
        &files.fees.bytes,
        &mapping(
            "csv",
            ["fee_id", "charged_at", "fee_amount"],
            &json!({ "fixed": "BRL" }),
            &["order_id", "settlement_id"],
        ),
    );
    // Both at once.
    let sales_job = project.submit(&sales, &gross, &rules_for(&["order_id", "authorization_code"]));
    let fees_job = project.submit(&fee, &fees, &rules_for(&["order_id", "settlement_id"]));
    check_sales(&files, &sales_job);
    check_fees(&files, &fees_job);
}

fn mapping(format: &str, [id, date, amount]: [&str; 3], currency: &Value, fields: &[&str]) -> Value {
    json!({
        "format": format,
        "id": id,
        "date": { "column": date },
        "amount": { "column": amount },
        "currency": currency,
        "fields": fields.iter().map(|field| (*field, *field)).collect::<BTreeMap<_, _>>(),
    })
}

/// Equal amounts, then a few cents apart. A settlement takes up to five days.
fn rules_for(fields: &[&str]) -> Value {
    let key: Vec<_> =
        fields.iter().map(|field| json!({ "left": field, "right": field, "normalise": "exact" })).collect();
    let date = json!({ "window_days": 5 });
    json!({
        "version": 1,
        "pass": [
            { "name": "same amount", "key": key, "date": date },
            { "name": "some cents apart", "key": key, "date": date, "amount": { "absolute": "0.05" } },
        ],
    })
}

fn check_sales(files: &Files, job: &Job) {
    let summary = job.wait_until_completed().summary();
    let totals = totals(&files.sales, "amount", &files.settlement, "gross_amount");
    assert_eq!(totals.keys().collect::<Vec<_>>(), ["BRL", "EUR", "USD"]);
    check_balance(&summary, &totals);
    let (sales, settlement) = (&files.sales.rows, &files.settlement.rows);
    let found = Findings::of(job);
    found
        .check_every_record_once(ids(sales, "ledger_tx_id").iter(), ids(settlement, "acquirer_tx_id").iter());

    let sale_of: BTreeMap<&str, &Row> = sales
        .iter()
        .filter(|row| row["scenario"] != "ledger_chargeback")
        .map(|row| (row["order_id"].as_str(), row))
        .collect();
    let mut truth = Truth::default();
    let mut has_settlement = BTreeSet::new();
    let mut differs = BTreeSet::new();
    for row in settlement {
        let (id, order) = (row["acquirer_tx_id"].clone(), row["order_id"].as_str());
        let sale = sale_of.get(order).map(|sale| sale["ledger_tx_id"].clone());
        let Some(sale) = sale else {
            truth.kinds.insert((Side::Right, id), "missing_left");
            continue;
        };
        assert_ne!(row["scenario"], "acquirer_only_settlement");
        has_settlement.insert(order);
        if row["scenario"] == "amount_mismatch_outside_tolerance" {
            differs.insert(order);
            truth.kinds.insert((Side::Left, sale), "amount_differs");
            truth.kinds.insert((Side::Right, id), "amount_differs");
        } else {
            truth.fitting.entry(sale).or_default().insert(id);
        }
    }
    for row in sales {
        let (id, order) = (row["ledger_tx_id"].clone(), row["order_id"].as_str());
        match row["scenario"].as_str() {
            // The settlement of the order belongs to its sale: nothing is left for the chargeback, unless the sale
            // itself differs.
            "ledger_chargeback" => {
                let kind = if differs.contains(order) { "amount_differs" } else { "missing_right" };
                truth.kinds.insert((Side::Left, id), kind);
            }
            _ if !has_settlement.contains(order) => {
                truth.kinds.insert((Side::Left, id), "missing_right");
            }
            scenario => assert_ne!(scenario, "ledger_only"),
        }
    }
    truth.check(&found);
}

fn check_fees(files: &Files, job: &Job) {
    let summary = job.wait_until_completed().summary();
    check_balance(&summary, &totals(&files.settlement, "fee_amount", &files.fees, "fee_amount"));
    let (settlement, fees) = (&files.settlement.rows, &files.fees.rows);
    let found = Findings::of(job);
    found.check_every_record_once(ids(settlement, "acquirer_tx_id").iter(), ids(fees, "fee_id").iter());

    let key = |row: &Row| (row["order_id"].clone(), row["settlement_id"].clone());
    let mut fees_of = BTreeMap::<_, Vec<&Row>>::new();
    for row in fees {
        fees_of.entry(key(row)).or_default().push(row);
    }
    let mut truth = Truth::default();
    for row in settlement {
        let id = (Side::Left, row["acquirer_tx_id"].clone());
        let Some(fees) = fees_of.get(&key(row)) else {
            assert_eq!(row["scenario"], "acquirer_only_settlement");
            truth.kinds.insert(id, "missing_right");
            continue;
        };
        let apart = minor(&row["fee_amount"], "") - minor(&fees[0]["fee_amount"], "");
        let fee_ids = fees.iter().map(|fee| fee["fee_id"].clone());
        if row["currency"] != "BRL" {
            truth.kinds.insert(id, "currency_differs");
            truth.kinds.extend(fee_ids.map(|fee| ((Side::Right, fee), "currency_differs")));
        } else if row["scenario"] == "amount_mismatch_outside_tolerance" {
            assert!(apart.abs() > 5, "{row:?}");
            truth.kinds.insert(id, "amount_differs");
            truth.kinds.extend(fee_ids.map(|fee| ((Side::Right, fee), "amount_differs")));
        } else {
            assert!(apart.abs() <= 5, "{row:?}");
            truth.fitting.insert(id.1, fee_ids.collect());
        }
    }
    for row in fees.iter().filter(|row| row["scenario"] == "fee_only_unmatched") {
        truth.kinds.insert((Side::Right, row["fee_id"].clone()), "missing_left");
    }
    truth.check(&found);
}

fn ids(rows: &[Row], column: &str) -> Vec<String> {
    rows.iter().map(|row| row[column].clone()).collect()
}

/// What should come out.
#[derive(Default)]
struct Truth {
    /// Left records with the right ones that they may be matched with: each with one of them.
    fitting: BTreeMap<String, BTreeSet<String>>,
    kinds: BTreeMap<(Side, String), &'static str>,
}

impl Truth {
    fn check(&self, found: &Findings) {
        let mut matched = BTreeMap::new();
        for Match { left, right } in &found.matches {
            assert!(left.len() == 1 && right.len() == 1, "{left:?} {right:?}");
            matched.insert(left.first().expect("one"), right.first().expect("one"));
        }
        let wrong: Vec<_> = matched
            .iter()
            .filter(|(left, right)| !self.fitting.get(**left).is_some_and(|f| f.contains(**right)))
            .collect();
        let missed: Vec<_> = self.fitting.keys().filter(|left| !matched.contains_key(left)).collect();
        assert!(wrong.is_empty() && missed.is_empty(), "wrong {wrong:?}, missed {missed:?}");
        // Of several that fit, those without the match are its duplicates.
        let fits: BTreeSet<&String> = self.fitting.values().flatten().collect();
        let expected = |record: &(Side, String)| {
            let is_left_over = record.0 == Side::Right && fits.contains(&record.1);
            self.kinds.get(record).copied().or(is_left_over.then_some("duplicate"))
        };
        let wrong: Vec<_> = found
            .exceptions
            .iter()
            .filter(|(record, kind)| expected(record) != Some(kind.as_str()))
            .map(|(record, kind)| (record, kind, expected(record)))
            .collect();
        assert!(wrong.is_empty(), "{} exceptions of another kind: {wrong:?}", wrong.len());
    }
}
