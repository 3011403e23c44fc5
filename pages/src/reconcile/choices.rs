//! What a person decides about one file: for each column what it means, and what concerns all lines.

use super::mapping::brings_columns;
use super::offered::role_of;
use crate::answers::Preview;
use crate::form::Fields;

/// What a person decides about one file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Choices {
    /// By column, values of [`super::offered::ROLES`] or `field:NAME`.
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
}
