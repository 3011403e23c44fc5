//! Which column of a file means what, written by people as TOML or JSON.

use crate::amount_column::AmountColumn;
use crate::statements::columns as statement_columns;
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
///
/// Bank statements have the same columns whoever wrote them ([`crate::STATEMENT_COLUMNS`]), so
/// `format = "camt"` alone is a whole mapping. What is not said means: the id, the booking date, the amount
/// and the currency of the statement, and every column that a rule may want as a field of the same name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "MappingText")]
pub struct Mapping {
    pub format: Format,
    /// For CSV only.
    #[serde(skip_serializing_if = "CsvOptions::is_default")]
    pub csv: CsvOptions,
    /// For Excel only.
    #[serde(skip_serializing_if = "ExcelOptions::is_default")]
    pub excel: ExcelOptions,
    /// Column with the record's own identifier, unique in the file. Without one the line number is the id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Without one the records have no date, and no rule tells them apart by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<DateColumn>,
    /// Without one the records are no money: they are matched by their texts alone, and every amount is 0 in
    /// the currency `XXX`, which is ISO 4217's for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<AmountColumn>,
    /// Needed beside an amount. In a bank statement, a fixed currency is checked against the statement's own and stands in where it has
    /// none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<CurrencySource>,
    /// Our field name (`reference`, `description`, `counterparty`, `batch`, …) to the file's column; at most 64.
    pub fields: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// A header line, then one record a line; cells may be quoted and then hold line breaks.
    Csv,
    /// An array of objects, or one object a line (JSON Lines); told apart by the first byte.
    Json,
    /// Excel workbooks (.xlsx) and OpenDocument spreadsheets (.ods): one sheet with a header row.
    Excel,
    /// Apache Parquet; nested columns are left out.
    Parquet,
    /// SWIFT customer statements MT940 and MT942, in the dialects of many banks.
    Mt940,
    /// ISO 20022 bank-to-customer messages camt.052, camt.053 and camt.054 of any version.
    Camt,
    /// Open Financial Exchange 1.x (SGML) and 2.x (XML), also as QFX.
    Ofx,
    /// BAI2 balance reports.
    Bai2,
}

impl Format {
    /// Bank statements bring their own columns.
    pub fn is_statement(self) -> bool {
        match self {
            Format::Csv | Format::Json | Format::Excel | Format::Parquet => false,
            Format::Mt940 | Format::Camt | Format::Ofx | Format::Bai2 => true,
        }
    }

    /// Cells have types of their own: dates, numbers, texts.
    pub fn is_typed(self) -> bool {
        matches!(self, Format::Excel | Format::Parquet)
    }

    /// As it is written in a mapping.
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Csv => "csv",
            Format::Json => "json",
            Format::Excel => "excel",
            Format::Parquet => "parquet",
            Format::Mt940 => "mt940",
            Format::Camt => "camt",
            Format::Ofx => "ofx",
            Format::Bai2 => "bai2",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CsvOptions {
    /// One ASCII character between cells.
    #[serde(default = "default_delimiter")]
    pub delimiter: char,
    /// A name of the Encoding Standard: `utf-8`, `windows-1252`, `iso-8859-15`, `utf-16le`, `shift_jis`, ….
    /// Without one it is found out from the beginning of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// Line of the file, from 1, that holds the column names, where other lines stand above it. Without one, the
    /// first line that is not blank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header_line: Option<u32>,
}

fn default_delimiter() -> char {
    ','
}

impl CsvOptions {
    fn is_default(&self) -> bool {
        *self == CsvOptions::default()
    }
}

impl Default for CsvOptions {
    fn default() -> Self {
        CsvOptions { delimiter: default_delimiter(), encoding: None, header_line: None }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExcelOptions {
    /// Name of the sheet; the first one without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sheet: Option<String>,
    /// Row, from 1, that holds the column names; without one, the first row that is not blank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header_row: Option<u32>,
}

impl ExcelOptions {
    fn is_default(&self) -> bool {
        *self == ExcelOptions::default()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DateColumn {
    pub column: String,
    /// How *texts* are written: a cell that is a date needs no format.
    ///
    /// Like strftime: `%d.%m.%Y`. Without one: `2026-01-31`, alone or with a time behind it as in RFC 3339,
    /// of which the date as written counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
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
    /// The whole mapping of a bank statement: every column under its own name.
    ///
    /// # Panics
    /// When `format` is no statement: other files have no columns of their own.
    pub fn of_statement(format: Format) -> Self {
        assert!(format.is_statement(), "only bank statements have fixed columns");
        MappingText::bare(format).whole()
    }

    /// Whether the records are money. Without an amount they are matched by their texts alone.
    pub fn has_amounts(&self) -> bool {
        self.amount.is_some()
    }

    /// Every column the mapping reads with its place in the mapping, in the order of [`Mapping`]'s fields.
    /// A column may occur more than once, e.g. as the id and as a field.
    pub(crate) fn columns(&self) -> Vec<(String, &str)> {
        let mut columns = Vec::with_capacity(4 + self.fields.len());
        columns.extend(self.id.as_deref().map(|c| ("id".to_owned(), c)));
        columns.extend(self.date.as_ref().map(|date| ("date.column".to_owned(), date.column.as_str())));
        let amount = self.amount.iter().flat_map(AmountColumn::columns);
        columns.extend(amount.map(|(at, column)| (format!("amount.{at}"), column)));
        if let Some(CurrencySource::Column(column)) = &self.currency {
            columns.push(("currency.column".to_owned(), column));
        }
        columns.extend(self.fields.iter().map(|(name, column)| (format!("fields.{name}"), column.as_str())));
        columns
    }
}

/// A mapping as it is written, where statements may leave out what their format fixes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MappingText {
    format: Format,
    #[serde(default)]
    csv: CsvOptions,
    #[serde(default)]
    excel: ExcelOptions,
    id: Option<String>,
    date: Option<DateColumn>,
    amount: Option<AmountColumn>,
    currency: Option<CurrencySource>,
    fields: Option<BTreeMap<String, String>>,
}

impl MappingText {
    fn bare(format: Format) -> Self {
        let csv = CsvOptions::default();
        let excel = ExcelOptions::default();
        MappingText { format, csv, excel, id: None, date: None, amount: None, currency: None, fields: None }
    }

    fn whole(mut self) -> Mapping {
        if self.format.is_statement() {
            self.id.get_or_insert_with(|| "id".to_owned());
            self.date.get_or_insert_with(|| DateColumn { column: "booking_date".to_owned(), format: None });
            self.amount.get_or_insert_with(|| AmountColumn::signed("amount"));
            self.currency.get_or_insert_with(|| CurrencySource::Column("currency".to_owned()));
            self.fields.get_or_insert_with(|| {
                statement_columns::FIELDS.iter().map(|c| ((*c).to_owned(), (*c).to_owned())).collect()
            });
        }
        Mapping {
            format: self.format,
            csv: self.csv,
            excel: self.excel,
            id: self.id,
            date: self.date,
            amount: self.amount,
            currency: self.currency,
            fields: self.fields.unwrap_or_default(),
        }
    }
}

impl From<MappingText> for Mapping {
    fn from(text: MappingText) -> Self {
        text.whole()
    }
}
