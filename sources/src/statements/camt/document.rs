//! XML as a stream of values with their paths, strict and bounded in memory.

use crate::ReadError;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Reader, XmlVersion};
use std::io::{self, BufRead, Read};

/// Names of all open elements together; no camt document comes near.
const PATH_BYTES_MAX: usize = 2_000;

pub(super) enum Node {
    /// An element begins; the path ends with it.
    Start,
    /// A text that is not blank; the path ends with its element.
    Value,
    /// An element ends; the path ends with it still.
    End,
    Eof,
}

pub(super) struct Document<B> {
    reader: Reader<Bounded<B>>,
    buffer: Vec<u8>,
    /// Local names with slashes between.
    path: String,
    /// Currency attribute of the innermost element.
    currency: String,
    text: String,
    text_bytes_max: usize,
    pending: Pending,
}

/// What was read but not handed out yet.
enum Pending {
    Nothing,
    /// The end of an element whose value was handed out first.
    End,
    /// The path still ends with an element whose end was handed out.
    Leave,
}

impl<B: BufRead> Document<B> {
    pub fn new(input: B, bytes_read: u64, text_bytes_max: usize) -> Self {
        let input = Bounded { input, bytes_read, left: 0 };
        Document {
            reader: Reader::from_reader(input),
            buffer: vec![],
            path: String::new(),
            currency: String::new(),
            text: String::new(),
            text_bytes_max,
            pending: Pending::Nothing,
        }
    }

    pub fn path(&self) -> &str {
        &self.path
    }

    /// Without white space around it.
    pub fn text(&self) -> &str {
        self.text.trim()
    }

    /// `Ccy` of the element of the value, or empty.
    pub fn currency(&self) -> &str {
        &self.currency
    }

    pub fn bytes_read(&self) -> u64 {
        self.reader.get_ref().bytes_read
    }

    pub fn next(&mut self) -> Result<Node, ReadError> {
        match std::mem::replace(&mut self.pending, Pending::Nothing) {
            Pending::End => {
                self.pending = Pending::Leave;
                self.text.clear();
                return Ok(Node::End);
            }
            Pending::Leave => self.leave(),
            Pending::Nothing => {}
        }
        loop {
            self.buffer.clear();
            self.reader.get_mut().left = self.text_bytes_max;
            let event = match self.reader.read_event_into(&mut self.buffer) {
                Ok(event) => event,
                Err(quick_xml::Error::Io(error)) if error.get_ref().is_none_or(|e| !e.is::<TooLong>()) => {
                    return Err(ReadError::Io(io::Error::new(error.kind(), error.to_string())));
                }
                Err(error) => return Err(broken(self.reader.get_ref().bytes_read, error.to_string())),
            };
            let at = self.reader.get_ref().bytes_read;
            match event {
                Event::Start(start) => {
                    enter(&mut self.path, &mut self.currency, &start).map_err(|says| broken(at, says))?;
                    self.text.clear();
                    return Ok(Node::Start);
                }
                Event::Empty(start) => {
                    enter(&mut self.path, &mut self.currency, &start).map_err(|says| broken(at, says))?;
                    self.text.clear();
                    self.pending = Pending::End;
                    return Ok(Node::Start);
                }
                Event::End(_) => {
                    if self.text.trim().is_empty() {
                        self.pending = Pending::Leave;
                        return Ok(Node::End);
                    }
                    self.pending = Pending::End;
                    return Ok(Node::Value);
                }
                Event::Text(text) => self.text.push_str(&text.xml10_content()),
                Event::CData(text) => self.text.push_str(&text.xml10_content()),
                Event::GeneralRef(reference) => match character(&reference) {
                    Some(character) => self.text.push(character),
                    None => {
                        let name: String = reference.xml10_content().chars().take(40).collect();
                        return Err(broken(at, format!("the entity &{name}; is not accepted")));
                    }
                },
                Event::DocType(_) => {
                    let says = "the file has a document type declaration, which is not accepted".to_owned();
                    return Err(ReadError::NotThisFormat { says });
                }
                Event::Eof if self.path.is_empty() => return Ok(Node::Eof),
                Event::Eof => {
                    let inside = self.path.rsplit('/').next().unwrap_or_default();
                    return Err(broken(at, format!("the file ends within <{inside}>")));
                }
                Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            }
            if self.text.len() > self.text_bytes_max {
                return Err(broken(at, format!("a text is longer than {} bytes", self.text_bytes_max)));
            }
        }
    }

    fn leave(&mut self) {
        self.path.truncate(self.path.rfind('/').unwrap_or(0));
        self.text.clear();
        self.currency.clear();
    }
}

fn enter(path: &mut String, currency: &mut String, start: &BytesStart<'_>) -> Result<(), String> {
    if !path.is_empty() {
        path.push('/');
    }
    path.push_str(start.local_name().as_ref());
    if path.len() > PATH_BYTES_MAX {
        return Err("the elements are nested too deep".to_owned());
    }
    currency.clear();
    let attribute = start.try_get_attribute("Ccy").map_err(|error| error.to_string())?;
    if let Some(attribute) = attribute {
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|error| error.to_string())?;
        currency.push_str(value.trim());
    }
    Ok(())
}

/// The five entities of XML itself, and characters by number.
fn character(reference: &BytesRef<'_>) -> Option<char> {
    if reference.is_char_ref() {
        return reference.resolve_char_ref().ok().flatten();
    }
    match reference.xml10_content().as_ref() {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => None,
    }
}

fn broken(bytes_read: u64, says: String) -> ReadError {
    ReadError::Broken { place: format!("byte {bytes_read}"), says }
}

/// Stops a reader that would collect one endless tag or text.
struct Bounded<B> {
    input: B,
    bytes_read: u64,
    /// Bytes the current event may still take.
    left: usize,
}

#[derive(Debug, thiserror::Error)]
#[error("one element is too long")]
struct TooLong;

impl<B: BufRead> Read for Bounded<B> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(into)?;
        self.bytes_read += read as u64;
        Ok(read)
    }
}

impl<B: BufRead> BufRead for Bounded<B> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            return Err(io::Error::other(TooLong));
        }
        self.input.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.left = self.left.saturating_sub(amount);
        self.bytes_read += amount as u64;
        self.input.consume(amount);
    }
}
