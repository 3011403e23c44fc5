//! Rules in TOML: read into what the API takes, and written from the form for common passes.

use crate::form::Fields;
use crate::problem::Mistake;
use serde_json::Value;

/// The rule set, or where the text is no TOML.
pub(crate) fn parse(text: &str) -> Result<Value, Mistake> {
    match toml::from_str::<toml::Value>(text) {
        Ok(value) => Ok(json_of(value)),
        Err(error) => {
            let line = error.span().map(|span| text[..span.start.min(text.len())].lines().count().max(1));
            let place = line.map(|line| format!("line {line}: ")).unwrap_or_default();
            let detail = format!("{place}{}", error.message());
            Err(Mistake { pointer: Some("#/rules".into()), parameter: None, code: "toml".into(), detail })
        }
    }
}

fn json_of(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(n) => n.into(),
        toml::Value::Float(n) => n.into(),
        toml::Value::Boolean(is) => is.into(),
        // Days are texts in rules.
        toml::Value::Datetime(at) => at.to_string().into(),
        toml::Value::Array(items) => items.into_iter().map(json_of).collect(),
        toml::Value::Table(members) => {
            Value::Object(members.into_iter().map(|(name, value)| (name, json_of(value))).collect())
        }
    }
}

/// The text with one more pass at its end, made of the form's fields.
pub(crate) fn with_pass(text: &str, form: &Fields) -> String {
    let mut rules = text.trim_end().to_owned();
    if rules.is_empty() {
        rules.push_str("version = 1");
    }
    rules.push_str("\n\n");
    rules.push_str(&pass(form));
    rules
}

fn pass(form: &Fields) -> String {
    let mut lines = vec!["[[pass]]".to_owned()];
    let (left, right) = (form.get("pass.left"), form.get("pass.right"));
    let by = form.get("pass.by");
    let name = match (form.given("pass.name"), by) {
        (Some(name), _) => name.to_owned(),
        (None, "key") => format!("{left} is {right}"),
        (None, "text") => format!("{left} like {right}"),
        (None, _) => "amount and date".to_owned(),
    };
    lines.push(format!("name = {}", quoted(&name)));
    if let Some(cardinality @ ("1:n" | "n:1" | "n:m")) = form.given("pass.cardinality") {
        lines.push(format!("cardinality = {}", quoted(cardinality)));
    }
    if form.has("pass.suggested") {
        lines.push("tier = \"suggested\"".into());
    }
    match by {
        "key" => {
            let normalise = match form.get("pass.normalise") {
                "" | "alphanumeric" => String::new(),
                how => format!(", normalise = {}", quoted(how)),
            };
            lines.push(format!(
                "key = [{{ left = {}, right = {}{normalise} }}]",
                quoted(left),
                quoted(right)
            ));
        }
        "text" => lines.push(format!(
            "text = {{ left = [{}], right = [{}], min = {} }}",
            quoted(left),
            quoted(right),
            form.get("pass.min").parse::<f64>().map_or(0.6, |min| min.clamp(0.0, 1.0))
        )),
        _ => {}
    }
    match (form.get("pass.tolerance"), form.get("pass.tolerance_is")) {
        ("" | "0", _) => {}
        (value, "percent") => lines.push(format!("amount = {{ percent = {} }}", quoted(value))),
        (value, _) => lines.push(format!("amount = {{ absolute = {} }}", quoted(value))),
    }
    if let Ok(days) = form.get("pass.days").parse::<u32>() {
        let window = if form.has("pass.business") { "window_business_days" } else { "window_days" };
        lines.push(format!("date = {{ {window} = {days} }}"));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_pass_of_the_form_is_a_pass_of_the_rules() {
        let form = Fields::parse(
            b"pass.by=key&pass.left=reference&pass.right=in%22voice&pass.normalise=tokens&pass.cardinality=1%3An\
              &pass.tolerance=0.05&pass.tolerance_is=absolute&pass.days=5&pass.suggested=1",
        );
        let rules = parse(&with_pass("", &form)).unwrap();
        assert_eq!(rules["version"], 1);
        let pass = &rules["pass"][0];
        assert_eq!(pass["name"], "reference is in\"voice");
        assert_eq!(pass["key"][0]["normalise"], "tokens");
        assert_eq!((&pass["cardinality"], &pass["tier"]), (&"1:n".into(), &"suggested".into()));
        assert_eq!((&pass["amount"]["absolute"], &pass["date"]["window_days"]), (&"0.05".into(), &5.into()));
        let two = parse(&with_pass(
            &with_pass("", &form),
            &Fields::parse(b"pass.by=amount&pass.days=3&pass.business=1"),
        ))
        .unwrap();
        assert_eq!(two["pass"][1]["date"]["window_business_days"], 3);
    }

    #[test]
    fn what_is_no_toml_is_told_by_its_line() {
        assert!(parse("version = 1\n[[pass]\n").unwrap_err().detail.starts_with("line 2: "));
        assert_eq!(parse("holidays = [2026-12-24]").unwrap()["holidays"][0], "2026-12-24");
    }

    proptest! {
        #[test]
        fn any_text_is_toml_or_a_mistake_with_its_line(text in prop_oneof![".{0,80}", "[\\[\\]{}=\"'#a-zé0-9.\n ]{0,80}"]) {
            if let Err(mistake) = parse(&text) {
                let line = mistake.detail.strip_prefix("line ").and_then(|detail| detail.split_once(':'));
                let line = line.and_then(|(number, _)| number.parse().ok()).unwrap_or(0);
                prop_assert!((1..=text.split('\n').count()).contains(&line), "{}", mistake.detail);
            }
        }
    }
}
