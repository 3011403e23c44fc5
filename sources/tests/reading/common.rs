//! Reading from texts, for the tests.

use matching::format_minor;
use proptest::prelude::ProptestConfig;
use sources::{Mapping, ReadError, ReadLimits, ReadOutcome, read_records};
use std::ops::ControlFlow;

/// A mapping as people write it.
pub fn mapping(toml: &str) -> Mapping {
    toml::from_str(toml).expect("a mapping")
}

/// How many random files a test reads: `usual` in every run, as many as `COUNTERFOIL_FUZZ_CASES` says in a long one.
pub fn cases(usual: u32) -> ProptestConfig {
    let asked = std::env::var("COUNTERFOIL_FUZZ_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig::with_cases(asked.unwrap_or(usual))
}

pub fn read(mapping: &Mapping, bytes: &[u8], limits: &ReadLimits) -> Result<ReadOutcome, ReadError> {
    read_records(bytes, mapping, limits, &mut |_| ControlFlow::Continue(()))
}

/// One line of text per record (`line id date amount currency fields…`) and per rejected line
/// (`line! column: reason`), in the order of the file; an error as one line.
pub fn shown(mapping: &Mapping, bytes: impl AsRef<[u8]>) -> String {
    let outcome = match read(mapping, bytes.as_ref(), &ReadLimits::default()) {
        Ok(outcome) => outcome,
        Err(error) => return format!("error: {error}"),
    };
    let records = &outcome.records;
    assert_eq!(records.len() + outcome.rejected.len(), outcome.lines_read as usize);
    let mut lines: Vec<(u64, String)> = vec![];
    for row in records.rows() {
        let currency = records.currency(row);
        let date = chrono::NaiveDate::from_epoch_days(records.date(row)).expect("a date");
        let amount = format_minor(records.amount(row).into(), currency.exponent());
        let mut text = format!("{} {} {date} {amount} {currency}", records.line(row), records.id(row));
        for field in 0..records.field_names().len() {
            text += &format!(" [{}]", records.field(field, row).escape_debug());
        }
        lines.push((records.line(row), text));
    }
    for rejected in &outcome.rejected {
        let column = rejected.column.as_deref().map(|column| format!("{column}: ")).unwrap_or_default();
        lines.push((rejected.line, format!("{}! {column}{}", rejected.line, rejected.reason)));
    }
    lines.sort_by_key(|(line, _)| *line);
    lines.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join("\n")
}

/// What the controls of a file complain about, one a line.
pub fn problems(mapping: &Mapping, bytes: impl AsRef<[u8]>) -> String {
    let controls = match read(mapping, bytes.as_ref(), &ReadLimits::default()) {
        Ok(outcome) => outcome.controls,
        Err(ReadError::NoTransactions { controls }) => controls,
        Err(error) => return format!("error: {error}"),
    };
    controls.iter().flat_map(|control| control.problems()).collect::<Vec<_>>().join("\n")
}
