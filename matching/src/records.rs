//! One side's records, column by column.

use crate::Currency;
use crate::line_numbers::LineNumbers;
use crate::text_column::TextColumn;
use crate::watch::steps::steps;

/// The two sides of a reconciliation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Side {
    Left,
    Right,
}

impl Side {
    pub fn as_str(self) -> &'static str {
        match self {
            Side::Left => "left",
            Side::Right => "right",
        }
    }

    pub fn other(self) -> Side {
        match self {
            Side::Left => Side::Right,
            Side::Right => Side::Left,
        }
    }
}

/// A record's position in its [`Records`], from 0. The identity of a record inside one reconciliation.
pub type Row = u32;

/// All records of one side: exact amounts, dates as days, and named text fields.
#[derive(Debug, Clone)]
pub struct Records {
    pub(crate) ids: TextColumn,
    pub(crate) lines: LineNumbers,
    pub(crate) amounts: Vec<i64>,
    pub(crate) currencies: Vec<Currency>,
    pub(crate) dates: Vec<i32>,
    pub(crate) field_names: Vec<String>,
    pub(crate) fields: Vec<TextColumn>,
}

impl Records {
    pub fn len(&self) -> usize {
        self.amounts.len()
    }

    pub fn is_empty(&self) -> bool {
        self.amounts.is_empty()
    }

    /// The record's own identifier, as the file has it; unique within a side.
    pub fn id(&self, row: Row) -> &str {
        steps(1);
        self.ids.get(row)
    }

    /// The line (CSV, from 1) or element (JSON, from 1) of the file this record came from.
    pub fn line(&self, row: Row) -> u64 {
        self.lines.get(row)
    }

    /// Minor units of [`Self::currency`].
    pub fn amount(&self, row: Row) -> i64 {
        steps(1);
        self.amounts[row as usize]
    }

    pub fn currency(&self, row: Row) -> Currency {
        steps(1);
        self.currencies[row as usize]
    }

    /// Days since 1970-01-01.
    pub fn date(&self, row: Row) -> i32 {
        steps(1);
        self.dates[row as usize]
    }

    /// Names of the text fields, in the order of [`Self::field`]'s index.
    pub fn field_names(&self) -> &[String] {
        &self.field_names
    }

    pub fn field_index(&self, name: &str) -> Option<usize> {
        self.field_names.iter().position(|n| n == name)
    }

    /// Empty where the file had nothing.
    pub fn field(&self, index: usize, row: Row) -> &str {
        let text = self.fields[index].get(row);
        steps(1 + text.len() / 16);
        text
    }

    pub fn rows(&self) -> std::ops::Range<Row> {
        0..self.len() as Row
    }
}
