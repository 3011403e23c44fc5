//! The lines of a CSV file, handed on cell by cell in the mapping's order.

use crate::csv_reader::{CsvLine, CsvReader};
use crate::physical_lines::PhysicalLines;
use crate::read::Lines;
use crate::{Mapping, ReadError};
use std::borrow::Cow;
use std::io::BufRead;

pub(crate) fn read<B: BufRead>(
    input: PhysicalLines<B>,
    mapping: &Mapping,
    lines: &mut Lines<'_>,
) -> Result<(), ReadError> {
    // `Mapping::check` has seen that the delimiter is ASCII.
    let delimiter = mapping.csv.delimiter as u8;
    let mut reader = CsvReader::new(input, delimiter, lines.limits().line_bytes_max);
    if let Some(line) = mapping.csv.header_line {
        reader.skip_to(line, |bytes| lines.tick(bytes))?;
    }
    let Some(header) = read_header(&mut reader, |bytes| lines.tick(bytes))? else { return Ok(()) };
    let encoding = mapping.csv.encoding.as_deref();
    let positions = positions_of(lines.columns(), &header, mapping)?;
    loop {
        match reader.next(|bytes| lines.tick(bytes))? {
            CsvLine::End => return lines.tick(reader.bytes_read()),
            CsvLine::Blank => {}
            CsvLine::Bad(reason) => lines.reject(reader.line(), None, reason, reader.raw())?,
            CsvLine::Cells => take_cells(&reader, &header, &positions, encoding, lines)?,
        }
        lines.tick(reader.bytes_read())?;
    }
}

/// The names in the first line that is not blank, trimmed. `None` when there is none.
pub(crate) fn read_header<B: BufRead>(
    reader: &mut CsvReader<B>,
    mut tick: impl FnMut(u64) -> Result<(), ReadError>,
) -> Result<Option<Vec<String>>, ReadError> {
    loop {
        match reader.next(&mut tick)? {
            CsvLine::End => return Ok(None),
            CsvLine::Blank => tick(reader.bytes_read())?,
            CsvLine::Bad(reason) => return Err(not_csv(&format!("its header line is bad: {reason}"))),
            CsvLine::Cells => break,
        }
    }
    let text = std::str::from_utf8(reader.raw()).map_err(|_| not_csv("its header line is not UTF-8"))?;
    let names: Vec<_> = reader.cells().iter().map(|cell| cell.text(text).trim().to_owned()).collect();
    if names.iter().any(|name| name.contains('\0')) {
        return Err(not_csv("its header line contains NUL characters"));
    }
    if names.iter().any(|name| name.contains('\r')) {
        return Err(not_csv("its lines end in CR alone; save it with LF or CR LF"));
    }
    Ok(Some(names))
}

/// Where each wanted column is in the header.
fn positions_of(wanted: &[String], header: &[String], mapping: &Mapping) -> Result<Vec<usize>, ReadError> {
    let errors = mapping.check_header(header);
    if errors.is_empty() {
        let place = |name: &String| header.iter().position(|column| column == name);
        if let Some(positions) = wanted.iter().map(place).collect() {
            return Ok(positions);
        }
    }
    if header.first().is_some_and(|name| name.starts_with(['{', '['])) {
        return Err(not_csv("it looks like JSON"));
    }
    Err(ReadError::MissingColumns(errors))
}

fn take_cells<B: BufRead>(
    reader: &CsvReader<B>,
    header: &[String],
    positions: &[usize],
    encoding: Option<&str>,
    lines: &mut Lines<'_>,
) -> Result<(), ReadError> {
    let (line, raw, cells) = (reader.line(), reader.raw(), reader.cells());
    let text = match std::str::from_utf8(raw) {
        Ok(text) => text,
        Err(error) => {
            let position = cells.iter().rposition(|cell| cell.start <= error.valid_up_to());
            let column = position.and_then(|i| header.get(i)).cloned();
            // In another encoding, what is none of its characters was made such a byte.
            let reason = format!("the line is not {}", encoding.unwrap_or("UTF-8"));
            return lines.reject(line, column, reason, raw);
        }
    };
    if cells.len() != header.len() {
        let reason = format!("the line has {} cells where the header has {}", cells.len(), header.len());
        return lines.reject(line, None, reason, raw);
    }
    let unescaped: Vec<Cow<'_, str>> = positions.iter().map(|i| cells[*i].text(text)).collect();
    let kept: Vec<&str> = unescaped.iter().map(|cell| cell.as_ref()).collect();
    lines.take(line, &kept, raw)
}

fn not_csv(why: &str) -> ReadError {
    ReadError::NotThisFormat { says: format!("the file is not CSV as the mapping says: {why}") }
}
