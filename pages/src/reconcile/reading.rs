//! How a file is read, where a person knows better than what was found out: between cells, encoding, header, sheet.

use crate::answers::{Guess, Preview};
use crate::form::Fields;
use crate::html::escape_query;
use serde_json::{Map, Value};

/// Empty: as found.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Reading {
    /// The character, or `tab`, which forms cannot hold.
    pub delimiter: String,
    pub encoding: String,
    pub header_line: String,
    pub sheet: String,
}

impl Reading {
    /// As sent; names begin with the side.
    pub fn read(form: &Fields, side: &str) -> Self {
        let get = |name: &str| form.get(&format!("{side}.{name}")).to_owned();
        Self {
            delimiter: get("delimiter"),
            encoding: get("encoding"),
            header_line: get("header_line"),
            sheet: get("sheet"),
        }
    }

    /// As a mapping says it, that of the run before for example, where `found` is otherwise.
    pub fn of_mapping(mapping: &Value, found: &Preview) -> Self {
        let text = |pointer: &str| match mapping.pointer(pointer) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        let unless_found = |said: String, found: &Option<Guess>| match found {
            Some(guess) if guess.is.eq_ignore_ascii_case(&said) => String::new(),
            _ => said,
        };
        let delimiter = unless_found(text("/csv/delimiter"), &found.delimiter);
        let header = text("/csv/header_line");
        let header = if header.is_empty() { text("/excel/header_row") } else { header };
        Self {
            delimiter: if delimiter == "\t" { "tab".into() } else { delimiter },
            encoding: unless_found(text("/csv/encoding"), &found.encoding),
            header_line: unless_found(header, &found.header_line),
            sheet: text("/excel/sheet"),
        }
    }

    pub fn is_as_found(&self) -> bool {
        *self == Self::default()
    }

    fn delimiter(&self) -> &str {
        if self.delimiter == "tab" { "\t" } else { &self.delimiter }
    }

    /// For the preview of the API; also what a form says that it was made for.
    pub fn query(&self) -> String {
        let all = [
            ("delimiter", self.delimiter()),
            ("encoding", &self.encoding),
            ("header_line", &self.header_line),
            ("sheet", &self.sheet),
        ];
        let given = all.into_iter().filter(|(_, value)| !value.is_empty());
        given.map(|(name, value)| format!("{name}={}", escape_query(value))).collect::<Vec<_>>().join("&")
    }

    /// Writes it into a mapping.
    pub fn apply(&self, mapping: &mut Value) {
        let Some(members) = mapping.as_object_mut() else { return };
        let header = self.header_line.parse::<u32>().ok();
        let mut how = Map::new();
        let options = match members.get("format").and_then(Value::as_str) {
            Some("csv") => {
                how.extend(
                    (!self.delimiter.is_empty()).then(|| ("delimiter".into(), self.delimiter().into())),
                );
                how.extend(
                    (!self.encoding.is_empty()).then(|| ("encoding".into(), self.encoding.clone().into())),
                );
                how.extend(header.map(|line| ("header_line".into(), line.into())));
                "csv"
            }
            Some("excel") => {
                how.extend((!self.sheet.is_empty()).then(|| ("sheet".into(), self.sheet.clone().into())));
                how.extend(header.map(|row| ("header_row".into(), row.into())));
                "excel"
            }
            _ => return,
        };
        if !how.is_empty() {
            let there = members.entry(options).or_insert_with(|| Value::Object(Map::new()));
            if let Some(there) = there.as_object_mut() {
                there.extend(how);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Preferences;
    use axum::http::HeaderMap;
    use serde_json::json;

    fn csv() -> Preview {
        serde_json::from_value(json!({
            "format": {"is": "csv", "confidence": 1.0}, "encoding": {"is": "windows-1252", "confidence": 0.5},
            "delimiter": {"is": "\t", "confidence": 0.4}, "header_line": {"is": "3", "confidence": 0.2},
            "decimal_mark": null, "columns": [], "mapping": null, "rows": [], "problems": []
        }))
        .unwrap()
    }

    #[test]
    fn what_was_found_is_said_with_its_confidence_and_can_be_overruled() {
        let reading = Reading { delimiter: ";".into(), header_line: "5".into(), ..Reading::default() };
        let shown = reading.shown("left", &csv(), &Preferences::of(&HeaderMap::new()));
        let names: Vec<&str> = shown.iter().map(|choice| choice.input.as_str()).collect();
        assert_eq!(names, ["left.delimiter", "left.encoding", "left.header_line"]);
        assert_eq!(shown[0].options[0].text, "As found: tab, 40 % sure");
        let chosen: Vec<&str> = shown[0]
            .options
            .iter()
            .filter(|option| option.is_chosen)
            .map(|option| option.value.as_str())
            .collect();
        assert_eq!(chosen, [";"]);
        assert!(shown[1].options[0].is_chosen);
        assert_eq!((shown[2].value.as_str(), shown[2].found.as_str()), ("5", "3, 20 % sure"));
        assert_eq!(reading.query(), "delimiter=%3B&header_line=5");
    }

    #[test]
    fn what_is_chosen_is_written_into_the_mapping_and_read_from_it_again() {
        let reading = Reading {
            delimiter: "tab".into(),
            encoding: "UTF-8".into(),
            header_line: "2".into(),
            sheet: "of another format".into(),
        };
        let mut mapping = json!({"format": "csv", "csv": {"delimiter": ";", "encoding": "windows-1252"}});
        reading.apply(&mut mapping);
        assert_eq!(
            mapping,
            json!({"format": "csv", "csv": {"delimiter": "\t", "encoding": "UTF-8", "header_line": 2}})
        );
        // The tab was found.
        let otherwise = Reading { sheet: String::new(), delimiter: String::new(), ..reading.clone() };
        assert_eq!(Reading::of_mapping(&mapping, &csv()), otherwise);
        let of_semicolons = Reading::of_mapping(&json!({"csv": {"delimiter": ";"}}), &csv());
        assert_eq!(of_semicolons, Reading { delimiter: ";".into(), ..Reading::default() });
        let mut mapping = json!({"format": "excel"});
        reading.apply(&mut mapping);
        let excel = json!({"sheet": "of another format", "header_row": 2});
        assert_eq!(mapping, json!({"format": "excel", "excel": excel}));
        let mut mapping = json!({"format": "mt940"});
        reading.apply(&mut mapping);
        assert_eq!(mapping, json!({"format": "mt940"}));
    }
}
