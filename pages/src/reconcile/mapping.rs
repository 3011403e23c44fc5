//! A mapping as a form: for each column what it means, and what concerns all lines. From what was found out to the
//! form, and from the form to the mapping that the API takes.

use crate::answers::{ColumnGuess, Preview};
use crate::form::Fields;
use serde_json::{Map, Value, json};

/// What a column may mean, in words; further ones are fields by their names.
pub(crate) const ROLES: [(&str, &str); 12] = [
    ("", "Not used"),
    ("id", "Record id"),
    ("date", "Date"),
    ("amount", "Amount"),
    ("debit", "Debit amount"),
    ("credit", "Credit amount"),
    ("direction", "Debit or credit"),
    ("currency", "Currency"),
    ("field:reference", "Reference"),
    ("field:description", "Description"),
    ("field:counterparty", "Counterparty"),
    ("field:batch", "Batch"),
];

/// Formats of dates that are offered besides those that were found, as strftime has them; none is ISO 8601.
const DATE_FORMATS: [&str; 9] =
    ["ISO", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%Y/%m/%d", "%Y%m%d", "%d.%m.%y", "%d %b %Y"];

/// What a person decides about one file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Choices {
    /// By column, values of [`ROLES`] or `field:NAME`.
    pub roles: Vec<String>,
    pub date_format: String,
    /// `point` or `comma`.
    pub decimal_mark: String,
    /// ISO 4217, of every line; empty where a column says it.
    pub currency: String,
    pub negate: bool,
    /// Of the data source.
    pub name: String,
}

/// One column with what may be chosen for it.
pub(crate) struct ColumnShown {
    pub name: String,
    pub input: String,
    pub examples: String,
    pub confidence: Option<f64>,
    pub options: Vec<Choice>,
}

pub(crate) struct Choice {
    pub value: String,
    pub text: String,
    pub is_chosen: bool,
}

impl Choices {
    /// As proposed.
    pub fn of(preview: &Preview, file_name: &str) -> Self {
        let proposed = preview.mapping.as_ref();
        let text = |pointer: &str| {
            proposed.and_then(|mapping| mapping.pointer(pointer)?.as_str()).unwrap_or_default().to_owned()
        };
        let date = preview.columns.iter().find(|column| column.role.as_deref() == Some("date"));
        let found =
            date.and_then(|column| column.date_formats.first()).map_or("ISO", |format| format.is.as_str());
        let date_format = match text("/date/format") {
            none if none.is_empty() => found.to_owned(),
            given => given,
        };
        let mark = match text("/amount/decimal_mark") {
            none if none.is_empty() => {
                preview.decimal_mark.as_ref().map_or("point".to_owned(), |mark| mark.is.clone())
            }
            given => given,
        };
        Self {
            roles: preview.columns.iter().map(role_of).collect(),
            date_format,
            decimal_mark: mark,
            currency: text("/currency/fixed"),
            negate: proposed
                .and_then(|mapping| mapping.pointer("/amount/negate")?.as_bool())
                .unwrap_or(false),
            name: file_name.to_owned(),
        }
    }

    /// As sent; names begin with the side.
    pub fn read(form: &Fields, side: &str, columns: usize) -> Self {
        let get = |name: &str| form.get(&format!("{side}.{name}")).to_owned();
        Self {
            roles: (0..columns).map(|i| get(&format!("column.{i}"))).collect(),
            date_format: get("date_format"),
            decimal_mark: get("decimal_mark"),
            currency: get("currency").to_uppercase(),
            negate: !get("negate").is_empty(),
            name: get("name"),
        }
    }

    /// For columns that are others now; what concerns all lines stays as it was chosen.
    pub fn anew(self, preview: &Preview) -> Self {
        let proposed = Self::of(preview, &self.name);
        let currency = if proposed.currency.is_empty() { self.currency } else { proposed.currency };
        Self { currency, negate: self.negate, ..proposed }
    }

    /// There are amounts, and nothing says in which currency.
    pub fn wants_currency(&self, preview: &Preview) -> bool {
        let has = |wanted: &[&str]| self.roles.iter().any(|role| wanted.contains(&role.as_str()));
        !brings_columns(preview)
            && self.currency.is_empty()
            && has(&["amount", "debit", "credit"])
            && !has(&["currency"])
    }

    /// The mapping. How the file is read (delimiter, encoding, sheet) is as the preview has it.
    pub fn mapping(&self, preview: &Preview) -> Value {
        if brings_columns(preview) {
            let format = || json!({"format": preview.format.as_ref().map(|format| &format.is)});
            return preview.mapping.clone().unwrap_or_else(format);
        }
        let column = |role: &str| {
            let at = self.roles.iter().position(|found| found == role)?;
            preview.columns.get(at).map(|column| column.name.clone())
        };
        let mut mapping = how_to_read(preview);
        if let Some(id) = column("id") {
            mapping.insert("id".into(), id.into());
        }
        if let Some(date) = column("date") {
            let mut of_date = Map::from_iter([("column".to_owned(), date.into())]);
            if !self.date_format.is_empty() && self.date_format != "ISO" {
                of_date.insert("format".into(), self.date_format.clone().into());
            }
            mapping.insert("date".into(), of_date.into());
        }
        if let Some(amount) = self.amount(&column, preview) {
            mapping.insert("amount".into(), amount);
        }
        match column("currency") {
            Some(column) => mapping.insert("currency".into(), json!({"column": column})),
            None if !self.currency.is_empty() => {
                mapping.insert("currency".into(), json!({"fixed": self.currency}))
            }
            None => None,
        };
        let fields = self.fields(preview);
        if !fields.is_empty() {
            mapping.insert("fields".into(), fields.into());
        }
        mapping.into()
    }

    fn amount(&self, column: &impl Fn(&str) -> Option<String>, preview: &Preview) -> Option<Value> {
        let mut amount = Map::new();
        match (column("amount"), column("debit"), column("credit")) {
            (Some(name), ..) => {
                amount.insert("column".into(), name.into());
                if let Some(direction) = column("direction") {
                    amount.insert("direction".into(), direction.into());
                }
            }
            (None, debit @ Some(_), credit) | (None, debit, credit @ Some(_)) => {
                for (name, found) in [("debit", debit), ("credit", credit)] {
                    if let Some(found) = found {
                        amount.insert(name.into(), found.into());
                    }
                }
                // Found out from the signs of the lines.
                if let Some(signed) =
                    preview.mapping.as_ref().and_then(|mapping| mapping.pointer("/amount/signed"))
                {
                    amount.insert("signed".into(), signed.clone());
                }
            }
            (None, None, None) => return None,
        }
        if self.decimal_mark == "comma" {
            amount.insert("decimal_mark".into(), "comma".into());
        }
        if self.negate {
            amount.insert("negate".into(), true.into());
        }
        Some(amount.into())
    }

    /// A name can be given once: further columns of the same meaning are numbered.
    fn fields(&self, preview: &Preview) -> Map<String, Value> {
        let mut fields = Map::new();
        for (role, column) in self.roles.iter().zip(&preview.columns) {
            let Some(name) = role.strip_prefix("field:") else { continue };
            let mut unique = name.to_owned();
            let mut n = 2;
            while fields.contains_key(&unique) {
                unique = format!("{name}_{n}");
                n += 1;
            }
            fields.insert(unique, column.name.clone().into());
        }
        fields
    }

    pub fn columns(&self, preview: &Preview, side: &str) -> Vec<ColumnShown> {
        let shown = |(i, (column, role)): (usize, (&ColumnGuess, &String))| ColumnShown {
            name: column.name.clone(),
            input: format!("{side}.column.{i}"),
            examples: column.examples.join(" · "),
            // Of what was proposed; a person's choice needs no confidence.
            confidence: (role_of(column) == *role && !role.is_empty()).then_some(column.confidence),
            options: options(column, role),
        };
        preview.columns.iter().zip(&self.roles).enumerate().map(shown).collect()
    }

    /// Found ones first, each with a day that shows the order.
    pub fn date_formats(&self, preview: &Preview) -> Vec<Choice> {
        let at = self.roles.iter().position(|role| role == "date");
        let column = at.and_then(|at| preview.columns.get(at));
        let found =
            column.into_iter().flat_map(|column| &column.date_formats).map(|format| format.is.as_str());
        let mut formats: Vec<&str> = vec![];
        for format in found.chain([self.date_format.as_str()]).chain(DATE_FORMATS) {
            if !format.is_empty() && !formats.contains(&format) {
                formats.push(format);
            }
        }
        let choice = |format: &str| Choice {
            text: day_as(format),
            is_chosen: format == self.date_format,
            value: format.to_owned(),
        };
        formats.into_iter().map(choice).collect()
    }

    pub fn is_date_order_unclear(&self, preview: &Preview) -> bool {
        let dates = preview.columns.iter().zip(&self.roles).filter(|(_, role)| *role == "date");
        dates.into_iter().any(|(column, _)| column.date_order_unclear)
    }
}

/// A statement's columns mean what its format says.
pub(crate) fn brings_columns(preview: &Preview) -> bool {
    preview
        .format
        .as_ref()
        .is_some_and(|format| matches!(format.is.as_str(), "mt940" | "camt" | "ofx" | "bai2"))
}

fn role_of(column: &ColumnGuess) -> String {
    match column.role.as_deref() {
        None => String::new(),
        Some(role) if ROLES.iter().any(|(known, _)| *known == role) => role.to_owned(),
        Some(field) => format!("field:{field}"),
    }
}

fn options(column: &ColumnGuess, role: &str) -> Vec<Choice> {
    let mut options: Vec<(String, String)> =
        ROLES.iter().map(|(value, text)| ((*value).into(), (*text).into())).collect();
    // Kept under its own name; and whatever was proposed.
    let own: String =
        column.name.to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
    for value in [format!("field:{}", own.trim_matches('_')), role_of(column), role.to_owned()] {
        if let Some(name) = value.strip_prefix("field:").filter(|name| !name.is_empty())
            && !options.iter().any(|(known, _)| *known == value)
        {
            options.push((value.clone(), format!("Keep as “{name}”")));
        }
    }
    options.into_iter().map(|(value, text)| Choice { is_chosen: value == role, value, text }).collect()
}

/// `31.12.2026`, with the order in words where the digits alone could be taken for another.
fn day_as(format: &str) -> String {
    if format == "ISO" {
        return "2026-12-31 (ISO)".into();
    }
    let day = chrono::NaiveDate::from_ymd_opt(2026, 12, 31).and_then(|day| day.and_hms_opt(0, 0, 0));
    let items: Vec<_> = chrono::format::StrftimeItems::new(format).collect();
    let is_format = !items.contains(&chrono::format::Item::Error);
    let Some(shown) =
        day.filter(|_| is_format).map(|day| day.and_utc().format_with_items(items.iter()).to_string())
    else {
        return format.to_owned();
    };
    let order = match (format.find("%d"), format.find("%m")) {
        (Some(day), Some(month)) if format.contains("%Y") || format.contains("%y") => {
            if format.starts_with("%Y") {
                ""
            } else if day < month {
                " (day first)"
            } else {
                " (month first)"
            }
        }
        _ => "",
    };
    format!("{shown}{order}")
}

/// Format, delimiter, encoding, header, sheet: as found.
fn how_to_read(preview: &Preview) -> Map<String, Value> {
    let mut mapping = Map::new();
    if let Some(format) = &preview.format {
        mapping.insert("format".into(), format.is.clone().into());
    }
    if let Some(Value::Object(proposed)) = &preview.mapping {
        for key in ["csv", "excel"] {
            if let Some(how) = proposed.get(key) {
                mapping.insert(key.into(), how.clone());
            }
        }
        return mapping;
    }
    let header: Option<u32> = preview.header_line.as_ref().and_then(|line| line.is.parse().ok());
    match mapping.get("format").and_then(Value::as_str) {
        Some("csv") => {
            let mut csv = Map::new();
            if let Some(delimiter) = &preview.delimiter {
                csv.insert("delimiter".into(), delimiter.is.clone().into());
            }
            if let Some(encoding) = &preview.encoding {
                csv.insert("encoding".into(), encoding.is.clone().into());
            }
            if let Some(header) = header {
                csv.insert("header_line".into(), header.into());
            }
            mapping.insert("csv".into(), csv.into());
        }
        Some("excel") => {
            if let Some(header) = header {
                mapping.insert("excel".into(), json!({"header_row": header}));
            }
        }
        _ => {}
    }
    mapping
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preview() -> Preview {
        serde_json::from_value(json!({
            "format": {"is": "csv", "confidence": 1.0}, "encoding": {"is": "windows-1252", "confidence": 0.9},
            "delimiter": {"is": ";", "confidence": 1.0}, "header_line": {"is": "3", "confidence": 0.8},
            "decimal_mark": {"is": "comma", "confidence": 1.0},
            "columns": [
                {"name": "Buchung", "role": "date", "confidence": 0.9, "date_formats": [{"is": "%d/%m/%Y", "confidence": 0.5}],
                 "date_order_unclear": true, "examples": ["01/02/2026"]},
                {"name": "Betrag", "role": "amount", "confidence": 0.9, "date_formats": [], "date_order_unclear": false, "examples": []},
                {"name": "Text A", "role": "description", "confidence": 0.6, "date_formats": [], "date_order_unclear": false, "examples": []},
                {"name": "Text B", "role": "description", "confidence": 0.5, "date_formats": [], "date_order_unclear": false, "examples": []},
                {"name": "Junk", "role": null, "confidence": 0.0, "date_formats": [], "date_order_unclear": false, "examples": []}
            ],
            "mapping": null, "rows": [], "problems": []
        }))
        .unwrap()
    }

    #[test]
    fn what_was_found_becomes_a_mapping_once_the_currency_is_known() {
        let preview = preview();
        let mut choices = Choices::of(&preview, "bank.csv");
        assert!(choices.is_date_order_unclear(&preview));
        assert_eq!(choices.mapping(&preview).get("currency"), None);
        choices.currency = "EUR".into();
        choices.negate = true;
        assert_eq!(
            choices.mapping(&preview),
            json!({
                "format": "csv", "csv": {"delimiter": ";", "encoding": "windows-1252", "header_line": 3},
                "date": {"column": "Buchung", "format": "%d/%m/%Y"},
                "amount": {"column": "Betrag", "decimal_mark": "comma", "negate": true},
                "currency": {"fixed": "EUR"}, "fields": {"description": "Text A", "description_2": "Text B"},
            })
        );
    }

    #[test]
    fn a_form_says_the_same_as_the_choices_it_was_made_of() {
        let preview = preview();
        let choices = Choices::of(&preview, "bank.csv");
        let mut form = String::new();
        for column in choices.columns(&preview, "left") {
            let chosen = column.options.iter().find(|option| option.is_chosen).expect("one is chosen");
            form.push_str(&format!("{}={}&", column.input, crate::html::escape_query(&chosen.value)));
        }
        form.push_str(
            "left.date_format=%25d%2F%25m%2F%25Y&left.decimal_mark=comma&left.currency=&left.name=bank.csv",
        );
        assert_eq!(Choices::read(&Fields::parse(form.as_bytes()), "left", 5), choices);
    }

    #[test]
    fn days_show_their_order() {
        assert_eq!(day_as("%d/%m/%Y"), "31/12/2026 (day first)");
        assert_eq!(day_as("%m/%d/%Y"), "12/31/2026 (month first)");
        assert_eq!(day_as("%Y%m%d"), "20261231");
        assert_eq!(day_as("%Q bad"), "%Q bad");
    }
}
