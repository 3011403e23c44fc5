//! What a file seems to be, before anybody has written a mapping.

use super::typed::TypedRow;
use crate::data_sources::MappingBody;
use crate::problem::{Mistake, Problem};
use crate::read::{Parameters, PathId, Query, ReadQuery};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use matching::{Confidence, DecimalMark};
use serde::Serialize;
use shared::ids::FileId;
use sources::{
    ColumnProposal, ColumnRole, Detection, Mapping, ReadError, ReadLimits, Told, guess_mapping,
    peek_columns_as, read_sample,
};
use std::io;
use utoipa::{IntoParams, ToSchema};

/// Rows shown.
const ROWS_MAX: usize = 20;
/// Lines read for them: some may be rejected.
const LINES_MAX: u64 = 200;

/// What a person knows better than what would be found out. What does not concern the format of the file is left alone.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PreviewAs {
    /// Between the cells of a CSV file: one ASCII character.
    #[param(value_type = Option<String>, min_length = 1, max_length = 1)]
    delimiter: Option<char>,
    /// Of a CSV file: a name of the Encoding Standard.
    #[param(min_length = 1, max_length = 40)]
    encoding: Option<String>,
    /// Line (CSV) or row (Excel), from 1, with the names of the columns.
    #[param(minimum = 1, maximum = 400)]
    header_line: Option<u32>,
    /// Of a workbook; the first one unless given.
    #[param(min_length = 1, max_length = 200)]
    sheet: Option<String>,
}

impl ReadQuery for PreviewAs {
    fn read(parameters: &mut Parameters) -> Option<Self> {
        let delimiter = |text: &str| {
            let mut chars = text.chars();
            let one = chars.next().filter(|c| c.is_ascii() && !matches!(c, '"' | '\n' | '\r' | '\0'));
            one.filter(|_| chars.next().is_none()).ok_or_else(|| "must be one ASCII character".to_owned())
        };
        let encoding = |text: &str| match text.len() {
            1..=40 => Ok(text.to_owned()),
            _ => Err("must be the name of an encoding".to_owned()),
        };
        Some(Self {
            delimiter: parameters.optional("delimiter", delimiter),
            encoding: parameters.optional("encoding", encoding),
            header_line: parameters.optional("header_line", Parameters::integer(Told::HEADER_LINES)),
            sheet: parameters.optional("sheet", crate::page::text),
        })
    }
}

/// A proposal for a person to confirm. The same bytes always give the same one.
#[derive(Serialize, ToSchema)]
pub(crate) struct Preview {
    /// `csv`, `json`, `excel`, `parquet`, `mt940`, `camt`, `ofx` or `bai2`; null when the file cannot be read, and
    /// `problems` says why.
    #[schema(inline)]
    format: Option<Guess>,
    /// For CSV, as the Encoding Standard names it.
    #[schema(inline)]
    encoding: Option<Guess>,
    /// For CSV.
    #[schema(inline)]
    delimiter: Option<Guess>,
    /// For CSV and Excel: the line, from 1, that holds the names of the columns.
    #[schema(inline)]
    header_line: Option<Guess>,
    /// Of a workbook: its sheets, at most 200, and the one that is shown.
    sheets: Vec<String>,
    sheet: Option<String>,
    /// `point` or `comma`, where there are amounts.
    #[schema(inline)]
    decimal_mark: Option<Guess>,
    columns: Vec<ColumnGuess>,
    /// To be sent as it is, or corrected, when a data source is made. Null when something that every mapping needs
    /// was not found.
    #[schema(value_type = Option<MappingBody>)]
    mapping: Option<Mapping>,
    /// The first 20 records as `mapping` reads them.
    rows: Vec<TypedRow>,
    /// What is missing or unsure.
    problems: Vec<Problematic>,
}

/// One answer and how sure it is, 0 to 1.
#[derive(Serialize, ToSchema)]
struct Guess {
    is: String,
    confidence: f64,
}

#[derive(Serialize, ToSchema)]
struct ColumnGuess {
    name: String,
    /// `id`, `date`, `amount`, `debit`, `credit`, `direction`, `currency`, or the name of a field; null when the
    /// column seems to be of no use.
    role: Option<String>,
    /// Of the role, 0 to 1.
    confidence: f64,
    /// For dates, the likeliest first; `is` is a format as a mapping takes it, or `ISO`.
    date_formats: Vec<Guess>,
    /// Every date may be read with the day or the month first.
    date_order_unclear: bool,
    /// At most three.
    examples: Vec<String>,
}

#[derive(Serialize, ToSchema)]
struct Problematic {
    /// The place in the mapping, `date.format`; or `format`, `header`, `columns`.
    at: String,
    says: String,
}

/// What a file seems to be: format, columns, a mapping, its first records.
#[utoipa::path(
    get, path = "/api/files/{id}/preview", tag = "files", security(("access_token" = [])),
    params(("id" = Uuid, Path), PreviewAs),
    responses((status = 200, description = "What was found out", body = Preview))
)]
pub(crate) async fn preview_file(
    State(api): State<Api>,
    PathId(id): PathId<FileId>,
    Query(query): Query<PreviewAs>,
) -> Result<Json<Preview>, Problem> {
    let file = api.store.file(id).await?.ok_or_else(Problem::not_found)?;
    let PreviewAs { delimiter, encoding, header_line, sheet } = query;
    let told = Told { delimiter, encoding, header_line, sheet };
    // The one that is most likely to be at fault.
    let parameter = match &told {
        Told { sheet: Some(_), .. } => "sheet",
        Told { header_line: Some(_), .. } => "header_line",
        Told { encoding: Some(_), .. } => "encoding",
        _ => "delimiter",
    };
    let looked = api.look_into(&file, move |file| look(file, &told)).await?;
    looked.map(Json).map_err(|detail| {
        let parameter = Some(parameter.to_owned());
        Problem::invalid(vec![Mistake { pointer: None, parameter, code: "not_so", detail }])
    })
}

/// `Err`: the file is not as it was told to be.
fn look(file: std::fs::File, told: &Told) -> io::Result<Result<Preview, String>> {
    let again = file.try_clone()?;
    let detection = match peek_columns_as(&file, told) {
        Ok(detection) => detection,
        Err(ReadError::Io(error)) => return Err(error),
        Err(error) if *told != Told::default() => return Ok(Err(error.to_string())),
        Err(error) => return Ok(Ok(Preview::refused(&error))),
    };
    let mut preview = Preview::of(&detection);
    if let Ok(mapping) = guess_mapping(&detection) {
        io::Seek::rewind(&mut &again)?;
        match read_sample(&again, &mapping, &ReadLimits::default(), LINES_MAX) {
            Ok(sample) => {
                preview.rows = TypedRow::first(&sample.records, ROWS_MAX);
                if let Some(first) = sample.rejected.first() {
                    let (rejected, lines) = (sample.rejected.len(), sample.lines_read);
                    let says = format!(
                        "{rejected} of the first {lines} lines give no record; line {}: {}",
                        first.line, first.reason
                    );
                    preview.problems.push(Problematic { at: "rows".into(), says });
                }
            }
            Err(ReadError::Io(error)) => return Err(error),
            Err(error) => {
                preview.problems.push(Problematic { at: "rows".into(), says: error.to_string() });
            }
        }
        preview.mapping = Some(mapping);
    }
    Ok(Ok(preview))
}

impl Preview {
    fn refused(error: &ReadError) -> Self {
        let problems = vec![Problematic { at: "format".into(), says: error.to_string() }];
        Preview {
            format: None,
            encoding: None,
            delimiter: None,
            header_line: None,
            sheets: vec![],
            sheet: None,
            decimal_mark: None,
            columns: vec![],
            mapping: None,
            rows: vec![],
            problems,
        }
    }

    fn of(found: &Detection) -> Self {
        let has_header = found.delimiter.is_some() || found.format == sources::Format::Excel;
        let header = found.header_line.or(found.excel.header_row).unwrap_or(1);
        let mark = |mark| match mark {
            DecimalMark::Point => "point",
            DecimalMark::Comma => "comma",
        };
        Preview {
            format: Some(guess(found.format.as_str(), found.format_confidence)),
            encoding: found.encoding.map(|encoding| guess(encoding.name, encoding.confidence)),
            delimiter: found.delimiter.map(|is| guess(&is.to_string(), found.delimiter_confidence)),
            header_line: has_header.then(|| guess(&header.to_string(), found.header_confidence)),
            sheet: found.excel.sheet.clone().or_else(|| found.sheets.first().cloned()),
            sheets: found.sheets.clone(),
            decimal_mark: found.decimal_mark.map(|is| guess(mark(is.mark), is.confidence)),
            columns: columns(found),
            mapping: None,
            rows: vec![],
            problems: found.doubts().into_iter().map(|d| Problematic { at: d.at, says: d.says }).collect(),
        }
    }
}

fn columns(found: &Detection) -> Vec<ColumnGuess> {
    if found.proposals.is_empty() {
        // A bank statement's columns mean what the format says.
        let plain = |name: &String| ColumnGuess {
            name: name.clone(),
            role: None,
            confidence: 1.0,
            date_formats: vec![],
            date_order_unclear: false,
            examples: vec![],
        };
        return found.columns.iter().map(plain).collect();
    }
    found.proposals.iter().map(column).collect()
}

fn column(proposal: &ColumnProposal) -> ColumnGuess {
    let role = proposal.role.map(|role| match role {
        ColumnRole::Id => "id",
        ColumnRole::Date => "date",
        ColumnRole::Amount => "amount",
        ColumnRole::Debit => "debit",
        ColumnRole::Credit => "credit",
        ColumnRole::Direction => "direction",
        ColumnRole::Currency => "currency",
        ColumnRole::Field(name) => name,
    });
    ColumnGuess {
        name: proposal.name.clone(),
        role: role.map(str::to_owned),
        confidence: proposal.confidence.as_f64(),
        date_formats: proposal
            .date_formats
            .iter()
            .map(|date| guess(date.format.unwrap_or("ISO"), date.confidence))
            .collect(),
        date_order_unclear: proposal.date_order_unclear,
        examples: proposal.examples.clone(),
    }
}

fn guess(is: &str, confidence: Confidence) -> Guess {
    Guess { is: is.to_owned(), confidence: confidence.as_f64() }
}

#[cfg(test)]
mod tests {
    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_query_is_read::<super::PreviewAs>();
    }
}
