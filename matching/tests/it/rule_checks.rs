//! Rules that cannot be run are refused with all mistakes and their places.

use matching::{ReconcileError, RecordsBuilder, RuleSet, Watch, reconcile};

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|s| s.to_string()).collect()
}

/// `place: start of the sentence`, one per mistake.
fn check(rules: &str, expected: &[(&str, &str)]) {
    let rules: RuleSet = toml::from_str(rules).unwrap();
    let (left, right) = (names(&["reference", "text"]), names(&["reference"]));
    let found = rules.check(Some(&left), Some(&right));
    let places: Vec<&str> = found.iter().map(|e| e.at.as_str()).collect();
    assert_eq!(places, expected.iter().map(|e| e.0).collect::<Vec<_>>(), "{found:?}");
    for (error, (at, says)) in found.iter().zip(expected) {
        assert!(error.says.contains(says), "{at}: {:?} does not say {says:?}", error.says);
    }
}

#[test]
fn every_mistake_is_named_at_once() {
    check(
        r#"
        version = 2
        threshold = 1.5
        ambiguity_margin = nan
        candidates_max = 0
        [[pass]]
        name = " "
        key = [{ left = "refrence", right = "id" }, { left = "id", right = "text" }, { left = "", right = "id" }]
        amount = { absolute = "-1", percent = "100.0001" }
        date = { window_days = 3661 }
        [[pass]]
        name = "two"
        amount = { absolute = "0.0000001", percent = "five" }
        [[pass]]
        name = "three"
        cardinality = "1:n"
        text = { left = [], right = ["text"], min = -0.1 }
        date = { window_days = 3 }
        [[pass]]
        name = "four"
        key = [
          { left = "text", right = "reference", normalise = "tokens" },
          { left = "reference", right = "reference", normalise = "tokens" },
        ]
        [[pass]]
        name = "five"
        amount = { fee = { percent = "51", per_item = "0.25" } }
        date = { window_days = 3 }
        search = { records_max = 21 }
        "#,
        &[
            ("version", "only version 1"),
            ("threshold", "between 0 and 1"),
            ("ambiguity_margin", "between 0 and 1"),
            ("candidates_max", "between 1 and 100"),
            ("pass[0].name", "empty"),
            (
                "pass[0].key[0].left",
                "\"refrence\" is not a field of the left side, which has id, reference, text",
            ),
            ("pass[0].key[1].right", "\"text\" is not a field of the right side"),
            ("pass[0].key[2].left", "empty"),
            ("pass[0].amount.absolute", "\"-1\" is not a decimal number"),
            ("pass[0].amount.percent", "between 0 and 100"),
            ("pass[0].date.window_days", "at most 3660"),
            ("pass[1].amount.absolute", "more than 6 decimals"),
            ("pass[1].amount.percent", "\"five\""),
            ("pass[1].date.window_days", "without keys"),
            ("pass[2].key", "needs a key"),
            ("pass[2].text", "compares texts only in a search"),
            ("pass[2].text.min", "between 0 and 1"),
            ("pass[2].text.left", "1 to 8 fields"),
            ("pass[2].text.right[0]", "\"text\" is not a field"),
            ("pass[3].key", "only one key"),
            ("pass[4].amount.fee.percent", "between 0 and 50"),
            ("pass[4].search", "passes of sums: 1:n, n:1 or n:m"),
            ("pass[4].text", "is needed to search"),
            ("pass[4].search.records_max", "between 2 and 20"),
            ("pass[4].amount.fee", "passes of sums with keys"),
        ],
    );
    check(
        r#"
        version = 1
        rate_base = "EURO"
        rate = [{ from = "USD", to = "EUR", date = "2026-02-30", rate = "0.9" }]
        [[calendar]]
        name = "uk"
        [[calendar]]
        name = "ours"
        weekend = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
        holidays = ["2026-12-24", "24.12.2026"]
        [[calendar]]
        name = "ours"
        [[pass]]
        name = "one"
        priority = 1001
        threshold = -0.1
        ambiguity_margin = 2
        date = { window_days = 1, window_business_days = 1, calendar = "ours" }
        key = [{ left = "id", right = "id", normalise = "pattern" }]
        amount = { allowed = [{ name = "", percent = "101" }, { name = "x" }] }
        [[pass]]
        name = "two"
        date = { window_business_days = 2601, calendar = "mars" }
        key = [
          { left = "id", right = "id", pattern = "a" },
          { left = "id", right = "id", normalise = "pattern", left_pattern = "(" },
        ]
        currency = { percent = "0.5" }
        [[pass]]
        name = "three"
        cardinality = "n:1"
        date = { calendar = "uk" }
        key = [{ left = "id", right = "id" }]
        currency = { convert = true, percent = "x", rate_window_days = 367 }
        "#,
        &[
            ("calendar[0].name", "uk is known already"),
            ("calendar[1].weekend", "all seven"),
            ("calendar[1].holidays[1]", "is not a day"),
            ("calendar[2].name", "another calendar"),
            ("rate[0].date", "is not a day"),
            ("rate_base", "ISO 4217"),
            ("pass[0].priority", "between -1000 and 1000"),
            ("pass[0].threshold", "between 0 and 1"),
            ("pass[0].ambiguity_margin", "between 0 and 1"),
            ("pass[0].key[0].pattern", "is needed"),
            ("pass[0].amount.allowed[0].name", "1 to 200"),
            ("pass[0].amount.allowed[0].percent", "between 0 and 100"),
            ("pass[0].amount.allowed[1].absolute", "is needed"),
            ("pass[0].date.window_days", "exclude each other"),
            ("pass[1].key[0].pattern", "counts only with"),
            ("pass[1].key[1].left_pattern", "no regular expression"),
            ("pass[1].currency.convert", "is false"),
            ("pass[1].date.window_business_days", "at most 2600"),
            (
                "pass[1].date.calendar",
                "is no calendar; there are weekends, target2, us_federal_reserve, uk, uk, ours",
            ),
            ("pass[2].currency.percent", "not a decimal"),
            ("pass[2].currency.rate_window_days", "at most 366"),
            ("pass[2].date.calendar", "counts only with"),
        ],
    );
    check("version = 1\npass = []", &[("pass", "at least one")]);
}

#[test]
fn mistakes_in_sums_and_netting_have_their_places_too() {
    check(
        r#"
        version = 1
        [[netting]]
        name = ""
        key = []
        window_days = 4000
        [[netting]]
        name = "storno"
        side = "right"
        key = [
          { field = "text", normalise = "tokens" },
          { field = "reference", reversal = "note", normalise = "tokens" },
        ]
        window_days = 3
        [[pass]]
        name = "one"
        cardinality = "n:m"
        split = true
        search = {}
        key = [{ left = "reference", right = "reference" }]
        [[pass]]
        name = "two"
        cardinality = "n:m"
        date = { window_days = 3 }
        [[pass]]
        name = "three"
        cardinality = "1:n"
        split = true
        search = {}
        key = [{ left = "reference", right = "reference" }]
        text = { left = ["text"], right = ["reference"], min = 0.5 }
        "#,
        &[
            ("pass[0].split", "passes of sums 1:n or n:1"),
            ("pass[0].split", "together with a search"),
            ("pass[1].key", "needs a key"),
            ("pass[2].split", "together with a search"),
            ("pass[2].text", "only in a search without keys"),
            ("netting[0].name", "empty"),
            ("netting[0].key", "1 to 8 keys"),
            ("netting[0].window_days", "at most 3660"),
            ("netting[1].key", "only one key"),
            ("netting[1].key[0].field", "\"text\" is not a field of the right side"),
            ("netting[1].key[1].reversal", "\"note\" is not a field of the right side"),
        ],
    );
}

#[test]
fn without_files_the_names_of_fields_are_not_checked() {
    let rules: RuleSet = toml::from_str(
        "version = 1\n[[pass]]\nname = \"a\"\nkey = [{ left = \"anything\", right = \"else\" }]",
    )
    .unwrap();
    assert_eq!(rules.check(None, None), []);
    assert_eq!(rules.check(Some(&[]), None).len(), 1);
}

#[test]
fn unknown_settings_are_refused_when_reading() {
    let wrong = "version = 1\n[[pass]]\nname = \"a\"\nwindow = 3";
    assert!(toml::from_str::<RuleSet>(wrong).unwrap_err().to_string().contains("window"));
}

#[test]
fn invalid_rules_make_no_outcome() {
    let empty = || RecordsBuilder::new(vec![]).build();
    let error = reconcile(&empty(), &empty(), &RuleSet::standard(), Watch::none()).unwrap_err();
    let ReconcileError::InvalidRules(errors) = &error else { panic!("{error}") };
    assert!(errors.len() > 3);
    assert!(error.to_string().contains("pass[0].key[0].left"));
}

#[test]
fn standard_rules_fit_whatever_fields_there_are() {
    let all = ["reference", "description", "counterparty", "batch", "other"];
    for left in 0..32u32 {
        for right in 0..32u32 {
            let pick = |mask: u32| -> Vec<String> {
                (0..5).filter(|i| mask & (1 << i) != 0).map(|i| all[i].to_owned()).collect()
            };
            let (left, right) = (pick(left), pick(right));
            let rules = RuleSet::standard_for(&left, &right);
            assert_eq!(rules.check(Some(&left), Some(&right)), [], "{left:?} {right:?}");
        }
    }
    assert_eq!(RuleSet::standard().check(None, None), []);
}

#[test]
fn rules_survive_being_written_and_read() {
    let rules = RuleSet::standard();
    assert_eq!(toml::from_str::<RuleSet>(&toml::to_string(&rules).unwrap()).unwrap(), rules);
    assert_eq!(serde_json::from_str::<RuleSet>(&serde_json::to_string(&rules).unwrap()).unwrap(), rules);
}
