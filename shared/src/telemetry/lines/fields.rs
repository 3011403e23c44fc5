//! Fields as lines of the log keep them until one is written: those of a span are written once, whatever number of lines
//! they stand in.
//!
//! One after the other, each its name, [`BETWEEN`], its value in JSON, [`AFTER`]. Neither name nor JSON has such characters,
//! so nothing has to be parsed to find them. What is recorded later is appended and wins.

use crate::telemetry::trace::OF_THE_SPAN;
use serde_json::Value;
use std::cell::Cell;
use std::fmt::{self, Write};
use tracing::field::{Field, Visit};
use tracing::span::Record;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FormatFields, FormattedFields};

const BETWEEN: char = '\u{1}';
const AFTER: char = '\n';

/// Of what is kept: room for all but the longest errors.
const WRITTEN_BYTES_MAX: usize = 16 << 10;

thread_local! {
    /// What fields are written to, kept for the next ones.
    static WRITTEN: Cell<String> = const { Cell::new(String::new()) };
}

/// Writes fields as [`read`] finds them. Left out is what is empty, what only traces need, and where in the source a line of
/// the `log` crate comes from.
pub(in crate::telemetry) struct LineFields;

impl<'w> FormatFields<'w> for LineFields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut written = WRITTEN.take();
        let mut writing = Writing { written: &mut written, result: Ok(()) };
        fields.record(&mut writing);
        // In one piece: what it is appended to grows once.
        let result = writing.result.and_then(|()| writer.write_str(&written));
        written.clear();
        if written.capacity() <= WRITTEN_BYTES_MAX {
            WRITTEN.set(written);
        }
        result
    }

    fn add_fields(&self, current: &'w mut FormattedFields<Self>, fields: &Record<'_>) -> fmt::Result {
        self.format_fields(current.as_writer(), fields)
    }
}

/// Names with their values in JSON.
pub(super) fn read(written: &str) -> impl Iterator<Item = (&str, &str)> {
    written.split_terminator(AFTER).filter_map(|field| field.split_once(BETWEEN))
}

pub(super) fn write_text(out: &mut impl Write, name: &str, text: &str) -> fmt::Result {
    let mut json = JsonText { out, name, is_begun: false };
    json.write_str(text)?;
    json.end()
}

struct Writing<'w> {
    written: &'w mut String,
    result: fmt::Result,
}

impl Writing<'_> {
    fn field(&mut self, field: &Field, write: impl FnOnce(&mut String, &str) -> fmt::Result) {
        let name = match field.name() {
            "log.target" => "target",
            name if name.starts_with(OF_THE_SPAN) || name.starts_with("log.") => return,
            name => name,
        };
        if self.result.is_ok() {
            self.result = write(self.written, name);
        }
    }

    fn plain(&mut self, field: &Field, value: impl fmt::Display) {
        self.field(field, |written, name| write!(written, "{name}{BETWEEN}{value}{AFTER}"));
    }
}

impl Visit for Writing<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no word for what is not finite.
        if value.is_finite() {
            self.plain(field, Value::from(value));
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.plain(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.plain(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.field(field, |written, name| write_text(written, name, value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.field(field, |written, name| {
            let mut json = JsonText { out: written, name, is_begun: false };
            write!(json, "{value:?}")?;
            json.end()
        });
    }
}

/// A field whose text comes in pieces. Without any nothing is written.
struct JsonText<'o, W> {
    out: &'o mut W,
    name: &'o str,
    is_begun: bool,
}

impl<W: Write> JsonText<'_, W> {
    fn end(self) -> fmt::Result {
        if self.is_begun { write!(self.out, "\"{AFTER}") } else { Ok(()) }
    }
}

impl<W: Write> Write for JsonText<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.is_empty() {
            return Ok(());
        }
        if !self.is_begun {
            self.is_begun = true;
            self.out.write_str(self.name)?;
            self.out.write_char(BETWEEN)?;
            self.out.write_char('"')?;
        }
        escape(self.out, text)
    }
}

/// As it stands between the quotes of a JSON string.
pub(super) fn escape(out: &mut impl Write, text: &str) -> fmt::Result {
    let needs_it = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    let mut done = 0;
    for (at, byte) in text.bytes().enumerate().filter(|(_, byte)| needs_it(*byte)) {
        out.write_str(&text[done..at])?;
        done = at + 1;
        match byte {
            b'"' => out.write_str("\\\"")?,
            b'\\' => out.write_str("\\\\")?,
            b'\n' => out.write_str("\\n")?,
            b'\r' => out.write_str("\\r")?,
            b'\t' => out.write_str("\\t")?,
            other => write!(out, "\\u{other:04x}")?,
        }
    }
    out.write_str(&text[done..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_any_characters_is_one_field_that_reads_back() {
        let every: String = (0..0x180u32).filter_map(char::from_u32).collect();
        for text in [every.as_str(), "a", "\"", "ends with \\", "\n", "ü\u{1}\u{1f}\u{7f}🦀"] {
            let mut written = String::new();
            write_text(&mut written, "first", text).expect("a string takes everything");
            write_text(&mut written, "nothing", "").expect("a string takes everything");
            write_text(&mut written, "last", "1").expect("a string takes everything");
            let pairs: Vec<_> = read(&written).collect();
            assert_eq!(pairs.len(), 2, "{written:?}");
            assert_eq!(serde_json::from_str::<String>(pairs[0].1).expect("JSON"), text);
            assert_eq!(pairs[1], ("last", "\"1\""));
        }
    }
}
