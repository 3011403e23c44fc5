//! The lines of a CSV file: its header, then blocks of lines, several at a time.

use crate::csv_block::{Rest, Shape, read_block};
use crate::csv_blocks::{Block, Blocks};
use crate::csv_reader::{CsvLine, CsvReader};
use crate::physical_lines::PhysicalLines;
use crate::read::Lines;
use crate::{Mapping, ReadError};
use rayon::prelude::*;
use std::io::{BufRead, Read};

pub(crate) fn read<B: BufRead>(
    input: PhysicalLines<B>,
    mapping: &Mapping,
    lines: &mut Lines<'_>,
) -> Result<(), ReadError> {
    // `Mapping::check` has seen that the delimiter is ASCII.
    let delimiter = mapping.csv.delimiter as u8;
    let limits = lines.limits();
    let mut reader = CsvReader::new(input, delimiter, limits.line_bytes_max);
    if let Some(line) = mapping.csv.header_line {
        reader.skip_to(line, |bytes| lines.tick(bytes))?;
    }
    let Some(header) = read_header(&mut reader, |bytes| lines.tick(bytes))? else { return Ok(()) };
    let extract = lines.extract();
    let shape = Shape {
        delimiter,
        line_bytes_max: limits.line_bytes_max,
        cell_bytes_max: limits.cell_bytes_max,
        rejected_max: limits.rejected_max,
        positions: &positions_of(extract.columns(), &header, mapping)?,
        header: &header,
        encoding: mapping.csv.encoding.as_deref(),
        extract: &extract,
        hasher: lines.id_hasher(),
    };
    let (ahead, input, line, bytes_read) = reader.into_rest();
    let mut blocks = Blocks::new(input, ahead, line, bytes_read, limits.line_bytes_max);
    read_blocks(&mut blocks, &shape, lines)
}

/// Reads some blocks at once, each as if a record began with it; where that was wrong, because a cell with a
/// line break lies across, the block is read again together with what is left of the one before.
fn read_blocks<R: Read>(
    blocks: &mut Blocks<R>,
    shape: &Shape<'_>,
    lines: &mut Lines<'_>,
) -> Result<(), ReadError> {
    let wave_len = rayon::current_num_threads();
    let mut before: Option<(Vec<u8>, u64)> = None;
    loop {
        let mut wave = Vec::with_capacity(wave_len);
        while wave.len() < wave_len
            && let Some(block) = blocks.next(|bytes| lines.tick(bytes))?
        {
            wave.push(block);
        }
        if wave.is_empty() {
            return Ok(());
        }
        let guess = |block: &Block| read_block(shape, &block.bytes, block.line, block.is_last);
        let guesses: Vec<_> = match &wave[..] {
            [only] => vec![guess(only)],
            several => several.par_iter().map(guess).collect(),
        };
        for (block, guess) in wave.into_iter().zip(guesses) {
            let (bytes, mut read) = match before.take() {
                None => (block.bytes, guess?),
                Some((mut bytes, line)) => {
                    bytes.extend_from_slice(&block.bytes);
                    let read = read_block(shape, &bytes, line, block.is_last)?;
                    (bytes, read)
                }
            };
            let mut start = 0;
            loop {
                lines.take_block(&read, &bytes[start..])?;
                lines.tick(block.bytes_read)?;
                match read.rest {
                    Rest::Nothing => break,
                    Rest::Open { at, line } => {
                        before = Some((bytes[start + at..].to_vec(), line));
                        break;
                    }
                    Rest::Paused { at, line } => {
                        start += at;
                        read = read_block(shape, &bytes[start..], line, block.is_last)?;
                    }
                }
            }
        }
    }
}

/// The names in the first line that is not blank, trimmed. `None` when there is none.
pub(crate) fn read_header<B: BufRead>(
    reader: &mut CsvReader<B>,
    mut tick: impl FnMut(u64) -> Result<(), ReadError>,
) -> Result<Option<Vec<String>>, ReadError> {
    loop {
        match reader.next(&mut tick)? {
            CsvLine::End => return Ok(None),
            CsvLine::Blank => tick(reader.bytes_read())?,
            CsvLine::Bad(reason) => return Err(not_csv(&format!("its header line is bad: {reason}"))),
            CsvLine::Unclosed => {
                let reason = CsvReader::<B>::UNCLOSED;
                return Err(not_csv(&format!("its header line is bad: {reason}")));
            }
            CsvLine::Cells => break,
        }
    }
    let text = std::str::from_utf8(reader.raw()).map_err(|_| not_csv("its header line is not UTF-8"))?;
    let names: Vec<_> = reader.cells().iter().map(|cell| cell.text(text).trim().to_owned()).collect();
    if names.iter().any(|name| name.contains('\0')) {
        return Err(not_csv("its header line contains NUL characters"));
    }
    if names.iter().any(|name| name.contains('\r')) {
        return Err(not_csv("its lines end in CR alone; save it with LF or CR LF"));
    }
    Ok(Some(names))
}

/// Where each wanted column is in the header.
fn positions_of(wanted: &[String], header: &[String], mapping: &Mapping) -> Result<Vec<usize>, ReadError> {
    let errors = mapping.check_header(header);
    if errors.is_empty() {
        let place = |name: &String| header.iter().position(|column| column == name);
        if let Some(positions) = wanted.iter().map(place).collect() {
            return Ok(positions);
        }
    }
    if header.first().is_some_and(|name| name.starts_with(['{', '['])) {
        return Err(not_csv("it looks like JSON"));
    }
    Err(ReadError::MissingColumns(errors))
}

fn not_csv(why: &str) -> ReadError {
    ReadError::NotThisFormat { says: format!("the file is not CSV as the mapping says: {why}") }
}

#[cfg(test)]
mod tests;
