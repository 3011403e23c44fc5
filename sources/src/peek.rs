//! A first look at a file: its columns, before anyone has written a mapping.

use crate::csv_lines::read_header;
use crate::csv_reader::CsvReader;
use crate::json_array::{Cut, JsonArray};
use crate::json_object::read_members;
use crate::physical_lines::PhysicalLines;
use crate::{Format, ReadError};
use serde::Serialize;
use std::io::{BufRead, Cursor, Read};

/// The header line or the first element must lie within so many bytes.
const PEEK_BYTES_MAX: u64 = 1 << 20;
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// The columns of a file, in its order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Peek {
    pub format: Format,
    /// For CSV.
    pub delimiter: Option<char>,
    /// The names in the header line, or the keys of the first element.
    pub columns: Vec<String>,
}

/// Looks at the first MiB of a file at most.
pub fn peek_columns(input: impl Read) -> Result<Peek, ReadError> {
    let (input, _) = without_mark(input)?;
    let mut head = vec![];
    input.take(PEEK_BYTES_MAX).read_to_end(&mut head)?;
    match head.trim_ascii_start() {
        [] => Err(ReadError::Empty),
        [b'[', elements @ ..] => {
            let mut array = JsonArray::new(elements, 0, PEEK_BYTES_MAX as usize);
            match array.next(|_| Ok(()))? {
                Cut::End => Err(ReadError::Empty),
                Cut::Element | Cut::TooLong => keys_of(array.element()),
            }
        }
        lines @ [b'{', ..] => keys_of(lines.split(|b| *b == b'\n').next().unwrap_or_default()),
        lines => header_of(lines),
    }
}

/// The delimiter that gives the header the most cells.
fn header_of(head: &[u8]) -> Result<Peek, ReadError> {
    let with = |delimiter: u8| {
        let lines = PhysicalLines::new(head, 0);
        let header = read_header(&mut CsvReader::new(lines, delimiter, PEEK_BYTES_MAX as usize), |_| Ok(()))?;
        let columns = header.ok_or(ReadError::Empty)?;
        Ok(Peek { format: Format::Csv, delimiter: Some(delimiter as char), columns })
    };
    let mut best = with(DELIMITERS[0]);
    for other in DELIMITERS[1..].iter().map(|delimiter| with(*delimiter)).filter_map(Result::ok) {
        if best.as_ref().map_or(0, |best| best.columns.len()) < other.columns.len() {
            best = Ok(other);
        }
    }
    best
}

fn keys_of(element: &[u8]) -> Result<Peek, ReadError> {
    let not_json =
        || ReadError::NotThisFormat { says: "the first element of the file is not a JSON object".to_owned() };
    let text = std::str::from_utf8(element).map_err(|_| not_json())?;
    let mut columns = vec![];
    read_members(text.trim(), &[], &mut |key| columns.push(key.to_owned())).map_err(|_| not_json())?;
    Ok(Peek { format: Format::Json, delimiter: None, columns })
}

/// Skips a UTF-8 byte order mark and recognises files that are no text in UTF-8 by their first bytes.
/// Also gives the number of bytes skipped.
pub(crate) fn without_mark(mut input: impl Read) -> Result<(impl Read, u64), ReadError> {
    let mut head = Vec::with_capacity(4);
    (&mut input).take(4).read_to_end(&mut head)?;
    let says = match head.as_slice() {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "the file is UTF-16; save it as UTF-8",
        [b'P', b'K', 3, 4] => "the file is a zip archive or an Excel workbook; save it as CSV",
        [0x1f, 0x8b, ..] => "the file is compressed; unpack it first",
        b"%PDF" => "the file is a PDF document; export the data as CSV",
        b"PAR1" => "the file is Parquet; export the data as CSV",
        _ => "",
    };
    if !says.is_empty() {
        return Err(ReadError::NotThisFormat { says: says.to_owned() });
    }
    let mark = if head.starts_with(&[0xef, 0xbb, 0xbf]) { 3 } else { 0 };
    let mut head = Cursor::new(head);
    head.consume(mark);
    Ok((head.chain(input), mark as u64))
}
