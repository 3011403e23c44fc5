//! Tags and texts of SGML or XML as OFX uses them, bounded in memory.

use super::super::text::decoded;
use crate::ReadError;
use std::io::{BufRead, Read};

pub(super) enum Token {
    /// In upper case, without attributes.
    Open(String),
    Close(String),
    /// Not blank.
    Text(String),
    End,
}

pub(super) struct Tokens<B> {
    input: B,
    bytes_read: u64,
    bytes_max: usize,
    buffer: Vec<u8>,
    /// An empty element `<NAME/>` closes itself.
    close_next: Option<String>,
    /// The text before has been read up to its tag.
    at_tag: bool,
}

impl<B: BufRead> Tokens<B> {
    pub fn new(input: B, bytes_read: u64, bytes_max: usize) -> Self {
        Tokens { input, bytes_read, bytes_max, buffer: vec![], close_next: None, at_tag: false }
    }

    pub fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    pub fn broken(&self, says: &str) -> ReadError {
        ReadError::Broken { place: format!("byte {}", self.bytes_read), says: says.to_owned() }
    }

    pub fn next(&mut self) -> Result<Token, ReadError> {
        if let Some(name) = self.close_next.take() {
            return Ok(Token::Close(name));
        }
        loop {
            if !self.at_tag {
                let ended = !self.until(b'<')?;
                self.at_tag = !ended;
                let text = decoded(&self.buffer);
                if !text.trim().is_empty() {
                    return Ok(Token::Text(unescaped(&text)));
                }
                if ended {
                    return Ok(Token::End);
                }
            }
            self.at_tag = false;
            if !self.until(b'>')? {
                return Err(self.broken("the file ends within a tag"));
            }
            let tag = decoded(&self.buffer).into_owned();
            if let Some(text) = tag.strip_prefix("![CDATA[") {
                return self.character_data(text.to_owned());
            }
            if tag.starts_with("!--") {
                self.skip_comment(&tag)?;
                continue;
            }
            if tag.starts_with('!') {
                let says = "the file has a document type declaration, which is not accepted".to_owned();
                return Err(ReadError::NotThisFormat { says });
            }
            if tag.starts_with('?') {
                continue;
            }
            let name = |text: &str| text.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
            return Ok(match (tag.strip_prefix('/'), tag.strip_suffix('/')) {
                (Some(closing), _) => Token::Close(name(closing)),
                (None, Some(empty)) => {
                    self.close_next = Some(name(empty));
                    Token::Open(name(empty))
                }
                (None, None) => Token::Open(name(&tag)),
            });
        }
    }

    /// Up to the mark, which is left out. False when the file ends before it.
    fn until(&mut self, mark: u8) -> Result<bool, ReadError> {
        self.buffer.clear();
        self.append_until(mark)
    }

    fn append_until(&mut self, mark: u8) -> Result<bool, ReadError> {
        let room = (self.bytes_max + 1).saturating_sub(self.buffer.len());
        let read = Read::take(&mut self.input, room as u64).read_until(mark, &mut self.buffer)?;
        self.bytes_read += read as u64;
        let found = self.buffer.last() == Some(&mark) && read > 0;
        if found {
            self.buffer.pop();
        } else if self.buffer.len() > self.bytes_max {
            return Err(self.broken(&format!("an element is longer than {} bytes", self.bytes_max)));
        }
        Ok(found)
    }

    /// The tag that was read may have ended at a `>` of the text.
    fn character_data(&mut self, mut text: String) -> Result<Token, ReadError> {
        while !text.ends_with("]]") {
            text.push('>');
            if text.len() > self.bytes_max || !self.until(b'>')? {
                return Err(self.broken("a CDATA section never ends"));
            }
            text.push_str(&decoded(&self.buffer));
        }
        text.truncate(text.len() - 2);
        Ok(Token::Text(text))
    }

    fn skip_comment(&mut self, start: &str) -> Result<(), ReadError> {
        let mut ended = start.len() >= 5 && start.ends_with("--");
        while !ended {
            if !self.until(b'>')? {
                return Err(self.broken("a comment never ends"));
            }
            ended = self.buffer.ends_with(b"--");
        }
        Ok(())
    }
}

/// The entities that need no declaration. An `&` that begins none stands for itself: banks write `AT&T`.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.bytes().take(12).position(|b| b == b';');
        match end.and_then(|end| Some((character(&rest[1..end])?, end))) {
            Some((character, end)) => {
                out.push(character);
                rest = &rest[end + 1..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn character(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some(' '),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code).filter(|c| !c.is_control())
        }
    }
}
