//! A bound of memory changes how a run works, never what it finds.

use crate::table::rule_set;
use matching::{
    Currency, KeptBytes, Records, RecordsBuilder, RecordsPart, TextStore, Watch, WorkingSet, reconcile,
    reconcile_within,
};
use std::sync::Arc;

const COUNT: u32 = 70_000;

/// More than a segment of texts, with matches of all kinds and exceptions.
fn side(prefix: &str, skip: u32, mut add: impl FnMut(&str, u64, i64, &[&str])) {
    for i in (0..COUNT).filter(|i| i % skip != 0) {
        let reference = if i % 5 == 0 { String::new() } else { format!("INV-2026-{:05}", i / 2) };
        let text = format!("PAYMENT {} OF HOLM {} GMBH", 10_000 + i, i % 797);
        let batch = if i % 11 < 2 { format!("PO-{:06}", i / 11) } else { String::new() };
        add(
            &format!("{prefix}{i}"),
            u64::from(i + i / 900) + 2,
            i64::from(1_000 + i % 3_001),
            &[&reference, &text, &batch],
        );
    }
}

fn names() -> Vec<String> {
    ["reference", "description", "batch"].map(str::to_owned).to_vec()
}

fn currency(line: u64) -> Currency {
    Currency::parse(if line.is_multiple_of(3) { "USD" } else { "EUR" }).unwrap()
}

fn date(line: u64) -> i32 {
    20_000 + (line % 20) as i32
}

/// Keeps everything somewhere else.
struct Elsewhere;

impl TextStore for Elsewhere {
    fn keep(&mut self, bytes: &[u8]) -> Result<Option<KeptBytes>, String> {
        Ok(Some(Arc::new(bytes.to_vec())))
    }
}

/// One record at a time, all in memory.
fn plain(prefix: &str, skip: u32) -> Records {
    let mut builder = RecordsBuilder::new(names());
    side(prefix, skip, |id, line, amount, fields| {
        builder.push(id, line, amount, currency(line), date(line), fields).unwrap();
    });
    builder.build()
}

/// In parts, the texts elsewhere.
fn elsewhere(prefix: &str, skip: u32) -> Records {
    let mut part = RecordsPart::new(3);
    side(prefix, skip, |id, line, amount, fields| {
        part.push(id, line, amount, currency(line), date(line), fields).unwrap();
    });
    let mut builder = RecordsBuilder::kept_by(names(), Box::new(Elsewhere));
    let mut start = 0;
    while start < part.len() {
        let end = part.len().min(start + 9_999);
        builder.append(&part, start..end).unwrap();
        start = end;
    }
    builder.build()
}

const RULES: &str = r#"
    [[pass]]
    name = "key"
    key = [{ left = "reference", right = "reference" }]
    date = { window_days = 5 }
    [[pass]]
    name = "tokens"
    key = [{ left = "description", right = "description", normalise = "tokens" }]
    [[pass]]
    name = "sum"
    cardinality = "1:n"
    key = [{ left = "batch", right = "batch", normalise = "tokens" }]
    [[pass]]
    name = "text"
    date = { window_days = 3 }
    text = { left = ["description"], right = ["description"], min = 0.6 }
"#;

#[test]
fn a_bound_of_memory_changes_nothing_that_is_found() {
    let (left, right) = (plain("L", 13), plain("R", 17));
    let rules = rule_set(RULES, &left, &right);
    let all = reconcile(&left, &right, &rules, Watch::none()).unwrap();
    assert!(all.passes.iter().take(2).all(|pass| pass.matches > 0), "{:?}", all.passes);
    assert!(all.exceptions.len() > 1_000);
    let (far_left, far_right) = (elsewhere("L", 13), elsewhere("R", 17));
    for row in left.rows() {
        assert_eq!((left.id(row), left.line(row)), (far_left.id(row), far_left.line(row)));
    }
    for keys_bytes_max in [0, 100_000, 3_000_000] {
        let bound = WorkingSet { keys_bytes_max };
        let within = reconcile_within(bound, &far_left, &far_right, &rules, Watch::none()).unwrap();
        assert!(within == all, "within {keys_bytes_max} bytes");
    }
}
