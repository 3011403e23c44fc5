//! Reading a file: which format, and what becomes of each line.

mod lines;

pub(crate) use lines::Lines;

use crate::extract::Extract;
use crate::opened::{Opened, open_text};
use crate::physical_lines::PhysicalLines;
use crate::{
    Format, Mapping, ReadError, ReadLimits, ReadOutcome, ReadProgress, ReadSample, csv_lines, json_elements,
    statements, tables,
};
use matching::TextStore;
use std::io::{BufReader, Read};
use std::ops::ControlFlow;

const EXCERPT_CHARS_MAX: usize = 200;

/// Reads a whole file into records.
///
/// Needs `input` only once and forwards; buffers it itself. `watch` is called about every 1,000 lines or MiB
/// (CSV: every half MiB) and stops the reading with [`ControlFlow::Break`]. Blocks of CSV are read on all threads
/// of the current rayon pool; what is read does not depend on how many there are.
pub fn read_records(
    input: impl Read,
    mapping: &Mapping,
    limits: &ReadLimits,
    watch: &mut dyn FnMut(ReadProgress) -> ControlFlow<()>,
) -> Result<ReadOutcome, ReadError> {
    read_records_keeping(input, mapping, limits, None, watch)
}

/// The same, with the texts in a store instead of in memory.
pub fn read_records_keeping(
    input: impl Read,
    mapping: &Mapping,
    limits: &ReadLimits,
    store: Option<Box<dyn TextStore>>,
    watch: &mut dyn FnMut(ReadProgress) -> ControlFlow<()>,
) -> Result<ReadOutcome, ReadError> {
    let extract = Extract::new(mapping, limits).map_err(ReadError::InvalidMapping)?;
    let mut lines = Lines::new(extract, limits, watch).kept_by(store);
    read_lines(input, mapping, &mut lines)?;
    lines.finish()
}

/// As [`read_records`] for at most the first `lines_max` lines of a file, to see what a mapping makes of them. A
/// file that gives no record is no error here, and the controls of a statement that was not read to its end are
/// missing.
pub fn read_sample(
    input: impl Read,
    mapping: &Mapping,
    limits: &ReadLimits,
    lines_max: u64,
) -> Result<ReadSample, ReadError> {
    let extract = Extract::new(mapping, limits).map_err(ReadError::InvalidMapping)?;
    let mut watch = |_: ReadProgress| ControlFlow::Continue(());
    let mut lines = Lines::new(extract, limits, &mut watch);
    lines.lines_max = Some(lines_max);
    match read_lines(input, mapping, &mut lines) {
        Ok(()) | Err(ReadError::Cancelled | ReadError::NoTransactions { .. }) => {}
        Err(error) => return Err(error),
    }
    let whole = lines.lines_read < lines_max;
    Ok(ReadSample {
        records: lines.records.build(),
        rejected: lines.rejected,
        lines_read: lines.lines_read,
        whole,
    })
}

fn read_lines(input: impl Read, mapping: &Mapping, lines: &mut Lines<'_>) -> Result<(), ReadError> {
    if mapping.format.is_typed() {
        let file = tables::spool(input, |bytes| lines.tick(bytes))?;
        return tables::read(file, mapping, lines);
    }
    let Opened { text, mark_bytes, counter } = open_text(input, mapping)?;
    let input = BufReader::with_capacity(64 << 10, text);
    lines.counter = counter;
    match mapping.format {
        Format::Csv => csv_lines::read(PhysicalLines::new(input, mark_bytes), mapping, lines),
        Format::Json => json_elements::read(input, mark_bytes, mapping, lines),
        Format::Excel | Format::Parquet => unreachable!("read above"),
        Format::Mt940 | Format::Camt | Format::Ofx | Format::Bai2 => {
            statements::read(input, mark_bytes, mapping, lines)
        }
    }
}

/// Fit for a log line, a table cell and a database: no control characters, no half characters.
pub(crate) fn excerpt(raw: &[u8]) -> String {
    let head = &raw[..raw.len().min(EXCERPT_CHARS_MAX * 4)];
    let text = String::from_utf8_lossy(head);
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    text.trim_end().chars().take(EXCERPT_CHARS_MAX).map(printable).collect()
}
