//! The delimiter of a CSV file and the line its header is on.

use super::profile::looks_like_value;
use super::sample::{ROWS_MAX, Sample};
use crate::ReadError;
use crate::csv_lines::read_header;
use crate::csv_reader::{CsvLine, CsvReader};
use crate::physical_lines::PhysicalLines;
use matching::Confidence;
use std::collections::{BTreeMap, BTreeSet};

const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
const LINE_BYTES_MAX: usize = 1 << 20;

pub(super) struct Shape {
    pub delimiter: char,
    pub delimiter_confidence: Confidence,
    /// `None` when the header is the first line that is not blank.
    pub header_line: Option<u32>,
    pub header_confidence: Confidence,
    pub sample: Sample,
}

/// Lines with their number in the file.
type Line = (u64, Vec<String>);

/// `cut`: the text is only the beginning of the file, so that its last line may be half.
pub(super) fn find(text: &[u8], cut: bool) -> Result<Shape, ReadError> {
    let mut best: Option<(f64, usize, u8, Vec<Line>)> = None;
    for delimiter in DELIMITERS {
        let lines = lines_of(text, delimiter, cut)?;
        let (cells, share) = usual_cells(&lines);
        // More cells in as many lines: what separates, separates often.
        let score = if cells < 2 { 0.0 } else { share * (1.0 - 1.0 / cells as f64) };
        if best.as_ref().is_none_or(|(other, ..)| score > *other) {
            best = Some((score, cells, delimiter, lines));
        }
    }
    let Some((score, cells, delimiter, mut lines)) = best.filter(|(.., lines)| !lines.is_empty()) else {
        // Says why the first line cannot be read.
        read_header(&mut CsvReader::new(PhysicalLines::new(text, 0), b',', LINE_BYTES_MAX), |_| Ok(()))?;
        return Err(ReadError::Empty);
    };
    let (at, header_confidence) = header(&lines, cells);
    let header_line = (at > 0).then(|| u32::try_from(lines[at].0).ok()).flatten();
    let mut rows = lines.split_off(at);
    let names = rows.remove(0).1.iter().map(|name| name.trim().to_owned()).collect();
    Ok(Shape {
        delimiter: delimiter as char,
        delimiter_confidence: Confidence::from_f64(if cells < 2 { 0.1 } else { 0.4 + 0.6 * score }),
        header_line,
        header_confidence: Confidence::from_f64(header_confidence),
        sample: Sample { names, rows: rows.into_iter().map(|(_, cells)| cells).collect() },
    })
}

fn lines_of(text: &[u8], delimiter: u8, cut: bool) -> Result<Vec<Line>, ReadError> {
    let mut reader = CsvReader::new(PhysicalLines::new(text, 0), delimiter, LINE_BYTES_MAX);
    let mut lines = vec![];
    let mut bad_first = false;
    while lines.len() <= ROWS_MAX {
        match reader.next(|_| Ok(()))? {
            CsvLine::End => break,
            CsvLine::Blank => {}
            CsvLine::Bad(_) => bad_first |= lines.is_empty(),
            CsvLine::Cells => {
                if let Ok(text) = std::str::from_utf8(reader.raw()) {
                    let cells = reader.cells().iter().map(|cell| cell.text(text).into_owned()).collect();
                    lines.push((reader.line(), cells));
                }
            }
        }
    }
    if cut && lines.len() > 1 && lines.len() <= ROWS_MAX {
        lines.pop();
    }
    if bad_first && lines.len() < 2 {
        lines.clear();
    }
    Ok(lines)
}

/// The number of cells that most lines have, and their share. Of equals the larger number.
fn usual_cells(lines: &[Line]) -> (usize, f64) {
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    for (_, cells) in lines {
        *counts.entry(cells.len()).or_default() += 1;
    }
    let usual = counts.iter().max_by_key(|(cells, count)| (**count, **cells));
    usual.map_or((0, 0.0), |(cells, count)| (*cells, *count as f64 / lines.len() as f64))
}

/// Index of the line that looks most like names, and how much: among the first lines that have as many cells as
/// most.
fn header(lines: &[Line], cells: usize) -> (usize, f64) {
    let candidates = lines.iter().enumerate().filter(|(_, (_, line))| line.len() == cells).take(5);
    let mut first = None;
    for (at, (_, line)) in candidates {
        first.get_or_insert(at);
        let filled: Vec<_> = line.iter().map(|cell| cell.trim()).filter(|cell| !cell.is_empty()).collect();
        let distinct = filled.iter().collect::<BTreeSet<_>>().len() == filled.len();
        let names = filled.iter().filter(|cell| !looks_like_value(cell) && cell.len() <= 80).count();
        if distinct && !filled.is_empty() && names == filled.len() && filled.len() * 2 > line.len() {
            let all_filled = filled.len() == line.len();
            return (at, if all_filled { 0.95 } else { 0.8 });
        }
    }
    (first.unwrap_or(0), 0.2)
}
