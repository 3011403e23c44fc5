//! An Excel workbook with a sheet each for matches, exceptions and rejected lines.
//!
//! Rows go to temporary files as they are written, so that memory does not follow the result. Amounts and dates
//! are real numbers and dates with a format; an amount of more than 15 digits, which Excel cannot hold, is a
//! text. A sheet that is full goes on in another one.

use super::columns::{EXCEPTION_COLUMNS, MATCH_COLUMNS, REJECTED_LINE_COLUMNS};
use super::json::date_text;
use super::{ExceptionRow, MatchRow, RecordCells, candidate_text, tier_name};
use crate::RejectedLine;
use matching::{Currency, Side, format_minor};
use rust_xlsxwriter::{ExcelDateTime, Format, Workbook, Worksheet, XlsxError};
use std::io::{self, Write};

const ROWS_MAX: u32 = 1_048_576;
const TEXT_CHARS_MAX: usize = 32_767;
/// Digits of a number that Excel keeps.
const EXACT_MAX: u64 = 999_999_999_999_999;

pub struct ResultWorkbook {
    book: Workbook,
    matches: Sheet,
    exceptions: Sheet,
    rejected_lines: Sheet,
    formats: Formats,
}

/// The sheet that is being written under one name.
struct Sheet {
    name: &'static str,
    columns: &'static [&'static str],
    /// Index in the workbook.
    index: usize,
    /// How many sheets have this name, with a number behind it.
    count: u32,
    next_row: u32,
    rows_max: u32,
}

struct Formats {
    bold: Format,
    date: Format,
    /// By decimals.
    amounts: [Format; 5],
}

/// One cell.
enum Value<'a> {
    Text(&'a str),
    Count(u64),
    Share(f64),
    Date(i32),
    /// Minor units.
    Amount(i64, Currency),
    Empty,
}

impl ResultWorkbook {
    pub fn new() -> io::Result<Self> {
        Self::with_rows_max(ROWS_MAX)
    }

    /// With sheets of fewer rows, header included, than Excel allows; at least 2.
    pub fn with_rows_max(rows_max: u32) -> io::Result<Self> {
        let mut book = Workbook::new();
        let rows_max = rows_max.clamp(2, ROWS_MAX);
        let formats = Formats {
            bold: Format::new().set_bold(),
            date: Format::new().set_num_format("yyyy-mm-dd"),
            amounts: ["0", "0.0", "0.00", "0.000", "0.0000"].map(|text| Format::new().set_num_format(text)),
        };
        let matches = Sheet::begin(&mut book, "Matches", &MATCH_COLUMNS, rows_max, &formats)?;
        let exceptions = Sheet::begin(&mut book, "Exceptions", &EXCEPTION_COLUMNS, rows_max, &formats)?;
        let rejected_lines =
            Sheet::begin(&mut book, "Rejected lines", &REJECTED_LINE_COLUMNS, rows_max, &formats)?;
        Ok(ResultWorkbook { book, matches, exceptions, rejected_lines, formats })
    }

    /// Lines as in [`super::MatchesCsv`].
    pub fn write_match(&mut self, row: &MatchRow<'_>) -> io::Result<()> {
        let reasons: Vec<_> = row.reasons.iter().map(|reason| reason.says.as_str()).collect();
        let (reasons, id) = (reasons.join("; "), row.id().to_string());
        for i in 0..row.left.len().max(row.right.len()) {
            let [left_id, left_line, left_date, left_amount] = record_cells(row.left.get(i), row.currency);
            let [right_id, right_line, right_date, right_amount] =
                record_cells(row.right.get(i), row.currency);
            let first = i == 0;
            let [left_currency, left_converted] = foreign_cells(row.left.get(i), row.currency);
            let [right_currency, right_converted] = foreign_cells(row.right.get(i), row.currency);
            let cells = [
                Value::Count(row.number),
                Value::Text(row.pass),
                Value::Text(tier_name(row.tier)),
                Value::Share(row.confidence.as_f64()),
                Value::Text(row.currency.code()),
                left_id,
                left_line,
                left_date,
                left_amount,
                right_id,
                right_line,
                right_date,
                right_amount,
                if first { Value::Amount(row.difference, row.currency) } else { Value::Empty },
                if first { Value::Text(&reasons) } else { Value::Empty },
                left_currency,
                left_converted,
                right_currency,
                right_converted,
                Value::Text(&id),
            ];
            self.matches.write(&mut self.book, &cells, &self.formats)?;
        }
        Ok(())
    }

    pub fn write_exception(&mut self, row: &ExceptionRow<'_>) -> io::Result<()> {
        let candidates: Vec<_> = row.candidates.iter().map(candidate_text).collect();
        let (candidates, exception_id) = (candidates.join("; "), row.id().to_string());
        let [id, line, date, amount] = record_cells(Some(&row.record), row.currency);
        let cells = [
            Value::Text(row.kind.as_str()),
            Value::Text(row.side.as_str()),
            id,
            line,
            date,
            amount,
            Value::Text(row.currency.code()),
            Value::Text(row.says),
            Value::Text(&candidates),
            Value::Count(row.candidates_found.into()),
            Value::Text(&exception_id),
            Value::Count(row.first_run.into()),
        ];
        self.exceptions.write(&mut self.book, &cells, &self.formats)
    }

    pub fn write_rejected_line(&mut self, side: Side, row: &RejectedLine) -> io::Result<()> {
        let cells = [
            Value::Text(side.as_str()),
            Value::Count(row.line),
            Value::Text(row.column.as_deref().unwrap_or_default()),
            Value::Text(&row.reason),
            Value::Text(&row.excerpt),
        ];
        self.rejected_lines.write(&mut self.book, &cells, &self.formats)
    }

    /// Puts the workbook together. Nothing reaches `out` before.
    pub fn finish<W: Write + Send>(mut self, mut out: W) -> io::Result<W> {
        self.book.save_to_writer(&mut out).map_err(to_io)?;
        out.flush()?;
        Ok(out)
    }
}

impl Sheet {
    fn begin(
        book: &mut Workbook,
        name: &'static str,
        columns: &'static [&'static str],
        rows_max: u32,
        formats: &Formats,
    ) -> io::Result<Self> {
        let mut sheet = Sheet { name, columns, index: 0, count: 0, next_row: 0, rows_max };
        sheet.go_on(book, formats)?;
        Ok(sheet)
    }

    /// A fresh sheet with the column names.
    fn go_on(&mut self, book: &mut Workbook, formats: &Formats) -> io::Result<()> {
        self.count += 1;
        self.index = book.worksheets().len();
        let sheet = book.add_worksheet_with_constant_memory().map_err(to_io)?;
        let name =
            if self.count == 1 { self.name.to_owned() } else { format!("{} {}", self.name, self.count) };
        sheet.set_name(name).map_err(to_io)?;
        sheet.set_freeze_panes(1, 0).map_err(to_io)?;
        for (column, name) in (0..).zip(self.columns) {
            sheet.write_string_with_format(0, column, *name, &formats.bold).map_err(to_io)?;
        }
        self.next_row = 1;
        Ok(())
    }

    fn write(&mut self, book: &mut Workbook, cells: &[Value<'_>], formats: &Formats) -> io::Result<()> {
        if self.next_row >= self.rows_max {
            self.go_on(book, formats)?;
        }
        let sheet = book.worksheet_from_index(self.index).map_err(to_io)?;
        for (column, cell) in (0..).zip(cells) {
            write_cell(sheet, self.next_row, column, cell, formats).map_err(to_io)?;
        }
        self.next_row += 1;
        Ok(())
    }
}

fn write_cell(
    sheet: &mut Worksheet,
    row: u32,
    column: u16,
    cell: &Value<'_>,
    formats: &Formats,
) -> Result<(), XlsxError> {
    match cell {
        Value::Empty | Value::Text("") => {}
        Value::Text(text) => {
            let end = text.char_indices().nth(TEXT_CHARS_MAX).map_or(text.len(), |(at, _)| at);
            sheet.write_string(row, column, &text[..end])?;
        }
        Value::Count(number) => {
            sheet.write_number(row, column, *number as f64)?;
        }
        Value::Share(share) => {
            sheet.write_number(row, column, *share)?;
        }
        Value::Date(days) => {
            // Serial 25569 is 1970-01-01.
            match ExcelDateTime::from_serial_datetime(f64::from(*days) + 25_569.0) {
                Ok(date) => {
                    sheet.write_datetime_with_format(row, column, &date, &formats.date)?;
                }
                Err(_) => {
                    sheet.write_string(row, column, date_text(*days))?;
                }
            }
        }
        Value::Amount(minor, currency) => {
            let exponent = currency.exponent();
            let text = format_minor((*minor).into(), exponent);
            match formats.amounts.get(exponent as usize) {
                // The nearest double of up to 15 digits shows as exactly these digits.
                Some(format) if minor.unsigned_abs() <= EXACT_MAX => {
                    let number: f64 = text.parse().unwrap_or_default();
                    sheet.write_number_with_format(row, column, number, format)?;
                }
                _ => {
                    sheet.write_string(row, column, text)?;
                }
            }
        }
    }
    Ok(())
}

/// Id, line, date, amount.
fn record_cells<'a>(record: Option<&RecordCells<'a>>, currency: Currency) -> [Value<'a>; 4] {
    match record {
        Some(record) => [
            Value::Text(record.id),
            Value::Count(record.line),
            Value::Date(record.date),
            Value::Amount(record.amount, record.currency(currency)),
        ],
        None => [Value::Empty, Value::Empty, Value::Empty, Value::Empty],
    }
}

/// The currency of an amount that was compared in another one, and what it was taken for.
fn foreign_cells<'a>(record: Option<&'a RecordCells<'_>>, currency: Currency) -> [Value<'a>; 2] {
    match record.and_then(|record| record.foreign.as_ref()) {
        Some(foreign) => [Value::Text(foreign.currency.code()), Value::Amount(foreign.converted, currency)],
        None => [Value::Empty, Value::Empty],
    }
}

fn to_io(error: XlsxError) -> io::Error {
    match error {
        XlsxError::IoError(error) => error,
        other => io::Error::other(other),
    }
}
