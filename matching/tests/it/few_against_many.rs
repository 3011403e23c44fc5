//! A few new records against very many open items: only what is in reach is read, and the outcome is what it would be.

use crate::soundness::assert_sound;
use matching::{
    Currency, ExceptionKind, Outcome, Records, RecordsBuilder, RuleSet, Side, Tier, Watch, reconcile,
};

const OPEN: usize = 70_000;
const NEW: usize = 60;
/// Of the new ones, those that pay an open item but for a small difference and without its number.
const VAGUE: usize = 40;

fn records(rows: impl Iterator<Item = (String, i64, i32, [String; 3])>) -> Records {
    let mut builder =
        RecordsBuilder::new(["reference", "counterparty", "description"].map(str::to_owned).to_vec());
    for (line, (id, amount, date, texts)) in rows.enumerate() {
        let [a, b, c] = &texts;
        builder
            .push(&id, line as u64 + 2, amount, Currency::parse("EUR").unwrap(), date, &[a, b, c])
            .unwrap();
    }
    builder.build()
}

fn customer(i: usize) -> String {
    let syllables = ["ba", "re", "mi", "to", "lu", "ka", "ne", "so", "vi", "do"];
    let word = |n: usize| [n % 10, n / 10 % 10, n / 100 % 10].map(|s| syllables[s]).concat();
    format!("{} {} Ltd", word(i * 7 % 997), word(i * 13 % 991))
}

fn amount(i: usize) -> i64 {
    10_000 + (i * 7_919 % 900_001) as i64
}

fn open_items() -> Records {
    records((0..OPEN).map(|i| {
        let texts = [format!("INV-{}", 2_000_000 + i), customer(i / 5), "goods".to_owned()];
        (format!("L{i:06}"), amount(i), 20_000 + (i % 90) as i32, texts)
    }))
}

/// Every one pays the open item of a thousand times its number.
fn payments() -> Records {
    records((0..NEW).map(|n| {
        let i = n * 1_000 + 3;
        let (paid, text) = match n < VAGUE {
            true => (amount(i) * 998 / 1_000, format!("transfer {}", customer(i / 5).to_uppercase())),
            false => (amount(i), format!("INV-{}", 2_000_000 + i)),
        };
        let texts = [String::new(), String::new(), text];
        (format!("B{n:02}-{i:06}"), paid, 20_000 + (i % 90) as i32 + 1, texts)
    }))
}

fn run(left: &Records, right: &Records) -> Outcome {
    let rules = RuleSet::standard_for(left.field_names(), right.field_names());
    let outcome = reconcile(left, right, &rules, Watch::none()).unwrap();
    assert_sound(left, right, &rules, &outcome);
    outcome
}

#[test]
fn new_records_find_their_open_items_among_very_many() {
    let (new, open) = (payments(), open_items());
    for few in [Side::Left, Side::Right] {
        let (left, right) = if few == Side::Left { (&new, &open) } else { (&open, &new) };
        let outcome = run(left, right);
        let (mut right_ones, mut wrong_confirmed) = (0, 0);
        for m in &outcome.matches {
            let (of_new, of_open) = if few == Side::Left { (&m.left, &m.right) } else { (&m.right, &m.left) };
            let is_right = new.id(of_new[0])[4..] == open.id(of_open[0])[1..] && of_open.len() == 1;
            right_ones += usize::from(is_right);
            wrong_confirmed += usize::from(!is_right && m.tier == Tier::Confirmed);
        }
        assert!(right_ones >= NEW - 6, "{few:?}: {right_ones} of {NEW}");
        assert_eq!(wrong_confirmed, 0, "{few:?}");
        assert_eq!(outcome.exceptions.len() + 2 * outcome.matches.len(), OPEN + NEW, "{few:?}");
        let others = outcome.exceptions.iter().filter(|e| e.side != few);
        let missing =
            others.filter(|e| matches!(e.kind, ExceptionKind::MissingLeft | ExceptionKind::MissingRight));
        assert!(missing.count() > OPEN - 1_000, "open items that nobody paid have nobody to name");
    }
}
