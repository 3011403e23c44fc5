//! Bank statements written by others: every file reads to the count and sum that an independent reader found,
//! or gives less for a reason that is listed here.

use crate::common::read;
use matching::{DecimalMark, parse_minor};
use serde_json::Value;
use sources::{Format, Mapping, ReadError, ReadLimits, ReadOutcome};
use std::collections::BTreeMap;
use std::path::Path;

/// Records kept, lines rejected, and a part of the first reason or of the error.
const NOT_WHOLE: &[(&str, usize, usize, &str)] = &[
    ("camt/camt052.v2.with-account-name.xml", 0, 1, "the date is empty"),
    ("camt/camt052.v4.xml", 0, 1, "the entry is not booked, its status is PDNG"),
    ("camt/camt052.v6.xml", 0, 1, "the entry is not booked, its status is PDNG"),
    ("camt/camt054.v2.with-account-name.xml", 0, 1, "the date is empty"),
    ("mt940/betterplace/empty_entry_date.sta", 0, 1, "the currency is empty"),
    ("mt940/cmxl/mt940.sta", 5, 11, "\"DEM\" is not an ISO 4217 currency code"),
    ("mt940/cmxl/statement_details.sta", 0, 1, "the currency is empty"),
    ("mt940/cmxl/statement_line.sta", 0, 1, "the currency is empty"),
    ("ofx/error_message.ofx", 0, 0, "the bank answered with error 2000 General Server Error"),
    ("ofx/fail_nice/date_missing.ofx", 0, 3, "the date is empty"),
    ("ofx/fail_nice/decimal_error.ofx", 0, 1, "\"201120000000\" is not a date"),
    ("ofx/fidelity-savings.ofx", 1, 3, "has more than 2 decimals"),
    ("ofx/fidelity.ofx", 3, 14, "BUYSTOCK is a movement of securities"),
    ("ofx/investment_401k.ofx", 0, 3, "BUYMF is a movement of securities"),
    ("ofx/signon_fail.ofx", 0, 0, "the bank answered with error 15500"),
    ("ofx/vanguard.ofx", 0, 1, "SELLMF is a movement of securities"),
];

/// What ours reads where the other reader failed, or where it takes `RC`, a credit taken back, for a credit: the
/// balances of all 26 statements of that file close with our sum.
const OURS: &[(&str, usize, &str)] = &[
    ("mt940/betterplace/sepa_mt9401.sta", 97, "-9269135.90"),
    ("ofx/fail_nice/empty_balance.ofx", 1, "120.00"),
    ("ofx/ofx-v102-empty-tags.ofx", 1, "12.34"),
];

#[test]
fn every_sample_reads_to_its_known_sum_or_is_listed_with_the_reason() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/formats");
    let Ok(expected) = std::fs::read_to_string(folder.join("expected.json")) else {
        println!("skipped: ../shared/data/formats is not beside this checkout");
        return;
    };
    let expected: BTreeMap<String, Value> = serde_json::from_str(&expected).expect("a JSON object");
    assert!(expected.len() > 60, "the list of samples is whole");
    let mut wrong = vec![];
    for (name, expected) in &expected {
        let bytes = std::fs::read(folder.join(name)).expect("a sample");
        let outcome = read(&Mapping::of_statement(format_of(name)), &bytes, &ReadLimits::default());
        if let Err(says) = check(name, expected, outcome) {
            wrong.push(format!("{name}: {says}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn check(name: &str, expected: &Value, outcome: Result<ReadOutcome, ReadError>) -> Result<(), String> {
    let same = |is: (usize, usize), listed: (usize, usize)| {
        if is == listed { Ok(()) } else { Err(format!("{is:?} kept and rejected, not {listed:?}")) }
    };
    if let Some((_, kept, rejected, says)) = NOT_WHOLE.iter().find(|(listed, ..)| *listed == name) {
        let (is, reason) = match &outcome {
            Ok(outcome) => {
                ((outcome.records.len(), outcome.rejected.len()), outcome.rejected[0].reason.clone())
            }
            Err(ReadError::AllRejected { lines, first }) => ((0, *lines as usize), first[0].reason.clone()),
            Err(error) => ((0, 0), error.to_string()),
        };
        if !reason.contains(says) {
            return Err(format!("the reason is {reason:?}"));
        }
        return same(is, (*kept, *rejected));
    }
    let known =
        OURS.iter().find(|(listed, ..)| *listed == name).map(|(_, count, sum)| (*count, sum.to_string()));
    let (count, sum) = known.unwrap_or_else(|| count_and_sum(expected));
    match outcome {
        Err(ReadError::Empty | ReadError::NoTransactions { .. }) if count == 0 => Ok(()),
        Err(error) => Err(error.to_string()),
        Ok(outcome) => {
            same((outcome.records.len(), outcome.rejected.len()), (count, 0))?;
            let total: i128 = outcome.records.rows().map(|row| i128::from(outcome.records.amount(row))).sum();
            // All samples are in currencies with two decimals.
            let sum = i128::from(parse_minor(&sum, 2, DecimalMark::Point).expect("a sum"));
            if total == sum { Ok(()) } else { Err(format!("the sum is {total}, not {sum}")) }
        }
    }
}

fn count_and_sum(expected: &Value) -> (usize, String) {
    let count = expected["transactions"].as_u64().or(expected["entries"].as_u64()).expect("a count");
    let sum = if let Some(minor) = expected["sum_minor"].as_i64() {
        matching::format_minor(minor.into(), 2)
    } else if let Some(by_currency) = expected["signed_sum"].as_object() {
        by_currency.values().next().and_then(Value::as_str).unwrap_or("0").to_owned()
    } else {
        expected["sum"].as_str().expect("a sum").to_owned()
    };
    (count as usize, sum)
}

fn format_of(name: &str) -> Format {
    match name.split('/').next() {
        Some("mt940") => Format::Mt940,
        Some("camt") => Format::Camt,
        Some("ofx") => Format::Ofx,
        Some("bai2") => Format::Bai2,
        other => panic!("unknown folder {other:?}"),
    }
}

#[test]
fn balances_prove_what_was_read_of_the_largest_sample() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/data/formats/mt940/betterplace/sepa_mt9401.sta");
    let Ok(bytes) = std::fs::read(path) else {
        println!("skipped: ../shared/data/formats is not beside this checkout");
        return;
    };
    let outcome =
        read(&Mapping::of_statement(Format::Mt940), &bytes, &ReadLimits::default()).expect("a file");
    assert_eq!(outcome.controls.len(), 26);
    for control in &outcome.controls {
        assert_eq!((control.difference, control.problems()), (Some(0), vec![]), "{}", control.account);
    }
}
