//! What a client asks for when it submits a reconciliation.

use super::rule_set_body::{RATES_MAX, RateBody, RuleSetBody, mistake_at, rates_of};
use crate::problem::Mistake;
use crate::read::{Fields, ReadBody, choice, id, integer, list, number, object, text};
use matching::{Confidence, DroppedPass, Fitted, Preset, RuleSet};
use serde::Deserialize;
use shared::ids::{DataSourceId, JobId, ProjectId};
use shared::store::data_sources::DataSource;
use sources::Mapping;
use utoipa::ToSchema;

/// Two data sources of a project, and how to compare them.
#[derive(Default, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Submission {
    #[schema(value_type = Uuid)]
    pub project_id: Option<ProjectId>,
    /// The names of both data sources unless said otherwise.
    #[schema(nullable = false, min_length = 1, max_length = 200)]
    pub name: Option<String>,
    #[schema(value_type = Uuid)]
    pub left_source_id: Option<DataSourceId>,
    /// Another one than the left.
    #[schema(value_type = Uuid)]
    pub right_source_id: Option<DataSourceId>,
    /// A completed reconciliation of the same project: its open items are carried in, and what its chain has
    /// matched stays matched. Both sources need an id column, here and there.
    #[schema(value_type = Option<Uuid>, nullable = false)]
    pub continues: Option<JobId>,
    /// Made for the fields that both sides have unless given.
    #[schema(nullable = false)]
    pub rules: Option<RuleSetBody>,
    /// In place of rules: one that comes with the program. Passes that need a field which a source does not have are
    /// left out, and the answer says which.
    #[schema(nullable = false)]
    pub preset: Option<PresetWord>,
    /// With a preset: the currency over which rates of two others give a third one.
    #[schema(nullable = false, min_length = 3, max_length = 3)]
    pub rate_base: Option<String>,
    /// With a preset: what currencies are worth, where it converts.
    #[schema(nullable = false, max_items = 50000)]
    pub rate: Option<Vec<RateBody>>,
    /// Matches below are not made. Replaces the threshold of the rules.
    #[schema(nullable = false, minimum = 0, maximum = 1)]
    pub confidence_threshold: Option<f64>,
    /// 0 (last) to 9 (first).
    #[schema(nullable = false, minimum = 0, maximum = 9, default = 5)]
    pub priority: Option<u32>,
}

/// A rule set that comes with the program.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = Preset)]
pub(crate) enum PresetWord {
    BankToLedger,
    CardPayoutsToOrders,
    Intercompany,
}

impl From<PresetWord> for Preset {
    fn from(word: PresetWord) -> Self {
        match word {
            PresetWord::BankToLedger => Preset::BankToLedger,
            PresetWord::CardPayoutsToOrders => Preset::CardPayoutsToOrders,
            PresetWord::Intercompany => Preset::Intercompany,
        }
    }
}

/// Below what the system does for itself.
pub(crate) const PRIORITY_DEFAULT: u8 = 5;

impl ReadBody for Submission {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self {
            project_id: fields.required("project_id", id),
            name: fields.optional("name", text(1..=200)),
            left_source_id: fields.required("left_source_id", id),
            right_source_id: fields.required("right_source_id", id),
            continues: fields.optional("continues", id),
            rules: fields.optional("rules", object(RuleSetBody::read)),
            preset: fields.optional("preset", choice),
            rate_base: fields.optional("rate_base", text(3..=3)),
            rate: fields
                .optional("rate", list(RATES_MAX, |value, place| object(RateBody::read)(value, place))),
            confidence_threshold: fields.optional("confidence_threshold", number(0.0..=1.0)),
            priority: fields.optional("priority", integer(0..=9)),
        })
    }
}

/// A submission that can run.
pub(crate) struct Accepted {
    pub name: String,
    pub left: DataSourceId,
    pub right: DataSourceId,
    pub continues: Option<JobId>,
    pub rules: RuleSet,
    /// Of a preset.
    pub dropped_passes: Vec<DroppedPass>,
    pub priority: u8,
}

impl Submission {
    /// Checks it against those of its sources that the project has. Adds everything that is wrong to `mistakes`,
    /// which hold those of the shape already; `None` when there are any.
    pub fn check(&self, found: &[DataSource], mistakes: &mut Vec<Mistake>) -> Option<Accepted> {
        let left = find(self.left_source_id, found, "#/left_source_id", mistakes);
        let right = find(self.right_source_id, found, "#/right_source_id", mistakes);
        if self.left_source_id.is_some() && self.left_source_id == self.right_source_id {
            mistakes.push(mistake(
                "#/right_source_id",
                "same_source",
                "must be another one than the left source",
            ));
        }
        if self.continues.is_some() {
            for (source, pointer) in [(left, "#/left_source_id"), (right, "#/right_source_id")] {
                if source.is_some_and(|source| !has_own_ids(source)) {
                    mistakes.push(mistake(
                        pointer,
                        "no_ids",
                        "its mapping names no id column, so that its records cannot be known again",
                    ));
                }
            }
        }
        let fields = |source: Option<&DataSource>, pointer, mistakes: &mut Vec<Mistake>| {
            source.and_then(|source| field_names(source, pointer, mistakes))
        };
        let left_fields = fields(left, "#/left_source_id", mistakes);
        let right_fields = fields(right, "#/right_source_id", mistakes);
        self.check_choice(mistakes);
        let mut dropped_passes = vec![];
        let rules = match (&self.rules, self.preset, &left_fields, &right_fields) {
            (Some(rules), _, left, right) => {
                rules.check(left.as_deref(), right.as_deref()).map_err(|wrong| mistakes.extend(wrong)).ok()
            }
            (None, Some(preset), Some(left), Some(right)) => {
                let fitted = self.fit(preset.into(), left, right, mistakes);
                dropped_passes = fitted.dropped;
                Some(fitted.rules)
            }
            (None, None, Some(left), Some(right)) => Some(RuleSet::standard_for(left, right)),
            (None, ..) => None,
        };
        let (left, right, mut rules) = (left?, right?, rules?);
        if !mistakes.is_empty() {
            return None;
        }
        if let Some(threshold) = self.confidence_threshold {
            // As exact as confidences are.
            rules.threshold = Confidence::from_f64(threshold).as_f64();
        }
        let both = || format!("{} / {}", left.name, right.name).chars().take(200).collect();
        Some(Accepted {
            name: self.name.clone().unwrap_or_else(both),
            left: left.id,
            right: right.id,
            continues: self.continues,
            rules,
            dropped_passes,
            priority: self.priority.and_then(|p| u8::try_from(p).ok()).unwrap_or(PRIORITY_DEFAULT),
        })
    }
}

impl Submission {
    /// Rules or a preset, and rates only where they are not part of the rules.
    fn check_choice(&self, mistakes: &mut Vec<Mistake>) {
        if self.rules.is_some() && self.preset.is_some() {
            mistakes.push(mistake("#/preset", "exclusive", "and rules exclude each other; send one of them"));
        }
        if self.preset.is_none() {
            for (sent, pointer) in
                [(self.rate.is_some(), "#/rate"), (self.rate_base.is_some(), "#/rate_base")]
            {
                if sent {
                    mistakes.push(mistake(
                        pointer,
                        "without_preset",
                        "belongs to a preset; rules have their own",
                    ));
                }
            }
        }
    }

    fn fit(
        &self,
        preset: Preset,
        left_fields: &[String],
        right_fields: &[String],
        mistakes: &mut Vec<Mistake>,
    ) -> Fitted {
        let mut fitted = preset.rules().fit(left_fields, right_fields);
        fitted.rules.rate_base = self.rate_base.clone();
        fitted.rules.rates = rates_of(self.rate.as_deref().unwrap_or_default());
        if let ([], Some(first)) = (&fitted.rules.passes[..], fitted.dropped.first()) {
            let says = format!("no pass fits the fields of both sources; {first}, and so on");
            mistakes.push(mistake("#/preset", "fields", &says));
        } else {
            let errors = fitted.rules.check(Some(left_fields), Some(right_fields));
            mistakes.extend(errors.iter().map(|error| mistake_at("#", error)));
        }
        fitted
    }
}

fn find<'s>(
    id: Option<DataSourceId>,
    found: &'s [DataSource],
    pointer: &str,
    mistakes: &mut Vec<Mistake>,
) -> Option<&'s DataSource> {
    let id = id?;
    let source = found.iter().find(|source| source.id == id);
    if source.is_none() {
        mistakes.push(mistake(pointer, "unknown", "there is no such data source in the project"));
    }
    source
}

/// Line numbers mean other records in every file.
pub(super) fn has_own_ids(source: &DataSource) -> bool {
    // A bank statement brings its ids, written down or not.
    serde_json::from_value::<Mapping>(source.mapping.clone()).is_ok_and(|mapping| mapping.id.is_some())
}

/// The fields that the source's records will have.
fn field_names(source: &DataSource, pointer: &str, mistakes: &mut Vec<Mistake>) -> Option<Vec<String>> {
    match serde_json::from_value::<Mapping>(source.mapping.clone()) {
        Ok(mapping) => Some(mapping.fields.into_keys().collect()),
        Err(error) => {
            // Checked when it was stored, by an older version perhaps.
            tracing::warn!(data_source_id = %source.id, %error, "a stored mapping cannot be read");
            mistakes.push(mistake(
                pointer,
                "mapping",
                "its mapping is not understood any more; make it anew",
            ));
            None
        }
    }
}

pub(super) fn mistake(pointer: &str, code: &'static str, detail: &str) -> Mistake {
    Mistake { pointer: Some(pointer.to_owned()), parameter: None, code, detail: detail.to_owned() }
}

#[cfg(test)]
mod tests {
    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_schema_is_read::<super::Submission>();
    }
}
