//! Workbooks and column files: formats that must be read from several places at once, and whose cells have
//! types.
//!
//! The file is spooled to an unnamed temporary file first, so that memory follows one row and not the file.
//! Every format hands its rows to a [`Visit`]: the first one holds the names of the columns. Typed cells become
//! texts: dates as ISO, numbers as decimals with a point.

mod cell;
mod ods;
mod parquet_rows;
mod row;
mod sheets;
mod spool;
mod xlsx;
mod zip_check;

use crate::read::Lines;
use crate::{ExcelOptions, Format, Mapping, ReadError, ReadLimits};
use cell::Cell;
use matching::DecimalMark;
use row::Row;
use std::fs::File;
use std::io::{Read, Seek};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub(crate) use sheets::sheet_names;
pub(crate) use spool::spool;

/// Takes the rows of a table with their numbers from 1, blank ones left out.
type Visit<'v> = dyn FnMut(u64, Row) -> Result<ControlFlow<()>, ReadError> + 'v;

/// Which rows are wanted.
pub(crate) struct Request<'m> {
    pub format: Format,
    pub excel: &'m ExcelOptions,
    /// Only these columns are needed; all when empty. For formats that can skip the others.
    pub columns: &'m [String],
    pub limits: &'m ReadLimits,
}

/// Reads a table that a mapping describes.
pub(crate) fn read(file: File, mapping: &Mapping, lines: &mut Lines<'_>) -> Result<(), ReadError> {
    let size_bytes = file.metadata()?.len();
    let columns = lines.columns().to_vec();
    let limits = lines.limits();
    let row_bytes_max = limits.line_bytes_max;
    let request = Request { format: mapping.format, excel: &mapping.excel, columns: &columns, limits };
    let comma = mapping.amount.as_ref().is_some_and(|amount| amount.decimal_mark == DecimalMark::Comma);
    let mut header: Option<(usize, Vec<usize>)> = None;
    for_each_row(file, &request, &mut |number, row| {
        match (row, &header) {
            (Row::Cells(cells), None) => header = Some(positions(&cells, mapping, &columns)?),
            (Row::TooLong, None) => return Err(not_this_format("its header is too long")),
            (Row::TooLong, Some(_)) => {
                lines.reject(number, None, format!("the row is longer than {row_bytes_max} bytes"), b"")?;
            }
            (Row::Cells(cells), Some((width, positions))) => {
                let beyond = cells.iter().skip(*width).any(|cell| !cell.text.trim().is_empty());
                let raw = cells.iter().map(|cell| cell.text.as_str()).collect::<Vec<_>>().join(" | ");
                if beyond {
                    let reason = format!("the row has more than the {width} cells of the header");
                    lines.reject(number, None, reason, raw.as_bytes())?;
                } else {
                    let kept: Vec<_> = positions
                        .iter()
                        .map(|at| cells.get(*at).map(|cell| cell.marked(comma)).unwrap_or_default())
                        .collect();
                    let kept: Vec<&str> = kept.iter().map(|cell| cell.as_ref()).collect();
                    lines.take(number, &kept, raw.as_bytes())?;
                }
            }
        }
        lines.tick(size_bytes)?;
        Ok(ControlFlow::Continue(()))
    })?;
    lines.tick(size_bytes)
}

/// How wide the header is, and where the wanted columns are in it.
fn positions(
    header: &[Cell],
    mapping: &Mapping,
    columns: &[String],
) -> Result<(usize, Vec<usize>), ReadError> {
    let names: Vec<String> = header.iter().map(|cell| cell.text.trim().to_owned()).collect();
    let errors = mapping.check_header(&names);
    let place = |name: &String| names.iter().position(|column| column == name);
    match columns.iter().map(place).collect::<Option<Vec<_>>>() {
        Some(positions) if errors.is_empty() => Ok((names.len(), positions)),
        _ => Err(ReadError::MissingColumns(errors)),
    }
}

/// The first rows of a table as texts, with their numbers.
pub(crate) fn sample(
    file: File,
    request: &Request<'_>,
    rows_max: usize,
) -> Result<(Vec<u64>, Vec<Vec<String>>), ReadError> {
    let (mut numbers, mut rows) = (vec![], vec![]);
    for_each_row(file, request, &mut |number, row| {
        if let Row::Cells(cells) = row {
            numbers.push(number);
            rows.push(cells.into_iter().map(|cell| cell.text).collect());
        }
        Ok(if rows.len() > rows_max { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    if rows.is_empty() { Err(ReadError::Empty) } else { Ok((numbers, rows)) }
}

/// The readers underneath are other people's and some of them panic at damaged files: that is an error of the
/// file, too.
fn for_each_row(mut file: File, request: &Request<'_>, visit: &mut Visit<'_>) -> Result<(), ReadError> {
    let mut magic = [0; 4];
    file.rewind()?;
    let known = file.read_exact(&mut magic).is_ok();
    file.rewind()?;
    let read = catch_unwind(AssertUnwindSafe(|| match (request.format, &magic) {
        (Format::Parquet, b"PAR1") => parquet_rows::for_each(file, request, visit),
        (Format::Excel, b"PK\x03\x04") => {
            zip_check::check(&file, request.limits.unpacked_bytes_max)?;
            match ods::content_of(&file)? {
                Some(archive) => ods::for_each(archive, request, visit),
                None => xlsx::for_each(file, request, visit),
            }
        }
        (Format::Excel, b"\xd0\xcf\x11\xe0") => {
            Err(not_this_format("it is in the Excel format of before 2007: save it as .xlsx"))
        }
        _ if !known => Err(ReadError::Empty),
        (format, _) => Err(not_this_format(&format!("it does not begin like {}", format.as_str()))),
    }));
    read.unwrap_or_else(|_| Err(broken("its structure is damaged")))
}

fn not_this_format(why: &str) -> ReadError {
    ReadError::NotThisFormat { says: format!("the file cannot be read as the mapping says: {why}") }
}

fn broken(says: impl std::fmt::Display) -> ReadError {
    ReadError::Broken {
        place: "its structure".to_owned(),
        says: says.to_string().chars().take(300).collect(),
    }
}
