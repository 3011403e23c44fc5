//! That no phase works for long without a look at the watch, by counting its work.

use super::steps::counted::{Longest, Tally, count_into};
use crate::{Currency, Records, RecordsBuilder, RuleSet, Watch, reconcile};

/// Steps between two looks. At the worst a step waits for memory, a tenth of a microsecond, and then this is 50
/// milliseconds: half of the tenth of a second within which a cancelled run must stop.
const STEPS_MAX: u64 = 500_000;

/// The longest work without a look while these are reconciled, on two threads that do nothing else.
fn longest(left: &Records, right: &Records, rules: &str) -> Longest {
    let rules: RuleSet = match rules {
        "" => RuleSet::standard_for(left.field_names(), right.field_names()),
        _ => toml::from_str(&format!("version = 1\n{rules}")).unwrap(),
    };
    let tally = Tally::default();
    let counting = tally.clone();
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(2)
        .start_handler(move |_| count_into(counting.clone()))
        .build()
        .unwrap();
    let outcome = pool.install(|| reconcile(left, right, &rules, Watch::none())).unwrap();
    assert!(!outcome.matches.is_empty());
    *tally.lock().unwrap()
}

fn check(name: &str, left: &Records, right: &Records, rules: &str) {
    let longest = longest(left, right, rules);
    assert!(longest.steps > 100, "{name}: nothing was counted");
    let place = |at: Option<&std::panic::Location<'_>>| at.map_or("the start".into(), ToString::to_string);
    assert!(
        longest.steps <= STEPS_MAX,
        "{name}: {} steps from {} to {}",
        longest.steps,
        place(longest.from),
        place(longest.to)
    );
}

/// Numbers without a pattern.
fn spread(i: u64) -> u64 {
    let z = i.wrapping_add(0x51).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z ^ z >> 31
}

/// What a bank and a ledger look like: references, texts, batches, three currencies, a few of everything missing,
/// wrong or doubled. `side` 0 or 1.
fn records(count: u64, side: u64) -> Records {
    let names =
        ["HOLM OPTICS", "BERG MARINE", "TAL FOODS", "NORD STEEL", "WALD PAPER", "SEE BOATS", "MOOR PEAT"];
    let fields = ["reference", "description", "batch", "counterparty"].map(String::from).to_vec();
    let mut builder = RecordsBuilder::new(fields);
    let currencies = ["EUR", "USD", "GBP"].map(|code| Currency::parse(code).unwrap());
    for i in 0..count {
        let draw = spread(i);
        let own = spread(i * 2 + side);
        if own.is_multiple_of(29) {
            continue;
        }
        let amount = 1_000 + (draw % 900_000) as i64 + if own.is_multiple_of(31) { 17 } else { 0 };
        let date = 20_000 + (draw >> 20) as i32 % 300 + (own % 3) as i32;
        let reference = match own % 5 {
            0 => String::new(),
            _ => format!("INV-{:07}", i + if own.is_multiple_of(37) { 1 } else { 0 }),
        };
        let name = names[(draw >> 8) as usize % names.len()];
        let text = format!("{name} {} PAYMENT {}", draw >> 40 & 0xfff, own % 1_000);
        let (batch, currency) = (format!("PO-{:05}", i / 3), currencies[(draw % 3) as usize]);
        let id = format!("{}{i}", if side == 0 { 'B' } else { 'L' });
        builder.push(&id, i + 1, amount, currency, date, &[&reference, &text, &batch, name]).unwrap();
    }
    builder.build()
}

#[test]
fn the_standard_rules_look_often_enough() {
    let (left, right) = (records(120_000, 0), records(120_000, 1));
    check("standard", &left, &right, "");
}

#[test]
fn keys_sums_and_conversion_look_often_enough() {
    let (left, right) = (records(120_000, 0), records(120_000, 1));
    let rates = r#"
        rate = [
            { from = "USD", to = "EUR", date = "2024-10-01", rate = "0.92" },
            { from = "GBP", to = "EUR", date = "2024-10-01", rate = "1.17" },
        ]
        [[netting]]
        name = "storno"
        key = [{ field = "batch" }]
        window_days = 5
        "#;
    let rules = format!(
        r#"{rates}
        [[pass]]
        name = "reference"
        key = [{{ left = "reference", right = "reference", normalise = "tokens" }}]
        date = {{ window_days = 3 }}
        [[pass]]
        name = "batch"
        cardinality = "n:m"
        key = [{{ left = "batch", right = "batch", normalise = "digits" }}]
        search = {{}}
        [[pass]]
        name = "one of a batch"
        cardinality = "1:n"
        key = [{{ left = "batch", right = "batch" }}]
        search = {{}}
        [[pass]]
        name = "converted"
        cardinality = "n:m"
        key = [{{ left = "batch", right = "batch" }}]
        currency = {{ convert = true, percent = "2", rate_window_days = 366 }}
        [[pass]]
        name = "text"
        amount = {{ percent = "1" }}
        date = {{ window_business_days = 2, calendar = "target2" }}
        text = {{ left = ["description"], right = ["description"], min = 0.5 }}
        "#
    );
    check("sums", &left, &right, &rules);
}

#[test]
fn searches_without_keys_look_often_enough() {
    let (left, right) = (records(6_000, 0), records(6_000, 1));
    let search = |cardinality: &str| {
        format!(
            r#"
            [[pass]]
            name = "search"
            cardinality = "{cardinality}"
            date = {{ window_days = 2 }}
            text = {{ left = ["description"], right = ["counterparty"], min = 0.5 }}
            threshold = 0.3
            search = {{ records_max = 20 }}
            [[pass]]
            name = "rest"
            key = [{{ left = "reference", right = "reference" }}]
            "#
        )
    };
    for cardinality in ["1:n", "n:1", "n:m"] {
        check(cardinality, &left, &right, &search(cardinality));
    }
}

#[test]
fn learned_passes_look_often_enough() {
    let (left, right) = (records(40_000, 0), records(40_000, 1));
    let rules = r#"
        [[pass]]
        name = "learned"
        amount = { percent = "100" }
        learned = {}
        "#;
    check("learned", &left, &right, rules);
}

/// One key, one day, amounts so near that nearly all pairs fit.
#[test]
fn records_that_all_fit_each_other_look_often_enough() {
    let side = |prefix: &str| {
        let mut builder = RecordsBuilder::new(vec!["reference".into(), "description".into()]);
        let eur = Currency::parse("EUR").unwrap();
        for i in 0..1_500i64 {
            let text = format!("PAYMENT NUMBER {} OF HOLM GMBH", i % 997);
            let (id, amount) = (format!("{prefix}{i}"), 10_000 + i % 97);
            builder.push(&id, 1, amount, eur, 20_000, &["INV-2026-0001", &text]).unwrap();
        }
        // And some that fit well, so that there is something to match.
        for i in 0..300i64 {
            let (id, reference) = (format!("{prefix}x{i}"), format!("INV-2027-{i:04}"));
            builder.push(&id, 1, 7_000_000 + 1_000_003 * i, eur, 20_000, &[&reference, "HOLM"]).unwrap();
        }
        builder.build()
    };
    let rules = r#"
        [[pass]]
        name = "key"
        key = [{ left = "reference", right = "reference" }]
        amount = { percent = "5" }
        text = { left = ["description"], right = ["description"], min = 0.1 }
        [[pass]]
        name = "near"
        amount = { percent = "5" }
        date = { window_days = 30 }
        text = { left = ["description"], right = ["description"], min = 0.1 }
        [[pass]]
        name = "learned"
        amount = { percent = "5" }
        learned = {}
        "#;
    check("hard", &side("L"), &side("R"), rules);
}
