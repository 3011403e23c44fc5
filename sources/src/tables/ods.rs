//! OpenDocument spreadsheets: one sheet as a stream of rows. Own reader, because a repeated row or cell costs
//! nothing in the file and must cost nothing in memory.

use super::cell::Cell;
use super::row::{COLUMNS_MAX, Row, RowBuilder};
use super::xlsx::chosen;
use super::{Request, Visit, broken, not_this_format};
use crate::ReadError;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use std::fs::File;
use std::io::{BufRead, BufReader};
use zip::ZipArchive;

type Archive = ZipArchive<BufReader<File>>;

const CONTENT: &str = "content.xml";

/// The archive, when it is an OpenDocument.
pub(super) fn content_of(file: &File) -> Result<Option<Archive>, ReadError> {
    let archive = ZipArchive::new(BufReader::new(file.try_clone()?)).map_err(broken)?;
    Ok(archive.index_for_name(CONTENT).is_some().then_some(archive))
}

pub(super) fn for_each(
    mut archive: Archive,
    request: &Request<'_>,
    visit: &mut Visit<'_>,
) -> Result<(), ReadError> {
    let wanted = match request.excel.sheet.as_deref() {
        None => None,
        Some(wanted) => Some(chosen(&sheet_names(&mut archive)?, Some(wanted))?),
    };
    let content = BufReader::new(archive.by_name(CONTENT).map_err(broken)?);
    let mut reader = Reader::from_reader(content);
    let mut buffer = vec![];
    loop {
        buffer.clear();
        match next(&mut reader, &mut buffer)? {
            Event::Start(start) if start.name().as_ref() == "table:table" => {
                let name = attribute(&start, "table:name")?.unwrap_or_default();
                if wanted.as_ref().is_none_or(|wanted| *wanted == name) {
                    return rows(&mut reader, request, visit);
                }
            }
            Event::Eof => return Err(not_this_format("it has no sheet")),
            _ => {}
        }
    }
}

pub(super) fn sheet_names(archive: &mut Archive) -> Result<Vec<String>, ReadError> {
    let mut reader = Reader::from_reader(BufReader::new(archive.by_name(CONTENT).map_err(broken)?));
    let (mut names, mut buffer) = (vec![], vec![]);
    loop {
        buffer.clear();
        match next(&mut reader, &mut buffer)? {
            Event::Start(start) | Event::Empty(start) if start.name().as_ref() == "table:table" => {
                names.extend(attribute(&start, "table:name")?);
            }
            Event::Eof => return Ok(names),
            _ => {}
        }
    }
}

/// The rows of the table that was just entered.
fn rows<B: BufRead>(
    reader: &mut Reader<B>,
    request: &Request<'_>,
    visit: &mut Visit<'_>,
) -> Result<(), ReadError> {
    let header_row = request.excel.header_row.map_or(1, u64::from);
    let mut buffer = vec![];
    let mut row = RowBuilder::new(request.limits.line_bytes_max);
    // Number of the row that is being read, how often it stands there, and the column of the next cell.
    let (mut number, mut repeats, mut column) = (1, 1, 0);
    let mut cell: Option<OpenCell> = None;
    // Tables within cells, and comments on cells: neither is a value.
    let (mut tables, mut notes) = (0_u32, 0_u32);
    loop {
        buffer.clear();
        let event = next(reader, &mut buffer)?;
        match &event {
            Event::Start(start) | Event::Empty(start) => {
                let empty = matches!(event, Event::Empty(_));
                match start.name().as_ref() {
                    "table:table" if !empty => tables += 1,
                    "table:table-row" => {
                        repeats = repeat(start, "table:number-rows-repeated")?;
                        column = 0;
                        if empty {
                            number += repeats;
                        }
                    }
                    "table:table-cell" | "table:covered-table-cell" => {
                        let open = OpenCell::new(start)?;
                        if empty {
                            column = open.finish(&mut row, column);
                        } else {
                            cell = Some(open);
                        }
                    }
                    "text:p" => {
                        if let Some(cell) = &mut cell {
                            cell.begin_paragraph();
                        }
                    }
                    "text:s" => {
                        let spaces = repeat(start, "text:c")?.min(1_000);
                        push(&mut cell, &" ".repeat(spaces as usize), request.limits.line_bytes_max);
                    }
                    "office:annotation" if !empty => notes += 1,
                    _ => {}
                }
            }
            Event::Text(text) if tables + notes == 0 => {
                push(&mut cell, &text.xml10_content(), request.limits.line_bytes_max)
            }
            Event::CData(text) if tables + notes == 0 => {
                push(&mut cell, &text.xml10_content(), request.limits.line_bytes_max)
            }
            Event::GeneralRef(reference) if tables + notes == 0 => {
                let character = match reference.xml10_content().as_ref() {
                    "amp" => Some('&'),
                    "lt" => Some('<'),
                    "gt" => Some('>'),
                    "quot" => Some('"'),
                    "apos" => Some('\''),
                    _ => reference.resolve_char_ref().ok().flatten(),
                };
                let character = character.ok_or_else(|| broken("an entity is not accepted"))?;
                push(&mut cell, character.encode_utf8(&mut [0; 4]), request.limits.line_bytes_max);
            }
            Event::End(end) => match end.name().as_ref() {
                "table:table-cell" | "table:covered-table-cell" => {
                    if let Some(cell) = cell.take() {
                        column = cell.finish(&mut row, column);
                    }
                }
                "table:table-row" => {
                    if let Some(row) = row.finish()
                        && number >= header_row
                        && visit_times(number, repeats, row, visit)?
                    {
                        return Ok(());
                    }
                    number += repeats;
                }
                "office:annotation" => notes = notes.saturating_sub(1),
                "table:table" if tables == 0 => return Ok(()),
                "table:table" => tables -= 1,
                _ => {}
            },
            Event::Eof => return Err(broken("it ends within a sheet")),
            _ => {}
        }
    }
}

/// A repeated row is as many rows. True when the visit is over.
fn visit_times(number: u64, times: u64, row: Row, visit: &mut Visit<'_>) -> Result<bool, ReadError> {
    for more in 0..times {
        let row = match &row {
            Row::Cells(cells) => Row::Cells(cells.clone()),
            Row::TooLong => Row::TooLong,
        };
        if visit(number + more, row)?.is_break() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A cell whose end was not met yet.
struct OpenCell {
    /// What the cell is, when it is no text.
    typed: Option<Cell>,
    text: String,
    paragraphs: usize,
    repeats: u64,
}

impl OpenCell {
    fn new(start: &BytesStart<'_>) -> Result<Self, ReadError> {
        let value = |name: &str| Ok::<_, ReadError>(attribute(start, name)?.unwrap_or_default());
        let kind = value("office:value-type")?;
        let typed = match kind.as_str() {
            "float" | "currency" | "percentage" => Some(Cell::number(value("office:value")?)),
            "date" => Some(Cell::text(value("office:date-value")?)),
            "time" => Some(Cell::text(value("office:time-value")?)),
            "boolean" => Some(Cell::text(value("office:boolean-value")?)),
            _ => None,
        };
        let repeats = repeat(start, "table:number-columns-repeated")?;
        Ok(OpenCell { typed, text: String::new(), paragraphs: 0, repeats })
    }

    fn begin_paragraph(&mut self) {
        self.paragraphs += 1;
        if self.paragraphs > 1 {
            self.text.push('\n');
        }
    }

    /// The column behind it.
    fn finish(self, row: &mut RowBuilder, column: usize) -> usize {
        let cell = self.typed.unwrap_or_else(|| Cell::text(self.text));
        let end = column.saturating_add(usize::try_from(self.repeats).unwrap_or(usize::MAX)).min(COLUMNS_MAX);
        if !cell.text.is_empty() {
            for column in column..end {
                row.set(column, cell.clone());
            }
        }
        end
    }
}

fn push(cell: &mut Option<OpenCell>, text: &str, bytes_max: usize) {
    if let Some(cell) = cell
        && cell.paragraphs > 0
        && cell.text.len() <= bytes_max
    {
        cell.text.push_str(text);
    }
}

pub(super) fn next<'b, B: BufRead>(
    reader: &mut Reader<B>,
    buffer: &'b mut Vec<u8>,
) -> Result<Event<'b>, ReadError> {
    match reader.read_event_into(buffer).map_err(broken)? {
        Event::DocType(_) => {
            Err(not_this_format("it has a document type declaration, which is not accepted"))
        }
        event => Ok(event),
    }
}

pub(super) fn attribute(start: &BytesStart<'_>, name: &str) -> Result<Option<String>, ReadError> {
    let Some(attribute) = start.try_get_attribute(name).map_err(broken)? else { return Ok(None) };
    let value = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0).map_err(broken)?;
    Ok(Some(value.into_owned()))
}

/// At least 1 and at most the rows of a sheet.
fn repeat(start: &BytesStart<'_>, name: &str) -> Result<u64, ReadError> {
    let times = attribute(start, name)?.and_then(|times| times.trim().parse().ok()).unwrap_or(1);
    Ok(u64::clamp(times, 1, 1 << 20))
}
