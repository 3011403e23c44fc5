//! Which column of a file means what, written by people as TOML or JSON.

use matching::DecimalMark;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How the lines of one file become records.
///
/// ```toml
/// format = "csv"
/// csv.delimiter = ";"
/// id = "Transaction"
/// date = { column = "Booked", format = "%d.%m.%Y" }
/// amount = { column = "Amount", decimal_mark = "comma" }
/// currency = { fixed = "EUR" }
///
/// [fields]
/// reference = "Reference"
/// description = "Text"
/// ```
///
/// Column names are compared with the file's after trimming white space, letter case included.
/// Run [`Mapping::check`] before use: deserializing checks the shape only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    pub format: Format,
    /// Ignored for JSON.
    #[serde(default)]
    pub csv: CsvOptions,
    /// Column with the record's own identifier, unique in the file. Without one the line number is the id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    pub date: DateColumn,
    pub amount: AmountColumn,
    pub currency: CurrencySource,
    /// Our field name (`reference`, `description`, `counterparty`, `batch`, …) to the file's column; at most 64.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// A header line, then one record a line; cells may be quoted and then hold line breaks.
    Csv,
    /// An array of objects, or one object a line (JSON Lines); told apart by the first byte.
    Json,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CsvOptions {
    /// One ASCII character between cells.
    #[serde(default = "default_delimiter")]
    pub delimiter: char,
}

fn default_delimiter() -> char {
    ','
}

impl Default for CsvOptions {
    fn default() -> Self {
        CsvOptions { delimiter: default_delimiter() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DateColumn {
    pub column: String,
    /// Like strftime: `%d.%m.%Y`. Without one: `2026-01-31`, alone or with a time behind it as in RFC 3339,
    /// of which the date as written counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AmountColumn {
    pub column: String,
    #[serde(default)]
    pub decimal_mark: DecimalMark,
    /// Turns the sign round: for files that write payments out as positive numbers.
    #[serde(default)]
    pub negate: bool,
}

/// `{ column = "Currency" }` or `{ fixed = "EUR" }`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CurrencySource {
    Column(String),
    /// ISO 4217, for every line of the file.
    Fixed(String),
}

impl Mapping {
    /// Every column the mapping reads with its place in the mapping, in the order of [`Mapping`]'s fields.
    /// A column may occur more than once, e.g. as the id and as a field.
    pub(crate) fn columns(&self) -> Vec<(String, &str)> {
        let mut columns = Vec::with_capacity(4 + self.fields.len());
        columns.extend(self.id.as_deref().map(|c| ("id".to_owned(), c)));
        columns.push(("date.column".to_owned(), self.date.column.as_str()));
        columns.push(("amount.column".to_owned(), self.amount.column.as_str()));
        if let CurrencySource::Column(column) = &self.currency {
            columns.push(("currency.column".to_owned(), column));
        }
        columns.extend(self.fields.iter().map(|(name, column)| (format!("fields.{name}"), column.as_str())));
        columns
    }
}
