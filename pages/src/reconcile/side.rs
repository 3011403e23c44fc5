//! One of the two files on the page of columns.

use super::choices::Choices;
use super::mapping::brings_columns;
use super::offered::{Choice, ColumnShown};
use super::reading::Reading;
use super::reading_shown::ReadingShown;
use crate::answers::{DryRun, Preview, TypedRow};
use crate::problem::Mistake;
use serde_json::Value;

/// One file on the page.
pub(crate) struct SideShown {
    /// `left` or `right`.
    pub side: &'static str,
    pub file_id: String,
    pub preview: Preview,
    pub choices: Choices,
    pub columns: Vec<ColumnShown>,
    pub date_formats: Vec<Choice>,
    pub is_date_order_unclear: bool,
    pub brings_columns: bool,
    pub reading: Vec<ReadingShown>,
    /// By what the form shows the file: choices for columns hold only as long as it is read so.
    pub read_as: String,
    /// What was found of how amounts are written, with its confidence.
    pub decimal_found: String,
    /// What a person should look at.
    pub notes: Vec<String>,
    /// The currency is what is missing.
    pub wants_currency: bool,
    pub tried: Option<DryRun>,
    pub rows: Vec<TypedRow>,
    pub chosen: Reading,
    /// Names of the fields that rows have.
    pub fields: Vec<String>,
    pub mistakes: Vec<Mistake>,
}

pub(super) fn side_shown(
    side: &'static str,
    file_id: String,
    preview: Preview,
    choices: Choices,
    reading: &Reading,
) -> SideShown {
    let mut shown = SideShown {
        side,
        file_id,
        columns: choices.columns(&preview, side),
        date_formats: choices.date_formats(&preview),
        is_date_order_unclear: choices.is_date_order_unclear(&preview),
        brings_columns: brings_columns(&preview),
        reading: vec![],
        read_as: reading.query(),
        decimal_found: String::new(),
        notes: vec![],
        wants_currency: choices.wants_currency(&preview),
        rows: preview.rows.clone(),
        chosen: reading.clone(),
        preview,
        choices,
        tried: None,
        fields: vec![],
        mistakes: vec![],
    };
    shown.take(None);
    shown
}

impl SideShown {
    pub(super) fn mapping(&self) -> Value {
        let mut mapping = self.choices.mapping(&self.preview);
        self.chosen.apply(&mut mapping);
        mapping
    }

    pub(super) fn take(&mut self, tried: Option<DryRun>) {
        if let Some(tried) = &tried {
            self.rows.clone_from(&tried.rows);
        }
        let mut fields: Vec<String> = self.rows.iter().flat_map(|row| row.fields.keys().cloned()).collect();
        fields.sort();
        fields.dedup();
        self.fields = fields;
        self.tried = tried;
    }

    /// What the preview says, but for what the page says elsewhere or a person has settled.
    pub(super) fn doubts(&self, mistakes: &[Mistake]) -> Vec<String> {
        let has_id = self.choices.roles.iter().any(|role| role == "id");
        let is_settled = |at: &str| match at {
            // Missing parts are mistakes of the mapping, and are told as such.
            "date.column" | "amount.column" | "currency.column" => {
                self.tried.is_some() || !mistakes.is_empty()
            }
            // Has a notice of its own.
            "date.format" => true,
            "id" => has_id,
            "rows" => self.tried.is_some(),
            _ => false,
        };
        let doubts = self.preview.problems.iter().filter(|doubt| !is_settled(&doubt.at));
        doubts.map(|doubt| sentence(&doubt.says)).collect()
    }
}

fn sentence(says: &str) -> String {
    let mut chars = says.chars();
    chars.next().into_iter().flat_map(char::to_uppercase).chain(chars).collect()
}
