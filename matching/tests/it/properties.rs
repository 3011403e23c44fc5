//! What holds for any input, tried on small random ones full of collisions.

use crate::soundness::assert_sound;
use crate::table::{render, rule_set};
use matching::{Currency, Outcome, Reasoner, Records, RecordsBuilder, RuleSet, Watch, reconcile};
use proptest::prelude::*;
use proptest::sample::{Index, select};

#[derive(Debug, Clone)]
struct Record {
    amount: i64,
    currency: &'static str,
    date: i32,
    texts: [&'static str; 4],
}

const FIELDS: [&str; 4] = ["reference", "description", "counterparty", "batch"];

fn record() -> impl Strategy<Value = Record> {
    let amount = prop_oneof![
        8 => select(vec![100, 101, 200, 205, 300, 10_000, 10_040, -100, -200, 0]),
        1 => any::<i64>(),
    ];
    let texts = (
        select(vec!["", "INV-2026-0001", "inv 2026 0001", "INV-2026-0002", "INV-2026-0012", "0002", "R-7"]),
        select(vec!["", "SEPA HOLM GMBH", "SEPA BERG GMBH 2026 0001", "PAYOUT PO-00001234", "ÄÖ ß 日本"]),
        select(vec!["", "Holm GmbH", "Berg GmbH", "Holm Optics GmbH", "ÄÖ SS"]),
        select(vec!["", "", "PO-00001234", "PO-00001235"]),
    );
    let currency = prop_oneof![5 => Just("EUR"), 1 => Just("USD"), 1 => Just("JPY")];
    let date = prop_oneof![20 => 20_454..20_462, 1 => any::<i32>()];
    (amount, currency, date, texts).prop_map(|(amount, currency, date, (a, b, c, d))| Record {
        amount,
        currency,
        date,
        texts: [a, b, c, d],
    })
}

fn side() -> impl Strategy<Value = Vec<Record>> {
    prop::collection::vec(record(), 0..24)
}

fn rules() -> impl Strategy<Value = &'static str> {
    select(vec![
        "",
        r#"
        ambiguity_margin = 0.0
        [[pass]]
        name = "amount and date"
        date = { window_days = 4 }
        "#,
        r#"
        rate_base = "EUR"
        rate = [
            { from = "USD", to = "EUR", date = "2026-01-01", rate = "0.5" },
            { from = "USD", to = "EUR", date = "2026-01-04", rate = "1.01" },
            { from = "EUR", to = "JPY", date = "2026-01-01", rate = "1" },
        ]
        [[calendar]]
        name = "ours"
        holidays = ["2026-01-05"]
        [[pass]]
        name = "converted reference"
        priority = 3
        threshold = 0.4
        key = [{ left = "reference", right = "reference", normalise = "pattern", pattern = '(\d{4})$' }]
        amount = { allowed = [
            { name = "charge", absolute = "0.40", side = "right_less" },
            { name = "any", percent = "50" },
        ] }
        currency = { convert = true, percent = "1", rounding = "half_even", rate_window_days = 9 }
        date = { window_business_days = 3, calendar = "ours", direction = "right_later" }
        [[pass]]
        name = "converted amount"
        ambiguity_margin = 0.0
        amount = { flip_sign = true }
        currency = { convert = true, percent = "2" }
        date = { window_business_days = 2, calendar = "target2" }
        [[pass]]
        name = "payouts"
        cardinality = "n:1"
        key = [{ left = "batch", right = "description", normalise = "pattern", pattern = 'PO-\d+' }]
        date = { window_business_days = 1 }
        amount = { allowed = [{ name = "rent", absolute = "1" }] }
        "#,
        r#"
        threshold = 0.0
        candidates_max = 1
        [[pass]]
        name = "owed"
        key = [{ left = "reference", right = "reference", normalise = "digits" }]
        amount = { flip_sign = true, absolute = "0.05" }
        date = { window_days = 3, direction = "right_later" }
        [[pass]]
        name = "sum"
        cardinality = "n:1"
        key = [{ left = "batch", right = "description", normalise = "tokens" }]
        amount = { flip_sign = true, percent = "50" }
        [[pass]]
        name = "near"
        amount = { percent = "2.5" }
        date = { window_days = 2, direction = "left_later" }
        text = { left = ["description", "counterparty"], right = ["counterparty"], min = 0.5 }
        "#,
        r#"
        [[pass]]
        name = "all of it"
        cardinality = "1:n"
        key = [{ left = "counterparty", right = "counterparty" }]
        amount = { percent = "100" }
        [[pass]]
        name = "id"
        key = [{ left = "id", right = "id", normalise = "digits" }]
        amount = { percent = "100" }
        "#,
        r#"
        [[pass]]
        name = "less a fee"
        cardinality = "1:n"
        key = [{ left = "reference", right = "reference", normalise = "digits" }]
        amount = { fee = { percent = "50", per_item = "0.01" } }
        [[pass]]
        name = "search"
        cardinality = "1:n"
        amount = { absolute = "0.05" }
        date = { window_days = 4 }
        text = { left = ["description"], right = ["counterparty"], min = 0.1 }
        search = { records_max = 6 }
        [[pass]]
        name = "search the other way, signs flipped"
        cardinality = "n:1"
        amount = { flip_sign = true }
        date = { window_days = 8 }
        text = { left = ["description"], right = ["description"], min = 0.1, silent = "left" }
        search = {}
        "#,
        r#"
        [[netting]]
        name = "storno"
        key = [{ field = "reference" }]
        window_days = 5
        [[netting]]
        name = "named"
        side = "right"
        tier = "suggested"
        key = [{ field = "reference", reversal = "description", normalise = "tokens" }]
        window_days = 3660
        [[pass]]
        name = "part of the batch"
        cardinality = "1:n"
        key = [{ left = "batch", right = "batch" }]
        search = { records_max = 9 }
        [[pass]]
        name = "groups"
        cardinality = "n:m"
        key = [{ left = "counterparty", right = "counterparty" }]
        amount = { percent = "10", fee = { percent = "20" } }
        date = { window_days = 6 }
        [[pass]]
        name = "parts"
        cardinality = "1:n"
        split = true
        key = [{ left = "reference", right = "reference", normalise = "tokens" }]
        amount = { absolute = "0.05" }
        [[pass]]
        name = "parts, signs flipped"
        cardinality = "n:1"
        split = true
        key = [{ left = "counterparty", right = "counterparty" }]
        amount = { flip_sign = true }
        "#,
        r#"
        threshold = 0.1
        [[pass]]
        name = "learned"
        amount = { percent = "5" }
        date = { window_days = 5 }
        learned = { compare = [
          { left = "reference", right = ["reference", "description"], as = "code" },
          { left = ["description", "counterparty"], right = "counterparty", as = "text", silent = "left" },
        ], confirm = 0.7 }
        [[pass]]
        name = "learned without a window, signs flipped"
        amount = { flip_sign = true, percent = "100" }
        learned = {}
        [[pass]]
        name = "amount and date"
        date = { window_days = 4 }
        "#,
    ])
}

/// `order[i]`: which record comes i-th; ids do not move with it.
fn records(side: &[Record], order: &[usize], prefix: &str) -> Records {
    let mut builder = RecordsBuilder::new(FIELDS.map(str::to_owned).to_vec());
    for &i in order {
        let Record { amount, currency, date, texts } = &side[i];
        let currency = Currency::parse(currency).unwrap();
        builder.push(&format!("{prefix}{i:02}"), i as u64, *amount, currency, *date, texts).unwrap();
    }
    builder.build()
}

fn shuffled(count: usize, picks: &[Index]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    for (i, pick) in (1..count).rev().zip(picks) {
        order.swap(i, pick.index(i + 1));
    }
    order
}

fn run(left: &Records, right: &Records, rules: &RuleSet, threads: usize) -> Outcome {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| reconcile(left, right, rules, Watch::none()).unwrap())
}

/// The outcome in ids, with confidences and reasons, as far as the order of the files may not change it.
fn by_ids(outcome: &Outcome, left: &Records, right: &Records, rules: &RuleSet) -> (String, Vec<String>) {
    let reasoner = Reasoner::new(left, right, rules);
    let mut details: Vec<String> = outcome
        .matches
        .iter()
        .map(|m| {
            let lefts = m.left.iter().map(|&row| left.id(row));
            let first = lefts.chain(m.right.iter().map(|&row| right.id(row))).min();
            format!("{first:?} {:?} {} {:?}", m.confidence, m.difference, reasoner.reasons(m))
        })
        .chain(outcome.exceptions.iter().map(|e| {
            let reasons: Vec<_> = e.candidates.iter().map(|c| (c.confidence, &c.reasons)).collect();
            format!("{:?} {} {} {reasons:?}", e.side, e.says, e.candidates_found)
        }))
        .collect();
    details.sort();
    (render(outcome, left, right), details)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_outcome_is_sound(left in side(), right in side(), rules in rules()) {
        let (l, r) = (straight(&left, "L"), straight(&right, "R"));
        let rules = rule_set(rules, &l, &r);
        let outcome = run(&l, &r, &rules, 2);
        assert_sound(&l, &r, &rules, &outcome);
    }

    #[test]
    fn threads_change_nothing(left in side(), right in side(), rules in rules()) {
        let (l, r) = (straight(&left, "L"), straight(&right, "R"));
        let rules = rule_set(rules, &l, &r);
        prop_assert_eq!(run(&l, &r, &rules, 1), run(&l, &r, &rules, 4));
    }

    #[test]
    fn the_order_of_the_files_changes_nothing(
        left in side(),
        right in side(),
        rules in rules(),
        picks in prop::collection::vec(any::<Index>(), 48),
    ) {
        let (l, r) = (straight(&left, "L"), straight(&right, "R"));
        let rules = rule_set(rules, &l, &r);
        let expected = by_ids(&run(&l, &r, &rules, 2), &l, &r, &rules);
        let l = records(&left, &shuffled(left.len(), &picks[..24]), "L");
        let r = records(&right, &shuffled(right.len(), &picks[24..]), "R");
        prop_assert_eq!(by_ids(&run(&l, &r, &rules, 2), &l, &r, &rules), expected);
    }

    /// A side against itself: everything has its equal, and every record finds it.
    #[test]
    fn a_side_reconciles_with_itself(side in side()) {
        let (l, r) = (straight(&side, "L"), straight(&side, "R"));
        let rules = rule_set("threshold = 0.0\n[[pass]]\nname = \"same\"\nkey = [{ left = \"reference\", right = \"reference\" }]\n\
            [[pass]]\nname = \"same day\"\ndate = { window_days = 0 }\n\
            text = { left = [\"description\"], right = [\"description\"], min = 0.0 }", &l, &r);
        let outcome = run(&l, &r, &rules, 2);
        assert_sound(&l, &r, &rules, &outcome);
        for e in &outcome.exceptions {
            // Different records with the same key, amount and date are a tie, nothing else may be left.
            prop_assert!(e.kind == matching::ExceptionKind::Ambiguous, "{:?}", e);
        }
    }
}

fn straight(side: &[Record], prefix: &str) -> Records {
    records(side, &(0..side.len()).collect::<Vec<_>>(), prefix)
}

/// Left and right rows of every match.
type Rows = (Vec<u32>, Vec<u32>);

fn matched_rows(left: &Records, right: &Records, rules: &str) -> Vec<Rows> {
    let rules = rule_set(rules, left, right);
    let outcome = reconcile(left, right, &rules, Watch::none()).unwrap();
    let mut rows: Vec<Rows> = outcome.matches.iter().map(|m| (m.left.to_vec(), m.right.to_vec())).collect();
    rows.sort();
    rows
}

proptest! {
    /// A few records against many are joined in another way than as many against as many.
    #[test]
    fn strangers_take_nobodys_match(
        left in prop::collection::vec(record(), 0..4),
        right in prop::collection::vec(record(), 0..5),
        swap in any::<bool>(),
    ) {
        let rules = r#"
            threshold = 0.0
            [[pass]]
            name = "reference"
            key = [{ left = "reference", right = "reference", normalise = "tokens" }]
            [[pass]]
            name = "batch"
            cardinality = "1:n"
            key = [{ left = "description", right = "batch", normalise = "tokens" }]
            [[pass]]
            name = "the other way"
            cardinality = "n:1"
            key = [{ left = "batch", right = "description", normalise = "tokens" }]
            [[pass]]
            name = "digits"
            key = [{ left = "description", right = "reference", normalise = "digits" }]
        "#;
        let stranger = |_| Record { amount: 7, currency: "CHF", date: 20_000, texts: ["S-998877", "", "", "PO-5566"] };
        let many: Vec<Record> = right.iter().cloned().chain((0..40).map(stranger)).collect();
        let all = |side: &[Record], prefix: &str| records(side, &(0..side.len()).collect::<Vec<_>>(), prefix);
        let (few, alone, among) = (all(&left, "L"), all(&right, "R"), all(&many, "R"));
        let found = |right: &Records| match swap {
            false => matched_rows(&few, right, rules),
            true => matched_rows(right, &few, rules),
        };
        prop_assert_eq!(found(&alone), found(&among));
    }
}
