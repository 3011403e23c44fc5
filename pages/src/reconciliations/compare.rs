//! Records beside each other, with what differs marked.

use crate::answers::{Reason, Record};
use crate::html::{Html, escape};
use std::collections::BTreeSet;

/// One line of a comparison: a field, and what each side says.
pub(crate) struct Row {
    pub field: String,
    pub left: Html,
    pub right: Html,
    pub differs: bool,
}

/// Longer texts are compared as wholes: the table of lengths would grow with their product.
const CHARS_MAX: usize = 400;

/// The fields of both sides. Where each side has one record, what is not common to both is marked.
pub(crate) fn rows(left: &[Record], right: &[Record], write_amount: impl Fn(&Record) -> String) -> Vec<Row> {
    let (Some(l), Some(r)) = (left.first(), right.first()) else { return vec![] };
    let mut rows = vec![
        row("Record", &l.id, &r.id),
        row("Line", &l.line.to_string(), &r.line.to_string()),
        row("Date", &l.date.to_string(), &r.date.to_string()),
        row("Amount", &write_amount(l), &write_amount(r)),
    ];
    // Line numbers and ids are of each file alone.
    for own in rows.iter_mut().take(2) {
        own.differs = false;
    }
    rows[0].left = Html(escape(&l.id));
    rows[0].right = Html(escape(&r.id));
    rows[1].left = Html(l.line.to_string());
    rows[1].right = Html(r.line.to_string());
    let names: BTreeSet<&String> = l.fields.keys().chain(r.fields.keys()).collect();
    for name in names {
        let value = |record: &Record| record.fields.get(name).cloned().unwrap_or_default();
        let (l, r) = (value(l), value(r));
        if !l.is_empty() || !r.is_empty() {
            rows.push(row(name, &l, &r));
        }
    }
    rows
}

fn row(field: &str, left: &str, right: &str) -> Row {
    let (l, r) =
        if left.is_empty() || right.is_empty() { (escape(left), escape(right)) } else { mark(left, right) };
    let differs = !left.is_empty() && !right.is_empty() && left != right;
    Row { field: crate::words::words(field), left: Html(l), right: Html(r), differs }
}

/// Both texts, with what is not part of their longest common subsequence marked.
fn mark(left: &str, right: &str) -> (String, String) {
    let (l, r): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    if left == right || l.len() > CHARS_MAX || r.len() > CHARS_MAX {
        return (escape(left), escape(right));
    }
    let same = |a: char, b: char| a == b || a.to_lowercase().eq(b.to_lowercase());
    let mut lengths = vec![vec![0u16; r.len() + 1]; l.len() + 1];
    for i in (0..l.len()).rev() {
        for j in (0..r.len()).rev() {
            lengths[i][j] = if same(l[i], r[j]) {
                lengths[i + 1][j + 1] + 1
            } else {
                lengths[i + 1][j].max(lengths[i][j + 1])
            };
        }
    }
    // Texts with little in common are not alike anywhere; marking every other letter would only flicker.
    if usize::from(lengths[0][0]) * 2 < l.len().min(r.len()) {
        return (format!("<mark>{}</mark>", escape(left)), format!("<mark>{}</mark>", escape(right)));
    }
    let (mut of_left, mut of_right) = (vec![false; l.len()], vec![false; r.len()]);
    let (mut i, mut j) = (0, 0);
    while i < l.len() && j < r.len() {
        if same(l[i], r[j]) {
            (of_left[i], of_right[j]) = (true, true);
            (i, j) = (i + 1, j + 1);
        } else if lengths[i + 1][j] >= lengths[i][j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    (marked(&l, &of_left), marked(&r, &of_right))
}

fn marked(chars: &[char], common: &[bool]) -> String {
    let mut written = String::new();
    let mut at = 0;
    while at < chars.len() {
        let end = (at..chars.len()).find(|i| common[*i] != common[at]).unwrap_or(chars.len());
        let text = escape(&chars[at..end].iter().collect::<String>());
        if common[at] {
            written.push_str(&text)
        } else {
            written.push_str(&format!("<mark>{text}</mark>"))
        }
        at = end;
    }
    written
}

/// A reason with its weight as people read it: `+0.40`.
pub(crate) struct Weighted {
    pub field: String,
    pub says: String,
    pub weight: String,
    /// Width of its bar, of 100.
    pub share: f64,
    pub is_for: bool,
}

pub(crate) fn weighted(reasons: &[Reason]) -> Vec<Weighted> {
    let weight = |reason: &Reason| Weighted {
        field: crate::words::words(&reason.field),
        says: reason.says.clone(),
        weight: format!("{}{:.2}", if reason.weight < 0.0 { "−" } else { "+" }, reason.weight.abs()),
        share: reason.weight.abs(),
        is_for: reason.weight >= 0.0,
    };
    reasons.iter().map(weight).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_one_side_has_is_marked() {
        let (l, r) = mark("INV-1001", "inv 1001/A");
        assert_eq!(l, "INV<mark>-</mark>1001");
        assert_eq!(r, "inv<mark> </mark>1001<mark>/A</mark>");
        assert_eq!(mark("same", "same"), ("same".into(), "same".into()));
        assert_eq!(mark("<b>", "xyz").0, "<mark>&lt;b&gt;</mark>");
        let long = "x".repeat(1000);
        assert_eq!(mark(&long, "x").0, long);
    }
}
