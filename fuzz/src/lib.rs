//! What must hold for every input, however broken: an error or an answer in which everything is accounted for.
//!
//! The same is tried on random and damaged files in every test run (`sources/tests/reading/any_*.rs`,
//! `matching/tests/it/properties.rs`); these targets let a fuzzer look for the rest:
//!
//! ```sh
//! cargo +nightly fuzz run mt940 -- -max_total_time=600
//! ```
//!
//! Workbooks and Parquet files need real ones in `fuzz/corpus` to begin with: no fuzzer guesses a ZIP directory or a
//! Parquet footer, and without them little behind the container is reached.

use matching::{Currency, Records, RecordsBuilder, RuleSet, Watch};
use sources::{Format, Mapping, ReadError, ReadLimits, ReadOutcome, detect, guess_mapping, read_records};
use std::ops::ControlFlow;

/// What can be read as a rule set is checked, and what has no mistakes is run.
pub fn rule_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (toml, json) = (toml::from_str::<RuleSet>(text).ok(), serde_json::from_str::<RuleSet>(text).ok());
    for rules in [toml, json].into_iter().flatten() {
        let (left, right) = (records("A", 5), records("B", 6));
        let mistakes = rules.check(Some(left.field_names()), Some(right.field_names()));
        let outcome = matching::reconcile(&left, &right, &rules, Watch::none());
        assert_eq!(outcome.is_ok(), mistakes.is_empty(), "{mistakes:?}");
        let Ok(outcome) = outcome else { continue };
        let matched: usize = outcome.matches.iter().map(|m| m.left.len() + m.right.len()).sum();
        assert_eq!(matched + outcome.exceptions.len(), left.len() + right.len(), "each record once");
    }
}

/// A mapping without mistakes reads any file, or says that the file does not fit.
pub fn mapping_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (toml, json) = (toml::from_str::<Mapping>(text).ok(), serde_json::from_str::<Mapping>(text).ok());
    for mapping in [toml, json].into_iter().flatten() {
        let read = read(&mapping, b"a,b,c\n1,2026-01-31,1.50\n").is_ok();
        assert!(!read || mapping.check().is_empty(), "a mapping with mistakes reads nothing");
    }
}

/// Proposes the same every time, and what it proposes can be used.
pub fn detected(bytes: &[u8]) {
    let Ok(detection) = detect(bytes) else { return };
    assert_eq!(detect(bytes).ok().as_ref(), Some(&detection), "the same every time");
    if let Ok(mapping) = guess_mapping(&detection) {
        assert_eq!(mapping.check(), vec![]);
        account(&mapping, bytes);
    }
}

pub fn file(format: Format, bytes: &[u8]) {
    let mapping = match format.is_statement() {
        true => Mapping::of_statement(format),
        false => {
            let columns = r#""id": "i", "date": {"column": "d"}, "amount": {"column": "a"},
                "currency": {"column": "c"}, "fields": {"text": "t"}"#;
            let format = serde_json::to_string(&format).expect("a word");
            serde_json::from_str(&format!("{{\"format\": {format}, {columns}}}")).expect("a mapping")
        }
    };
    account(&mapping, bytes);
}

fn read(mapping: &Mapping, bytes: &[u8]) -> Result<ReadOutcome, ReadError> {
    let limits = ReadLimits {
        line_bytes_max: 4_000,
        unpacked_bytes_max: 16 << 20,
        kept_bytes_max: 16 << 20,
        ..ReadLimits::default()
    };
    read_records(bytes, mapping, &limits, &mut |_| ControlFlow::Continue(()))
}

fn account(mapping: &Mapping, bytes: &[u8]) {
    let Ok(outcome) = read(mapping, bytes) else { return };
    assert!(!outcome.records.is_empty());
    assert_eq!(outcome.records.len() + outcome.rejected.len(), outcome.lines_read as usize);
    for control in &outcome.controls {
        let balances = (control.opening, control.closing, control.difference);
        if let (Some(opening), Some(closing), Some(difference)) = balances {
            assert_eq!(i128::from(opening) + control.sum + difference, i128::from(closing));
        }
    }
}

/// Invoices of a few days, some of them with the same reference, amount or text.
fn records(prefix: &str, count: usize) -> Records {
    let names = ["reference", "description", "counterparty", "batch"].map(str::to_owned);
    let mut builder = RecordsBuilder::new(names.to_vec());
    for i in 0..count {
        let (id, reference) = (format!("{prefix}{i}"), format!("INV-{}", 4700 + i / 2));
        let (text, batch) = (format!("Payment {reference} of Miller & Sons"), format!("P{}", i / 3));
        let currency = Currency::parse(if i == 4 { "USD" } else { "EUR" }).expect("known");
        let fields = [reference.as_str(), &text, ["Miller", "Sons Ltd"][i % 2], &batch];
        let day = 20_480 + i as i32 % 3;
        builder
            .push(&id, i as u64 + 2, 100 * (i as i64 % 4 + 1), currency, day, &fields)
            .expect("few records");
    }
    builder.build()
}
