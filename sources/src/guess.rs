//! A mapping from what a file seems to be.

use crate::detect::called;
use crate::mapping_check::{FIELD_NAME_CHARS_MAX, FIELDS_MAX, check_column};
use crate::{
    AmountCells, AmountColumn, ColumnProposal, ColumnRole, CsvOptions, CurrencySource, DateColumn, Detection,
    Mapping, MappingError,
};
use matching::DecimalMark;
use std::collections::BTreeMap;

/// The mapping that fits the detection best, for a person to confirm. Nothing is assumed about values that a
/// detection without lines has not seen: then amounts have a decimal point and dates are ISO, and a file that
/// is written otherwise is rejected line by line rather than misread silently.
///
/// A file that is no money is matched by its texts: every column becomes a field under its own name. What has an
/// amount by name, or something like one and dates, is money all the same, and what it lacks is an error.
///
/// The errors name what was not found, all at once.
pub fn guess_mapping(detection: &Detection) -> Result<Mapping, Vec<MappingError>> {
    if detection.format.is_statement() {
        return Ok(Mapping::of_statement(detection.format));
    }
    let with = |role: ColumnRole| detection.proposals.iter().find(|proposal| proposal.role == Some(role));
    let name = |role: ColumnRole| with(role).map(|proposal| proposal.name.clone());
    let date = with(ColumnRole::Date).map(date_column).ok_or_else(|| missing("date.column", "date"));
    let cells = match (name(ColumnRole::Amount), name(ColumnRole::Debit), name(ColumnRole::Credit)) {
        (Some(column), ..) => Ok(match name(ColumnRole::Direction) {
            Some(direction) => AmountCells::Directed { column, direction },
            None => AmountCells::Signed { column },
        }),
        (None, Some(debit), Some(credit)) => {
            let signed = detection.decimal_mark.is_some_and(|guess| guess.debits_are_negative);
            Ok(AmountCells::Split { debit, credit, signed })
        }
        _ => Err(missing("amount.column", "amount")),
    };
    let in_name = || detection.currency.clone().map(CurrencySource::Fixed);
    let currency = name(ColumnRole::Currency).map(CurrencySource::Column).or_else(in_name);
    let currency = currency.ok_or_else(|| missing("currency.column", "currency"));
    let is_money = detection.proposals.iter().any(|proposal| names_money(proposal, date.is_ok()));
    let lacks_money = cells.is_err() || (date.is_err() && currency.is_err());
    if lacks_money
        && !is_money
        && let Some(mapping) = texts_alone(detection)
    {
        return Ok(mapping);
    }
    match (date, cells, currency) {
        (Ok(date), Ok(cells), Ok(currency)) => Ok(Mapping {
            format: detection.format,
            csv: csv_options(detection),
            excel: detection.excel.clone(),
            id: name(ColumnRole::Id),
            date: Some(date),
            amount: Some(AmountColumn {
                cells,
                decimal_mark: detection.decimal_mark.map_or(DecimalMark::Point, |guess| guess.mark),
                negate: false,
            }),
            currency: Some(currency),
            fields: detection
                .proposals
                .iter()
                .filter_map(|proposal| match proposal.role {
                    Some(ColumnRole::Field(field)) => Some((field.to_owned(), proposal.name.clone())),
                    _ => None,
                })
                .collect(),
        }),
        (date, cells, currency) => {
            Err([date.err(), cells.err(), currency.err()].into_iter().flatten().collect())
        }
    }
}

/// Keeps the columns that may identify what the other file knows too, under their own names, at most eight: for
/// whoever compares the values of both files to find out.
pub fn keep_key_columns(mapping: &mut Mapping, detection: &Detection) {
    if mapping.amount.is_none() || detection.format.is_statement() {
        return;
    }
    let mut left = KEY_COLUMNS_MAX;
    for proposal in detection.proposals.iter().filter(|proposal| proposal.may_be_key) {
        let name = &proposal.name;
        let twice = detection.columns.iter().filter(|other| *other == name).count() > 1;
        if left == 0 || twice || check_column(name).is_some() || mapping.fields.len() >= FIELDS_MAX {
            continue;
        }
        if let Some(field) = field_name(name).filter(|field| !mapping.fields.contains_key(field)) {
            mapping.fields.insert(field, name.clone());
            left -= 1;
        }
    }
}

const KEY_COLUMNS_MAX: usize = 8;

/// Plainly an amount by its name; beside dates, a part of the name and numbers below it are enough.
fn names_money(proposal: &ColumnProposal, has_dates: bool) -> bool {
    let roles = [ColumnRole::Amount, ColumnRole::Debit, ColumnRole::Credit];
    let fit = roles.into_iter().map(|role| called(role, &proposal.name)).fold(0.0, f64::max);
    let is_number = |text: &String| !text.contains(char::is_alphabetic) && text.contains(char::is_numeric);
    let are_numbers = !proposal.examples.is_empty() && proposal.examples.iter().all(is_number);
    (fit >= 0.8 && proposal.role.is_some_and(|role| roles.contains(&role)))
        || (fit > 0.0 && has_dates && are_numbers)
}

/// Every column a field, for files that are no money: lists of customers, products, articles.
fn texts_alone(detection: &Detection) -> Option<Mapping> {
    let id = detection.proposals.iter().find(|proposal| proposal.role == Some(ColumnRole::Id));
    let id = id.map(|proposal| proposal.name.clone()).filter(|name| check_column(name).is_none());
    let mut fields = BTreeMap::new();
    for name in &detection.columns {
        let twice = detection.columns.iter().filter(|other| *other == name).count() > 1;
        if check_column(name).is_some() || twice || Some(name) == id.as_ref() || fields.len() == FIELDS_MAX {
            continue;
        }
        if let Some(field) = field_name(name) {
            fields.entry(field).or_insert_with(|| name.clone());
        }
    }
    (!fields.is_empty()).then(|| Mapping {
        format: detection.format,
        csv: csv_options(detection),
        excel: detection.excel.clone(),
        id,
        date: None,
        amount: None,
        currency: None,
        fields,
    })
}

/// `Last Name` is `last_name`; of `http://example.org/ontology#title` the last part counts.
fn field_name(column: &str) -> Option<String> {
    let column = if column.contains("://") { column.rsplit(['/', '#']).next()? } else { column };
    let mut name = String::new();
    for c in column.chars() {
        match c {
            'a'..='z' | '0'..='9' => name.push(c),
            'A'..='Z' => name.push(c.to_ascii_lowercase()),
            _ if name.ends_with('_') || name.is_empty() => {}
            _ => name.push('_'),
        }
    }
    let name: String = name.trim_end_matches('_').chars().take(FIELD_NAME_CHARS_MAX - 2).collect();
    match name.as_str() {
        "" => None,
        "id" => Some("other_id".into()),
        _ if name.starts_with(|c: char| c.is_ascii_digit()) => Some(format!("f_{name}")),
        _ => Some(name),
    }
}

fn missing(at: &str, what: &str) -> MappingError {
    MappingError::new(at, format!("no column looks like the {what}, by its name and its values"))
}

fn date_column(proposal: &ColumnProposal) -> DateColumn {
    let format = proposal.date_formats.first().and_then(|guess| guess.format);
    DateColumn { column: proposal.name.clone(), format: format.map(str::to_owned) }
}

/// The encoding is written down when it is not UTF-8, so that every reading is the one that was confirmed.
fn csv_options(detection: &Detection) -> CsvOptions {
    let encoding = detection.encoding.map(|encoding| encoding.name).filter(|name| *name != "UTF-8");
    CsvOptions {
        delimiter: detection.delimiter.unwrap_or(','),
        encoding: encoding.map(str::to_owned),
        header_line: detection.header_line,
    }
}
