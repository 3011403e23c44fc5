//! A rule set as it is sent: the shape of [`matching::RuleSet`], read so that every mistake is reported.

use super::netting_body::NettingRuleBody;
use crate::problem::Mistake;
use crate::read::{Fields, ReadBody, boolean, choice, integer, list, number, object, push_pointer, text};
use matching::{RuleError, RuleSet};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Ordered passes; each looks at what the ones before it left.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RuleSet)]
pub(crate) struct RuleSetBody {
    /// Of this format.
    #[schema(minimum = 1, maximum = 1)]
    version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    name: Option<String>,
    /// Matches below this confidence are not made; 0.5 unless said otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0, maximum = 1)]
    threshold: Option<f64>,
    /// Two candidates closer than this in confidence are equally good: ambiguous.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0, maximum = 1)]
    ambiguity_margin: Option<f64>,
    /// Candidates listed per exception.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1, maximum = 100)]
    candidates_max: Option<u32>,
    /// Taken out of a side before the passes, in this order.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline, nullable = false, max_items = 16)]
    netting: Option<Vec<NettingRuleBody>>,
    #[schema(min_items = 1, max_items = 64)]
    pass: Vec<PassBody>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Pass)]
struct PassBody {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline, nullable = false)]
    cardinality: Option<CardinalityWord>,
    /// Whether its matches stand by themselves or wait for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    tier: Option<TierWord>,
    /// All must be equal and non-empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline, nullable = false, max_items = 8)]
    key: Option<Vec<KeyBody>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline, nullable = false)]
    amount: Option<AmountRuleBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline, nullable = false)]
    date: Option<DateRuleBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline, nullable = false)]
    text: Option<TextRuleBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline, nullable = false)]
    search: Option<SearchRuleBody>,
    /// With `1:n` or `n:1` and keys: the single record may be settled in part, or overpaid.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    split: Option<bool>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
enum CardinalityWord {
    #[serde(rename = "1:1")]
    OneToOne,
    #[serde(rename = "1:n")]
    OneToMany,
    #[serde(rename = "n:1")]
    ManyToOne,
    #[serde(rename = "n:m")]
    ManyToMany,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Tier)]
pub(super) enum TierWord {
    Confirmed,
    Suggested,
}

/// A field of each side that must be equal once some of it is forgotten.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct KeyBody {
    /// A field of the left mapping, or `id`.
    left: String,
    right: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline, nullable = false)]
    normalise: Option<NormaliseWord>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum NormaliseWord {
    Exact,
    Alphanumeric,
    Digits,
    Tokens,
}

/// How far the amounts may be apart. Decimals in text, so that they are exact.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AmountRuleBody {
    /// In major units: "0.05".
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    absolute: Option<String>,
    /// Of the larger amount: "0.5".
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    percent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline, nullable = false)]
    fee: Option<FeeRuleBody>,
    /// Right amounts are negated first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    flip_sign: Option<bool>,
}

/// In a pass of sums: what was kept back of the sum, each part learned where neither is given. Decimals in text, so
/// that they are exact.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FeeRuleBody {
    /// Of the sum: "1.4".
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    percent: Option<String>,
    /// In major units, for each record of the sum: "0.25".
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    per_item: Option<String>,
}

/// In a pass `1:n` or `n:1`, where not all records of the key add up: looks for the only choice that does. Needed in
/// one without keys.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SearchRuleBody {
    /// Records among which one search may choose.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 2, maximum = 20)]
    records_max: Option<u32>,
}

/// How far the dates may be apart.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DateRuleBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, maximum = 3660)]
    window_days: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline, nullable = false)]
    direction: Option<DirectionWord>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum DirectionWord {
    Either,
    RightLater,
    LeftLater,
}

/// How alike the texts must be.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TextRuleBody {
    /// Fields of the left mapping.
    left: Vec<String>,
    right: Vec<String>,
    #[schema(minimum = 0, maximum = 1)]
    min: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline, nullable = false)]
    silent: Option<SideWord>,
}

/// The side whose texts are not held against a pair where they have no word of the other side.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum SideWord {
    Left,
    Right,
}

/// Longer texts and lists are never right, and [`RuleSet::check`] says what is.
pub(super) const CHARS_MAX: usize = 1000;
pub(super) const ITEMS_MAX: usize = 1000;

impl ReadBody for RuleSetBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let version = fields.required("version", integer(0..=u32::MAX));
        let name = fields.optional("name", text(0..=CHARS_MAX));
        let threshold = fields.optional("threshold", number(0.0..=1.0));
        let ambiguity_margin = fields.optional("ambiguity_margin", number(0.0..=1.0));
        let candidates_max = fields.optional("candidates_max", integer(1..=100));
        let netting = fields
            .optional("netting", list(ITEMS_MAX, |value, place| object(NettingRuleBody::read)(value, place)));
        let pass =
            fields.required("pass", list(ITEMS_MAX, |value, place| object(PassBody::read)(value, place)));
        Some(Self {
            version: version?,
            name,
            threshold,
            ambiguity_margin,
            candidates_max,
            netting,
            pass: pass?,
        })
    }
}

impl ReadBody for PassBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let name = fields.required("name", text(0..=CHARS_MAX));
        let cardinality = fields.optional("cardinality", choice);
        let tier = fields.optional("tier", choice);
        let key = fields.optional("key", list(ITEMS_MAX, |value, place| object(KeyBody::read)(value, place)));
        let amount = fields.optional("amount", object(AmountRuleBody::read));
        let date = fields.optional("date", object(DateRuleBody::read));
        let text = fields.optional("text", object(TextRuleBody::read));
        let search = fields.optional("search", object(SearchRuleBody::read));
        let split = fields.optional("split", boolean);
        Some(Self { name: name?, cardinality, tier, key, amount, date, text, search, split })
    }
}

impl ReadBody for KeyBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let left = fields.required("left", text(0..=CHARS_MAX));
        let right = fields.required("right", text(0..=CHARS_MAX));
        let normalise = fields.optional("normalise", choice);
        Some(Self { left: left?, right: right?, normalise })
    }
}

impl ReadBody for AmountRuleBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self {
            absolute: fields.optional("absolute", text(0..=CHARS_MAX)),
            percent: fields.optional("percent", text(0..=CHARS_MAX)),
            fee: fields.optional("fee", object(FeeRuleBody::read)),
            flip_sign: fields.optional("flip_sign", boolean),
        })
    }
}

impl ReadBody for FeeRuleBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self {
            percent: fields.optional("percent", text(0..=CHARS_MAX)),
            per_item: fields.optional("per_item", text(0..=CHARS_MAX)),
        })
    }
}

impl ReadBody for SearchRuleBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self { records_max: fields.optional("records_max", integer(2..=20)) })
    }
}

impl ReadBody for DateRuleBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self {
            window_days: fields.optional("window_days", integer(0..=3660)),
            direction: fields.optional("direction", choice),
        })
    }
}

impl ReadBody for TextRuleBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let left = fields.required("left", list(ITEMS_MAX, |value, place| text(0..=CHARS_MAX)(value, place)));
        let right =
            fields.required("right", list(ITEMS_MAX, |value, place| text(0..=CHARS_MAX)(value, place)));
        let min = fields.required("min", number(0.0..=1.0));
        let silent = fields.optional("silent", choice);
        Some(Self { left: left?, right: right?, min: min?, silent })
    }
}

impl RuleSetBody {
    /// The rule set, or everything that is wrong with it. The fields of a side are looked at when they are known.
    pub fn check(
        &self,
        left_fields: Option<&[String]>,
        right_fields: Option<&[String]>,
    ) -> Result<RuleSet, Vec<Mistake>> {
        let value = serde_json::to_value(self).expect("texts and finite numbers are always JSON");
        let rules: RuleSet = serde_json::from_value(value).map_err(|error| {
            // Not reached while both shapes agree, which a test below watches.
            vec![mistake(&RuleError { at: String::new(), says: error.to_string() })]
        })?;
        let errors = rules.check(left_fields, right_fields);
        if errors.is_empty() { Ok(rules) } else { Err(errors.iter().map(mistake).collect()) }
    }
}

/// `pass[2].amount.percent` is `#/rules/pass/2/amount/percent`.
fn mistake(error: &RuleError) -> Mistake {
    let mut pointer = "#/rules".to_owned();
    for part in error.at.split(['.', '[', ']']).filter(|part| !part.is_empty()) {
        push_pointer(&mut pointer, part);
    }
    Mistake { pointer: Some(pointer), parameter: None, code: "rule", detail: error.says.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::assert_schema_is_read;
    use crate::read::draft;
    use serde_json::{Value, json};

    fn read(value: Value) -> Result<RuleSet, Vec<Mistake>> {
        let draft = draft::<RuleSetBody>(value);
        if draft.mistakes.is_empty() {
            draft.body.expect("no mistake").check(None, None)
        } else {
            Err(draft.mistakes)
        }
    }

    fn pointers(mistakes: Vec<Mistake>) -> Vec<String> {
        let mut pointers: Vec<_> = mistakes.into_iter().map(|m| m.pointer.unwrap()).collect();
        pointers.sort_unstable();
        pointers
    }

    #[test]
    fn the_shape_is_that_of_the_rule_set() {
        let whole = json!({
            "version": 1, "name": "all", "threshold": 0.5, "ambiguity_margin": 0.25, "candidates_max": 7,
            "pass": [{
                "name": "one", "cardinality": "1:1", "tier": "suggested",
                "key": [{"left": "reference", "right": "id", "normalise": "tokens"}],
                "amount": {"absolute": "0.05", "percent": "0.5", "flip_sign": true},
                "date": {"window_days": 5, "direction": "right_later"},
                "text": {"left": ["a"], "right": ["b"], "min": 0.75, "silent": "left"},
            }, {
                "name": "two", "cardinality": "1:n", "tier": "confirmed",
                "amount": {"flip_sign": false},
                "date": {"window_days": 5, "direction": "either"},
                "text": {"left": ["a"], "right": ["b"], "min": 0.75},
                "search": {"records_max": 7},
            }, {
                "name": "three", "cardinality": "n:1", "tier": "confirmed",
                "key": [{"left": "reference", "right": "id", "normalise": "exact"}],
                "amount": {"fee": {"percent": "1.4", "per_item": "0.25"}, "flip_sign": false},
                "date": {"direction": "either"},
                "split": true,
            }, {
                "name": "four", "cardinality": "n:m", "tier": "confirmed",
                "key": [{"left": "reference", "right": "id", "normalise": "exact"}],
                "amount": {"flip_sign": false},
                "date": {"direction": "either"},
            }],
            "netting": [{
                "name": "storno", "tier": "suggested", "side": "left", "window_days": 30,
                "key": [{"field": "id", "reversal": "text", "normalise": "tokens"}],
            }],
        });
        // Nothing of ours is missing there, and nothing of theirs here.
        assert_eq!(serde_json::to_value(read(whole.clone()).unwrap()).unwrap(), whole);
        let standard = serde_json::to_value(RuleSet::standard()).unwrap();
        assert_eq!(serde_json::to_value(read(standard.clone()).unwrap()).unwrap(), standard);
        assert_schema_is_read::<RuleSetBody>();
        assert_schema_is_read::<PassBody>();
        assert_schema_is_read::<KeyBody>();
        assert_schema_is_read::<AmountRuleBody>();
        assert_schema_is_read::<FeeRuleBody>();
        assert_schema_is_read::<SearchRuleBody>();
        assert_schema_is_read::<DateRuleBody>();
        assert_schema_is_read::<TextRuleBody>();
    }

    #[test]
    fn every_mistake_has_its_place() {
        let mistakes = read(json!({
            "version": -1, "treshold": 0.5,
            "pass": [{"cardinality": "2:2", "key": [{"left": 1, "right": "x"}], "date": {"window_days": 1.5}}, 7],
        }));
        assert_eq!(
            pointers(mistakes.unwrap_err()),
            [
                "#/pass/0/cardinality",
                "#/pass/0/date/window_days",
                "#/pass/0/key/0/left",
                "#/pass/0/name",
                "#/pass/1",
                "#/treshold",
                "#/version"
            ]
        );
    }

    #[test]
    fn what_the_shape_does_not_show_is_checked_too() {
        let mistakes = read(json!({
            "version": 2, "pass": [{"name": "p", "amount": {"percent": "lots"}, "date": {"window_days": 1}}],
        }));
        assert_eq!(pointers(mistakes.unwrap_err()), ["#/rules/pass/0/amount/percent", "#/rules/version"]);
    }
}
