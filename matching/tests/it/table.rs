//! Records as aligned text, and outcomes as text that can be compared.

use crate::soundness::assert_sound;
use matching::{
    Currency, DecimalMark, ExceptionKind, Outcome, Records, RecordsBuilder, RuleSet, Side, Watch,
    format_minor, parse_minor, reconcile,
};

/// Reconciles two tables and compares what comes out, sorted, with `expected`.
///
/// A table has a header: `id | date | amount` and then text fields; dates are `MM-DD` of 2026, an amount
/// may be followed by its currency, else it is in EUR. `rules` is TOML without the version; empty means
/// the standard rules. Expected lines, one per match and exception:
///
/// ```text
/// B1 = L1 + L2  : name of the pass
/// B2 duplicate  : B1
/// L9 missing_left
/// B3 = L3       : name of the pass, left 12.50 open
/// B4 + B5 =     : name of the netting rule
/// ```
///
/// The result must be the same with both files upside down.
pub fn check(left: &str, right: &str, rules: &str, expected: &str) {
    let (l, r) = (records(left, false), records(right, false));
    let rules = rule_set(rules, &l, &r);
    let outcome = reconcile(&l, &r, &rules, Watch::none()).unwrap();
    assert_sound(&l, &r, &rules, &outcome);
    let found = render(&outcome, &l, &r);
    let expected = normalised(expected.lines().map(str::to_owned).collect());
    assert_eq!(found, expected, "\n--- found\n{found}\n--- expected\n{expected}\n");

    let (l, r) = (records(left, true), records(right, true));
    let turned = reconcile(&l, &r, &rules, Watch::none()).unwrap();
    assert_eq!(render(&turned, &l, &r), expected, "with the files upside down");
}

/// Both sides, the rules and what comes out, to look at closely.
pub fn outcome_of(left: &str, right: &str, rules: &str) -> (Records, Records, RuleSet, Outcome) {
    let (l, r) = (records(left, false), records(right, false));
    let rules = rule_set(rules, &l, &r);
    let outcome = reconcile(&l, &r, &rules, Watch::none()).unwrap();
    assert_sound(&l, &r, &rules, &outcome);
    (l, r, rules, outcome)
}

pub fn rule_set(rules: &str, left: &Records, right: &Records) -> RuleSet {
    if rules.trim().is_empty() {
        return RuleSet::standard_for(left.field_names(), right.field_names());
    }
    toml::from_str(&format!("version = 1\n{rules}")).unwrap()
}

pub fn records_of(table: &str) -> Records {
    records(table, false)
}

fn records(table: &str, upside_down: bool) -> Records {
    let mut lines: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    let header = lines.remove(0);
    assert_eq!(header[..3], ["id", "date", "amount"], "{table}");
    if upside_down {
        lines.reverse();
    }
    let mut builder = RecordsBuilder::new(header[3..].iter().map(|s| s.to_string()).collect());
    for (i, line) in lines.iter().enumerate() {
        assert_eq!(line.len(), header.len(), "{line:?}");
        let (amount, currency) = line[2].split_once(' ').unwrap_or((line[2], "EUR"));
        let currency = Currency::parse(currency).unwrap();
        let amount = parse_minor(amount, currency.exponent(), DecimalMark::Point).unwrap();
        builder.push(line[0], i as u64 + 2, amount, currency, day(line[1]), &line[3..]).unwrap();
    }
    builder.build()
}

/// Days since 1970 of `MM-DD` in 2026.
fn day(text: &str) -> i32 {
    let (month, day) = text.split_once('-').unwrap();
    let before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    20_454 + before[month.parse::<usize>().unwrap() - 1] + day.parse::<i32>().unwrap() - 1
}

/// One line per match and exception, by ids, sorted.
pub fn render(outcome: &Outcome, left: &Records, right: &Records) -> String {
    let ids = |side: Side, rows: &[u32]| {
        let records = if side == Side::Left { left } else { right };
        let mut ids: Vec<&str> = rows.iter().map(|&r| records.id(r)).collect();
        ids.sort();
        ids.join(" + ")
    };
    let mut lines = vec![];
    for m in &outcome.matches {
        let pass = &outcome.passes[usize::from(m.pass)].name;
        let open = m.remainder().map_or(String::new(), |open| {
            let amount = format_minor(open.amount.into(), m.currency.exponent());
            format!(", {} {amount} open", open.side.as_str())
        });
        lines.push(format!("{} = {} : {pass}{open}", ids(Side::Left, &m.left), ids(Side::Right, &m.right)));
    }
    for e in &outcome.exceptions {
        let mut candidates: Vec<String> = e.candidates.iter().map(|c| ids(c.side, &c.rows)).collect();
        if e.kind == ExceptionKind::Ambiguous {
            candidates.sort();
        }
        lines.push(format!("{} {} : {}", ids(e.side, &[e.row]), e.kind.as_str(), candidates.join(", ")));
    }
    normalised(lines)
}

fn normalised(lines: Vec<String>) -> String {
    let tidy = |line: &String| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut lines: Vec<String> =
        lines.iter().map(|l| tidy(l).trim_end_matches(" :").to_owned()).filter(|l| !l.is_empty()).collect();
    lines.sort();
    lines.join("\n")
}
