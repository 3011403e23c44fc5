//! Every key of the configuration, read from the types themselves: `docs/configuration.md`, the refusal of unknown keys
//! and `counterfoil config show` are made of it.

use super::Config;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value};
use std::fmt::Write;
use std::sync::LazyLock;

/// Stands for a secret in the schema.
pub(super) struct SecretText;

impl JsonSchema for SecretText {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SecretText".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "writeOnly": true})
    }
}

/// Keys that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// `worker`; `backup.retention` inside one; `kinds.<kind>` for what is there by job kind; `backup.stores[]` for a
    /// list.
    pub name: String,
    /// Of the variants of a list, which: `disk`.
    pub variant: Option<String>,
    pub meaning: String,
    /// By name.
    pub keys: Vec<Key>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Without the section.
    pub name: String,
    /// What values are: `number`, `text`, `yes or no`, `list`, `secret`, or the words it may be.
    pub values: String,
    /// Empty: none.
    pub default: String,
    pub meaning: String,
    pub is_secret: bool,
}

/// All sections, by name.
pub fn sections() -> &'static [Section] {
    static SECTIONS: LazyLock<Vec<Section>> = LazyLock::new(read);
    &SECTIONS
}

fn read() -> Vec<Section> {
    let root = schemars::schema_for!(Config).to_value();
    let defaults = serde_json::to_value(Config::default()).unwrap_or_default();
    let mut sections = vec![];
    for (name, schema) in sorted(&root["properties"]) {
        let schema = resolved(&root, schema);
        if let Some(of_each) = schema.get("additionalProperties").filter(|each| each.is_object()) {
            let each = resolved(&root, of_each);
            sections.push(section(&root, format!("{name}.<kind>"), None, &each, &Value::Null));
            continue;
        }
        sections.push(section(&root, name.clone(), None, &schema, &defaults[name]));
        for (key, inner) in sorted(&schema["properties"]) {
            let inner = resolved(&root, inner);
            if is_table(&inner) {
                sections.push(section(&root, format!("{name}.{key}"), None, &inner, &defaults[name][key]));
            }
        }
        for (key, list) in sorted(&schema["properties"]) {
            let Some(item) = list.get("items") else { continue };
            for variant in resolved(&root, item)["oneOf"].as_array().into_iter().flatten() {
                let kind = variant["properties"]["kind"]["const"].as_str().map(str::to_owned);
                let fields = resolved(&root, variant);
                sections.push(section(&root, format!("{name}.{key}[]"), kind, &fields, &Value::Null));
            }
        }
    }
    // A section that only has others in it needs no words of its own.
    sections.retain(|section| !section.keys.is_empty());
    sections
}

fn section(root: &Value, name: String, variant: Option<String>, schema: &Value, defaults: &Value) -> Section {
    let keys =
        sorted(&schema["properties"]).into_iter().filter(|(key, _)| variant.is_none() || *key != "kind");
    let keys =
        keys.map(|(key, schema)| (key, resolved(root, schema))).filter(|(_, schema)| !is_table(schema));
    let keys = keys.map(|(key, schema)| {
        let default = defaults.get(key).or_else(|| schema.get("default")).unwrap_or(&Value::Null);
        Key {
            name: key.clone(),
            values: values(root, &schema),
            default: shown(default),
            meaning: description(&schema),
            is_secret: schema["writeOnly"] == Value::Bool(true),
        }
    });
    let keys = keys.collect();
    Section { name, variant, meaning: description(schema), keys }
}

/// A table of keys inside a section.
fn is_table(schema: &Value) -> bool {
    schema["properties"].is_object()
}

/// A schema with what it refers to; its own words win.
fn resolved(root: &Value, schema: &Value) -> Value {
    // Something optional that has a type of its own.
    let optional = schema["anyOf"].as_array().and_then(|of| of.iter().find(|s| s.get("$ref").is_some()));
    let Some(name) = schema["$ref"].as_str().or_else(|| optional.and_then(|of| of["$ref"].as_str())) else {
        return schema.clone();
    };
    let mut whole = root["$defs"][name.trim_start_matches("#/$defs/")].clone();
    for (key, value) in schema.as_object().into_iter().flatten().filter(|(key, _)| *key != "properties") {
        whole[key] = value.clone();
    }
    whole
}

fn sorted(object: &Value) -> Vec<(&String, &Value)> {
    let mut pairs: Vec<_> = object.as_object().into_iter().flat_map(Map::iter).collect();
    pairs.sort_by_key(|(name, _)| *name);
    pairs
}

fn description(schema: &Value) -> String {
    schema["description"].as_str().unwrap_or("").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn values(root: &Value, schema: &Value) -> String {
    let mut words: Vec<String> = vec![];
    for word in schema["enum"].as_array().into_iter().flatten() {
        words.extend(word.as_str().map(str::to_owned));
    }
    for choice in schema["oneOf"].as_array().into_iter().flatten() {
        words.extend(choice["const"].as_str().map(str::to_owned));
        words.extend(
            choice["enum"].as_array().into_iter().flatten().filter_map(|w| w.as_str().map(str::to_owned)),
        );
    }
    if !words.is_empty() {
        return words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    }
    if schema["writeOnly"] == Value::Bool(true) {
        return "secret".into();
    }
    let kinds = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().find(|kind| *kind != "null").and_then(Value::as_str),
        kind => kind.as_str(),
    };
    match kinds {
        Some("integer" | "number") => "number".into(),
        Some("boolean") => "yes or no".into(),
        Some("array") => match resolved(root, &schema["items"]).get("oneOf") {
            Some(_) => "list of tables".into(),
            None => "list".into(),
        },
        _ => "text".into(),
    }
}

fn shown(default: &Value) -> String {
    match default {
        Value::Null => String::new(),
        Value::Array(list) if list.is_empty() => String::new(),
        Value::String(text) if text.is_empty() => String::new(),
        value => format!("`{}`", value.as_str().map_or_else(|| value.to_string(), str::to_owned)),
    }
}

/// `docs/configuration.md`.
pub fn page() -> String {
    let mut page = String::from(HEAD);
    for section in sections() {
        let title = match &section.variant {
            Some(kind) => format!("`[[{}]]` with `kind = \"{kind}\"`", section.name.trim_end_matches("[]")),
            None => format!("`[{}]`", section.name),
        };
        let _ = write!(page, "\n## {title}\n\n");
        if !section.meaning.is_empty() {
            let _ = write!(page, "{}\n\n", section.meaning);
        }
        page += "| key | values | default | meaning |\n|---|---|---|---|\n";
        for key in &section.keys {
            let meaning = key.meaning.replace('|', "\\|");
            let _ = writeln!(page, "| `{}` | {} | {} | {meaning} |", key.name, key.values, key.default);
        }
    }
    page
}

const HEAD: &str = "# Configuration

A TOML file (`--config FILE` or `COUNTERFOIL_CONFIG`), then environment variables `COUNTERFOIL_<SECTION>__<KEY>`, which win:
`COUNTERFOIL_WORKER__LEASE_S=20` is `lease_s = 20` in `[worker]`. Unknown keys and values out of range are refused, all at
once. Nothing needs to be set for `counterfoil up`.

```sh
counterfoil config check            # says what is wrong, and exits with 1
counterfoil config check --for api  # and what this role lacks
counterfoil config show             # every value, and where it came from; no secret
```

What is *secret* is the value itself, or says where the value is: `file:/run/secrets/database`, `env:DATABASE_URL`,
`aws:prod/counterfoil` (AWS Secrets Manager) or `aws:prod/counterfoil#url` (one member of a JSON secret there); see
[operating.md](operating.md#secrets).

This page is written by `counterfoil config reference` from the types in `shared/src/config.rs`; a test compares the two.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_that_of_the_types() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
        let is_same = std::fs::read_to_string(path).unwrap_or_default() == page();
        assert!(
            is_same,
            "docs/configuration.md is old: counterfoil config reference > docs/configuration.md"
        );
    }

    #[test]
    fn every_key_says_what_it_means() {
        for section in sections() {
            assert!(!section.keys.is_empty(), "{}", section.name);
            for key in &section.keys {
                let name = format!("{}.{}", section.name, key.name);
                assert!(key.meaning.ends_with('.') && key.meaning.len() > 5, "{name}: {:?}", key.meaning);
                assert!(!key.meaning.contains("[`"), "{name} links into the code: {}", key.meaning);
                assert!(!key.meaning.contains(" - "), "{name}");
            }
        }
        let all: usize = sections().iter().map(|section| section.keys.len()).sum();
        assert!(all > 80, "{all} keys");
    }

    /// What is kept from serialisation is what counts as secret here.
    #[test]
    fn secrets_are_known_as_such() {
        let secret = sections().iter().flat_map(|section| {
            let of = section.keys.iter().filter(|key| key.is_secret);
            of.map(move |key| format!("{}.{}", section.name, key.name))
        });
        let secret: Vec<String> = secret.collect();
        for name in ["auth.sealing_key", "auth.signing_key", "broker.url", "database.url", "redis.url"] {
            assert!(secret.iter().any(|key| key == name), "{name} in {secret:?}");
        }
        let code = [
            include_str!("auth.rs"),
            include_str!("http.rs"),
            include_str!("notifications.rs"),
            include_str!("oidc.rs"),
            include_str!("services.rs"),
            include_str!("telemetry.rs"),
        ];
        let hidden: usize =
            code.iter().map(|code| code.matches("\n    #[serde(serialize_with = \"hidden\")]").count()).sum();
        assert_eq!(secret.len(), hidden, "every hidden key has the schema of a secret: {secret:?}");
    }
}
