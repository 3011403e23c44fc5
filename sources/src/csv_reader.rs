//! The cells of CSV lines, strict about quotes and bounded in memory.
//!
//! Not built on a CSV crate, for two reasons: a single forgotten quote must cost one line and not swallow the
//! rest of the file, and no line may grow beyond its limit in memory before it is refused.
//!
//! A cell that begins with a quote ends at the next single quote; doubled quotes inside stand for one, and
//! line breaks inside belong to it. When such a cell never ends, or goes on behind its closing quote, the line
//! of the file on which the record began is refused alone and reading resumes on the one below it. Quotes
//! elsewhere in a cell (`5" pipe`) are ordinary characters, as spreadsheets see them.

use crate::ReadError;
use crate::physical_lines::PhysicalLines;
use std::borrow::Cow;
use std::io::BufRead;

pub(crate) struct CsvReader<B> {
    lines: PhysicalLines<B>,
    delimiter: u8,
    line_bytes_max: usize,
    buffer: Vec<u8>,
    cells: Vec<Cell>,
    line: u64,
    next_line: u64,
}

/// What [`CsvReader::next`] found; the line itself is in the reader.
pub(crate) enum CsvLine {
    Cells,
    /// White space only: no data line.
    Blank,
    /// Says why its cells cannot be told apart.
    Bad(String),
    /// A quoted cell does not end in the whole rest of the input; else as `Bad`.
    Unclosed,
    End,
}

impl<B: BufRead> CsvReader<B> {
    /// What is wrong with a line that is [`CsvLine::Unclosed`].
    pub const UNCLOSED: &'static str = "a quoted cell never ends";

    pub fn new(lines: PhysicalLines<B>, delimiter: u8, line_bytes_max: usize) -> Self {
        CsvReader { lines, delimiter, line_bytes_max, buffer: vec![], cells: vec![], line: 0, next_line: 1 }
    }

    /// Skips lines of the file, whatever quotes they hold, so that the next one is `line`, from 1.
    pub fn skip_to(
        &mut self,
        line: u32,
        mut tick: impl FnMut(u64) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        while self.next_line < u64::from(line) {
            self.lines.skip_rest(&mut tick)?;
            self.next_line += 1;
        }
        Ok(())
    }

    /// The line as it is in the file, its end included; only its beginning after [`CsvLine::Bad`].
    pub fn raw(&self) -> &[u8] {
        &self.buffer
    }

    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// Number, from 1, of the file's line on which the current line begins.
    pub fn line(&self) -> u64 {
        self.line
    }

    pub fn bytes_read(&self) -> u64 {
        self.lines.bytes_read()
    }

    /// All that is not read yet: bytes that were put back, the rest of the input, the number of its first line,
    /// and the bytes read of it.
    pub fn into_rest(self) -> (Vec<u8>, B, u64, u64) {
        let bytes_read = self.lines.bytes_read();
        let (ahead, input) = self.lines.into_rest();
        (ahead, input, self.next_line, bytes_read)
    }

    /// The next line. `tick` is called with the bytes read so far while a line beyond the limit is skipped.
    pub fn next(&mut self, tick: impl FnMut(u64) -> Result<(), ReadError>) -> Result<CsvLine, ReadError> {
        self.buffer.clear();
        self.cells.clear();
        self.line = self.next_line;
        if !self.append_physical_line()? {
            return Ok(CsvLine::End);
        }
        self.next_line += 1;
        let first_line_bytes = self.buffer.len();
        if self.over_limit() {
            if self.buffer.last() != Some(&b'\n') {
                self.lines.skip_rest(tick)?;
            }
            return Ok(CsvLine::Bad(format!("the line is longer than {} bytes", self.line_bytes_max)));
        }
        if self.buffer.iter().all(|b| matches!(b, b' ' | b'\r' | b'\n')) {
            return Ok(CsvLine::Blank);
        }
        let mut split = Split { delimiter: self.delimiter, at: 0, open: None };
        loop {
            let bad = |says: &str| CsvLine::Bad(says.to_owned());
            let problem = match split.run(&self.buffer, &mut self.cells) {
                Splitting::Done => return Ok(CsvLine::Cells),
                Splitting::BehindQuote => bad("there is text behind the closing quote of a cell"),
                Splitting::Open if !self.append_physical_line()? => CsvLine::Unclosed,
                Splitting::Open if self.over_limit() => {
                    CsvLine::Bad(format!("a quoted cell does not end within {} bytes", self.line_bytes_max))
                }
                Splitting::Open => {
                    self.next_line += 1;
                    continue;
                }
            };
            self.lines.put_back(self.buffer.split_off(first_line_bytes));
            self.next_line = self.line + 1;
            return Ok(problem);
        }
    }

    fn over_limit(&self) -> bool {
        self.buffer.len() > self.line_bytes_max
    }

    /// False at the end of the file. Stops one byte over the limit.
    fn append_physical_line(&mut self) -> std::io::Result<bool> {
        let room = (self.line_bytes_max + 1).saturating_sub(self.buffer.len());
        Ok(self.lines.append(&mut self.buffer, room)? > 0)
    }
}

/// A cell's place in its line, quotes excluded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell {
    pub start: usize,
    pub end: usize,
    quotes: Quotes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quotes {
    None,
    Around,
    /// Also inside, where two stand for one.
    Doubled,
}

impl Cell {
    pub fn plain(start: usize, end: usize) -> Self {
        Cell { start, end, quotes: Quotes::None }
    }

    pub fn quoted(start: usize, end: usize, doubled: bool) -> Self {
        Cell { start, end, quotes: if doubled { Quotes::Doubled } else { Quotes::Around } }
    }

    pub fn is_quoted(&self) -> bool {
        self.quotes != Quotes::None
    }

    pub fn is_doubled(&self) -> bool {
        self.quotes == Quotes::Doubled
    }

    /// The same cell in a text that begins later.
    pub fn minus(self, offset: usize) -> Self {
        Cell { start: self.start - offset, end: self.end - offset, ..self }
    }

    /// `line` must be the text of the line the cell was found in.
    pub fn text<'a>(&self, line: &'a str) -> Cow<'a, str> {
        // Both ends lie next to ASCII characters or the ends of the line, hence on character boundaries.
        let text = &line[self.start..self.end];
        if self.is_doubled() { Cow::Owned(text.replace("\"\"", "\"")) } else { Cow::Borrowed(text) }
    }
}

enum Splitting {
    Done,
    /// The line ends inside a quoted cell.
    Open,
    BehindQuote,
}

/// Finds the cells of a line; goes on where it stopped when the line has grown, so that a cell with many line
/// breaks is looked at once.
struct Split {
    delimiter: u8,
    at: usize,
    /// Start of the quoted cell we are in, and whether it had doubled quotes so far.
    open: Option<(usize, bool)>,
}

impl Split {
    fn run(&mut self, line: &[u8], cells: &mut Vec<Cell>) -> Splitting {
        loop {
            if self.open.is_none() && line.get(self.at) == Some(&b'"') {
                self.at += 1;
                self.open = Some((self.at, false));
            }
            let at_end = match self.open.take() {
                Some((start, doubled)) => {
                    let Some(cell) = self.quoted(line, start, doubled) else { return Splitting::Open };
                    cells.push(cell);
                    match &line[self.at..] {
                        [] | [b'\n'] | [b'\r', b'\n'] | [b'\r'] => true,
                        [next, ..] if *next == self.delimiter => false,
                        _ => return Splitting::BehindQuote,
                    }
                }
                None => self.unquoted(line, cells),
            };
            if at_end {
                return Splitting::Done;
            }
            self.at += 1;
        }
    }

    /// Up to the next delimiter or the end of the line; true when it was the end.
    fn unquoted(&mut self, line: &[u8], cells: &mut Vec<Cell>) -> bool {
        let start = self.at;
        let rest = &line[start..];
        let length = rest.iter().position(|b| *b == self.delimiter || *b == b'\n').unwrap_or(rest.len());
        self.at = start + length;
        let at_end = line.get(self.at) != Some(&self.delimiter);
        let carriage_return = at_end && rest[..length].last() == Some(&b'\r');
        cells.push(Cell::plain(start, self.at - usize::from(carriage_return)));
        at_end
    }

    /// From inside a quoted cell to behind its closing quote; `None` when the line ends before it.
    fn quoted(&mut self, line: &[u8], start: usize, mut doubled: bool) -> Option<Cell> {
        while let Some(quote) = line[self.at..].iter().position(|b| *b == b'"') {
            let end = self.at + quote;
            self.at = end + 1;
            if line.get(self.at) != Some(&b'"') {
                return Some(Cell::quoted(start, end, doubled));
            }
            doubled = true;
            self.at += 1;
        }
        self.at = line.len();
        self.open = Some((start, doubled));
        None
    }
}
