use super::*;
use matching::Preset;
use serde_json::Value;

fn lines(name: &str, text: &str) -> Vec<String> {
    let path = Path::new(name);
    check(path, text, Sides::default()).lines(path, text)
}

#[test]
fn mistakes_of_shape_and_of_meaning_come_together_with_their_lines() {
    let text = r#"version = 1
treshold = 0.5
candidates_max = 0

[[pass]]
name = "one"
key = [{ left = "a", right = "b", normalise = "tokkens" }, { left = "a" }]
amount = { absolute = 5, percent = "lots" }
date = { window_days = -1 }

[[calendar]]
name = "ours"
holidays = [2026-12-24]

[[pass]]
cardinality = "1:n"
date = { window_business_days = 1, calendar = "mars" }
"#;
    assert_eq!(
        lines("r.toml", text),
        [
            r#"r.toml:2:1: treshold: there is no key "treshold" here; did you mean "threshold"?"#,
            "r.toml:3:18: candidates_max: must be between 1 and 100",
            "r.toml:7:47: pass[0].key[0].normalise: \"tokkens\" is not known; it must be one of \"exact\", \
             \"alphanumeric\", \"digits\", \"tokens\", \"list\", \"pattern\", \"creditor_reference\"",
            "r.toml:7:60: pass[0].key[1].right: is missing; it must be a text",
            "r.toml:8:23: pass[0].amount.absolute: must be a text, not a number; put it in quotation marks",
            "r.toml:8:36: pass[0].amount.percent: \"lots\" is not a decimal number of at least 0, such as \"0.05\"",
            "r.toml:9:24: pass[0].date.window_days: -1 must be a whole number from 0 to 3660",
            "r.toml:13:13: calendar[0].holidays[0]: must be a text, not a date without quotation marks; put it in \
             quotation marks",
            "r.toml:15:1: pass[1].name: is missing; it must be a text",
            "r.toml:15:1: pass[1].key: a pass of sums needs a key that says which records are added up, or a search",
            "r.toml:17:47: pass[1].date.calendar: \"mars\" is no calendar; there are weekends, target2, \
             us_federal_reserve, uk, ours",
        ]
    );
}

#[test]
fn mistakes_of_a_learned_pass_have_their_lines() {
    let text = r#"version = 1
[[pass]]
name = "l"
key = [{ left = "a", right = "b" }]
[pass.learned]
confirm = 2
compare = [
  { left = ["a", 7], right = "b", as = "texts" },
  { left = [], right = 1, simlar = 2 },
  { left = "a", right = ["a", "b"], as = "code", silent = "left" },
]
"#;
    assert_eq!(
        lines("r.toml", text),
        [
            "r.toml:4:7: pass[0].key: is not for a learned pass: name the fields in learned.compare",
            "r.toml:6:11: pass[0].learned.confirm: is 2; must be between 0 and 1",
            "r.toml:8:18: pass[0].learned.compare[0].left[1]: must be a text, not a number; put it in quotation marks",
            "r.toml:8:40: pass[0].learned.compare[0].as: \"texts\" is not known; it must be one of \"text\", \
             \"code\", \"number\"",
            "r.toml:9:12: pass[0].learned.compare[1].left: must name 1 to 8 fields",
            "r.toml:9:24: pass[0].learned.compare[1].right: must be a list or a text, not a number",
            "r.toml:9:27: pass[0].learned.compare[1].simlar: there is no key \"simlar\" here; there are as, left, \
             right, silent",
        ]
    );
}

#[test]
fn json_has_places_too() {
    let text = "{\n  \"version\": 1,\n  \"pass\": [\n    {\"name\": \"ä\", \"date\": {\"window_days\": 9999}},\n    \
                {\"name\": \"b\", \"name\": \"c\", \"date\": null},\n    7\n  ]\n}\n";
    assert_eq!(
        lines("r.json", text),
        [
            "r.json:4:43: pass[0].date.window_days: must be at most 3660",
            "r.json:5:19: pass[1].name: stands here twice; keep one",
            "r.json:5:40: pass[1].date: must be a table, not null",
            "r.json:6:5: pass[2]: must be a table, not a number",
        ]
    );
}

#[test]
fn what_is_not_even_toml_or_json_says_where() {
    let toml = lines("r.toml", "version = 1\npass = [\nname = \n");
    assert!(toml[0].starts_with("r.toml:3:"), "{toml:?}");
    let json = lines("r.json", "{\n\"version\": 1,\n}");
    assert_eq!(json, ["r.json:3:1: trailing comma"]);
}

#[test]
fn rules_without_mistakes_are_read_as_written() {
    for preset in Preset::ALL {
        let checked = check(Path::new("p.toml"), preset.text(), Sides::default());
        assert_eq!(checked.findings, [], "{}", preset.as_str());
        assert_eq!(checked.rules, Some(preset.rules()));
        let json = serde_json::to_string_pretty(&preset.rules()).unwrap();
        let checked = check(Path::new("p.JSON"), &json, Sides::default());
        assert_eq!((checked.findings, checked.rules), (vec![], Some(preset.rules())));
    }
}

/// Something for every key that the schema knows, as deep as it goes. Of a choice the word numbered `pick`.
fn whole(schema: &Value, of: &Value, pick: usize) -> Value {
    if let Some(reference) = of["$ref"].as_str() {
        return whole(schema, schema.pointer(reference.trim_start_matches('#')).unwrap(), pick);
    }
    if let Some(parts) = of["anyOf"].as_array() {
        return whole(schema, parts.iter().find(|part| part["type"] != "null").unwrap(), pick);
    }
    if let Some(words) = of["enum"].as_array() {
        return words[pick % words.len()].clone();
    }
    if let Some(parts) = of["oneOf"].as_array() {
        let part = &parts[pick % parts.len()];
        return part.get("const").cloned().unwrap_or_else(|| whole(schema, part, pick));
    }
    let several = of["type"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let kinds: Vec<&str> =
        of["type"].as_str().into_iter().chain(several).filter(|kind| *kind != "null").collect();
    match kinds.get(pick % kinds.len().max(1)).copied() {
        Some("object") => {
            let properties = of["properties"].as_object().unwrap();
            assert_eq!(of["additionalProperties"], false, "unknown keys are refused everywhere: {of}");
            properties.iter().map(|(key, of)| (key.clone(), whole(schema, of, pick))).collect()
        }
        Some("array") => Value::from(vec![whole(schema, &of["items"], pick)]),
        Some("string") => Value::from("1"),
        Some("boolean") => Value::from(true),
        Some("integer" | "number") => Value::from(1),
        _ => panic!("{of}"),
    }
}

#[test]
fn every_key_of_the_schema_is_read_and_every_key_read_is_in_the_schema() {
    let schema = RuleSet::json_schema().to_value();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    for pick in 0..8 {
        let whole = whole(&schema, &schema, pick);
        // Nothing is refused, and nothing is forgotten but what is written only where it is not the default.
        let rules: RuleSet = serde_json::from_value(whole.clone()).expect("the schema promises it");
        let written = serde_json::to_value(&rules).unwrap();
        assert_same_keys(&whole, &written, "");
        let text = serde_json::to_string_pretty(&written).unwrap();
        let tree = super::json_tree::parse(&text).unwrap();
        assert_eq!(super::shape::check(&schema, &tree).findings, []);
    }
}

/// Written only where it is another word, so that older rule sets keep their digest.
const DEFAULT_WORDS: [(&str, &str); 1] = [("rounded", "each")];

fn assert_same_keys(a: &Value, b: &Value, at: &str) {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            let is_unwritten = |key: &str, value: &Value| {
                DEFAULT_WORDS.iter().any(|(known, word)| key == *known && value == word)
            };
            let given: Vec<_> =
                a.iter().filter(|(key, value)| b.contains_key(*key) || !is_unwritten(key, value)).collect();
            assert!(given.iter().all(|(key, _)| b.contains_key(*key)), "{at}: {a:?} {b:?}");
            assert_eq!(given.len(), b.len(), "{at}");
            given.iter().for_each(|(key, value)| assert_same_keys(value, &b[*key], &format!("{at}.{key}")));
        }
        (Value::Array(a), Value::Array(b)) => {
            a.iter().zip(b).for_each(|(a, b)| assert_same_keys(a, b, at));
        }
        _ => {}
    }
}
