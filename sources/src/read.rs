//! Reading a file: which format, and what becomes of each line.

use crate::extract::Extract;
use crate::opened::{Opened, open_text};
use crate::outcome::FIRST_MAX;
use crate::physical_lines::PhysicalLines;
use crate::seen_ids::SeenIds;
use crate::{
    Format, Mapping, ReadError, ReadLimits, ReadOutcome, ReadProgress, ReadSample, RejectedLine,
    StatementControl, csv_lines, json_elements, statements, tables,
};
use matching::{Records, RecordsBuilder, RecordsError, Row};
use std::cell::Cell;
use std::io::{BufReader, Read};
use std::ops::ControlFlow;
use std::rc::Rc;

const WATCH_EVERY_LINES: u64 = 1_000;
const WATCH_EVERY_BYTES: u64 = 1 << 20;
const EXCERPT_CHARS_MAX: usize = 200;

/// Reads a whole file into records.
///
/// Needs `input` only once and forwards; buffers it itself. `watch` is called about every 1,000 lines or MiB
/// and stops the reading with [`ControlFlow::Break`].
pub fn read_records(
    input: impl Read,
    mapping: &Mapping,
    limits: &ReadLimits,
    watch: &mut dyn FnMut(ReadProgress) -> ControlFlow<()>,
) -> Result<ReadOutcome, ReadError> {
    let extract = Extract::new(mapping, limits).map_err(ReadError::InvalidMapping)?;
    let mut lines = Lines::new(extract, limits, watch);
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

/// Takes the lines of a file one by one and keeps the account of them.
pub(crate) struct Lines<'a> {
    extract: Extract,
    limits: &'a ReadLimits,
    watch: &'a mut dyn FnMut(ReadProgress) -> ControlFlow<()>,
    records: RecordsBuilder,
    seen: SeenIds,
    rejected: Vec<RejectedLine>,
    lines_read: u64,
    bytes_read: u64,
    kept_bytes: u64,
    watched_lines: u64,
    watched_bytes: u64,
    controls: Vec<StatementControl>,
    /// Of a sample: no more lines are wanted.
    lines_max: Option<u64>,
    /// Bytes of the file itself, where the readers see another encoding of it.
    counter: Option<Rc<Cell<u64>>>,
}

impl<'a> Lines<'a> {
    fn new(
        extract: Extract,
        limits: &'a ReadLimits,
        watch: &'a mut dyn FnMut(ReadProgress) -> ControlFlow<()>,
    ) -> Self {
        Lines {
            records: RecordsBuilder::new(extract.field_names().to_vec()),
            extract,
            limits,
            watch,
            seen: SeenIds::default(),
            rejected: vec![],
            lines_read: 0,
            bytes_read: 0,
            kept_bytes: 0,
            watched_lines: 0,
            watched_bytes: 0,
            controls: vec![],
            lines_max: None,
            counter: None,
        }
    }

    pub fn columns(&self) -> &[String] {
        self.extract.columns()
    }

    pub fn limits(&self) -> &'a ReadLimits {
        self.limits
    }

    /// One line whose cells could be told apart, in the order of [`Self::columns`]: becomes a record or is
    /// rejected. `raw` is what an excerpt is made from.
    pub fn take(&mut self, line: u64, cells: &[&str], raw: &[u8]) -> Result<(), ReadError> {
        let parts = match self.extract.parts(cells) {
            Ok(parts) => parts,
            Err(refusal) => {
                let column = self.extract.columns()[refusal.column].clone();
                return self.reject(line, Some(column), refusal.reason, raw);
            }
        };
        let row = self.records.so_far().len();
        if row >= self.limits.records_max as usize {
            return Err(ReadError::TooManyRecords { limit: self.limits.records_max });
        }
        let number;
        let id = match parts.id {
            Some(id) => id,
            None => {
                number = line.to_string();
                &number
            }
        };
        if let (Some(id), Some(column)) = (parts.id, self.extract.id_column())
            && let Some(twin) = self.seen.row_of(id, self.records.so_far())
        {
            let twin_line = self.records.so_far().line(twin);
            let column = self.extract.columns()[column].clone();
            let shown: String = id.chars().take(60).collect();
            return self.reject(
                line,
                Some(column),
                format!("the id {shown:?} is already on line {twin_line}"),
                raw,
            );
        }
        self.kept_bytes += (id.len() + parts.fields.iter().map(|text| text.len()).sum::<usize>()) as u64;
        if self.kept_bytes > self.limits.kept_bytes_max {
            return Err(ReadError::TooMuchText { limit_bytes: self.limits.kept_bytes_max });
        }
        self.records.push(id, line, parts.amount, parts.currency, parts.date, &parts.fields).map_err(
            |e| match e {
                RecordsError::TooMany => ReadError::TooManyRecords { limit: u32::MAX - 1 },
                RecordsError::ColumnTooLarge => ReadError::TooMuchText { limit_bytes: u64::from(u32::MAX) },
            },
        )?;
        if let Some(id) = parts.id {
            self.seen.insert(id, row as Row);
        }
        self.lines_read += 1;
        self.go_on()
    }

    fn go_on(&self) -> Result<(), ReadError> {
        match self.lines_max {
            Some(max) if self.lines_read >= max => Err(ReadError::Cancelled),
            _ => Ok(()),
        }
    }

    /// What became records until now.
    pub fn records(&self) -> &Records {
        self.records.so_far()
    }

    /// A whole statement, after its lines.
    pub fn add_control(&mut self, control: StatementControl) -> Result<(), ReadError> {
        if self.controls.len() >= self.limits.statements_max {
            return Err(ReadError::TooManyStatements { limit: self.limits.statements_max });
        }
        self.controls.push(control);
        Ok(())
    }

    /// One line that gives no record.
    pub fn reject(
        &mut self,
        line: u64,
        column: Option<String>,
        reason: String,
        raw: &[u8],
    ) -> Result<(), ReadError> {
        self.lines_read += 1;
        self.rejected.push(RejectedLine { line, column, reason, excerpt: excerpt(raw) });
        if self.rejected.len() > self.limits.rejected_max {
            let first = self.rejected.iter().take(FIRST_MAX).cloned().collect();
            return Err(ReadError::TooManyRejected { limit: self.limits.rejected_max, first });
        }
        self.go_on()
    }

    /// To be called often, with all bytes read so far.
    pub fn tick(&mut self, bytes_read: u64) -> Result<(), ReadError> {
        self.bytes_read = self.counter.as_ref().map_or(bytes_read, |counter| counter.get());
        let due = self.lines_read >= self.watched_lines + WATCH_EVERY_LINES
            || self.bytes_read >= self.watched_bytes + WATCH_EVERY_BYTES;
        if due { self.report() } else { Ok(()) }
    }

    fn report(&mut self) -> Result<(), ReadError> {
        (self.watched_lines, self.watched_bytes) = (self.lines_read, self.bytes_read);
        let rejected = self.rejected.len() as u64;
        match (self.watch)(ReadProgress { lines: self.lines_read, rejected, bytes: self.bytes_read }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(ReadError::Cancelled),
        }
    }

    fn finish(mut self) -> Result<ReadOutcome, ReadError> {
        self.report()?;
        let records = self.records.build();
        if self.lines_read == 0 {
            let controls = self.controls;
            return Err(if controls.is_empty() {
                ReadError::Empty
            } else {
                ReadError::NoTransactions { controls }
            });
        }
        if records.is_empty() {
            self.rejected.truncate(FIRST_MAX);
            return Err(ReadError::AllRejected { lines: self.lines_read, first: self.rejected });
        }
        let (rejected, lines_read, bytes_read) = (self.rejected, self.lines_read, self.bytes_read);
        Ok(ReadOutcome { records, rejected, lines_read, bytes_read, controls: self.controls })
    }
}

/// Fit for a log line, a table cell and a database: no control characters, no half characters.
fn excerpt(raw: &[u8]) -> String {
    let head = &raw[..raw.len().min(EXCERPT_CHARS_MAX * 4)];
    let text = String::from_utf8_lossy(head);
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    text.trim_end().chars().take(EXCERPT_CHARS_MAX).map(printable).collect()
}
