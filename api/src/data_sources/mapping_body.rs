//! A mapping as it is sent: the shape of [`sources::Mapping`], read so that every mistake is reported.

use crate::problem::Mistake;
use crate::read::{Fields, ReadBody, boolean, character, choice, integer, object, push_pointer, text, texts};
use serde::{Deserialize, Serialize};
use sources::{AmountColumn, Mapping, MappingError};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Which column of the file means what.
///
/// Bank statements (`mt940`, `camt`, `ofx`, `bai2`) bring their own columns, and `format` alone is a whole mapping;
/// other files need date, amount and currency.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Mapping)]
pub(crate) struct MappingBody {
    #[schema(inline)]
    format: FileFormat,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline, nullable = false)]
    csv: Option<CsvBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline, nullable = false)]
    excel: Option<ExcelBody>,
    /// Column with the record's own identifier, unique in the file. Without one the line number is the id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline, nullable = false)]
    date: Option<DateBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline, nullable = false)]
    amount: Option<AmountBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline, nullable = false)]
    currency: Option<CurrencyBody>,
    /// Names for further columns (`reference`, `description`, `counterparty`, `batch`, …), for rules to use.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    fields: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum FileFormat {
    /// A header line, then one record a line.
    Csv,
    /// An array of objects, or one object a line.
    Json,
    /// One sheet of an .xlsx or .ods file.
    Excel,
    Parquet,
    /// SWIFT MT940 and MT942.
    Mt940,
    /// ISO 20022 camt.052, .053 and .054.
    Camt,
    /// OFX 1.x and 2.x, QFX.
    Ofx,
    Bai2,
}

impl FileFormat {
    fn brings_columns(self) -> bool {
        matches!(self, Self::Mt940 | Self::Camt | Self::Ofx | Self::Bai2)
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CsvBody {
    /// Between two cells; a comma unless said otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false, min_length = 1, max_length = 1)]
    delimiter: Option<char>,
    /// As the Encoding Standard names it (`windows-1252`); found out from the file unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    encoding: Option<String>,
    /// Line, from 1, that holds the column names; the first that is not blank unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1)]
    header_line: Option<u32>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ExcelBody {
    /// The first sheet unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    sheet: Option<String>,
    /// Row, from 1, that holds the column names; the first that is not blank unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1)]
    header_row: Option<u32>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DateBody {
    column: String,
    /// Like strftime: `%d.%m.%Y`. Without one: `2026-01-31`, alone or with a time behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    format: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AmountBody {
    /// One column, signed unless `direction` is there; or `debit` and `credit` instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    column: Option<String>,
    /// Column that says debit or credit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    direction: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    debit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    credit: Option<String>,
    /// Debits have their minus already.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    signed: Option<bool>,
    /// A point unless said otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    decimal_mark: Option<DecimalMark>,
    /// Turns the sign round.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    negate: Option<bool>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum DecimalMark {
    Point,
    Comma,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum CurrencyBody {
    /// Each line says its own.
    Column(String),
    /// ISO 4217, for every line of the file.
    Fixed(String),
}

/// Longer texts are never right, and [`Mapping::check`] says what is.
const CHARS_MAX: usize = 1000;
const FIELDS_MAX: usize = 1000;

impl ReadBody for MappingBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let format: Option<FileFormat> = fields.required("format", choice);
        let csv = fields.optional("csv", object(CsvBody::read));
        let excel = fields.optional("excel", object(ExcelBody::read));
        let id = fields.optional("id", text(0..=CHARS_MAX));
        let (date, amount, currency) = if format.is_some_and(|format| !format.brings_columns()) {
            let date = fields.required("date", object(DateBody::read));
            let amount = fields.required("amount", object(AmountBody::read));
            (date, amount, fields.required("currency", object(CurrencyBody::read)))
        } else {
            let date = fields.optional("date", object(DateBody::read));
            let amount = fields.optional("amount", object(AmountBody::read));
            (date, amount, fields.optional("currency", object(CurrencyBody::read)))
        };
        let names = fields.optional("fields", texts(FIELDS_MAX));
        Some(Self { format: format?, csv, excel, id, date, amount, currency, fields: names })
    }
}

impl ReadBody for CsvBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let delimiter = fields.optional("delimiter", character);
        let encoding = fields.optional("encoding", text(0..=CHARS_MAX));
        let header_line = fields.optional("header_line", integer(1..=u32::MAX));
        Some(Self { delimiter, encoding, header_line })
    }
}

impl ReadBody for ExcelBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let sheet = fields.optional("sheet", text(0..=CHARS_MAX));
        let header_row = fields.optional("header_row", integer(1..=u32::MAX));
        Some(Self { sheet, header_row })
    }
}

impl ReadBody for DateBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let column = fields.required("column", text(0..=CHARS_MAX));
        let format = fields.optional("format", text(0..=CHARS_MAX));
        Some(Self { column: column?, format })
    }
}

impl ReadBody for AmountBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let mistakes_before = fields.mistakes();
        let mut column = |name| fields.optional(name, text(0..=CHARS_MAX));
        let (debit, credit) = (column("debit"), column("credit"));
        let (column, direction) = (column("column"), column("direction"));
        let signed = fields.optional("signed", boolean);
        let decimal_mark = fields.optional("decimal_mark", choice);
        let negate = fields.optional("negate", boolean);
        let body = Self { column, direction, debit, credit, signed, decimal_mark, negate };
        let value = serde_json::to_value(&body).expect("texts are always JSON");
        match serde_json::from_value::<AmountColumn>(value) {
            Ok(_) => Some(body),
            // A column that is no text is a mistake of its own, not a missing one.
            Err(_) if fields.mistakes() > mistakes_before => None,
            Err(error) => fields.wrong("choice", error.to_string()),
        }
    }
}

impl ReadBody for CurrencyBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let column = fields.optional("column", text(0..=CHARS_MAX));
        let fixed = fields.optional("fixed", text(0..=CHARS_MAX));
        match (column, fixed) {
            (Some(column), None) => Some(Self::Column(column)),
            (None, Some(code)) => Some(Self::Fixed(code)),
            _ => fields.wrong("choice", "must have either column or fixed"),
        }
    }
}

impl MappingBody {
    /// The mapping, or everything that shows to be wrong without the file.
    pub fn check(&self) -> Result<Mapping, Vec<Mistake>> {
        let value = serde_json::to_value(self).expect("texts are always JSON");
        let mapping: Mapping = serde_json::from_value(value).map_err(|error| {
            // Not reached while both shapes agree, which a test below watches.
            vec![mistake(&MappingError { at: String::new(), says: error.to_string() })]
        })?;
        let errors = mapping.check();
        if errors.is_empty() { Ok(mapping) } else { Err(errors.iter().map(mistake).collect()) }
    }
}

/// `amount.column` is `#/mapping/amount/column`; what is behind `fields.` is one name.
pub(crate) fn mistake(error: &MappingError) -> Mistake {
    let mut pointer = "#/mapping".to_owned();
    match error.at.strip_prefix("fields.") {
        Some(name) => {
            pointer.push_str("/fields");
            push_pointer(&mut pointer, name);
        }
        None => error
            .at
            .split('.')
            .filter(|part| !part.is_empty())
            .for_each(|part| push_pointer(&mut pointer, part)),
    }
    Mistake { pointer: Some(pointer), parameter: None, code: "mapping", detail: error.says.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::assert_schema_is_read;
    use crate::read::draft;
    use serde_json::{Value, json};

    fn read(value: Value) -> Result<Mapping, Vec<Mistake>> {
        let draft = draft::<MappingBody>(value);
        if draft.mistakes.is_empty() { draft.body.expect("no mistake").check() } else { Err(draft.mistakes) }
    }

    #[test]
    fn the_shape_is_that_of_the_mapping() {
        for currency in [json!({"column": "Cur"}), json!({"fixed": "EUR"})] {
            let whole = json!({
                "format": "csv", "csv": {"delimiter": ";"}, "id": "Id",
                "date": {"column": "Booked", "format": "%d.%m.%Y"},
                "amount": {"column": "Amount", "decimal_mark": "comma", "negate": true},
                "currency": currency, "fields": {"reference": "Ref"},
            });
            let mapping = read(whole.clone()).unwrap();
            // Nothing of ours is missing there, and nothing of theirs here.
            assert_eq!(serde_json::to_value(&mapping).unwrap(), whole);
        }
        let least = json!({"format": "json", "date": {"column": "d"}, "amount": {"column": "a"},
                           "currency": {"fixed": "EUR"}});
        assert_eq!(read(least.clone()).unwrap(), serde_json::from_value(least).unwrap());
        assert_schema_is_read::<MappingBody>();
        assert_schema_is_read::<CsvBody>();
        assert_schema_is_read::<DateBody>();
        assert_schema_is_read::<AmountBody>();
        assert_schema_is_read::<ExcelBody>();
    }

    #[test]
    fn statements_need_no_columns_and_other_files_do() {
        for format in ["mt940", "camt", "ofx", "bai2"] {
            assert!(read(json!({"format": format})).is_ok(), "{format}");
        }
        let workbook = json!({
            "format": "excel", "excel": {"sheet": "Jan", "header_row": 3}, "date": {"column": "d"},
            "amount": {"debit": "out", "credit": "in"}, "currency": {"fixed": "EUR"},
        });
        assert!(read(workbook).is_ok());
        let mistakes = read(json!({"format": "parquet"})).unwrap_err();
        let pointers: Vec<_> = mistakes.iter().map(|m| m.pointer.as_deref().unwrap()).collect();
        assert_eq!(pointers, ["#/date", "#/amount", "#/currency"]);
    }

    #[test]
    fn every_mistake_has_its_place() {
        let mistakes = read(json!({
            "format": "xml", "csv": {"delimiter": ";;"}, "date": {"colum": "d"}, "amount": "Amount",
            "currency": {"column": "c", "fixed": "EUR"}, "fields": {"a/b": 1},
        }))
        .unwrap_err();
        let mut pointers: Vec<_> = mistakes.iter().map(|m| m.pointer.as_deref().unwrap()).collect();
        pointers.sort_unstable();
        assert_eq!(
            pointers,
            [
                "#/amount",
                "#/csv/delimiter",
                "#/currency",
                "#/date/colum",
                "#/date/column",
                "#/fields/a~1b",
                "#/format"
            ]
        );
    }

    #[test]
    fn what_the_shape_does_not_show_is_checked_too() {
        let mistakes = read(json!({
            "format": "csv", "date": {"column": " "}, "amount": {"column": "Amount"},
            "currency": {"fixed": "EURO"}, "fields": {"My field": "Ref"},
        }))
        .unwrap_err();
        let mut pointers: Vec<_> = mistakes.iter().map(|m| m.pointer.as_deref().unwrap()).collect();
        pointers.sort_unstable();
        assert_eq!(
            pointers,
            ["#/mapping/currency/fixed", "#/mapping/date/column", "#/mapping/fields/My%20field"]
        );
    }
}
