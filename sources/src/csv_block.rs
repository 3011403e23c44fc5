//! The records of one block of a CSV file, made on any thread.

use crate::csv_reader::{Cell, CsvLine, CsvReader};
use crate::csv_record::split_record;
use crate::extract::{Extract, Memo};
use crate::physical_lines::PhysicalLines;
use crate::read::excerpt;
use crate::seen_ids::{Hash, IdHasher};
use crate::{ReadError, RejectedLine};
use matching::{RecordsError, RecordsPart};
use std::borrow::Cow;

/// Bytes of lines that are not as they should be which a block may cost: each is looked at up to the length of
/// the longest line, and a caller that wants to stop must not wait for more.
const TROUBLE_BYTES_MAX: usize = 16 << 20;

/// What does not change from block to block.
pub(crate) struct Shape<'m> {
    pub delimiter: u8,
    pub line_bytes_max: usize,
    pub cell_bytes_max: usize,
    pub rejected_max: usize,
    pub header: &'m [String],
    /// Where each of the extract's columns is in the header.
    pub positions: &'m [usize],
    pub encoding: Option<&'m str>,
    pub extract: &'m Extract,
    pub hasher: IdHasher,
}

/// What a block held, in the order of the file.
pub(crate) struct BlockRead {
    pub part: RecordsPart,
    /// Of each record's id, when the file has any.
    pub hashes: Vec<Hash>,
    /// Where each record is in the block.
    pub places: Vec<(u32, u32)>,
    /// With the number of records before it.
    pub rejected: Vec<(usize, RejectedLine)>,
    pub rest: Rest,
}

/// What of the block was not read: from this place, which is this line of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    Nothing,
    /// A record begins here that may end in the next block.
    Open {
        at: usize,
        line: u64,
    },
    /// There is more, but it was too much work already.
    Paused {
        at: usize,
        line: u64,
    },
}

/// Reads the lines of a block that begins with a record. `is_last`: nothing comes behind it.
pub(crate) fn read_block(
    shape: &Shape<'_>,
    bytes: &[u8],
    line: u64,
    is_last: bool,
) -> Result<BlockRead, ReadError> {
    let text = std::str::from_utf8(bytes).ok();
    let mut reading = Reading {
        shape,
        bytes,
        text,
        has_nul: bytes.contains(&0),
        memo: Memo::default(),
        read: BlockRead {
            part: RecordsPart::new(shape.extract.field_names().len()),
            hashes: vec![],
            places: vec![],
            rejected: vec![],
            rest: Rest::Nothing,
        },
    };
    reading.run(line, is_last)?;
    Ok(reading.read)
}

struct Reading<'s, 'm> {
    shape: &'s Shape<'m>,
    bytes: &'s [u8],
    /// The whole block, when it is UTF-8.
    text: Option<&'s str>,
    has_nul: bool,
    memo: Memo,
    read: BlockRead,
}

impl<'s> Reading<'s, '_> {
    fn run(&mut self, mut line: u64, is_last: bool) -> Result<(), ReadError> {
        let shape = self.shape;
        let (mut at, mut trouble) = (0, 0);
        let (mut cells, mut kept, mut fields): (Vec<Cell>, Vec<&'s str>, Vec<&'s str>) =
            (vec![], vec![], vec![]);
        while at < self.bytes.len() {
            if self.read.rejected.len() > shape.rejected_max {
                // The caller gives up on these; what follows does not matter.
                return Ok(());
            }
            if matches!(self.bytes[at], b' ' | b'\r' | b'\n')
                && let Some(end) = self.blank_line(at, is_last)
            {
                (at, line) = (end, line + 1);
                continue;
            }
            let end = split_record(self.bytes, at, shape.delimiter, is_last, &mut cells);
            let Some(end) = end.filter(|end| end - at <= shape.line_bytes_max) else {
                if trouble > TROUBLE_BYTES_MAX {
                    self.read.rest = Rest::Paused { at, line };
                    return Ok(());
                }
                trouble += (self.bytes.len() - at).min(shape.line_bytes_max);
                let Some(end) = self.refuse(at, line, is_last) else {
                    self.read.rest = Rest::Open { at, line };
                    return Ok(());
                };
                (at, line) = (end, line + 1);
                continue;
            };
            self.take(at..end, line, &cells, &mut kept, &mut fields)?;
            let breaks =
                if cells.iter().any(Cell::is_quoted) { line_breaks(&self.bytes[at..end]) } else { 1 };
            (at, line) = (end, line + breaks);
        }
        Ok(())
    }

    /// Where the line ends, when it is blank.
    fn blank_line(&self, at: usize, is_last: bool) -> Option<usize> {
        let rest = &self.bytes[at..];
        let length = rest.iter().position(|b| !matches!(b, b' ' | b'\r'));
        match length {
            None if is_last && rest.len() <= self.shape.line_bytes_max => Some(self.bytes.len()),
            Some(length) if rest[length] == b'\n' && length < self.shape.line_bytes_max => {
                Some(at + length + 1)
            }
            _ => None,
        }
    }

    /// Rejects the line at `at`. Where the next one begins; `None` when the line may end in the next block.
    fn refuse(&mut self, at: usize, line: u64, is_last: bool) -> Option<usize> {
        let rest = &self.bytes[at..];
        let lines = PhysicalLines::new(rest, 0);
        let mut reader = CsvReader::new(lines, self.shape.delimiter, self.shape.line_bytes_max);
        let reason = match reader.next(|_| Ok(())) {
            Ok(CsvLine::Bad(reason)) => reason,
            Ok(CsvLine::Unclosed) if is_last => CsvReader::<&[u8]>::UNCLOSED.to_owned(),
            _ => return None,
        };
        self.reject(line, None, reason, reader.raw());
        let length = rest.iter().position(|b| *b == b'\n').map_or(rest.len(), |length| length + 1);
        Some(at + length)
    }

    fn reject(&mut self, line: u64, column: Option<String>, reason: String, raw: &[u8]) {
        let before = self.read.part.len();
        self.read.rejected.push((before, RejectedLine { line, column, reason, excerpt: excerpt(raw) }));
    }

    fn take(
        &mut self,
        place: std::ops::Range<usize>,
        line: u64,
        cells: &[Cell],
        kept: &mut Vec<&'s str>,
        fields: &mut Vec<&'s str>,
    ) -> Result<(), ReadError> {
        let shape = self.shape;
        let (bytes, raw) = (self.bytes, &self.bytes[place.clone()]);
        // The texts of the whole block, or of this line alone; cells are places in the block.
        let (text, offset) = match (self.text, std::str::from_utf8(raw)) {
            (Some(text), _) => (text, 0),
            (None, Ok(text)) => (text, place.start),
            (None, Err(error)) => {
                let valid = place.start + error.valid_up_to();
                let position = cells.iter().rposition(|cell| cell.start <= valid);
                let column = position.and_then(|i| shape.header.get(i)).cloned();
                // In another encoding, what is none of its characters was made such a byte.
                let reason = format!("the line is not {}", shape.encoding.unwrap_or("UTF-8"));
                self.reject(line, column, reason, raw);
                return Ok(());
            }
        };
        if cells.len() != shape.header.len() {
            let (found, names) = (cells.len(), shape.header.len());
            let reason = format!("the line has {found} cells where the header has {names}");
            self.reject(line, None, reason, raw);
            return Ok(());
        }
        let is_clean = !self.has_nul && raw.len() <= shape.cell_bytes_max;
        let record = (place, line, is_clean);
        if cells.iter().any(Cell::is_doubled) {
            let unescaped: Vec<Cow<'_, str>> =
                shape.positions.iter().map(|i| cells[*i].minus(offset).text(text)).collect();
            let kept: Vec<&str> = unescaped.iter().map(AsRef::as_ref).collect();
            return self.push(record, &kept, &mut vec![], bytes);
        }
        kept.clear();
        kept.extend(shape.positions.iter().map(|i| {
            let cell = cells[*i].minus(offset);
            &text[cell.start..cell.end]
        }));
        self.push(record, kept, fields, bytes)
    }

    fn push<'a>(
        &mut self,
        (place, line, is_clean): (std::ops::Range<usize>, u64, bool),
        kept: &[&'a str],
        fields: &mut Vec<&'a str>,
        bytes: &[u8],
    ) -> Result<(), ReadError> {
        let shape = self.shape;
        let parts = match shape.extract.parts(kept, is_clean, &mut self.memo, fields) {
            Ok(parts) => parts,
            Err(refusal) => {
                let column = shape.extract.columns()[refusal.column].clone();
                self.reject(line, Some(column), refusal.reason, &bytes[place]);
                return Ok(());
            }
        };
        let read = &mut self.read;
        let pushed = match parts.id {
            Some(id) => {
                read.hashes.push(shape.hasher.hash(id));
                read.part.push(id, line, parts.amount, parts.currency, parts.date, fields)
            }
            None => read.part.push(&line.to_string(), line, parts.amount, parts.currency, parts.date, fields),
        };
        pushed.map_err(|_: RecordsError| ReadError::TooMuchText { limit_bytes: u64::from(u32::MAX) })?;
        read.places.push((place.start as u32, place.end as u32));
        Ok(())
    }
}

fn line_breaks(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|b| **b == b'\n').count().max(1) as u64
}
