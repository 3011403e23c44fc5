//! Sums that no batch number names, and sums less a fee.

use crate::soundness::assert_sound;
use crate::table::{check, rule_set};
use matching::{Currency, Reasoner, RecordsBuilder, Watch, reconcile};

const SEARCH: &str = r#"
    [[pass]]
    name = "sum"
    cardinality = "1:n"
    date = { window_days = 3 }
    text = { left = ["description"], right = ["counterparty"], min = 0.7 }
    search = { records_max = 8 }
"#;

#[test]
fn a_deposit_without_a_batch_is_found_by_its_only_sum() {
    check(
        "id | date  | amount | description
         B1 | 01-08 | 310.00 | PAYOUT HOLM OPTICS
         B2 | 01-08 |  90.00 | PAYOUT BERG MARINE",
        "id | date  | amount     | counterparty
         L1 | 01-06 | 100.10     | Holm Optics GmbH
         L2 | 01-07 | 209.90     | Holm Optics GmbH
         L3 | 01-07 |  55.00     | Holm Optics GmbH
         L4 | 01-07 | 209.90     | Berg Marine GmbH
         L5 | 01-01 | 154.90     | Holm Optics GmbH
         L6 | 01-07 | 154.90 USD | Holm Optics GmbH
         L7 | 01-07 |  44.00     | Berg Marine GmbH
         L8 | 01-07 |  45.00     | Berg Marine GmbH",
        SEARCH,
        "B1 = L1 + L2 : sum
         B2 missing_right
         L3 missing_left
         L4 missing_left
         L5 missing_left
         L6 missing_left
         L7 missing_left
         L8 missing_left",
    );
}

#[test]
fn of_two_choices_with_one_sum_none_is_made() {
    check(
        "id | date  | amount | description
         B1 | 01-08 | 310.00 | PAYOUT HOLM OPTICS",
        "id | date  | amount | counterparty
         L1 | 01-06 | 100.10 | Holm Optics
         L2 | 01-07 | 209.90 | Holm Optics
         L3 | 01-07 | 109.90 | Holm Optics
         L4 | 01-07 | 200.10 | Holm Optics",
        SEARCH,
        "B1 ambiguous : L1 + L2, L3 + L4
         L1 ambiguous : B1
         L2 ambiguous : B1
         L3 ambiguous : B1
         L4 ambiguous : B1",
    );
}

#[test]
fn two_deposits_that_want_one_record_wait_and_a_third_is_decided() {
    check(
        "id | date  | amount | description
         B1 | 01-08 | 310.00 | PAYOUT HOLM OPTICS
         B2 | 01-08 | 260.10 | PAYOUT HOLM OPTICS
         B3 | 01-20 |  30.00 | PAYOUT HOLM OPTICS",
        "id | date  | amount | counterparty
         L1 | 01-06 | 100.10 | Holm Optics
         L2 | 01-07 | 209.90 | Holm Optics
         L3 | 01-07 | 160.00 | Holm Optics
         L4 | 01-20 |  10.99 | Holm Optics
         L5 | 01-20 |  19.01 | Holm Optics",
        SEARCH,
        "B1 ambiguous : L1 + L2
         B2 ambiguous : L1 + L3
         B3 = L4 + L5 : sum
         L1 ambiguous : B1, B2
         L2 ambiguous : B1
         L3 ambiguous : B2",
    );
}

#[test]
fn a_search_mirrored_with_the_sign_flipped_finds_the_same() {
    let rules = r#"
        [[pass]]
        name = "sum"
        cardinality = "n:1"
        amount = { flip_sign = true, absolute = "0.05" }
        date = { window_days = 3, direction = "right_later" }
        text = { left = ["counterparty"], right = ["description"], min = 0.7 }
        search = {}
    "#;
    check(
        "id | date  | amount  | counterparty
         L1 | 01-06 | -100.10 | Holm Optics
         L2 | 01-07 | -209.90 | Holm Optics
         L3 | 01-09 | -500.00 | Holm Optics",
        "id | date  | amount | description
         B1 | 01-08 | 310.03 | HOLM OPTICS",
        rules,
        "L1 + L2 = B1 : sum
         L3 missing_right",
    );
}

/// Thirty small records of one party: any sum is somebody's sum.
#[test]
fn a_search_among_too_many_gives_up_and_says_so() {
    let side = |prefix: &str, amounts: &[i64]| {
        let mut builder = RecordsBuilder::new(vec!["description".into(), "counterparty".into()]);
        for (i, &amount) in amounts.iter().enumerate() {
            let eur = Currency::parse("EUR").unwrap();
            let (id, text) = (format!("{prefix}{i}"), "Holm Optics");
            builder.push(&id, 1, amount, eur, 20_000, &[text, text]).unwrap();
        }
        builder.build()
    };
    // Twelve are few enough to search, but their 4083 sums lie close together.
    for count in [30, 12] {
        let parts: Vec<i64> = (0..count).map(|i| 100 + i * i).collect();
        let (left, right) = (side("B", &[parts[0] + parts[5]]), side("L", &parts));
        let rules = rule_set(&SEARCH.replace('8', "12"), &left, &right);
        let outcome = reconcile(&left, &right, &rules, Watch::none()).unwrap();
        assert_sound(&left, &right, &rules, &outcome);
        assert_eq!((outcome.matches.len(), outcome.passes[0].gave_up), (0, 1), "{count}");
    }
}

#[test]
fn a_stated_fee_explains_a_difference_exactly() {
    let rules = r#"
        [[pass]]
        name = "payout"
        cardinality = "1:n"
        key = [{ left = "batch", right = "batch" }]
        amount = { fee = { percent = "1.4", per_item = "0.25" } }
    "#;
    // 300.00 less 4.20 and three times 0.25; one cent more is another difference.
    check(
        "id | date  | amount | batch
         B1 | 01-08 | 295.05 | P1
         B2 | 01-08 | 295.07 | P2
         B3 | 01-08 | 300.00 | P3",
        "id | date  | amount | batch
         L1 | 01-06 | 100.00 | P1
         L2 | 01-06 | 150.00 | P1
         L3 | 01-06 |  50.00 | P1
         L4 | 01-06 | 100.00 | P2
         L5 | 01-06 | 150.00 | P2
         L6 | 01-06 |  50.00 | P2
         L7 | 01-06 | 300.00 | P3",
        rules,
        "B1 = L1 + L2 + L3 : payout
         B2 amount_differs : L4 + L5 + L6
         B3 = L7 : payout
         L4 amount_differs : B2
         L5 amount_differs : B2
         L6 amount_differs : B2",
    );
}

#[test]
fn a_fee_is_learned_from_twenty_deposits_and_not_from_nineteen() {
    let rules = r#"
        [[pass]]
        name = "payout"
        cardinality = "1:n"
        tier = "suggested"
        key = [{ left = "batch", right = "batch" }]
        amount = { fee = {} }
    "#;
    for (deposits, matched) in [(20, 20), (19, 0)] {
        let fields = || vec!["batch".to_owned()];
        let (mut left, mut right) = (RecordsBuilder::new(fields()), RecordsBuilder::new(fields()));
        let eur = Currency::parse("EUR").unwrap();
        for i in 0..deposits {
            let (batch, items, mut sum) = (format!("P{i}"), 1 + i % 4, 0);
            for item in 0..items {
                let amount = 10_000 + i * 1_733 + item * 911;
                sum += amount;
                right.push(&format!("L{i}-{item}"), 1, amount, eur, 20_000, &[&batch]).unwrap();
            }
            let net = sum - sum * 29 / 1_000 - 30 * items;
            left.push(&format!("B{i}"), 1, net, eur, 20_001, &[&batch]).unwrap();
        }
        let (left, right) = (left.build(), right.build());
        let rules = rule_set(rules, &left, &right);
        let outcome = reconcile(&left, &right, &rules, Watch::none()).unwrap();
        assert_sound(&left, &right, &rules, &outcome);
        assert_eq!(outcome.matches.len(), matched);
        if let Some(m) = outcome.matches.first() {
            let reasons = Reasoner::new(&left, &right, &rules).reasons(m);
            let says = &reasons.iter().find(|r| r.field == "sum").unwrap().says;
            assert!(says.ends_with("a fee of 2.90 % + 0.30 an item, as in 20 deposits"), "{says}");
        }
    }
}
