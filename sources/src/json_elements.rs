//! The elements of a JSON file, handed on cell by cell in the mapping's order.

use crate::json_array::{Cut, JsonArray};
use crate::json_object::{Member, read_members};
use crate::physical_lines::PhysicalLines;
use crate::read::Lines;
use crate::{Mapping, MappingError, ReadError};
use serde_json::error::Category;
use std::collections::BTreeSet;
use std::io::BufRead;

/// `bytes_read` have been taken from the file already.
pub(crate) fn read<B: BufRead>(
    mut input: B,
    mut bytes_read: u64,
    mapping: &Mapping,
    lines: &mut Lines<'_>,
) -> Result<(), ReadError> {
    let mut keys = Keys { wanted: vec![false; lines.columns().len()], others: BTreeSet::new() };
    let mut line = 1;
    let read = match first_byte(&mut input, &mut bytes_read, &mut line, lines)? {
        None => return Ok(()),
        Some(b'[') => {
            input.consume(1);
            read_array(JsonArray::new(input, bytes_read + 1, lines.limits().line_bytes_max), &mut keys, lines)
        }
        Some(b'{') => read_lines(PhysicalLines::new(input, bytes_read), line, &mut keys, lines),
        Some(_) => return Err(not_json("it begins with neither an array nor an object")),
    };
    // A key may be missing in one element and there in the next: only what no element has is a mistake of
    // the mapping, and then it explains the rejected lines better than they do.
    match read {
        Ok(()) | Err(ReadError::TooManyRejected { .. }) => match keys.missing(lines.columns(), mapping) {
            errors if errors.is_empty() => read,
            errors => Err(ReadError::MissingColumns(errors)),
        },
        other => other,
    }
}

/// The first byte that is not white space, left unread.
fn first_byte<B: BufRead>(
    input: &mut B,
    bytes_read: &mut u64,
    line: &mut u64,
    lines: &mut Lines<'_>,
) -> Result<Option<u8>, ReadError> {
    loop {
        let chunk = input.fill_buf()?;
        let blank = chunk.iter().take_while(|b| b.is_ascii_whitespace()).count();
        let first = chunk.get(blank).copied();
        let at_end = chunk.is_empty();
        *line += chunk[..blank].iter().filter(|b| **b == b'\n').count() as u64;
        *bytes_read += blank as u64;
        input.consume(blank);
        if first.is_some() || at_end {
            return Ok(first);
        }
        lines.tick(*bytes_read)?;
    }
}

fn read_array<B: BufRead>(
    mut array: JsonArray<B>,
    keys: &mut Keys,
    lines: &mut Lines<'_>,
) -> Result<(), ReadError> {
    loop {
        match array.next(|bytes| lines.tick(bytes))? {
            Cut::End => return lines.tick(array.bytes_read()),
            Cut::TooLong => {
                let reason = format!("the element is longer than {} bytes", lines.limits().line_bytes_max);
                lines.reject(array.number(), None, reason, array.element())?;
            }
            Cut::Element => {
                if let Err(says) = take_element(array.number(), array.element(), keys, lines)? {
                    return Err(array.broken(says));
                }
            }
        }
        lines.tick(array.bytes_read())?;
    }
}

fn read_lines<B: BufRead>(
    mut input: PhysicalLines<B>,
    first_line: u64,
    keys: &mut Keys,
    lines: &mut Lines<'_>,
) -> Result<(), ReadError> {
    let bytes_max = lines.limits().line_bytes_max;
    let mut buffer = vec![];
    for line in first_line.. {
        buffer.clear();
        if input.append(&mut buffer, bytes_max + 1)? == 0 {
            break;
        }
        if buffer.len() > bytes_max {
            if buffer.last() != Some(&b'\n') {
                input.skip_rest(|bytes| lines.tick(bytes))?;
            }
            lines.reject(line, None, format!("the line is longer than {bytes_max} bytes"), &buffer)?;
        } else if !buffer.trim_ascii().is_empty()
            && let Err(says) = take_element(line, buffer.trim_ascii(), keys, lines)?
        {
            if line == first_line && buffer.trim_ascii().last() != Some(&b'}') {
                return Err(not_json(
                    "its first object is not on one line, as in JSON Lines, nor in an array",
                ));
            }
            lines.reject(line, None, says, &buffer)?;
        }
        lines.tick(input.bytes_read())?;
    }
    lines.tick(input.bytes_read())
}

/// The inner error says why the bytes are not JSON at all; everything else is taken or rejected here.
fn take_element(
    line: u64,
    raw: &[u8],
    keys: &mut Keys,
    lines: &mut Lines<'_>,
) -> Result<Result<(), String>, ReadError> {
    let Ok(text) = std::str::from_utf8(raw) else {
        return lines.reject(line, None, "the element is not UTF-8".to_owned(), raw).map(Ok);
    };
    let members = match read_members(text, lines.columns(), &mut |key| keys.see(key, lines.columns())) {
        Ok(members) => members,
        Err(error) if error.classify() == Category::Data => {
            return lines.reject(line, None, "the element is not an object".to_owned(), raw).map(Ok);
        }
        Err(error) => return Ok(Err(not_json_because(&error))),
    };
    let mut cells = Vec::with_capacity(members.len());
    for (column, member) in members.iter().enumerate() {
        match member {
            Member::Nothing => cells.push(""),
            Member::Text(text) => cells.push(text.as_ref()),
            Member::Bad(reason) => {
                let column = lines.columns()[column].clone();
                return lines.reject(line, Some(column), (*reason).to_owned(), raw).map(Ok);
            }
        }
    }
    lines.take(line, &cells, raw).map(Ok)
}

/// The parser counts lines from the beginning of the element; say so.
fn not_json_because(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
    format!("not JSON: {what}, at line {} column {} of the element", error.line(), error.column())
}

/// The keys met so far, to find columns of the mapping that no element has.
struct Keys {
    /// By number of the column.
    wanted: Vec<bool>,
    /// To suggest from; bounded.
    others: BTreeSet<String>,
}

const OTHER_KEYS_MAX: usize = 200;

impl Keys {
    fn see(&mut self, key: &str, columns: &[String]) {
        match columns.iter().position(|column| column == key) {
            Some(column) => self.wanted[column] = true,
            None if self.others.len() < OTHER_KEYS_MAX && !self.others.contains(key) => {
                self.others.insert(key.chars().take(200).collect());
            }
            None => {}
        }
    }

    /// Nothing when no object was met at all: then the mapping is not to blame.
    fn missing(&self, columns: &[String], mapping: &Mapping) -> Vec<MappingError> {
        let met = columns.iter().zip(&self.wanted).filter(|(_, met)| **met).map(|(column, _)| column);
        let header: Vec<String> = met.chain(&self.others).cloned().collect();
        if header.is_empty() { vec![] } else { mapping.check_header(&header) }
    }
}

fn not_json(why: &str) -> ReadError {
    ReadError::NotThisFormat { says: format!("the file is not JSON as the mapping says: {why}") }
}
