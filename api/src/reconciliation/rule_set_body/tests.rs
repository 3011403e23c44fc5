use super::amount::{AllowedBody, AmountRuleBody, FeeRuleBody};
use super::currency::CurrencyRuleBody;
use super::date::DateRuleBody;
use super::key::KeyBody;
use super::learned::{ComparisonBody, LearnedRuleBody};
use super::search::SearchRuleBody;
use super::text::TextRuleBody;
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
        "calendar": [{
            "name": "ours", "extends": "target2", "weekend": ["friday", "saturday"], "holidays": ["2026-12-24"],
        }],
        "rate_base": "EUR",
        "rate": [{"from": "USD", "to": "EUR", "date": "2026-01-31", "rate": "0.9231"}],
        "pass": [{
            "name": "one", "cardinality": "1:1", "tier": "suggested", "priority": -7, "threshold": 0.25,
            "ambiguity_margin": 0.125,
            "key": [{"left": "reference", "right": "id", "normalise": "tokens"}, {
                "left": "a", "right": "b", "normalise": "pattern",
                "pattern": "a+", "left_pattern": "b+", "right_pattern": "c+",
            }],
            "amount": {"absolute": "0.05", "percent": "0.5", "flip_sign": true, "allowed": [
                {"name": "charge", "absolute": "15", "percent": "3", "side": "left_less"},
            ]},
            "currency": {"convert": true, "percent": "0.5", "rate_window_days": 7, "rounding": "half_even"},
            "date": {"window_business_days": 5, "calendar": "ours", "direction": "right_later"},
            "text": {"left": ["a"], "right": ["b"], "min": 0.75, "silent": "left"},
            "conflict": [{"left": "order_id", "right": "id", "normalise": "digits"}],
            "doubt": {"left": ["a"], "right": ["b"], "min": 0.25},
        }, {
            "name": "two", "cardinality": "1:n", "tier": "confirmed",
            "amount": {"flip_sign": false},
            "date": {"window_days": 5, "direction": "either"},
            "text": {"left": ["a"], "right": ["b"], "min": 0.75},
            "search": {"records_max": 7},
        }, {
            "name": "three", "cardinality": "n:1", "tier": "confirmed",
            "key": [{"left": "reference", "right": "id", "normalise": "list"}],
            "amount": {"fee": {"percent": "1.4", "per_item": "0.25"}, "flip_sign": false},
            "date": {"direction": "either"},
            "split": true,
        }, {
            "name": "four", "cardinality": "n:m", "tier": "confirmed",
            "key": [{"left": "reference", "right": "id", "normalise": "exact"}],
            "amount": {"flip_sign": false},
            "date": {"direction": "either"},
        }, {
            "name": "five", "cardinality": "1:1", "tier": "confirmed",
            "amount": {"flip_sign": false},
            "date": {"direction": "either"},
            "learned": {"confirm": 0.75, "compare": [
                {"left": "a", "right": ["b", "c"], "as": "text", "silent": "right"},
                {"left": "n", "right": "n"},
            ]},
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
    assert_schema_is_read::<AllowedBody>();
    assert_schema_is_read::<CalendarBody>();
    assert_schema_is_read::<CurrencyRuleBody>();
    assert_schema_is_read::<FeeRuleBody>();
    assert_schema_is_read::<RateBody>();
    assert_schema_is_read::<SearchRuleBody>();
    assert_schema_is_read::<LearnedRuleBody>();
    assert_schema_is_read::<ComparisonBody>();
    assert_schema_is_read::<DateRuleBody>();
    assert_schema_is_read::<TextRuleBody>();
}

#[test]
fn every_mistake_has_its_place() {
    let mistakes = read(json!({
        "version": -1, "treshold": 0.5,
        "pass": [{"cardinality": "2:2", "key": [{"left": 1, "right": "x"}], "date": {"window_days": 1.5}}, 7,
            {"name": "l", "learned": {"confirm": 2, "compare": [
                {"left": "a", "right": ["a", 7]}, {"left": {}, "right": "b", "as": "texts", "silent": "none", "like": 1},
            ]}},
        ],
    }));
    assert_eq!(
        pointers(mistakes.unwrap_err()),
        [
            "#/pass/0/cardinality",
            "#/pass/0/date/window_days",
            "#/pass/0/key/0/left",
            "#/pass/0/name",
            "#/pass/1",
            "#/pass/2/learned/compare/0/right/1",
            "#/pass/2/learned/compare/1/as",
            "#/pass/2/learned/compare/1/left",
            "#/pass/2/learned/compare/1/like",
            "#/pass/2/learned/compare/1/silent",
            "#/pass/2/learned/confirm",
            "#/treshold",
            "#/version"
        ]
    );
}

#[test]
fn what_the_shape_does_not_show_is_checked_too() {
    let mistakes = read(json!({
        "version": 2, "pass": [{"name": "p", "amount": {"percent": "lots"}, "date": {"window_days": 1}}, {
            "name": "l", "cardinality": "1:n", "currency": {"convert": true},
            "learned": {"compare": [{"left": [], "right": "a"}]},
        }],
    }));
    let places = pointers(mistakes.unwrap_err());
    for place in [
        "#/rules/pass/0/amount/percent",
        "#/rules/pass/1/cardinality",
        "#/rules/pass/1/currency/convert",
        "#/rules/pass/1/learned/compare/0/left",
        "#/rules/version",
    ] {
        assert!(places.iter().any(|p| p == place), "{place} is not in {places:?}");
    }
}
