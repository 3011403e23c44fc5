//! Whether a tree has the shape of a rule set, by its JSON Schema: every key known, every value of its kind.
//!
//! Bounds of numbers, lengths and all that depends on more than one value are left to the rule set's own check; only
//! what could not even be read is said here.

use super::finding::Finding;
use super::tree::{Content, Node};
use serde_json::{Map, Value, json};

/// The mistakes, and the tree without them: what a rule set can be read from, to find those that are not of shape.
pub struct Shaped {
    pub findings: Vec<Finding>,
    pub value: Value,
}

pub fn check(schema: &Value, root: &Node) -> Shaped {
    let mut walk = Walk { schema, findings: vec![] };
    let value = walk.value(schema, root, "").unwrap_or(Value::Null);
    Shaped { findings: walk.findings, value }
}

struct Walk<'s> {
    schema: &'s Value,
    findings: Vec<Finding>,
}

impl<'s> Walk<'s> {
    /// `None` when it is none of what the schema allows.
    fn value(&mut self, schema: &'s Value, node: &Node, at: &str) -> Option<Value> {
        let schema = self.resolve(schema);
        if matches!(&node.content, Content::Scalar(Value::Null)) && allows(schema, "null") {
            return Some(Value::Null);
        }
        let words = words(schema);
        if !words.is_empty() {
            let found = match &node.content {
                Content::Scalar(Value::String(text)) => text.as_str(),
                _ => {
                    return self.wrong(
                        node,
                        at,
                        format!("must be one of {}, not {}", list(&words), node.kind()),
                    );
                }
            };
            if words.contains(&found) {
                return Some(Value::from(found));
            }
            let found: String = found.chars().take(80).collect();
            return self.wrong(
                node,
                at,
                format!("{found:?} is not known; it must be one of {}", list(&words)),
            );
        }
        match &node.content {
            Content::Table(_) if allows(schema, "object") => self.table(schema, node, at),
            Content::List(items) if allows(schema, "array") => {
                let of = &schema["items"];
                let each = items.iter().enumerate();
                // An element that cannot be read keeps its place, so that those behind it keep theirs.
                let read = each.map(|(i, item)| {
                    self.value(of, item, &format!("{at}[{i}]")).unwrap_or_else(|| self.stand_in(of))
                });
                Some(Value::Array(read.collect()))
            }
            Content::Scalar(text @ Value::String(_)) if allows(schema, "string") => Some(text.clone()),
            Content::Scalar(is @ Value::Bool(_)) if allows(schema, "boolean") => Some(is.clone()),
            Content::Scalar(Value::Number(number)) if allows(schema, "number") => {
                Some(Value::Number(number.clone()))
            }
            Content::Scalar(Value::Number(number)) if allows(schema, "integer") => {
                let is_unsigned = schema["format"].as_str() == Some("uint32");
                let (least, most) = match is_unsigned {
                    true => (0, i64::from(u32::MAX)),
                    false => (i64::from(i32::MIN), i64::from(i32::MAX)),
                };
                let bound = |key: &str, or: i64| schema[key].as_i64().unwrap_or(or);
                let (low, high) = (bound("minimum", least), bound("maximum", most));
                match number.as_i64() {
                    Some(n) if (least..=most).contains(&n) => Some(Value::from(n)),
                    _ => {
                        self.wrong(node, at, format!("{number} must be a whole number from {low} to {high}"))
                    }
                }
            }
            _ => {
                let must = kinds(schema);
                let hint = match (&node.content, must.as_str()) {
                    (Content::Odd(_) | Content::Scalar(Value::Number(_)), "a text") => {
                        "; put it in quotation marks"
                    }
                    _ => "",
                };
                self.wrong(node, at, format!("must be {must}, not {}{hint}", node.kind()))
            }
        }
    }

    fn table(&mut self, schema: &'s Value, node: &Node, at: &str) -> Option<Value> {
        let Content::Table(members) = &node.content else { return None };
        let Value::Object(properties) = &schema["properties"] else { return None };
        let mut read = Map::new();
        for (i, member) in members.iter().enumerate() {
            let place = if at.is_empty() { member.key.clone() } else { format!("{at}.{}", member.key) };
            let span = member.key_span.clone();
            let Some(of) = properties.get(&member.key) else {
                let says = unknown(&member.key, properties);
                self.findings.push(Finding { span, at: place, says });
                continue;
            };
            if members[..i].iter().any(|before| before.key == member.key) {
                self.findings.push(Finding { span, at: place, says: "stands here twice; keep one".into() });
                continue;
            }
            if let Some(value) = self.value(of, &member.node, &place) {
                read.insert(member.key.clone(), value);
            }
        }
        for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !members.iter().any(|member| member.key == key) {
                let place = if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") };
                let says = format!("is missing; it must be {}", kinds(self.resolve(&properties[key])));
                self.findings.push(Finding { span: node.span.clone(), at: place, says });
            }
            if !read.contains_key(key) {
                read.insert(key.to_owned(), self.stand_in(&properties[key]));
            }
        }
        Some(Value::Object(read))
    }

    fn wrong(&mut self, node: &Node, at: &str, says: String) -> Option<Value> {
        self.findings.push(Finding { span: node.span.clone(), at: at.to_owned(), says });
        None
    }

    /// Something of the right kind, so that the rest can be read. What is said about it later is not heard.
    fn stand_in(&self, schema: &'s Value) -> Value {
        let schema = self.resolve(schema);
        if let Some(word) = words(schema).first() {
            return Value::from(*word);
        }
        match schema["type"].as_str() {
            Some("object") => {
                let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
                required.map(|key| (key.to_owned(), self.stand_in(&schema["properties"][key]))).collect()
            }
            Some("array") => json!([]),
            Some("integer" | "number") => json!(1),
            Some("boolean") => json!(false),
            _ => json!("stand-in"),
        }
    }

    /// Behind references, and of a choice with null the other part.
    fn resolve(&self, mut schema: &'s Value) -> &'s Value {
        // References of a generated schema do not go in circles; the bound is for the eye.
        for _ in 0..16 {
            if let Some(reference) = schema["$ref"].as_str() {
                schema = self.schema.pointer(reference.trim_start_matches('#')).unwrap_or(&Value::Null);
            } else if let Some(parts) = schema["anyOf"].as_array() {
                let other = parts.iter().find(|part| part["type"] != "null");
                schema = other.unwrap_or(&Value::Null);
            } else {
                break;
            }
        }
        schema
    }
}

/// Of a choice between texts.
fn words(schema: &Value) -> Vec<&str> {
    let texts = |value: &'_ Value| value.as_array().into_iter().flatten().filter_map(Value::as_str).count();
    if texts(&schema["enum"]) > 0 {
        return schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    }
    let parts = schema["oneOf"].as_array().into_iter().flatten();
    parts
        .flat_map(|part| {
            let several = part["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
            part["const"].as_str().into_iter().chain(several)
        })
        .collect()
}

fn allows(schema: &Value, kind: &str) -> bool {
    match &schema["type"] {
        Value::String(only) => only == kind,
        Value::Array(kinds) => kinds.iter().any(|one| one == kind),
        _ => false,
    }
}

fn kinds(schema: &Value) -> String {
    let words = words(schema);
    if !words.is_empty() {
        return format!("one of {}", list(&words));
    }
    let names = [
        ("object", "a table"),
        ("array", "a list"),
        ("string", "a text"),
        ("integer", "a whole number"),
        ("number", "a number"),
        ("boolean", "true or false"),
    ];
    let allowed: Vec<&str> =
        names.iter().filter(|(kind, _)| allows(schema, kind)).map(|(_, name)| *name).collect();
    allowed.join(" or ")
}

fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ")
}

/// With the known key that looks most like it, where one does.
fn unknown(key: &str, properties: &Map<String, Value>) -> String {
    let near = properties.keys().map(|known| (distance(key, known), known)).min();
    let short: String = key.chars().take(80).collect();
    match near {
        Some((distance, known)) if distance <= 1 + known.len() / 4 => {
            format!("there is no key {short:?} here; did you mean {known:?}?")
        }
        _ => {
            let known: Vec<&str> = properties.keys().map(String::as_str).collect();
            format!("there is no key {short:?} here; there are {}", known.join(", "))
        }
    }
}

/// Letters to add, take away or exchange (Levenshtein); long keys are cut, since none of ours is long.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let best = (corner + usize::from(x != y)).min(row[j] + 1).min(row[j + 1] + 1);
            corner = std::mem::replace(&mut row[j + 1], best);
        }
    }
    row[b.len()]
}
