//! Sample files, and what they add up to: counted here, from the text of the files, with nothing of the product.

use crate::process::{counterfoil, run};
use crate::project::{Project, number, text};
use serde_json::Value;
use shared::testing::test_dir;
use std::collections::BTreeMap;

/// A bank statement and a ledger made by `counterfoil samples`.
pub struct Pair {
    pub bank: Vec<u8>,
    pub ledger: Vec<u8>,
    totals: BTreeMap<String, Totals>,
}

/// Of one currency, minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    pub left_count: i64,
    pub right_count: i64,
    pub left: i128,
    pub right: i128,
}

impl Pair {
    /// About `rows` bank lines, the same for the same seed.
    pub fn make(seed: u32, rows: u32) -> Self {
        let dir = test_dir("samples");
        let mut command = counterfoil();
        command
            .args(["samples", "--seed", &seed.to_string(), "--rows", &rows.to_string(), "--out"])
            .arg(&dir);
        run(command);
        let read = |name: &str| std::fs::read(dir.join(name)).expect(name);
        let (bank, ledger) = (read("bank.csv"), read("ledger.csv"));
        let mut totals = BTreeMap::<String, Totals>::new();
        for (currency, amount) in amounts(&bank, b';', "Currency", "Amount") {
            let of = totals.entry(currency.clone()).or_default();
            of.left_count += 1;
            // Written as in Germany: 1.234,56
            of.left += minor(&amount.replace('.', "").replace(',', "."), &currency);
        }
        for (currency, amount) in amounts(&ledger, b',', "currency", "amount") {
            let of = totals.entry(currency.clone()).or_default();
            of.right_count += 1;
            of.right += minor(&amount, &currency);
        }
        Self { bank, ledger, totals }
    }

    /// Uploads both; returns the data sources.
    pub fn bring_into(&self, project: &Project) -> (String, String) {
        let bank = toml(include_str!("../../../samples/bank.mapping.toml"));
        let ledger = toml(include_str!("../../../samples/ledger.mapping.toml"));
        (project.source("bank.csv", &self.bank, &bank), project.source("ledger.csv", &self.ledger, &ledger))
    }

    /// Checks that a summary speaks of these files, to the cent.
    #[track_caller]
    pub fn check(&self, summary: &Value) {
        assert_eq!(number(summary, "left_rejected") + number(summary, "right_rejected"), 0, "{summary}");
        check_balance(summary, &self.totals);
    }
}

/// The rules for samples.
pub fn rules() -> Value {
    toml(include_str!("../../../samples/rules.toml"))
}

fn toml(text: &str) -> Value {
    toml::from_str(text).expect("the samples' settings")
}

fn amounts(file: &[u8], delimiter: u8, currency: &str, amount: &str) -> Vec<(String, String)> {
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(file);
    let rows = reader.deserialize::<BTreeMap<String, String>>();
    rows.map(|row| row.map(|row| (row[currency].clone(), row[amount].clone())).expect("a row")).collect()
}

/// Minor units of a decimal like `-1234.56`.
#[track_caller]
pub fn minor(text: &str, currency: &str) -> i128 {
    let decimals = if currency == "JPY" { 0 } else { 2 };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    assert!(fraction.len() <= decimals, "{text} {currency}");
    format!("{whole}{fraction:0<decimals$}").parse().unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

/// Checks the whole balance proof of a summary against totals that were counted elsewhere.
#[track_caller]
pub fn check_balance(summary: &Value, totals: &BTreeMap<String, Totals>) {
    let balance = summary["balance"].as_array().expect("a balance");
    let proven: BTreeMap<String, Totals> = balance
        .iter()
        .map(|proof| {
            let currency = text(proof, "currency");
            let money = |key: &str| minor(&text(proof, key), &currency);
            let [left, right] = ["left_total", "right_total"].map(money);
            assert_eq!(money("difference"), left - right, "{proof}");
            assert_eq!(money("left_matched") + money("left_unmatched"), left, "{proof}");
            assert_eq!(money("right_matched") + money("right_unmatched"), right, "{proof}");
            assert_eq!(
                money("left_matched") - money("right_matched"),
                money("matched_difference"),
                "{proof}"
            );
            assert_eq!(money("residual"), 0, "{proof}");
            let counted = Totals {
                left_count: number(proof, "left_count"),
                right_count: number(proof, "right_count"),
                left,
                right,
            };
            (currency, counted)
        })
        .collect();
    assert_eq!(&proven, totals);
    let left: i64 = totals.values().map(|of| of.left_count).sum();
    let right: i64 = totals.values().map(|of| of.right_count).sum();
    assert_eq!([number(summary, "left_records"), number(summary, "right_records")], [left, right]);
    let matched = number(summary, "left_matched") + number(summary, "right_matched");
    assert_eq!(matched + number(summary, "exceptions"), left + right, "every record in one place: {summary}");
}

#[cfg(test)]
mod tests {
    use super::minor;

    #[test]
    fn decimals_are_read_exactly() {
        let read = [("0.05", "EUR"), ("-1234.5", "USD"), ("7", "EUR"), ("7700", "JPY"), ("-0.01", "EUR")];
        assert_eq!(read.map(|(text, currency)| minor(text, currency)), [5, -123_450, 700, 7700, -1]);
    }
}
