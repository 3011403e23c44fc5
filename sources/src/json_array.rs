//! The elements of a JSON array, cut apart as bytes without loading the array.

use crate::ReadError;
use std::io::BufRead;

/// Knows just enough of JSON to find where an element ends: strings, escapes and nesting. Whether an element
/// is JSON inside is for its reader to say.
pub(crate) struct JsonArray<B> {
    input: B,
    element_bytes_max: usize,
    element: Vec<u8>,
    number: u64,
    element_at: u64,
    bytes_read: u64,
    state: State,
}

#[derive(PartialEq, Eq)]
enum State {
    /// Behind the opening bracket.
    Opened,
    BehindComma,
    Closed,
}

pub(crate) enum Cut {
    Element,
    /// Longer than the limit: only its beginning was kept.
    TooLong,
    End,
}

impl<B: BufRead> JsonArray<B> {
    /// `input` stands behind the opening bracket, `bytes_read` bytes into the file.
    pub fn new(input: B, bytes_read: u64, element_bytes_max: usize) -> Self {
        let state = State::Opened;
        JsonArray {
            input,
            element_bytes_max,
            element: vec![],
            number: 0,
            element_at: bytes_read,
            bytes_read,
            state,
        }
    }

    /// The current element, without white space around it.
    pub fn element(&self) -> &[u8] {
        self.element.trim_ascii()
    }

    /// From 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    pub fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    pub fn broken(&self, says: impl Into<String>) -> ReadError {
        ReadError::BrokenJson { element: self.number, byte: self.element_at, says: says.into() }
    }

    /// Moves to the next element. `tick` is called with the bytes read so far, a few times per MiB.
    pub fn next(&mut self, mut tick: impl FnMut(u64) -> Result<(), ReadError>) -> Result<Cut, ReadError> {
        self.element.clear();
        self.number += 1;
        self.element_at = self.bytes_read;
        if self.state == State::Closed {
            return self.expect_end(tick);
        }
        let mut scan = Scan::default();
        let mut too_long = false;
        let closing = loop {
            let chunk = match self.input.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            if chunk.is_empty() {
                return Err(self.broken("the file ends inside the array"));
            }
            let end = scan.run(chunk);
            let taken = end.map_or(chunk.len(), |(length, _)| length);
            let room = self.element_bytes_max.saturating_sub(self.element.len());
            if self.element.is_empty() {
                let blank = chunk[..taken].iter().take_while(|b| b.is_ascii_whitespace()).count();
                self.element_at += blank as u64;
                self.element.extend_from_slice(&chunk[blank..taken.min(blank + room).max(blank)]);
                too_long |= taken - blank > room;
            } else {
                self.element.extend_from_slice(&chunk[..taken.min(room)]);
                too_long |= taken > room;
            }
            // The separator itself is consumed, too.
            let consumed = taken + usize::from(end.is_some());
            self.input.consume(consumed);
            self.bytes_read += consumed as u64;
            match end {
                Some((_, closing)) => break closing,
                None => tick(self.bytes_read)?,
            }
        };
        let blank = self.element().is_empty();
        let before = std::mem::replace(&mut self.state, State::BehindComma);
        match closing {
            b',' if blank => return Err(self.broken("there is nothing before the comma")),
            b',' => {}
            b']' if blank && before == State::Opened => return self.expect_end(tick),
            b']' if blank => {
                return Err(self.broken("there is nothing between the last comma and the bracket"));
            }
            b']' => self.state = State::Closed,
            _ => return Err(self.broken("a closing brace has no opening one")),
        }
        Ok(if too_long { Cut::TooLong } else { Cut::Element })
    }

    fn expect_end(&mut self, mut tick: impl FnMut(u64) -> Result<(), ReadError>) -> Result<Cut, ReadError> {
        self.element.clear();
        loop {
            let chunk = match self.input.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            if !chunk.iter().all(u8::is_ascii_whitespace) {
                return Err(self.broken("there is text behind the end of the array"));
            }
            let length = chunk.len();
            if length == 0 {
                return Ok(Cut::End);
            }
            self.input.consume(length);
            self.bytes_read += length as u64;
            tick(self.bytes_read)?;
        }
    }
}

/// Where we are inside an element.
#[derive(Default)]
struct Scan {
    depth: u64,
    in_string: bool,
    escaped: bool,
}

impl Scan {
    /// Index and byte of what ends the element, when it is in this chunk.
    fn run(&mut self, chunk: &[u8]) -> Option<(usize, u8)> {
        for (i, byte) in chunk.iter().copied().enumerate() {
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b',' | b']' | b'}' if self.depth == 0 => return Some((i, byte)),
                b'}' | b']' => self.depth -= 1,
                _ => {}
            }
        }
        None
    }
}
