//! Attributes of a span or event, written once: as OTLP sends them. A busy worker makes ten for each job, and a text of its
//! own for each of them would cost more than everything else about its span.

use super::protobuf::{Message, fields};
use std::borrow::Cow;

/// Of one span or event; further ones are left out.
const COUNT_MAX: usize = 48;
/// Bytes of a text; longer ones are cut.
const TEXT_MAX: usize = 1024;
/// Room that the first one makes: what is usual.
const BYTES_USUAL: usize = 512;

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Text(Cow<'static, str>),
    Integer(i64),
    Float(f64),
    Flag(bool),
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Value::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text.into())
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Value::Integer(value)
    }
}

impl Value {
    pub(super) fn as_any(&self) -> Any<'_> {
        match self {
            Value::Text(text) => Any::Text(text),
            Value::Integer(number) => Any::Integer(*number),
            Value::Float(number) => Any::Float(*number),
            Value::Flag(flag) => Any::Flag(*flag),
        }
    }
}

/// A value as it is said.
#[derive(Debug, Clone, Copy)]
pub(super) enum Any<'a> {
    Text(&'a str),
    Integer(i64),
    Float(f64),
    Flag(bool),
}

/// `FIELD`: that of the message they are part of.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Attributes<const FIELD: u64> {
    written: Vec<u8>,
    count: usize,
}

impl<const FIELD: u64> Attributes<FIELD> {
    /// For a name that is not there.
    pub fn push(&mut self, name: &str, value: Any<'_>) {
        if self.count == COUNT_MAX {
            return;
        }
        if self.written.is_empty() {
            self.written.reserve(BYTES_USUAL);
        }
        self.count += 1;
        let mut message = Message(std::mem::take(&mut self.written));
        write(&mut message, FIELD, name, value);
        self.written = message.0;
    }

    /// Replaces what is there by this name.
    pub fn set(&mut self, name: &str, value: Any<'_>) {
        let named = |pair: &[u8]| {
            fields(pair).next().is_some_and(|(field, wire)| field == 1 && wire.bytes() == name.as_bytes())
        };
        if fields(&self.written).any(|(_, pair)| named(pair.bytes())) {
            let mut rest = Message::default();
            for (_, pair) in fields(&self.written).filter(|(_, pair)| !named(pair.bytes())) {
                rest.bytes(FIELD, pair.bytes());
            }
            self.written = rest.0;
            self.count -= 1;
        }
        self.push(name, value);
    }

    pub fn written(&self) -> &[u8] {
        &self.written
    }
}

/// A `KeyValue`.
pub(super) fn write(message: &mut Message, field: u64, name: &str, value: Any<'_>) {
    message.message(field, |pair| {
        pair.bytes(1, name.as_bytes());
        pair.message(2, |any| match value {
            Any::Text(text) => any.bytes(1, cut(text).as_bytes()),
            Any::Flag(flag) => any.varint(2, u64::from(flag)),
            Any::Integer(number) => any.varint(3, number.cast_unsigned()),
            Any::Float(number) => any.fixed64(4, number.to_bits()),
        });
    });
}

pub(super) fn cut(text: &str) -> &str {
    if text.len() <= TEXT_MAX {
        return text;
    }
    let end = (0..=TEXT_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(attributes: &Attributes<9>) -> Vec<String> {
        let name =
            |pair: &[u8]| fields(pair).find(|(field, _)| *field == 1).map(|(_, wire)| wire.bytes().to_vec());
        let names = fields(attributes.written()).filter_map(|(_, pair)| name(pair.bytes()));
        names.map(|name| String::from_utf8(name).expect("UTF-8")).collect()
    }

    #[test]
    fn a_name_is_there_once_and_there_are_not_too_many() {
        let mut attributes = Attributes::<9>::default();
        for name in ["a", "b", "c"] {
            attributes.push(name, Any::Text(name));
        }
        attributes.set("b", Any::Integer(1));
        attributes.set("d", Any::Flag(true));
        assert_eq!(names(&attributes), ["a", "c", "b", "d"]);
        for n in 0..100 {
            attributes.set(&format!("n{n}"), Any::Text(&"ü".repeat(1000)));
        }
        assert_eq!(names(&attributes).len(), COUNT_MAX);
        assert!(attributes.written().len() < COUNT_MAX * (TEXT_MAX + 20));
    }
}
