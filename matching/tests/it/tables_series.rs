//! Numbers that two series have in common, names that contradict a reference, and keys that both sides share.

use crate::table::{check, outcome_of, records_of};
use matching::{Joins, RuleSet, Side, Tier, Watch, reconcile, shared_keys};

#[test]
fn the_number_of_another_series_is_not_the_reference() {
    check(
        "id | date  | amount | reference                | counterparty
         B1 | 03-02 |  49.00 | Bestellung PO-2026-00017 | Meier GmbH
         B2 | 03-02 |  49.00 | Bestellung PO-2026-00018 | Schulze AG
         B3 | 03-09 | 310.00 | INV-2026-00020           | Lehmann KG",
        "id | date  | amount | reference      | counterparty
         G1 | 03-02 |  49.00 | INV-2026-00017 | Schulze AG
         G2 | 03-02 |  49.00 | INV-2026-00018 | Meier GmbH
         G3 | 03-09 | 310.00 | INV 2026 00020 | Lehmann KG",
        r#"
        [[pass]]
        name = "names"
        key = [{ left = "reference", right = "reference", normalise = "tokens" }]
        "#,
        "B3 = G3 : names
         B1 missing_right
         B2 missing_right
         G1 missing_left
         G2 missing_left",
    );
}

/// A table of `count` records whose references are `PREFIX-2026-` and a number.
fn series(id: &str, prefix: &str, number: impl Fn(usize) -> usize, count: usize) -> String {
    let amounts = ["10.00", "20.00", "25.00", "50.00", "100.00"];
    let mut table = "id | date | amount | reference\n".to_owned();
    for i in 0..count {
        let (amount, day) = (amounts[i * i % 5], i % 28 + 1);
        table += &format!("{id}{i} | 02-{day:02} | {amount} | {prefix}-2026-{:06}\n", number(i));
    }
    table
}

#[test]
fn two_unrelated_series_have_nothing_in_common() {
    let (left, right) = (series("B", "PO", |i| i, 300), series("G", "INV", |i| 7 * i + 1, 300));
    let (l, r) = (records_of(&left), records_of(&right));
    let rules = RuleSet::standard_for(l.field_names(), r.field_names());
    let outcome = reconcile(&l, &r, &rules, Watch::none()).unwrap();
    assert_eq!(outcome.matches.len(), 0);
    // And nobody is said to have the other's key.
    assert!(outcome.exceptions.iter().all(|exception| exception.candidates.is_empty()));
}

#[test]
fn a_number_without_its_prefix_is_worth_less_than_the_whole_reference() {
    let (l, r, rules, outcome) = outcome_of(
        "id | date  | amount | reference
         B1 | 03-02 |  49.00 | INV-2026-00017
         B2 | 03-02 |  51.00 | 2026-00018",
        "id | date  | amount | reference
         G1 | 03-02 |  49.00 | inv 2026 00017
         G2 | 03-02 |  51.00 | INV-2026-00018",
        r#"
        [[pass]]
        name = "names"
        key = [{ left = "reference", right = "reference", normalise = "tokens" }]
        "#,
    );
    let of = |id: &str| outcome.matches.iter().find(|m| l.id(m.left[0]) == id).expect("a match");
    assert!(of("B2").confidence < of("B1").confidence);
    let reasons = matching::Reasoner::new(&l, &r, &rules).reasons(of("B2"));
    assert_eq!(reasons[0].says, "reference 202600018 on both sides, once without a prefix");
}

const NAMED: &str = r#"
    [[pass]]
    name = "names"
    key = [{ left = "reference", right = "reference", normalise = "tokens" }]
    doubt = { left = ["counterparty"], right = ["counterparty"], min = 0.3 }
    "#;

#[test]
fn a_reference_of_another_party_waits_for_a_person_and_a_bare_number_is_none() {
    let (l, _, _, outcome) = outcome_of(
        "id | date  | amount | reference      | counterparty
         B1 | 03-02 |  49.00 | INV-2026-00017 | Meier GmbH
         B2 | 03-02 |  51.00 | 2026-00018     | Meier GmbH
         B3 | 03-02 |  52.00 | INV-2026-00019 | Schulze AG
         B4 | 03-02 |  53.00 | INV-2026-00020 | Acme Payments
         B5 | 03-02 |  54.00 | INV-2026-00021 | Meyer & Sons",
        "id | date  | amount | reference      | counterparty
         G1 | 03-02 |  49.00 | INV-2026-00017 | Schulze AG
         G2 | 03-02 |  51.00 | INV-2026-00018 | Schulze AG
         G3 | 03-02 |  52.00 | INV-2026-00019 | SCHULZE
         G4 | 03-02 |  53.00 | INV-2026-00020 | Lehmann KG
         G5 | 03-02 |  54.00 | INV-2026-00021 | Meier GmbH",
        NAMED,
    );
    let tier = |id: &str| outcome.matches.iter().find(|m| l.id(m.left[0]) == id).map(|m| m.tier);
    // Both names are known to the other side, as somebody else.
    assert_eq!(tier("B1"), Some(Tier::Suggested));
    assert_eq!(tier("B2"), None);
    assert_eq!(tier("B3"), Some(Tier::Confirmed));
    // Nobody on the right knows of Acme: its books may call Lehmann so.
    assert_eq!(tier("B4"), Some(Tier::Confirmed));
}

#[test]
fn keys_that_differ_are_against_and_keys_that_agree_explain() {
    let rules = r#"
    [[pass]]
    name = "same order"
    key = [{ left = "order_id", right = "id" }]

    [[pass]]
    name = "same amount"
    date = { window_days = 5 }
    conflict = [{ left = "order_id", right = "id" }]
    "#;
    check(
        "id | date  | amount | order_id
         P1 | 03-02 |  49.00 | ORD-1
         P2 | 03-02 |  30.00 | ORD-2
         P3 | 03-02 |  77.00 | ORD-3
         P4 | 03-02 |  12.00 |",
        "id    | date  | amount
         ORD-1 | 03-02 |  49.00
         ORD-2 | 03-02 |  39.50
         ORD-4 | 03-02 |  77.00
         ORD-5 | 03-02 |  12.00",
        rules,
        "P1 = ORD-1 : same order
         P4 = ORD-5 : same amount
         P2 amount_differs : ORD-2
         ORD-2 amount_differs : P2
         P3 missing_right
         ORD-4 missing_left",
    );
}

#[test]
fn a_cell_lists_the_orders_that_it_is_the_sum_of() {
    check(
        "id | date  | amount | orders
         P1 | 03-02 | 100.00 | ORD-1; ORD-2;ORD-3
         P2 | 03-02 |  20.00 | ORD-4, ORD-5
         P3 | 03-02 |   5.00 | ORD-5",
        "id    | date  | amount
         ORD-1 | 03-01 |  50.00
         ORD-2 | 03-01 |  30.00
         ORD-3 | 03-01 |  20.00
         ORD-4 | 03-01 |  15.00
         ORD-5 | 03-01 |   5.00",
        r#"
        [[pass]]
        name = "listed"
        cardinality = "1:n"
        key = [{ left = "orders", right = "id", normalise = "list" }]
        "#,
        // Two payouts list the fifth order: it belongs to neither.
        "P1 = ORD-1 + ORD-2 + ORD-3 : listed
         P2 amount_differs : ORD-4
         ORD-4 amount_differs : P2
         P3 missing_right
         ORD-5 missing_left",
    );
}

#[test]
fn columns_with_the_same_values_are_found_whatever_they_are_called() {
    let mut left = "id | date | amount | order_id | seller | line\n".to_owned();
    let mut right = "id | date | amount | payment | seller | line\n".to_owned();
    let mut payouts = "id | date | amount | orders\n".to_owned();
    for i in 0..120 {
        let (day, cents) = (i % 28 + 1, 100 + i * 37 % 900);
        left += &format!("GTW-{i} | 02-{day:02} | {cents}.00 | ORD-{i:05} | SEL-{} | {i}\n", i % 9);
        right +=
            &format!("ORD-{:05} | 02-{day:02} | {cents}.00 | PAY-{i} | SEL-{} | {}\n", i + 4, i % 9, i + 1);
        payouts += &format!("PO-{i} | 02-{day:02} | 1.00 | ORD-{:05};ORD-{:05}\n", 2 * i, 2 * i + 1);
    }
    let (left, right, payouts) = (records_of(&left), records_of(&right), records_of(&payouts));
    let found = |l, r| shared_keys(l, r, Watch::none()).unwrap();
    let keys = found(&left, &right);
    let names: Vec<_> = keys.iter().map(|key| (key.left.as_str(), key.right.as_str(), key.joins)).collect();
    assert_eq!(names, [("order_id", "id", Joins::OneToOne)], "{keys:?}");
    let says = "order_id on the left is id on the right: 96 % of the values coincide (confidence 0.97)";
    assert_eq!(keys[0].to_string(), says);

    let keys = found(&payouts, &right);
    let names: Vec<_> = keys.iter().map(|key| (key.left.as_str(), key.right.as_str(), key.joins)).collect();
    assert_eq!(names, [("orders", "id", Joins::List(Side::Left))], "{keys:?}");

    let rules = RuleSet::standard_with(left.field_names(), right.field_names(), &found(&left, &right));
    assert_eq!(rules.check(Some(left.field_names()), Some(right.field_names())), []);
    assert_eq!(rules.passes[0].name, "order_id is id");
    assert!(
        rules.passes[1..]
            .iter()
            .all(|pass| pass.name.starts_with("order_id is id") || pass.conflict.len() == 1)
    );
    let rules = RuleSet::standard_with(payouts.field_names(), right.field_names(), &keys);
    assert_eq!(rules.check(Some(payouts.field_names()), Some(right.field_names())), []);
    assert_eq!(rules.passes[0].name, "sum of id that orders lists");
}
