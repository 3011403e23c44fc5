//! From what a person decides about a file to the mapping that the API takes.

use super::choices::Choices;
use crate::answers::Preview;
use serde_json::{Map, Value, json};

impl Choices {
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
}

/// A statement's columns mean what its format says.
pub(crate) fn brings_columns(preview: &Preview) -> bool {
    preview
        .format
        .as_ref()
        .is_some_and(|format| matches!(format.is.as_str(), "mt940" | "camt" | "ofx" | "bai2"))
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
    use crate::form::Fields;

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
}
