//! Where each value came from, and keys that nobody reads.

use super::reference::{Key, Section, sections};
use figment::value::{Tag, Value};
use figment::{Figment, Provider};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "from", content = "name")]
pub enum Origin {
    Default,
    File(PathBuf),
    /// A variable of the environment.
    Environment(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => write!(f, "{name} in the environment"),
        }
    }
}

/// A key with its value, ready to be shown: a secret says only where it is, or that there is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownKey {
    pub key: String,
    /// Empty: not set.
    pub value: String,
    #[serde(flatten)]
    pub origin: Origin,
}

/// In place of a secret's value.
const HIDDEN: &str = "(hidden)";

/// Every key that has a place, in the order of the reference.
pub(super) fn shown(sources: &Figment) -> Vec<ShownKey> {
    let mut shown = vec![];
    for (path, value, tag, key) in leaves(sources) {
        let Known::Key(key) = key else { continue };
        let text = plain(&value);
        let says_where = ["file:", "env:", "aws:"].iter().any(|place| text.starts_with(place));
        let value = if key.is_secret && !text.is_empty() && !says_where { HIDDEN.into() } else { text };
        shown.push(ShownKey { origin: origin(sources, tag, &path), key: path, value });
    }
    shown
}

/// A line for each key that there is not, with its place and what may have been meant.
pub(super) fn unknown_keys(sources: &Figment) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut lines = vec![];
    for (path, _, tag, known) in leaves(sources) {
        let Known::Nothing { unknown, instead } = known else { continue };
        // A whole unknown section is one mistake.
        if !seen.insert(unknown.clone()) {
            continue;
        }
        let from = origin(sources, tag, &path);
        let nearest = nearest(&unknown, &instead);
        let meant = nearest.map_or(String::new(), |name| format!("; there is {name}"));
        lines.push(format!("{unknown}: there is no such setting ({from}){meant}"));
    }
    lines
}

/// Variables that name a key but for the two underscores after its section: they would be passed over in silence, as
/// those of the tests and of scripts, which share the prefix, are. One line each.
pub(super) fn misspelt_variables(names: impl Iterator<Item = String>) -> Vec<String> {
    let plain = |section: &&Section| !section.name.contains(['<', '[']);
    let keys = sections().iter().filter(plain).flat_map(|section| {
        section.keys.iter().map(move |key| format!("{}.{}", section.name, key.name).to_uppercase())
    });
    let meant: BTreeMap<String, String> =
        keys.map(|key| (key.replace('.', "_"), format!("COUNTERFOIL_{}", key.replace('.', "__")))).collect();
    let mut lines: Vec<String> = names
        .filter(|name| !name.contains("__"))
        .filter_map(|name| {
            let meant = meant.get(name.strip_prefix("COUNTERFOIL_")?)?;
            Some(format!("{name}: there is no such variable; there is {meant}"))
        })
        .collect();
    lines.sort();
    lines
}

enum Known {
    Key(&'static Key),
    Nothing {
        /// The part of the path that is unknown.
        unknown: String,
        /// What is there at this place.
        instead: Vec<String>,
    },
}

/// Path, value, source, and what the reference knows of it.
fn leaves(sources: &Figment) -> Vec<(String, Value, Tag, Known)> {
    let mut found = vec![];
    let names: BTreeSet<&str> = sections().iter().filter_map(|s| s.name.split(['.', '[']).next()).collect();
    // What cannot be read at all is told when it is read into the types.
    let profiles = sources.data().unwrap_or_default();
    let tops: BTreeSet<String> = profiles.values().flat_map(|dict| dict.keys().cloned()).collect();
    for top in tops {
        let Ok(value) = sources.find_value(&top) else { continue };
        if !names.contains(top.as_str()) {
            let instead = names.iter().map(|name| (*name).to_owned()).collect();
            let known = Known::Nothing { unknown: top.clone(), instead };
            found.push((top.clone(), value.clone(), first_tag(&value), known));
            continue;
        }
        of_section(&top, &value, &mut found);
    }
    found
}

fn of_section(top: &str, value: &Value, found: &mut Vec<(String, Value, Tag, Known)>) {
    let Value::Dict(_, dict) = value else { return };
    let by_kind = sections().iter().find(|section| section.name == format!("{top}.<kind>"));
    for (key, value) in dict {
        let path = format!("{top}.{key}");
        if let Some(section) = by_kind {
            if let Value::Dict(_, settings) = value {
                settings.iter().for_each(|(name, value)| of_key(&path, name, value, &[section], found));
            }
            continue;
        }
        let inner = sections().iter().find(|section| section.name == path);
        if let (Some(section), Value::Dict(_, settings)) = (inner, value) {
            settings.iter().for_each(|(name, value)| of_key(&path, name, value, &[section], found));
            continue;
        }
        let list = format!("{top}.{key}[]");
        let variants: Vec<&Section> = sections().iter().filter(|section| section.name == list).collect();
        match value {
            Value::Array(_, items) if !variants.is_empty() && !items.is_empty() => {
                for (number, item) in items.iter().enumerate() {
                    of_item(&format!("{path}[{number}]"), item, &variants, found);
                }
            }
            value => {
                let section: Vec<&Section> =
                    sections().iter().filter(|section| section.name == top).collect();
                of_key(top, key, value, &section, found);
            }
        }
    }
}

/// One table of a list, whose `kind` says which keys it may have.
fn of_item(
    path: &str,
    item: &Value,
    variants: &[&'static Section],
    found: &mut Vec<(String, Value, Tag, Known)>,
) {
    let Value::Dict(_, settings) = item else { return };
    let kind = settings.get("kind").and_then(Value::as_str);
    let variant: Vec<&Section> =
        variants.iter().copied().filter(|section| section.variant.as_deref() == kind).collect();
    // Without a kind that is known the types say so themselves.
    if variant.is_empty() {
        return;
    }
    for (name, value) in settings.iter().filter(|(name, _)| *name != "kind") {
        of_key(path, name, value, &variant, found);
    }
}

fn of_key(
    path: &str,
    name: &str,
    value: &Value,
    of: &[&'static Section],
    found: &mut Vec<(String, Value, Tag, Known)>,
) {
    let whole = format!("{path}.{name}");
    let keys = || of.iter().flat_map(|section| &section.keys);
    let known = match keys().find(|key| key.name == name) {
        Some(key) => Known::Key(key),
        None => {
            let instead = keys().map(|key| format!("{path}.{}", key.name)).collect();
            Known::Nothing { unknown: whole.clone(), instead }
        }
    };
    found.push((whole, value.clone(), first_tag(value), known));
}

/// A table that several sources have written into has the tag of none of them.
fn first_tag(value: &Value) -> Tag {
    match value {
        Value::Dict(tag, dict) => dict.values().next().map_or(*tag, first_tag),
        value => value.tag(),
    }
}

fn origin(sources: &Figment, tag: Tag, path: &str) -> Origin {
    let Some(metadata) = sources.get_metadata(tag) else { return Origin::Default };
    if let Some(figment::Source::File(path)) = &metadata.source {
        return Origin::File(path.clone());
    }
    if metadata.name.contains("environment") {
        let name = path.replace('.', "__").to_uppercase();
        return Origin::Environment(format!("COUNTERFOIL_{name}"));
    }
    Origin::Default
}

fn plain(value: &Value) -> String {
    match value {
        Value::Empty(..) => String::new(),
        value => match value.as_str() {
            Some(text) => text.to_owned(),
            None => match serde_json::to_value(value).unwrap_or_default() {
                serde_json::Value::Null => String::new(),
                value => value.to_string(),
            },
        },
    }
}

fn nearest(name: &str, of: &[String]) -> Option<String> {
    let near = |candidate: &&String| strsim::jaro_winkler(name, candidate);
    let best = of.iter().max_by(|a, b| near(a).total_cmp(&near(b)))?;
    (near(&best) > 0.8).then(|| best.clone())
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    #[test]
    fn a_variable_with_one_underscore_too_few_is_told() {
        let names = [
            "COUNTERFOIL_AUTH_REGISTRATION",
            "COUNTERFOIL_AUTH__REGISTRATION",
            "COUNTERFOIL_TEST_DIR",
            "HOME",
        ];
        assert_eq!(
            misspelt_variables(names.map(str::to_owned).into_iter()),
            [
                "COUNTERFOIL_AUTH_REGISTRATION: there is no such variable; there is COUNTERFOIL_AUTH__REGISTRATION"
            ]
        );
    }

    #[test]
    fn each_value_has_its_origin_and_secrets_are_not_shown() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = "[database]\nurl = \"postgres://u:canary@h/d\"\nconnections_max = 7\n[redis]\nurl = \"file:/run/r\"\n\
                    [[backup.stores]]\nkind = \"disk\"\nname = \"nas\"\ndir = \"/mnt\"\n[kinds.mail]\nattempts_max = 9\n";
        std::fs::write(file.path(), text).unwrap();
        let (config, shown) = Config::load_shown(Some(file.path())).unwrap();
        assert_eq!(config.database.connections_max, 7);
        let of = |key: &str| {
            let found = shown.iter().find(|shown| shown.key == key);
            found.unwrap_or_else(|| panic!("{key} in {shown:#?}"))
        };
        let here = Origin::File(file.path().to_owned());
        for (key, value, origin) in [
            ("database.url", "(hidden)", &here),
            ("database.connections_max", "7", &here),
            ("database.acquire_timeout_s", "10", &Origin::Default),
            ("redis.url", "file:/run/r", &here),
            ("broker.url", "", &Origin::Default),
            ("backup.stores[0].dir", "/mnt", &here),
            ("kinds.mail.attempts_max", "9", &here),
            ("log.format", "auto", &Origin::Default),
            ("worker.queues", "[]", &Origin::Default),
        ] {
            assert_eq!((of(key).value.as_str(), &of(key).origin), (value, origin), "{key}");
        }
        assert!(!format!("{shown:?}").contains("canary"));
        let shown_once: BTreeSet<&str> = shown.iter().map(|shown| shown.key.as_str()).collect();
        assert_eq!(shown_once.len(), shown.len());
    }
}
