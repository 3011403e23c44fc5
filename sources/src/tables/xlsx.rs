//! Excel workbooks since 2007, one sheet as a stream of cells.

use super::cell::Cell;
use super::row::RowBuilder;
use super::{Request, Visit, broken, not_this_format};
use crate::ReadError;
use calamine::{DataRef, Reader, Xlsx};
use std::fs::File;
use std::io::{BufReader, Seek};
use std::ops::ControlFlow;

pub(super) fn for_each(
    mut file: File,
    request: &Request<'_>,
    visit: &mut Visit<'_>,
) -> Result<(), ReadError> {
    file.rewind()?;
    let mut workbook = Xlsx::new(BufReader::new(file)).map_err(broken)?;
    let names = workbook.sheet_names();
    let name = chosen(&names, request.excel.sheet.as_deref())?;
    let header_row = request.excel.header_row.map_or(0, |row| row.saturating_sub(1));
    let mut cells = workbook.worksheet_cells_reader(&name).map_err(broken)?;
    let mut row = RowBuilder::new(request.limits.line_bytes_max);
    let mut current = 0;
    while let Some(cell) = cells.next_cell().map_err(broken)? {
        let (at, column) = cell.get_position();
        if at < header_row {
            continue;
        }
        if at != current {
            if let Some(row) = row.finish()
                && visit(u64::from(current) + 1, row)?.is_break()
            {
                return Ok(());
            }
            current = at;
        }
        row.set(column as usize, cell_of(cell.get_value()));
    }
    if let Some(row) = row.finish() {
        let _: ControlFlow<()> = visit(u64::from(current) + 1, row)?;
    }
    Ok(())
}

/// The sheet of that name, or the first one.
pub(super) fn chosen(names: &[String], wanted: Option<&str>) -> Result<String, ReadError> {
    let found = match wanted {
        Some(wanted) => names.iter().find(|name| name.trim() == wanted.trim()),
        None => names.first(),
    };
    found.cloned().ok_or_else(|| {
        let shown: Vec<_> = names.iter().take(12).map(|name| format!("{name:?}")).collect();
        not_this_format(&format!(
            "it has no sheet {:?}; it has {}",
            wanted.unwrap_or_default(),
            shown.join(", ")
        ))
    })
}

fn cell_of(value: &DataRef<'_>) -> Cell {
    match value {
        DataRef::Int(number) => Cell::number(number.to_string()),
        DataRef::Float(number) => Cell::float(*number),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => {
            Cell::text(text.as_str())
        }
        DataRef::SharedString(text) => Cell::text(*text),
        DataRef::Bool(value) => Cell::text(value.to_string()),
        DataRef::DateTime(instant) if instant.is_datetime() => {
            let (year, month, day, hour, minute, second, _) = instant.to_ymd_hms_milli();
            let date = format!("{year:04}-{month:02}-{day:02}");
            Cell::text(match (hour, minute, second) {
                (0, 0, 0) => date,
                _ => format!("{date}T{hour:02}:{minute:02}:{second:02}"),
            })
        }
        DataRef::DateTime(duration) => Cell::float(duration.as_f64()),
        DataRef::Error(error) => Cell::text(format!("{error}")),
        DataRef::Empty => Cell::default(),
    }
}
