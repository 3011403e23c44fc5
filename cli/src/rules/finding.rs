//! What is wrong with a file, and where: `rules.toml:7:12: pass[0].date: must be …`.

use super::tree::Span;
use std::fmt::Display;

/// One mistake.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    pub span: Span,
    /// `pass[0].date`; empty where the text is not even TOML or JSON.
    pub at: String,
    pub says: String,
}

impl Finding {
    pub fn line(&self, file: &dyn Display, lines: &Lines) -> String {
        let (line, column) = lines.position(self.span.start);
        let at = if self.at.is_empty() { String::new() } else { format!("{}: ", self.at) };
        format!("{file}:{line}:{column}: {at}{}", self.says)
    }
}

/// Where the lines of a text begin.
pub struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub fn of(text: &'t str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Lines { text, starts }
    }

    /// Line and column, both from 1; a column is a character.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let offset = self.text.floor_char_boundary(offset.min(self.text.len()));
        let line = self.starts.partition_point(|&start| start <= offset);
        let start = self.starts[line - 1];
        (line, self.text[start..offset].chars().count() + 1)
    }

    /// Of a line and a column in bytes, both from 1, as parsers say them.
    pub fn offset(&self, line: usize, column: usize) -> usize {
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(self.text.len());
        (start + column.saturating_sub(1)).min(self.text.len())
    }
}
