//! A ledger's export (JSON) against a bank statement (CSV), written by others, from upload to download.
//!
//! What should come out is derived from the `scenario` columns; see the README beside the files.

use crate::deployment::Peaceful;
use crate::examples::{Example, Row, folder, totals};
use crate::findings::{Findings, Match, Side};
use crate::pair::{Pair, check_balance, rules};
use crate::project::Project;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

fn mapping(format: &str, id: &str, date: &str) -> Value {
    json!({
        "format": format,
        "id": id,
        "date": { "column": date },
        "amount": { "column": "amount" },
        "currency": { "column": "currency" },
        "fields": { "end_to_end_id": "end_to_end_id", "reference": "reference" },
    })
}

/// As a bookkeeper would write them down: sure things first, the cents the bank rounds last.
fn rules_for_rails() -> Value {
    let window = json!({ "window_days": 1, "direction": "right_later" });
    let key = |field: &str| json!([{ "left": field, "right": field, "normalise": "exact" }]);
    json!({
        "version": 1,
        "name": "ledger against bank",
        "pass": [
            { "name": "end-to-end id", "key": key("end_to_end_id"), "date": window },
            { "name": "reference", "key": key("reference"), "date": window },
            { "name": "reference, rounded", "key": key("reference"), "date": window, "amount": { "absolute": "0.05" } },
        ],
    })
}

#[test]
fn a_bank_statement_and_a_ledger_come_out_as_their_scenarios_say() {
    let place = Peaceful::shared();
    let project = Project::of_somebody(&place.api.url);
    match folder() {
        Some(folder) => files_of_others(&project, &folder.join("context-02-bank-statement-vs-ledger/data")),
        None => {
            let samples = Pair::make(7, 600);
            let (left, right) = samples.bring_into(&project);
            samples.check(&project.submit(&left, &right, &rules()).wait_until_completed().summary());
        }
    }
}

fn files_of_others(project: &Project, folder: &Path) {
    let ledger = Example::read(&folder.join("midaz-ledger-export.json"));
    let bank = Example::read(&folder.join("bank-statement.csv"));
    let left = project.source(
        "midaz-ledger-export.json",
        &ledger.bytes,
        &mapping("json", "ledger_entry_id", "posted_at"),
    );
    let right =
        project.source("bank-statement.csv", &bank.bytes, &mapping("csv", "bank_entry_id", "booking_date"));
    let job = project.submit(&left, &right, &rules_for_rails());
    let summary = job.wait_until_completed().summary();
    let expected = Expected::of(&ledger, &bank);

    let totals = totals(&ledger, "amount", &bank, "amount");
    assert_eq!(totals.keys().collect::<Vec<_>>(), ["BRL", "EUR", "USD"]);
    check_balance(&summary, &totals);
    let found = Findings::of(&job);
    let ids =
        |file: &Example, column: &str| file.rows.iter().map(|row| row[column].clone()).collect::<Vec<_>>();
    found.check_every_record_once(ids(&ledger, "ledger_entry_id").iter(), ids(&bank, "bank_entry_id").iter());
    expected.check(&found);
    // The CSV files say the same as the pages.
    let downloaded = Findings::downloaded(&job);
    assert_eq!(
        downloaded.matches.iter().collect::<BTreeSet<_>>(),
        found.matches.iter().collect::<BTreeSet<_>>()
    );
    assert_eq!(downloaded.exceptions, found.exceptions);
}

/// Truth, from the scenarios and keys.
#[derive(Default)]
struct Expected {
    /// Bank lines that one ledger posting may be matched with; it is matched with exactly one of them.
    fitting: BTreeMap<String, BTreeSet<String>>,
    /// What a record without a match is.
    kinds: BTreeMap<(Side, String), &'static str>,
}

impl Expected {
    fn of(ledger: &Example, bank: &Example) -> Self {
        let (by_rail, by_reference) = (ledger.by("end_to_end_id"), ledger.by("reference"));
        let posting_of = |line: &Row| {
            let found = by_rail.get(line["end_to_end_id"].as_str());
            found
                .or_else(|| by_reference.get(line["reference"].as_str()))
                .map(|row| row["ledger_entry_id"].clone())
        };
        let mut expected = Self::default();
        // Postings whose only bank line has another amount.
        let mut differing = BTreeSet::new();
        for line in &bank.rows {
            let id = line["bank_entry_id"].clone();
            let posting = posting_of(line);
            match line["scenario"].as_str() {
                "bank_statement_match_candidate"
                | "amount_tolerance_candidate"
                | "missing_e2e_uses_reference_fallback"
                | "duplicate_bank_line" => {
                    expected.fitting.entry(posting.expect("its posting")).or_default().insert(id);
                }
                "amount_mismatch_outside_tolerance" => {
                    differing.insert((posting.expect("its posting"), id));
                }
                "bank_fee_only" | "bank_only_unmatched" => {
                    assert_eq!(posting, None);
                    expected.kinds.insert((Side::Right, id), "missing_left");
                }
                other => panic!("unknown scenario {other}"),
            }
        }
        for (posting, line) in differing {
            // The posting may have gone to a duplicate with the right amount: nothing is left for this line.
            let is_free = !expected.fitting.contains_key(&posting);
            expected
                .kinds
                .insert((Side::Right, line), if is_free { "amount_differs" } else { "missing_left" });
            if is_free {
                expected.kinds.insert((Side::Left, posting), "amount_differs");
            }
        }
        for row in &ledger.rows {
            let id = row["ledger_entry_id"].clone();
            let is_settled =
                expected.fitting.contains_key(&id) || expected.kinds.contains_key(&(Side::Left, id.clone()));
            assert!(!is_settled || row["scenario"] == "ledger_bank_candidate", "{row:?}");
            if !is_settled {
                expected.kinds.insert((Side::Left, id), "missing_right");
            }
        }
        // The same payment booked twice: one line has the match, whichever.
        for lines in expected.fitting.values().filter(|lines| lines.len() > 1) {
            for line in lines {
                expected.kinds.insert((Side::Right, line.clone()), "duplicate");
            }
        }
        expected
    }

    fn check(&self, found: &Findings) {
        let mut matched = BTreeMap::new();
        for Match { left, right } in &found.matches {
            assert!(left.len() == 1 && right.len() == 1, "{left:?} {right:?}");
            matched.insert(left.first().expect("one").clone(), right.first().expect("one").clone());
        }
        let wrong: Vec<_> = matched
            .iter()
            .filter(|(posting, line)| !self.fitting.get(*posting).is_some_and(|f| f.contains(*line)))
            .collect();
        let missed: Vec<_> = self.fitting.keys().filter(|posting| !matched.contains_key(*posting)).collect();
        assert!(wrong.is_empty() && missed.is_empty(), "wrong {wrong:?}, missed {missed:?}");
        let wrong: Vec<_> = found
            .exceptions
            .iter()
            .filter(|(record, kind)| self.kinds.get(record) != Some(&kind.as_str()))
            .map(|(record, kind)| (record, kind, self.kinds.get(record)))
            .collect();
        assert!(wrong.is_empty(), "{} exceptions of another kind: {wrong:?}", wrong.len());
    }
}
