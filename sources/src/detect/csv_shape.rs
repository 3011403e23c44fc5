//! The delimiter of a CSV file and the line its header is on.

use super::header_row::{self, HeaderRow};
use super::sample::{ROWS_MAX, Sample};
use super::told::Told;
use crate::ReadError;
use crate::csv_lines::read_header;
use crate::csv_reader::{CsvLine, CsvReader};
use crate::physical_lines::PhysicalLines;
use matching::Confidence;

/// The usual ones first: of equals the first counts.
const DELIMITERS: [u8; 5] = [b',', b';', b'\t', b'|', b'%'];
const LINE_BYTES_MAX: usize = 1 << 20;

pub(super) struct Shape {
    pub delimiter: char,
    pub delimiter_confidence: Confidence,
    /// `None` when the header is the first line that is not blank.
    pub header_line: Option<u32>,
    pub header_confidence: Confidence,
    pub sample: Sample,
}

/// Lines and their numbers in the file.
#[derive(Default)]
struct Lines {
    numbers: Vec<u64>,
    cells: Vec<Vec<String>>,
}

/// `cut`: the text is only the beginning of the file, so that its last line may be half.
pub(super) fn find(text: &[u8], cut: bool, told: &Told) -> Result<Shape, ReadError> {
    let mut best: Option<(f64, usize, u8, Lines)> = None;
    let told_delimiter = told.delimiter.and_then(|c| u8::try_from(c).ok()).filter(u8::is_ascii);
    for delimiter in DELIMITERS.into_iter().filter(|_| told_delimiter.is_none()).chain(told_delimiter) {
        let lines = lines_of(text, delimiter, cut)?;
        let (cells, share) = header_row::usual_cells(&lines.cells);
        // More cells in as many lines: what separates, separates often.
        let score = if cells < 2 { 0.0 } else { share * (1.0 - 1.0 / cells as f64) };
        if best.as_ref().is_none_or(|(other, ..)| score > *other) {
            best = Some((score, cells, delimiter, lines));
        }
    }
    let Some((score, cells, delimiter, mut lines)) = best.filter(|(.., lines)| !lines.cells.is_empty())
    else {
        // Says why the first line cannot be read.
        read_header(&mut CsvReader::new(PhysicalLines::new(text, 0), b',', LINE_BYTES_MAX), |_| Ok(()))?;
        return Err(ReadError::Empty);
    };
    let HeaderRow { row: at, confidence: header_confidence } = match told.header_among(&lines.numbers)? {
        Some(row) => HeaderRow { row, confidence: Confidence::ONE },
        None => header_row::find(&lines.cells),
    };
    let header_line =
        (at > 0 || told.header_line.is_some()).then(|| u32::try_from(lines.numbers[at]).ok()).flatten();
    let mut rows = lines.cells.split_off(at);
    let names = rows.remove(0).iter().map(|name| name.trim().to_owned()).collect();
    Ok(Shape {
        delimiter: delimiter as char,
        delimiter_confidence: match told_delimiter {
            Some(_) => Confidence::ONE,
            None => Confidence::from_f64(if cells < 2 { 0.1 } else { 0.4 + 0.6 * score }),
        },
        header_line,
        header_confidence,
        sample: Sample { names, rows },
    })
}

fn lines_of(text: &[u8], delimiter: u8, cut: bool) -> Result<Lines, ReadError> {
    let mut reader = CsvReader::new(PhysicalLines::new(text, 0), delimiter, LINE_BYTES_MAX);
    let mut lines = Lines::default();
    let mut bad_first = false;
    while lines.cells.len() <= ROWS_MAX {
        match reader.next(|_| Ok(()))? {
            CsvLine::End => break,
            CsvLine::Blank => {}
            CsvLine::Bad(_) | CsvLine::Unclosed => bad_first |= lines.cells.is_empty(),
            CsvLine::Cells => {
                if let Ok(text) = std::str::from_utf8(reader.raw()) {
                    let cells = reader.cells().iter().map(|cell| cell.text(text).into_owned()).collect();
                    lines.numbers.push(reader.line());
                    lines.cells.push(cells);
                }
            }
        }
    }
    if cut && lines.cells.len() > 1 && lines.cells.len() <= ROWS_MAX {
        lines.cells.pop();
    }
    if bad_first && lines.cells.len() < 2 {
        lines.cells.clear();
    }
    Ok(lines)
}
