//! One record of CSV in the bytes of a block: the fast way for records that are as they should be.

use crate::csv_reader::Cell;

/// Finds the cells of the record that begins at `start`, and where the next one begins.
///
/// `None` when it does not end inside `bytes`, or is not CSV as [`crate::csv_reader`] understands it: then that
/// reader has to say what it is. Cells are places in `bytes`. At the end of a file (`is_last`) the line end may
/// be missing.
pub(crate) fn split_record(
    bytes: &[u8],
    start: usize,
    delimiter: u8,
    is_last: bool,
    cells: &mut Vec<Cell>,
) -> Option<usize> {
    cells.clear();
    let mut at = start;
    loop {
        if bytes.get(at) == Some(&b'"') {
            let (cell, behind) = quoted(bytes, at + 1)?;
            cells.push(cell);
            match &bytes[behind..] {
                [b'\n', ..] => return Some(behind + 1),
                [b'\r', b'\n', ..] => return Some(behind + 2),
                [] if is_last => return Some(behind),
                [b'\r'] if is_last => return Some(behind + 1),
                [next, ..] if *next == delimiter => at = behind + 1,
                _ => return None,
            }
            continue;
        }
        let rest = &bytes[at..];
        let Some(length) = rest.iter().position(|b| *b == delimiter || *b == b'\n') else {
            if !is_last {
                return None;
            }
            cells.push(Cell::plain(at, without_return(bytes, at, bytes.len())));
            return Some(bytes.len());
        };
        let end = at + length;
        if bytes[end] == delimiter {
            cells.push(Cell::plain(at, end));
            at = end + 1;
        } else {
            cells.push(Cell::plain(at, without_return(bytes, at, end)));
            return Some(end + 1);
        }
    }
}

fn without_return(bytes: &[u8], start: usize, end: usize) -> usize {
    end - usize::from(start < end && bytes[end - 1] == b'\r')
}

/// From inside a quoted cell to behind its closing quote.
fn quoted(bytes: &[u8], start: usize) -> Option<(Cell, usize)> {
    let (mut at, mut doubled) = (start, false);
    loop {
        let end = at + bytes[at..].iter().position(|b| *b == b'"')?;
        if bytes.get(end + 1) != Some(&b'"') {
            return Some((Cell::quoted(start, end, doubled), end + 1));
        }
        doubled = true;
        at = end + 2;
    }
}
