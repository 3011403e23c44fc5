//! A mapping from what a file seems to be.

use crate::{
    AmountCells, AmountColumn, ColumnProposal, ColumnRole, CsvOptions, CurrencySource, DateColumn, Detection,
    Mapping, MappingError,
};
use matching::DecimalMark;

/// The mapping that fits the detection best, for a person to confirm. Nothing is assumed about values that a
/// detection without lines has not seen: then amounts have a decimal point and dates are ISO, and a file that
/// is written otherwise is rejected line by line rather than misread silently.
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
    match (date, cells, currency) {
        (Ok(date), Ok(cells), Ok(currency)) => Ok(Mapping {
            format: detection.format,
            csv: csv_options(detection),
            excel: detection.excel.clone(),
            id: name(ColumnRole::Id),
            date,
            amount: AmountColumn {
                cells,
                decimal_mark: detection.decimal_mark.map_or(DecimalMark::Point, |guess| guess.mark),
                negate: false,
            },
            currency,
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
