//! The lines of a file, one by one or a block at a time, and the account of them.

use super::excerpt;
use crate::csv_block::BlockRead;
use crate::extract::{Extract, Memo};
use crate::outcome::FIRST_MAX;
use crate::seen_ids::{IdHasher, SeenIds};
use crate::{ReadError, ReadLimits, ReadOutcome, ReadProgress, RejectedLine, StatementControl};
use matching::{Records, RecordsBuilder, RecordsError, Row, TextStore};
use std::cell::Cell;
use std::ops::{ControlFlow, Range};
use std::rc::Rc;
use std::sync::Arc;

const WATCH_EVERY_LINES: u64 = 1_000;
const WATCH_EVERY_BYTES: u64 = 1 << 20;

/// Takes the lines of a file one by one and keeps the account of them.
pub(crate) struct Lines<'a> {
    extract: Arc<Extract>,
    memo: Memo,
    limits: &'a ReadLimits,
    watch: &'a mut dyn FnMut(ReadProgress) -> ControlFlow<()>,
    pub(super) records: RecordsBuilder,
    seen: SeenIds,
    pub(super) rejected: Vec<RejectedLine>,
    pub(super) lines_read: u64,
    bytes_read: u64,
    kept_bytes: u64,
    watched_lines: u64,
    watched_bytes: u64,
    controls: Vec<StatementControl>,
    /// Of a sample: no more lines are wanted.
    pub(super) lines_max: Option<u64>,
    /// Bytes of the file itself, where the readers see another encoding of it.
    pub(super) counter: Option<Rc<Cell<u64>>>,
}

impl<'a> Lines<'a> {
    pub fn new(
        extract: Extract,
        limits: &'a ReadLimits,
        watch: &'a mut dyn FnMut(ReadProgress) -> ControlFlow<()>,
    ) -> Self {
        Lines {
            records: RecordsBuilder::new(extract.field_names().to_vec()),
            extract: Arc::new(extract),
            memo: Memo::default(),
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

    pub(super) fn kept_by(self, store: Option<Box<dyn TextStore>>) -> Self {
        let Some(store) = store else { return self };
        let records = RecordsBuilder::kept_by(self.extract.field_names().to_vec(), store);
        Lines { records, ..self }
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
        let mut fields = Vec::with_capacity(self.extract.field_names().len());
        let parts = match self.extract.parts(cells, false, &mut self.memo, &mut fields) {
            Ok(parts) => parts,
            Err(refusal) => {
                let column = self.extract.columns()[refusal.column].clone();
                return self.reject(line, Some(column), refusal.reason, raw);
            }
        };
        let row = self.records.so_far().len() as Row;
        if let Some(id) = parts.id {
            let records = self.records.so_far();
            let hash = self.seen.hasher().hash(id);
            if let Some(twin) = self.seen.insert(hash, row, |other| records.id(other) == id) {
                let twin_line = records.line(twin);
                return self.reject_twin(line, id, twin_line, raw);
            }
        }
        let number;
        let id = match parts.id {
            Some(id) => id,
            None => {
                number = line.to_string();
                &number
            }
        };
        self.make_room(1, id.len() + fields.iter().map(|text| text.len()).sum::<usize>())?;
        self.records.push(id, line, parts.amount, parts.currency, parts.date, &fields).map_err(refused)?;
        self.lines_read += 1;
        self.go_on()
    }

    fn go_on(&self) -> Result<(), ReadError> {
        match self.lines_max {
            Some(max) if self.lines_read >= max => Err(ReadError::Cancelled),
            _ => Ok(()),
        }
    }

    /// What a block of a CSV file held; `bytes` are those of the block.
    pub fn take_block(&mut self, read: &BlockRead, bytes: &[u8]) -> Result<(), ReadError> {
        let (rows, rejected) = self.wanted_of(read);
        let mut rejected = read.rejected[..rejected].iter().peekable();
        let mut start = 0;
        for (i, &hash) in read.hashes.iter().enumerate().take(rows) {
            let (records, id) = (self.records.so_far(), read.part.id(i));
            let base = records.len();
            // Of the rows that are not appended yet, the first is `start`.
            let has_it = |other: Row| match (other as usize).checked_sub(base) {
                None => records.id(other) == id,
                Some(pending) => read.part.id(start + pending) == id,
            };
            let Some(twin) = self.seen.insert(hash, (base + i - start) as Row, has_it) else { continue };
            self.append(read, start..i)?;
            start = i + 1;
            while let Some((_, line)) = rejected.next_if(|(before, _)| *before <= i) {
                self.add_rejected(line.clone())?;
            }
            let (from, to) = read.places[i];
            let twin_line = self.records.so_far().line(twin);
            self.reject_twin(read.part.line(i), id, twin_line, &bytes[from as usize..to as usize])?;
        }
        self.append(read, start..rows)?;
        rejected.try_for_each(|(_, line)| self.add_rejected(line.clone()))?;
        self.go_on()
    }

    /// How many rows and how many rejected lines of a block: all, unless a sample needs fewer.
    fn wanted_of(&self, read: &BlockRead) -> (usize, usize) {
        let (rows, rejected) = (read.part.len(), read.rejected.len());
        let room = self.lines_max.map_or(usize::MAX, |max| max.saturating_sub(self.lines_read) as usize);
        if rows + rejected <= room {
            return (rows, rejected);
        }
        let places = read.rejected.iter().enumerate().map(|(i, (before, _))| before + i);
        let rejected = places.take_while(|&place| place < room).count();
        (room - rejected, rejected)
    }

    fn append(&mut self, read: &BlockRead, rows: Range<usize>) -> Result<(), ReadError> {
        if rows.is_empty() {
            return Ok(());
        }
        self.make_room(rows.len(), read.part.text_bytes(rows.clone()))?;
        self.lines_read += rows.len() as u64;
        self.records.append(&read.part, rows).map_err(refused)
    }

    /// For so many more records with so many bytes of text.
    fn make_room(&mut self, records: usize, bytes: usize) -> Result<(), ReadError> {
        if self.records.so_far().len() + records > self.limits.records_max as usize {
            return Err(ReadError::TooManyRecords { limit: self.limits.records_max });
        }
        self.kept_bytes += bytes as u64;
        if self.kept_bytes > self.limits.kept_bytes_max {
            return Err(ReadError::TooMuchText { limit_bytes: self.limits.kept_bytes_max });
        }
        Ok(())
    }

    fn reject_twin(&mut self, line: u64, id: &str, twin_line: u64, raw: &[u8]) -> Result<(), ReadError> {
        let column = self.extract.id_column().map(|column| self.extract.columns()[column].clone());
        let shown: String = id.chars().take(60).collect();
        self.reject(line, column, format!("the id {shown:?} is already on line {twin_line}"), raw)
    }

    /// What makes records of cells.
    pub fn extract(&self) -> Arc<Extract> {
        Arc::clone(&self.extract)
    }

    /// What hashes ids for [`Self::take_block`].
    pub fn id_hasher(&self) -> IdHasher {
        self.seen.hasher().clone()
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
        self.add_rejected(RejectedLine { line, column, reason, excerpt: excerpt(raw) })
    }

    fn add_rejected(&mut self, line: RejectedLine) -> Result<(), ReadError> {
        self.lines_read += 1;
        self.rejected.push(line);
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

    pub fn finish(mut self) -> Result<ReadOutcome, ReadError> {
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

fn refused(error: RecordsError) -> ReadError {
    match error {
        RecordsError::TooMany => ReadError::TooManyRecords { limit: u32::MAX - 1 },
        RecordsError::ColumnTooLarge => ReadError::TooMuchText { limit_bytes: u64::from(u32::MAX) },
        RecordsError::NotKept(says) => ReadError::Io(std::io::Error::other(says)),
    }
}
