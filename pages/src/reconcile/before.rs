//! The run that new files continue: what is taken over from it.

use super::choices::Choices;
use crate::answers::{DataSource, Preview, Reconciliation};
use crate::ask::Refusal;
use crate::html::escape_query;
use crate::shell::Visit;
use serde_json::Value;
use std::collections::BTreeMap;

/// The run before, with the sources whose mappings are proposed again.
pub(crate) struct Before {
    pub id: String,
    pub name: String,
    /// Its place in the chain, from 1.
    pub position: i64,
    pub left: Option<DataSource>,
    pub right: Option<DataSource>,
}

impl Before {
    /// `None`: nothing is continued.
    pub async fn of(visit: &Visit, id: &str) -> Result<Option<Self>, Refusal> {
        if id.is_empty() {
            return Ok(None);
        }
        let run: Reconciliation =
            visit.ask.get(&format!("/api/reconciliation/jobs/{}", escape_query(id))).await?;
        let (of_left, of_right) = (
            format!("/api/data-sources/{}", run.left_source_id),
            format!("/api/data-sources/{}", run.right_source_id),
        );
        let (left, right) =
            tokio::join!(visit.ask.find::<DataSource>(&of_left), visit.ask.find::<DataSource>(&of_right));
        let (left, right) = (left?, right?);
        Ok(Some(Self { id: run.id, name: run.name, position: run.chain_position, left, right }))
    }

    pub fn source(&self, side: &str) -> Option<&DataSource> {
        if side == "left" { self.left.as_ref() } else { self.right.as_ref() }
    }

    /// For the address of the next step.
    pub fn query(before: Option<&Self>) -> String {
        before.map_or(String::new(), |before| format!("&continues={}", escape_query(&before.id)))
    }
}

/// The choices that `mapping` stands for, or the columns it names that this file does not have.
pub(crate) fn take_over(preview: &Preview, mapping: &Value, name: &str) -> Result<Choices, Vec<String>> {
    let text = |pointer: &str| mapping.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let mut role_of: BTreeMap<String, String> = BTreeMap::new();
    let places = [
        ("/date/column", "date"),
        ("/amount/column", "amount"),
        ("/amount/debit", "debit"),
        ("/amount/credit", "credit"),
        ("/amount/direction", "direction"),
        ("/currency/column", "currency"),
    ];
    for (field, column) in mapping["fields"].as_object().into_iter().flatten() {
        if let Some(column) = column.as_str() {
            role_of.insert(column.to_owned(), format!("field:{field}"));
        }
    }
    // A column may be a field, too; what a record cannot be without comes first.
    for (pointer, role) in places {
        role_of.extend(text(pointer).map(|column| (column, role.to_owned())));
    }
    role_of.extend(text("/id").map(|column| (column, "id".to_owned())));
    let has = |column: &String| preview.columns.iter().any(|known| known.name == *column);
    let missing: Vec<String> = role_of.keys().filter(|column| !has(column)).cloned().collect();
    if !missing.is_empty() {
        return Err(missing);
    }
    Ok(Choices {
        roles: preview
            .columns
            .iter()
            .map(|column| role_of.remove(&column.name).unwrap_or_default())
            .collect(),
        date_format: text("/date/format").unwrap_or_else(|| "ISO".into()),
        decimal_mark: text("/amount/decimal_mark").unwrap_or_else(|| "point".into()),
        currency: text("/currency/fixed").unwrap_or_default(),
        negate: mapping.pointer("/amount/negate").and_then(Value::as_bool).unwrap_or(false),
        name: name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn preview(columns: &[&str]) -> Preview {
        let column = |name: &&str| {
            json!({"name": name, "role": "description", "confidence": 0.9, "date_formats": [],
                   "date_order_unclear": false, "examples": []})
        };
        let columns: Vec<Value> = columns.iter().map(column).collect();
        serde_json::from_value(json!({
            "format": {"is": "csv", "confidence": 1.0}, "encoding": null, "delimiter": {"is": ";", "confidence": 1.0},
            "header_line": null, "decimal_mark": null, "columns": columns, "mapping": null, "rows": [], "problems": []
        }))
        .unwrap()
    }

    #[test]
    fn the_mapping_of_the_run_before_is_the_mapping_again() {
        let mapping = json!({
            "format": "csv", "csv": {"delimiter": ";"}, "id": "No", "date": {"column": "Day", "format": "%d.%m.%Y"},
            "amount": {"column": "Sum", "decimal_mark": "comma", "negate": true}, "currency": {"fixed": "CHF"},
            "fields": {"booking_text": "Text", "reference": "Ref"},
        });
        let preview = preview(&["Ref", "Day", "Sum", "New", "No", "Text"]);
        let choices = take_over(&preview, &mapping, "feb.csv").expect("all are there");
        assert_eq!(choices.roles, ["field:reference", "date", "amount", "", "id", "field:booking_text"]);
        assert_eq!(choices.mapping(&preview), mapping);
    }

    #[test]
    fn columns_that_are_gone_are_named() {
        let mapping =
            json!({"format": "csv", "id": "No", "date": {"column": "Day"}, "amount": {"column": "Sum"}});
        let missing = take_over(&preview(&["Day", "Amount"]), &mapping, "x").unwrap_err();
        assert_eq!(missing, ["No", "Sum"]);
    }
}
