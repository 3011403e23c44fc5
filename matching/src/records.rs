//! One side's records, column by column.

use crate::Currency;

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

/// Texts of one column back to back: no allocation per cell.
#[derive(Debug, Clone, Default)]
struct TextColumn {
    bytes: String,
    ends: Vec<u32>,
}

impl TextColumn {
    fn push(&mut self, text: &str) -> Result<(), RecordsError> {
        let end = u32::try_from(self.bytes.len() + text.len()).map_err(|_| RecordsError::ColumnTooLarge)?;
        self.bytes.push_str(text);
        self.ends.push(end);
        Ok(())
    }

    fn get(&self, row: Row) -> &str {
        let row = row as usize;
        let start = if row == 0 { 0 } else { self.ends[row - 1] as usize };
        &self.bytes[start..self.ends[row] as usize]
    }
}

/// All records of one side: exact amounts, dates as days, and named text fields.
#[derive(Debug, Clone)]
pub struct Records {
    ids: TextColumn,
    lines: Vec<u64>,
    amounts: Vec<i64>,
    currencies: Vec<Currency>,
    dates: Vec<i32>,
    field_names: Vec<String>,
    fields: Vec<TextColumn>,
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
        self.ids.get(row)
    }

    /// The line (CSV, from 1) or element (JSON, from 1) of the file this record came from.
    pub fn line(&self, row: Row) -> u64 {
        self.lines[row as usize]
    }

    /// Minor units of [`Self::currency`].
    pub fn amount(&self, row: Row) -> i64 {
        self.amounts[row as usize]
    }

    pub fn currency(&self, row: Row) -> Currency {
        self.currencies[row as usize]
    }

    /// Days since 1970-01-01.
    pub fn date(&self, row: Row) -> i32 {
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
        self.fields[index].get(row)
    }

    pub fn rows(&self) -> std::ops::Range<Row> {
        0..self.len() as Row
    }
}

/// Why a record cannot be added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordsError {
    #[error("a side holds at most {} records", u32::MAX - 1)]
    TooMany,
    #[error("one text column of a side holds at most 4 GiB")]
    ColumnTooLarge,
}

/// Collects [`Records`] one at a time.
#[derive(Debug)]
pub struct RecordsBuilder {
    records: Records,
}

impl RecordsBuilder {
    pub fn new(field_names: Vec<String>) -> Self {
        let fields = vec![TextColumn::default(); field_names.len()];
        let records = Records {
            ids: TextColumn::default(),
            lines: vec![],
            amounts: vec![],
            currencies: vec![],
            dates: vec![],
            field_names,
            fields,
        };
        Self { records }
    }

    /// `fields` in the order of the names given to [`Self::new`], one per name.
    pub fn push(
        &mut self,
        id: &str,
        line: u64,
        amount: i64,
        currency: Currency,
        date: i32,
        fields: &[&str],
    ) -> Result<(), RecordsError> {
        assert_eq!(fields.len(), self.records.fields.len(), "one text per named field");
        if self.records.len() >= (u32::MAX - 1) as usize {
            return Err(RecordsError::TooMany);
        }
        self.records.ids.push(id)?;
        for (column, text) in self.records.fields.iter_mut().zip(fields) {
            column.push(text)?;
        }
        self.records.lines.push(line);
        self.records.amounts.push(amount);
        self.records.currencies.push(currency);
        self.records.dates.push(date);
        Ok(())
    }

    /// More records behind those of a side that was built already.
    pub fn go_on(records: Records) -> Self {
        Self { records }
    }

    /// What was pushed until now, e.g. to look for a duplicate id.
    pub fn so_far(&self) -> &Records {
        &self.records
    }

    pub fn build(self) -> Records {
        self.records
    }
}
