//! Collecting [`Records`], one at a time or in parts that were made side by side.

use crate::line_numbers::LineNumbers;
use crate::text_column::{SEGMENT_ROWS, SegmentFull, TextColumn, TextRun, TextStore};
use crate::{Currency, Records};
use std::ops::Range;

/// Records of one side on their way into a [`RecordsBuilder`]: made on any thread, added in order.
#[derive(Debug)]
pub struct RecordsPart {
    ids: TextRun,
    lines: Vec<u64>,
    amounts: Vec<i64>,
    currencies: Vec<Currency>,
    dates: Vec<i32>,
    fields: Vec<TextRun>,
}

impl RecordsPart {
    /// For sides with so many text fields.
    pub fn new(fields: usize) -> Self {
        RecordsPart {
            ids: TextRun::default(),
            lines: vec![],
            amounts: vec![],
            currencies: vec![],
            dates: vec![],
            fields: vec![TextRun::default(); fields],
        }
    }

    pub fn len(&self) -> usize {
        self.amounts.len()
    }

    pub fn is_empty(&self) -> bool {
        self.amounts.is_empty()
    }

    pub fn id(&self, index: usize) -> &str {
        self.ids.get(index)
    }

    pub fn line(&self, index: usize) -> u64 {
        self.lines[index]
    }

    /// Bytes of all texts of these records, ids included.
    pub fn text_bytes(&self, rows: Range<usize>) -> usize {
        self.ids.bytes_of(rows.clone()) + self.fields.iter().map(|f| f.bytes_of(rows.clone())).sum::<usize>()
    }

    /// As [`RecordsBuilder::push`].
    pub fn push(
        &mut self,
        id: &str,
        line: u64,
        amount: i64,
        currency: Currency,
        date: i32,
        fields: &[&str],
    ) -> Result<(), RecordsError> {
        assert_eq!(fields.len(), self.fields.len(), "one text per named field");
        self.ids.push(id)?;
        for (column, text) in self.fields.iter_mut().zip(fields) {
            column.push(text)?;
        }
        self.lines.push(line);
        self.amounts.push(amount);
        self.currencies.push(currency);
        self.dates.push(date);
        Ok(())
    }
}

/// Why a record cannot be added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordsError {
    #[error("a side holds at most {} records", u32::MAX - 1)]
    TooMany,
    #[error("65,536 texts of one column hold more than 4 GiB")]
    ColumnTooLarge,
    /// A [`TextStore`] said so.
    #[error("texts could not be kept: {0}")]
    NotKept(String),
}

impl From<SegmentFull> for RecordsError {
    fn from(_: SegmentFull) -> Self {
        RecordsError::ColumnTooLarge
    }
}

/// Collects [`Records`].
pub struct RecordsBuilder {
    records: Records,
    store: Option<Box<dyn TextStore>>,
}

impl RecordsBuilder {
    /// All texts stay in memory.
    pub fn new(field_names: Vec<String>) -> Self {
        let fields = vec![TextColumn::default(); field_names.len()];
        let records = Records {
            ids: TextColumn::default(),
            lines: LineNumbers::default(),
            amounts: vec![],
            currencies: vec![],
            dates: vec![],
            field_names,
            fields,
        };
        Self { records, store: None }
    }

    /// `store` is asked to keep the texts, segment by segment.
    pub fn kept_by(field_names: Vec<String>, store: Box<dyn TextStore>) -> Self {
        RecordsBuilder { store: Some(store), ..Self::new(field_names) }
    }

    /// More records behind those of a side that was built already.
    pub fn go_on(mut records: Records) -> Self {
        let rows = records.len();
        records.lines.reopen(rows);
        records.ids.reopen(rows);
        records.fields.iter_mut().for_each(|column| column.reopen(rows));
        Self { records, store: None }
    }

    /// `store` is asked to keep the texts of segments that are not full yet.
    pub fn keeping(self, store: Option<Box<dyn TextStore>>) -> Self {
        RecordsBuilder { store, ..self }
    }

    /// `fields` in the order of the names given to [`Self::new`], one per name.
    pub fn push(
        &mut self,
        id: &str,
        line: u64,
        amount: i64,
        currency: Currency,
        date: i32,
        fields: &[&str],
    ) -> Result<(), RecordsError> {
        assert_eq!(fields.len(), self.records.fields.len(), "one text per named field");
        self.check_room(1)?;
        self.records.ids.push(id)?;
        for (column, text) in self.records.fields.iter_mut().zip(fields) {
            column.push(text)?;
        }
        self.records.lines.push(line);
        self.records.amounts.push(amount);
        self.records.currencies.push(currency);
        self.records.dates.push(date);
        self.close_full_segment()
    }

    /// Adds records of a part with the same fields.
    pub fn append(&mut self, part: &RecordsPart, rows: Range<usize>) -> Result<(), RecordsError> {
        assert_eq!(part.fields.len(), self.records.fields.len(), "one text per named field");
        self.check_room(rows.len())?;
        let mut rest = rows;
        while !rest.is_empty() {
            let room = SEGMENT_ROWS - self.records.len() % SEGMENT_ROWS;
            let now = rest.start..rest.end.min(rest.start + room);
            rest.start = now.end;
            let records = &mut self.records;
            records.ids.append(&part.ids, now.clone())?;
            for (column, run) in records.fields.iter_mut().zip(&part.fields) {
                column.append(run, now.clone())?;
            }
            records.lines.extend(&part.lines[now.clone()]);
            records.amounts.extend_from_slice(&part.amounts[now.clone()]);
            records.currencies.extend_from_slice(&part.currencies[now.clone()]);
            records.dates.extend_from_slice(&part.dates[now]);
            self.close_full_segment()?;
        }
        Ok(())
    }

    fn check_room(&self, more: usize) -> Result<(), RecordsError> {
        let room = ((u32::MAX - 1) as usize).saturating_sub(self.records.len());
        if more > room { Err(RecordsError::TooMany) } else { Ok(()) }
    }

    fn close_full_segment(&mut self) -> Result<(), RecordsError> {
        if !self.records.len().is_multiple_of(SEGMENT_ROWS) {
            return Ok(());
        }
        self.records.lines.close();
        for column in std::iter::once(&mut self.records.ids).chain(&mut self.records.fields) {
            column.close(self.store.as_deref_mut()).map_err(RecordsError::NotKept)?;
        }
        Ok(())
    }

    /// What was pushed until now, e.g. to look for a duplicate id.
    pub fn so_far(&self) -> &Records {
        &self.records
    }

    /// The last texts, too few for a segment, stay in memory.
    pub fn build(self) -> Records {
        let mut records = self.records;
        records.lines.finish();
        records.ids.finish();
        records.fields.iter_mut().for_each(TextColumn::finish);
        records.amounts.shrink_to_fit();
        records.currencies.shrink_to_fit();
        records.dates.shrink_to_fit();
        records
    }
}
