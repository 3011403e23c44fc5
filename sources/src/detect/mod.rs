//! Finding out what a file is and what its columns mean, before anyone has written a mapping.
//!
//! Everything is a proposal with a confidence for a person to confirm: names of columns and the values below
//! them are both heard. The same bytes always give the same proposal.

mod csv_shape;
mod doubts;
mod header_row;
mod json_sample;
mod names;
mod profile;
mod roles;
mod sample;
mod sniff;
mod told;

use crate::opened::refuse_others;
use crate::text_encoding::{self, TextEncoding};
use crate::transcode::Transcode;
use crate::{ExcelOptions, Format, ReadError, ReadLimits, STATEMENT_COLUMNS, tables};
pub use doubts::Doubt;
use header_row::HeaderRow;
use matching::{Confidence, DecimalMark};
use sample::Sample;
use serde::Serialize;
use std::fs::File;
use std::io::Read;
pub use told::Told;

/// What decides must lie within so many bytes of a file's beginning.
const DETECT_BYTES_MAX: u64 = 1 << 20;

/// What a file seems to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Detection {
    pub format: Format,
    pub format_confidence: Confidence,
    /// For CSV.
    pub encoding: Option<TextEncoding>,
    /// For CSV.
    pub delimiter: Option<char>,
    pub delimiter_confidence: Confidence,
    /// Line of the file with the column names, where other lines stand above it; for CSV.
    pub header_line: Option<u32>,
    /// Low when the first line looks like data: such a file has no names.
    pub header_confidence: Confidence,
    /// For Excel: the sheet where that is not the first one, and its header row where other rows stand above it.
    pub excel: ExcelOptions,
    /// Of a workbook, at most 200.
    pub sheets: Vec<String>,
    /// The first sheet does not look like the table, and this one does; nobody has said so.
    pub sheet_is_guess: bool,
    /// The names in the header line, the keys of the first elements, or those of a bank statement.
    pub columns: Vec<String>,
    /// One for each column, in the same order; empty for bank statements.
    pub proposals: Vec<ColumnProposal>,
    /// How the amounts are written, where there are any.
    pub decimal_mark: Option<DecimalGuess>,
    /// A column that is called an id and is none, because a value comes again: its name and that value.
    pub repeated_id: Option<(String, String)>,
    /// ISO 4217, when the name of the amount column says it.
    pub currency: Option<String>,
}

/// What one column seems to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ColumnProposal {
    pub name: String,
    pub role: Option<ColumnRole>,
    /// Of the role; 0 without one.
    pub confidence: Confidence,
    /// For columns of dates, the likeliest first.
    pub date_formats: Vec<DateGuess>,
    /// Every date may be read with the day or the month first: a person must say which.
    pub date_order_unclear: bool,
    /// The first values that are not empty, at most three.
    pub examples: Vec<String>,
    /// Short values with digits and no role: they may identify something that the other file knows too.
    pub may_be_key: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnRole {
    Id,
    Date,
    Amount,
    Debit,
    Credit,
    /// Says debit or credit for an amount without a sign.
    Direction,
    Currency,
    /// Kept under this name.
    Field(&'static str),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DateGuess {
    /// As [`crate::DateColumn::format`]: `None` is ISO.
    pub format: Option<&'static str>,
    pub confidence: Confidence,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DecimalGuess {
    pub mark: DecimalMark,
    pub confidence: Confidence,
    /// Debits have their minus already.
    pub debits_are_negative: bool,
}

/// Looks at the first MiB of a file at most; at all of a workbook or a Parquet file, whose table of contents is
/// at their end.
pub fn peek_columns(input: impl Read) -> Result<Detection, ReadError> {
    peek_columns_as(input, &Told::default())
}

/// As [`peek_columns`], but for what somebody says who knows better. That is certain then; an error where the file is
/// not like that.
pub fn peek_columns_as(mut input: impl Read, told: &Told) -> Result<Detection, ReadError> {
    let mut head = vec![];
    (&mut input).take(DETECT_BYTES_MAX).read_to_end(&mut head)?;
    match sniff::typed_format_of(&head) {
        Some(format) => detect_table(format, tables::spool(head.chain(input), |_| Ok(()))?, told),
        None => detect_text(&head, told),
    }
}

fn detect_table(format: Format, file: File, told: &Told) -> Result<Detection, ReadError> {
    let first = detect_sheet(format, file.try_clone()?, told);
    let is_table = first.as_ref().is_ok_and(Detection::looks_like_a_table);
    if format != Format::Excel || told.sheet.is_some() || is_table {
        return first;
    }
    // A cover, notes, a chart: the table may be on another sheet.
    if matches!(&first, Ok(_) | Err(ReadError::Empty)) {
        for sheet in tables::sheet_names(file.try_clone()?)?.into_iter().skip(1).take(SHEETS_MAX) {
            let of_sheet = Told { sheet: Some(sheet), ..told.clone() };
            match detect_sheet(format, file.try_clone()?, &of_sheet) {
                Ok(found) if found.looks_like_a_table() => {
                    return Ok(Detection { sheet_is_guess: true, ..found });
                }
                _ => {}
            }
        }
    }
    first
}

/// Sheets that are looked at behind the first one.
const SHEETS_MAX: usize = 12;

fn detect_sheet(format: Format, file: File, told: &Told) -> Result<Detection, ReadError> {
    let mut detection = Detection::new(format, Confidence::ONE);
    let (excel, limits) = (told.excel(), ReadLimits::default());
    let again = file.try_clone()?;
    let request = tables::Request { format, excel: &excel, columns: &[], limits: &limits };
    let (numbers, mut rows) = tables::sample(file, &request, sample::ROWS_MAX)?;
    let at = match told.header_among(&numbers)? {
        Some(row) if format == Format::Excel => HeaderRow { row, confidence: Confidence::ONE },
        _ => header_row::find(&rows),
    };
    if format == Format::Excel {
        detection.excel.sheet.clone_from(&told.sheet);
        detection.sheets = tables::sheet_names(again)?;
        if at.row > 0 || told.header_line.is_some() {
            detection.excel.header_row = u32::try_from(numbers[at.row]).ok();
        }
    }
    detection.header_confidence = if format == Format::Parquet { Confidence::ONE } else { at.confidence };
    let mut rows = rows.split_off(at.row);
    let names = rows.remove(0).iter().map(|name| name.trim().to_owned()).collect();
    describe(&mut detection, Sample { names, rows });
    Ok(detection)
}

/// As [`peek_columns`], from the first bytes of a file: up to 1 MiB is worth giving. A workbook or Parquet file
/// must be whole.
pub fn detect(head: &[u8]) -> Result<Detection, ReadError> {
    match sniff::typed_format_of(head) {
        Some(format) => detect_table(format, tables::spool(head, |_| Ok(()))?, &Told::default()),
        None => detect_text(head, &Told::default()),
    }
}

fn detect_text(head: &[u8], told: &Told) -> Result<Detection, ReadError> {
    refuse_others(head)?;
    let (encoding, encoding_confidence) = match told.encoding()? {
        Some(encoding) => (encoding, Confidence::ONE),
        None => text_encoding::find(head),
    };
    let mut text = vec![];
    Transcode::new(head, encoding).read_to_end(&mut text)?;
    if text.trim_ascii().is_empty() {
        return Err(ReadError::Empty);
    }
    if sniff::is_no_text(&text) {
        let says = "the file is no table: it holds bytes that no text has".to_owned();
        return Err(ReadError::NotThisFormat { says });
    }
    let (format, format_confidence) = sniff::format_of(&text);
    let mut detection = Detection::new(format, format_confidence);
    let sample = match format {
        Format::Mt940 | Format::Camt | Format::Ofx | Format::Bai2 => {
            detection.columns = STATEMENT_COLUMNS.iter().map(|name| (*name).to_owned()).collect();
            return Ok(detection);
        }
        Format::Excel | Format::Parquet => unreachable!("told apart above"),
        Format::Json => json_sample::of(&text)?,
        Format::Csv => {
            let cut = head.len() as u64 >= DETECT_BYTES_MAX;
            let shape = csv_shape::find(&text, cut, told)?;
            detection.encoding =
                Some(TextEncoding { name: encoding.name(), confidence: encoding_confidence });
            detection.delimiter = Some(shape.delimiter);
            detection.delimiter_confidence = shape.delimiter_confidence;
            detection.header_line = shape.header_line;
            detection.header_confidence = shape.header_confidence;
            shape.sample
        }
    };
    describe(&mut detection, sample);
    Ok(detection)
}

impl Detection {
    fn new(format: Format, format_confidence: Confidence) -> Self {
        Detection {
            format,
            format_confidence,
            encoding: None,
            delimiter: None,
            delimiter_confidence: Confidence::ZERO,
            header_line: None,
            header_confidence: Confidence::ZERO,
            excel: ExcelOptions::default(),
            sheets: vec![],
            sheet_is_guess: false,
            columns: vec![],
            proposals: vec![],
            decimal_mark: None,
            repeated_id: None,
            currency: None,
        }
    }
}

impl Detection {
    /// Names above, and below them amounts, or at least two columns that are something.
    fn looks_like_a_table(&self) -> bool {
        let has = |role| self.proposals.iter().any(|proposal| proposal.role == Some(role));
        let is_money = has(ColumnRole::Amount) || has(ColumnRole::Debit) && has(ColumnRole::Credit);
        let known = self.proposals.iter().filter(|proposal| proposal.role.is_some()).count();
        let is_filled = self.proposals.iter().filter(|proposal| !proposal.examples.is_empty()).count() > 2;
        is_filled && (is_money || known > 2)
    }
}

/// Fills in what the columns of the sample seem to be.
fn describe(detection: &mut Detection, sample: Sample) {
    let profiles: Vec<_> = (0..sample.names.len()).map(|column| profile::of(&sample, column)).collect();
    let roles = roles::assign(&sample.names, &profiles);
    let proposal = |(column, name): (usize, &String)| {
        let profile = &profiles[column];
        let (role, confidence) = roles.of(column);
        ColumnProposal {
            name: name.clone(),
            role,
            confidence,
            date_formats: profile.dates.clone(),
            date_order_unclear: profile.date_order_unclear,
            examples: profile.examples.clone(),
            may_be_key: role.is_none() && profile.may_be_key(),
        }
    };
    detection.proposals = sample.names.iter().enumerate().map(proposal).collect();
    let has_id = detection.proposals.iter().any(|proposal| proposal.role == Some(ColumnRole::Id));
    let mut called_id = sample.names.iter().zip(&profiles).enumerate();
    detection.repeated_id = called_id
        .find(|(column, (name, _))| !has_id && roles::is_called_id(*column, name))
        .and_then(|(_, (name, profile))| Some((name.clone(), profile.repeated.clone()?)));
    detection.decimal_mark = roles.decimal_mark(&profiles);
    detection.currency = roles.currency_in_name(&sample.names);
    detection.columns = sample.names;
}

/// How well a column's name fits a role, 0 to 1, whatever its values are.
pub(crate) fn called(role: ColumnRole, name: &str) -> f64 {
    names::score(role, &names::plain(name))
}
