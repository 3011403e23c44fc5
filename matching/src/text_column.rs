//! Texts of one column in segments of equal length: no allocation per cell, no copy of a whole column to grow
//! it, and segments that the caller may keep outside of memory.

use std::fmt;
use std::sync::Arc;

/// Rows of a segment, but for the last one of a column.
pub(crate) const SEGMENT_ROWS: usize = 1 << 16;

/// Bytes that are kept somewhere, e.g. a file mapped into memory.
pub type KeptBytes = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// Keeps texts outside of the core: where, and how much of them stays in memory, is the caller's to say.
///
/// Must give back the same bytes for as long as they are held. Text that is not UTF-8 any more reads as empty.
pub trait TextStore: Send {
    /// The bytes of one segment of one column, about 65,536 texts. `None`: let them stay in memory. An error
    /// says in words why they could not be kept.
    fn keep(&mut self, bytes: &[u8]) -> Result<Option<KeptBytes>, String>;
}

/// A column is full: 4 GiB in one segment.
#[derive(Debug)]
pub(crate) struct SegmentFull;

/// Texts back to back, still growing.
#[derive(Debug, Clone, Default)]
pub(crate) struct TextRun {
    bytes: String,
    ends: Vec<u32>,
}

impl TextRun {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn bytes_of(&self, rows: std::ops::Range<usize>) -> usize {
        if rows.is_empty() { 0 } else { self.start(rows.end) - self.start(rows.start) }
    }

    pub fn push(&mut self, text: &str) -> Result<(), SegmentFull> {
        let end = u32::try_from(self.bytes.len() + text.len()).map_err(|_| SegmentFull)?;
        self.bytes.push_str(text);
        self.ends.push(end);
        Ok(())
    }

    pub fn get(&self, row: usize) -> &str {
        &self.bytes[self.start(row)..self.ends[row] as usize]
    }

    fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
        self.ends.shrink_to_fit();
    }

    fn start(&self, row: usize) -> usize {
        if row == 0 { 0 } else { self.ends[row - 1] as usize }
    }

    /// Adds rows of another run.
    fn append(&mut self, other: &TextRun, rows: std::ops::Range<usize>) -> Result<(), SegmentFull> {
        let Some(last) = rows.end.checked_sub(1).filter(|last| rows.start <= *last) else { return Ok(()) };
        let (start, end) = (other.start(rows.start), other.ends[last] as usize);
        let before = self.bytes.len();
        u32::try_from(before + (end - start)).map_err(|_| SegmentFull)?;
        self.bytes.push_str(&other.bytes[start..end]);
        self.ends.extend(other.ends[rows].iter().map(|&end| (before + (end as usize - start)) as u32));
        Ok(())
    }
}

/// Rows that will not change.
#[derive(Clone)]
enum Segment {
    Memory(TextRun),
    /// The ends of all texts, four bytes each, lowest first; then the texts.
    Kept {
        rows: u32,
        bytes: KeptBytes,
    },
}

impl fmt::Debug for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Segment::Memory(run) => write!(f, "{} texts", run.len()),
            Segment::Kept { rows, .. } => write!(f, "{rows} texts kept elsewhere"),
        }
    }
}

impl Segment {
    fn of(mut run: TextRun, store: Option<&mut (dyn TextStore + 'static)>) -> Result<Self, String> {
        if let Some(store) = store {
            let mut bytes = Vec::with_capacity(run.ends.len() * 4 + run.bytes.len());
            bytes.extend(run.ends.iter().flat_map(|end| end.to_le_bytes()));
            bytes.extend_from_slice(run.bytes.as_bytes());
            if let Some(bytes) = store.keep(&bytes)? {
                return Ok(Segment::Kept { rows: run.len() as u32, bytes });
            }
        }
        run.shrink();
        Ok(Segment::Memory(run))
    }

    fn get(&self, row: usize) -> &str {
        match self {
            Segment::Memory(run) => run.get(row),
            Segment::Kept { rows, bytes } => kept(bytes.as_ref().as_ref(), *rows as usize, row).unwrap_or(""),
        }
    }
}

fn kept(bytes: &[u8], rows: usize, row: usize) -> Option<&str> {
    let end_of = |row: usize| -> Option<usize> {
        let end = bytes.get(row * 4..row * 4 + 4)?.first_chunk::<4>()?;
        Some(rows * 4 + u32::from_le_bytes(*end) as usize)
    };
    let start = if row == 0 { rows * 4 } else { end_of(row - 1)? };
    std::str::from_utf8(bytes.get(start..end_of(row)?)?).ok()
}

#[derive(Debug, Clone, Default)]
pub(crate) struct TextColumn {
    closed: Vec<Segment>,
    open: TextRun,
}

impl TextColumn {
    /// The next text. The caller calls [`Self::close`] after every [`SEGMENT_ROWS`] of them.
    pub fn push(&mut self, text: &str) -> Result<(), SegmentFull> {
        self.open.push(text)
    }

    /// Rows of `run`, not more than are left in the open segment.
    pub fn append(&mut self, run: &TextRun, rows: std::ops::Range<usize>) -> Result<(), SegmentFull> {
        self.open.append(run, rows)
    }

    /// Ends the open segment.
    pub fn close(&mut self, store: Option<&mut (dyn TextStore + 'static)>) -> Result<(), String> {
        let run = std::mem::take(&mut self.open);
        // The next one is about as large.
        self.open.bytes.reserve(run.bytes.len());
        self.open.ends.reserve(run.ends.len());
        self.closed.push(Segment::of(run, store)?);
        Ok(())
    }

    /// Ends the last segment, which stays in memory.
    pub fn finish(&mut self) {
        let mut run = std::mem::take(&mut self.open);
        if run.len() > 0 {
            run.shrink();
            self.closed.push(Segment::Memory(run));
        }
    }

    /// Takes the last segment of a column that was finished up again, when it has room.
    pub fn reopen(&mut self, rows: usize) {
        if rows.is_multiple_of(SEGMENT_ROWS) {
            return;
        }
        match self.closed.pop() {
            Some(Segment::Memory(run)) => self.open = run,
            kept => self.closed.extend(kept),
        }
    }

    pub fn get(&self, row: u32) -> &str {
        let (segment, row) = (row as usize / SEGMENT_ROWS, row as usize % SEGMENT_ROWS);
        match self.closed.get(segment) {
            Some(segment) => segment.get(row),
            None => self.open.get(row),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every other segment stays in memory.
    struct Odd(usize);

    impl TextStore for Odd {
        fn keep(&mut self, bytes: &[u8]) -> Result<Option<KeptBytes>, String> {
            self.0 += 1;
            Ok((self.0 % 2 == 1).then(|| Arc::new(bytes.to_vec()) as KeptBytes))
        }
    }

    #[test]
    fn texts_read_the_same_wherever_they_are_kept() {
        let text = |row: usize| "\u{e4}b".repeat(row % 7) + &row.to_string();
        let rows = SEGMENT_ROWS * 2 + 77;
        let (mut column, mut store) = (TextColumn::default(), Odd(0));
        for row in 0..rows {
            column.push(&text(row)).unwrap();
            if (row + 1) % SEGMENT_ROWS == 0 {
                column.close(Some(&mut store)).unwrap();
            }
            assert_eq!(column.get(row as u32 / 2), text(row / 2));
        }
        column.finish();
        assert_eq!(store.0, 2);
        for row in 0..rows {
            assert_eq!(column.get(row as u32), text(row));
        }
    }

    #[test]
    fn a_finished_column_goes_on() {
        for rows in [SEGMENT_ROWS - 1, SEGMENT_ROWS, SEGMENT_ROWS + 1] {
            let mut column = TextColumn::default();
            for row in 0..rows + 3 {
                if row == rows {
                    column.finish();
                    column.reopen(rows);
                }
                column.push(&row.to_string()).unwrap();
                if (row + 1) % SEGMENT_ROWS == 0 {
                    column.close(None).unwrap();
                }
            }
            column.finish();
            assert!((0..rows + 3).all(|row| column.get(row as u32) == row.to_string()), "{rows}");
        }
    }

    #[test]
    fn what_a_store_has_lost_reads_as_empty() {
        let segment =
            Segment::Kept { rows: 3, bytes: Arc::new(vec![1, 0, 0, 0, 200, 0, 0, 0, 2, 0, 0, 0, b'a', 255]) };
        assert_eq!((segment.get(0), segment.get(1), segment.get(2)), ("a", "", ""));
    }
}
