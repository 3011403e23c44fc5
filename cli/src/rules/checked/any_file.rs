//! Rule files of any bytes: reading them ends, says where, and what it accepts can be run.
//!
//! A bounded number of them in every test run; `COUNTERFOIL_FUZZ_CASES=1000000 cargo test -p counterfoil any_file` for a
//! long one.

use super::*;
use matching::{Currency, Preset, RecordsBuilder, Watch, reconcile};
use proptest::prelude::*;
use proptest::sample::{Index, select};

fn config() -> ProptestConfig {
    let asked = std::env::var("COUNTERFOIL_FUZZ_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig { cases: asked.unwrap_or(400), failure_persistence: None, ..ProptestConfig::default() }
}

/// Pieces that rule files are made of.
fn piece() -> impl Strategy<Value = String> {
    let toml = select(vec![
        "[[pass]]\n",
        "[pass.amount]\n",
        "[[calendar]]\n",
        "[[rate]]\n",
        "version = 1\n",
        "name = \"x\"\n",
        "key = [{ left = \"id\", right = \"a\" }]\n",
        "normalise = \"pattern\"\n",
        "date = { window_days = 3 }\n",
        "date = { window_business_days = 1, calendar = \"uk\" }\n",
        "weekend = [\"monday\"]\n",
        "holidays = [2026-01-01, \"2026-02-30\"]\n",
        "allowed = [{ name = \"y\", absolute = \"1e9\" }]\n",
        "from = \"USD\"\n",
        "rate = \"0.5\"\n",
        "currency.convert = true\n",
        "threshold = nan\n",
        "priority = -7\n",
        "text = { left = [], right = [\"a\"], min = 2 }\n",
        "search = {}\n",
        "a.b.c = 0x7fffffffffffffff\n",
        "\"\"\"",
    ]);
    let json = select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"version\"",
        "1",
        "\"pass\"",
        "\"name\"",
        "\"key\"",
        "null",
        "true",
        "-1e400",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "\"ä",
        "\\",
    ]);
    prop_oneof![4 => toml.prop_map(str::to_owned), 2 => json.prop_map(str::to_owned), 1 => ".{0,8}"]
}

/// A preset as TOML or JSON with some characters lost, doubled or exchanged.
fn damaged() -> impl Strategy<Value = String> {
    let edits = prop::collection::vec((any::<Index>(), 0usize..40, "[ -~\n]{0,4}"), 0..6);
    (select(Preset::ALL.to_vec()), any::<bool>(), edits).prop_map(|(preset, json, edits)| {
        let mut text = match json {
            true => serde_json::to_string_pretty(&preset.rules()).expect("JSON"),
            false => preset.text().to_owned(),
        };
        for (at, len, with) in edits {
            let start = text.floor_char_boundary(at.index(text.len() + 1));
            let end = text.floor_char_boundary((start + len).min(text.len())).max(start);
            text.replace_range(start..end, &with);
        }
        text
    })
}

fn assert_answered(text: &str) -> Result<(), TestCaseError> {
    for name in ["any.toml", "any.json"] {
        let checked = check(Path::new(name), text, Sides::default());
        let lines = text.matches('\n').count() + 1;
        for finding in &checked.findings {
            prop_assert!(finding.span.start <= finding.span.end && !finding.says.is_empty());
            let (line, _) = Lines::of(text).position(finding.span.start);
            prop_assert!((1..=lines).contains(&line));
        }
        prop_assert_eq!(checked.lines(Path::new(name), text).len(), checked.findings.len());
        prop_assert!(checked.rules.is_some() || !checked.findings.is_empty());
        if let (Some(rules), []) = (checked.rules, &checked.findings[..]) {
            run(&rules)?;
        }
    }
    Ok(())
}

/// On two records of each side with whatever fields the rules name.
fn run(rules: &RuleSet) -> Result<(), TestCaseError> {
    let side = |pick: fn(&matching::Pass) -> Vec<String>| {
        let mut fields: Vec<String> =
            rules.passes.iter().flat_map(pick).filter(|name| name != "id").collect();
        fields.sort();
        fields.dedup();
        let mut records = RecordsBuilder::new(fields.clone());
        for (id, date, code) in [("1", 20_454, "EUR"), ("2", i32::MAX, "USD")] {
            let texts = vec!["INV-2026-0001 Holm"; fields.len()];
            let currency = Currency::parse(code).expect("a code");
            records.push(id, 1, i64::MAX - 1, currency, date, &texts).expect("two records");
        }
        records.build()
    };
    let left = side(|pass| {
        let texts = pass.text.iter().flat_map(|text| text.left.clone());
        pass.keys.iter().map(|key| key.left.clone()).chain(texts).collect()
    });
    let right = side(|pass| {
        let texts = pass.text.iter().flat_map(|text| text.right.clone());
        pass.keys.iter().map(|key| key.right.clone()).chain(texts).collect()
    });
    let outcome = reconcile(&left, &right, rules, Watch::none());
    let outcome = outcome.map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert!(outcome.proof.iter().all(|proof| proof.residual() == 0));
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_text_is_answered(pieces in prop::collection::vec(piece(), 0..30)) {
        assert_answered(&pieces.concat())?;
    }

    #[test]
    fn a_damaged_rule_set_is_answered(text in damaged()) {
        assert_answered(&text)?;
    }
}
