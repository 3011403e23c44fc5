//! What can be wrong with a mapping, alone and against a file: every mistake at once.

use crate::date::DateFormat;
use crate::statements::columns as statement_columns;
use crate::{CurrencySource, Format, Mapping, text_encoding};
use matching::{Currency, DecimalMark};
use rapidfuzz::fuzz;
use serde::Serialize;

pub(crate) const FIELDS_MAX: usize = 64;
pub(crate) const FIELD_NAME_CHARS_MAX: usize = 60;
const COLUMN_NAME_CHARS_MAX: usize = 200;
const DATE_FORMAT_CHARS_MAX: usize = 60;
/// Lines above a header are a bank's letterhead, not half a file.
const HEADER_LINE_MAX: u32 = 1_000;
/// Below this similarity (0 to 1) a suggestion would puzzle more than help.
const SUGGESTION_MIN: f64 = 0.5;

/// One mistake in a mapping, with its place: `fields.reference`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MappingError {
    pub at: String,
    pub says: String,
}

impl MappingError {
    pub(crate) fn new(at: impl Into<String>, says: impl Into<String>) -> Self {
        MappingError { at: at.into(), says: says.into() }
    }
}

impl std::fmt::Display for MappingError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.at, self.says)
    }
}

impl Mapping {
    /// All mistakes that show without the file. Empty means [`crate::read_records`] will accept the mapping.
    pub fn check(&self) -> Vec<MappingError> {
        let mut errors = vec![];
        let delimiter = self.csv.delimiter;
        let usable =
            delimiter == '\t' || (delimiter.is_ascii_punctuation() && delimiter != '"') || delimiter == ' ';
        if self.format == Format::Csv && !usable {
            let says =
                format!("{delimiter:?} cannot be a delimiter: use one of , ; | tab or another ASCII mark");
            errors.push(MappingError::new("csv.delimiter", says));
        }
        if let Some(name) = &self.csv.encoding
            && text_encoding::by_name(name).is_none()
        {
            let shown: String = name.chars().take(40).collect();
            let says = format!("{shown:?} is not the name of an encoding, like utf-8 or windows-1252");
            errors.push(MappingError::new("csv.encoding", says));
        }
        if self.csv.header_line.is_some_and(|line| !(1..=HEADER_LINE_MAX).contains(&line)) {
            let says = format!("the header is on one of the lines 1 to {HEADER_LINE_MAX}");
            errors.push(MappingError::new("csv.header_line", says));
        }
        if self.excel.header_row == Some(0) {
            errors.push(MappingError::new("excel.header_row", "rows are counted from 1"));
        }
        errors.extend(self.check_statement());
        for (at, column) in self.columns() {
            errors.extend(check_column(column).map(|says| MappingError::new(at, says)));
        }
        if let Some(format) = self.date.as_ref().and_then(|date| date.format.as_ref()) {
            errors.extend(check_date_format(format).map(|says| MappingError::new("date.format", says)));
        }
        match (&self.amount, &self.currency) {
            (Some(_), None) => errors.push(MappingError::new("currency", "is needed beside an amount")),
            (None, Some(_)) => errors.push(MappingError::new("amount", "is needed beside a currency")),
            _ => {}
        }
        if self.amount.is_none() && self.date.is_none() && self.fields.is_empty() {
            let says = "are needed where there is no amount: they are all that can be compared";
            errors.push(MappingError::new("fields", says));
        }
        if let Some(CurrencySource::Fixed(code)) = &self.currency
            && let Err(unknown) = Currency::parse(code)
        {
            errors.push(MappingError::new("currency.fixed", unknown.to_string()));
        }
        if self.fields.len() > FIELDS_MAX {
            let says = format!("{} fields are more than {FIELDS_MAX}", self.fields.len());
            errors.push(MappingError::new("fields", says));
        }
        for name in self.fields.keys() {
            if let Some(says) = check_field_name(name) {
                let at = format!("fields.{}", name.chars().take(FIELD_NAME_CHARS_MAX).collect::<String>());
                errors.push(MappingError::new(at, says));
            }
        }
        errors
    }

    /// Statements say dates and amounts in one way only.
    fn check_statement(&self) -> Vec<MappingError> {
        if !self.format.is_statement() {
            return vec![];
        }
        let mut errors = vec![];
        if self.date.as_ref().is_some_and(|date| date.format.is_some()) {
            errors.push(MappingError::new("date.format", "the dates of a bank statement need no format"));
        }
        if self.amount.as_ref().is_some_and(|amount| amount.decimal_mark != DecimalMark::Point) {
            errors.push(MappingError::new("amount.decimal_mark", "a bank statement needs no decimal mark"));
        }
        let names: Vec<String> = statement_columns::COLUMNS.iter().map(|name| (*name).to_owned()).collect();
        errors.extend(self.check_header(&names));
        errors
    }

    /// All columns the file does not have (or has twice), each with the nearest one that is there.
    pub fn check_header(&self, header: &[String]) -> Vec<MappingError> {
        let missing = |(at, column): (String, &str)| {
            let wanted = column.trim();
            match header.iter().filter(|name| name.trim() == wanted).count() {
                1 => None,
                0 => Some(MappingError::new(at, missing_column(wanted, header))),
                n => Some(MappingError::new(at, format!("the file has {n} columns named {wanted:?}"))),
            }
        };
        self.columns().into_iter().filter_map(missing).collect()
    }
}

pub(crate) fn check_column(column: &str) -> Option<String> {
    let chars = column.trim().chars().count();
    match chars {
        0 => Some("the column name is empty".to_owned()),
        n if n > COLUMN_NAME_CHARS_MAX => {
            Some(format!("the column name has {n} characters, more than {COLUMN_NAME_CHARS_MAX}"))
        }
        _ => None,
    }
}

fn check_date_format(format: &str) -> Option<String> {
    if format.chars().count() > DATE_FORMAT_CHARS_MAX {
        return Some(format!("the format has more than {DATE_FORMAT_CHARS_MAX} characters"));
    }
    DateFormat::parse(Some(format)).err()
}

/// Field names end up in rule sets and in JSON, so they are plain words. `id` is taken: rules use it for
/// the record's own identifier.
fn check_field_name(name: &str) -> Option<String> {
    if name == "id" {
        return Some("`id` is the record's own identifier: set `id` of the mapping instead".to_owned());
    }
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    (!plain || name.len() > FIELD_NAME_CHARS_MAX).then(|| {
        format!("a field name is 1 to {FIELD_NAME_CHARS_MAX} of a-z, 0-9 and _, beginning with a letter")
    })
}

fn missing_column(wanted: &str, header: &[String]) -> String {
    let similarity =
        |name: &str| fuzz::ratio(wanted.to_lowercase().chars(), name.trim().to_lowercase().chars());
    let nearest = header
        .iter()
        .take(1_000)
        .map(|name| (similarity(name), name.trim()))
        .filter(|(similarity, name)| *similarity >= SUGGESTION_MIN && !name.is_empty())
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let shown: String = wanted.chars().take(COLUMN_NAME_CHARS_MAX).collect();
    match nearest {
        Some((_, name)) => format!("the file has no column {shown:?}; did you mean {name:?}?"),
        None => {
            let names: Vec<_> = header.iter().take(12).map(|name| format!("{:?}", name.trim())).collect();
            let more = if header.len() > 12 { ", …" } else { "" };
            format!("the file has no column {shown:?}; it has {}{more}", names.join(", "))
        }
    }
}
