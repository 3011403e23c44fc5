//! Groups against groups that no key delimits: the fewest records of both sides with the same sum.

use crate::soundness::assert_sound;
use crate::table::{check, outcome_of, rule_set};
use matching::{Currency, ExceptionKind, Outcome, Reasoner, Records, RecordsBuilder, Row, Watch, reconcile};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const BY_KEY: &str = r#"
    [[pass]]
    name = "part of a batch"
    cardinality = "n:m"
    key = [{ left = "batch", right = "batch" }]
    date = { window_days = 5 }
    search = { records_max = 10 }
"#;

#[test]
fn the_fewest_of_both_sides_with_one_sum_belong_together() {
    check(
        "id | date  | amount | batch
         S1 | 01-08 | 100.13 | P1
         S2 | 01-08 | 209.87 | P1
         S3 | 01-08 |  55.37 | P1
         S4 | 01-08 |  41.07 | P2
         S5 | 01-08 |  58.91 | P2
         S6 | 01-08 |  17.39 | P2
         S7 | 01-08 |  82.61 | P2",
        "id | date  | amount | batch
         A1 | 01-07 | 150.29 | P1
         A2 | 01-07 | 159.71 | P1
         A3 | 01-07 |  77.11 | P1
         A4 | 01-07 |  33.31 | P2
         A5 | 01-07 |  66.67 | P2
         A6 | 01-07 |  45.55 | P2
         A7 | 01-07 |  54.45 | P2
         A8 | 01-07 |   3.03 | P2",
        BY_KEY,
        // Of P2 there are two sums, 99.98 and 100.00, that share no record.
        "S1 + S2 = A1 + A2 : part of a batch
         S3 amount_differs : A3
         A3 amount_differs : S3
         S4 + S5 = A4 + A5 : part of a batch
         S6 + S7 = A6 + A7 : part of a batch
         A8 missing_left",
    );
}

#[test]
fn choices_that_share_records_are_all_listed_and_none_is_made() {
    check(
        "id | date  | amount | batch
         S1 | 01-08 | 100.13 | P1
         S2 | 01-08 | 209.87 | P1",
        "id | date  | amount | batch
         A1 | 01-07 | 150.29 | P1
         A2 | 01-07 | 159.71 | P1
         A3 | 01-07 | 140.41 | P1
         A4 | 01-07 | 169.59 | P1",
        BY_KEY,
        "S1 ambiguous : A1 + A2, A3 + A4
         S2 ambiguous : A1 + A2, A3 + A4
         A1 ambiguous : S1 + S2
         A2 ambiguous : S1 + S2
         A3 ambiguous : S1 + S2
         A4 ambiguous : S1 + S2",
    );
}

#[test]
fn the_sums_must_lie_inside_one_window_and_one_currency() {
    check(
        "id | date  | amount     | batch
         S1 | 01-08 | 100.13     | P1
         S2 | 01-20 | 209.87     | P1
         S3 | 01-08 |  41.07 USD | P2
         S4 | 01-08 |  58.91     | P2",
        "id | date  | amount     | batch
         A1 | 01-08 | 150.29     | P1
         A2 | 01-20 | 159.71     | P1
         A3 | 01-08 |  33.31     | P2
         A4 | 01-08 |  66.67     | P2",
        BY_KEY,
        "S1 date_differs : A1 + A2
         S2 date_differs : A1 + A2
         A1 date_differs : S1 + S2
         A2 date_differs : S1 + S2
         S3 currency_differs
         S4 amount_differs : A3 + A4
         A3 amount_differs : S4
         A4 amount_differs : S4",
    );
}

const BY_TEXT: &str = r#"
    [[pass]]
    name = "customer"
    cardinality = "n:m"
    tier = "suggested"
    amount = { absolute = "0.02" }
    date = { window_days = 5 }
    text = { left = ["description"], right = ["counterparty"], min = 0.7 }
    search = { records_max = 10 }
"#;

#[test]
fn without_a_key_like_texts_inside_the_window_are_searched() {
    let left = "
        id | date  | amount | description
        B1 | 01-08 |  60.23 | HOLM OPTICS
        B2 | 01-09 |  39.77 | HOLM OPTICS
        B3 | 01-09 |  80.00 | BERG MARINE";
    let right = "
        id | date  | amount | counterparty
        L1 | 01-06 |  25.11 | Holm Optics GmbH
        L2 | 01-07 |  74.88 | Holm Optics GmbH
        L3 | 01-07 |  55.05 | Berg Marine GmbH
        L4 | 01-01 |  24.95 | Berg Marine GmbH
        L5 | 01-07 |  77.70 | Holm Optics GmbH";
    check(
        left,
        right,
        BY_TEXT,
        "B1 + B2 = L1 + L2 : customer
         B3 missing_right
         L3 missing_left
         L4 missing_left
         L5 missing_left",
    );
    let (left, right, rules, outcome) = outcome_of(left, right, BY_TEXT);
    let reasons = Reasoner::new(&left, &right, &rules).reasons(&outcome.matches[0]);
    let says: Vec<&str> = reasons.iter().map(|reason| reason.says.as_str()).collect();
    assert!(
        says[0].starts_with("only sums of their kind, 2 and 2 of 5 in reach: left is 0.01 EUR more"),
        "{says:?}"
    );
}

/// Of a key with more records than a search takes, all but one or two.
#[test]
fn of_a_large_batch_one_or_two_records_may_be_left_out() {
    let lines = |prefix: &str, amounts: &[(usize, i64)]| {
        let line = |&(i, cents): &(usize, i64)| {
            format!("{prefix}{i:02} | 01-08 | {}.{:02} | P1\n", cents / 100, cents % 100)
        };
        let lines: String = amounts.iter().map(line).collect();
        format!("id | date | amount | batch\n{lines}")
    };
    let cents = |i: usize| 1_000 + (i as i64 * 7_919) % 5_003;
    let mut left: Vec<(usize, i64)> = (0..30).map(|i| (i, cents(i))).collect();
    // Pairs of neighbours on the right, so that no two records are equal.
    let right: Vec<(usize, i64)> = (0..15).map(|i| (i, cents(2 * i) + cents(2 * i + 1))).collect();
    left.push((90, 77_777));
    let (left, right) = (lines("S", &left), lines("A", &right));
    let (l, r, _, outcome) = outcome_of(&left, &right, BY_KEY);
    let [m] = &outcome.matches[..] else { panic!("{outcome:?}") };
    assert_eq!((m.left.len(), m.right.len()), (30, 15));
    let [left_out] = &outcome.exceptions[..] else { panic!("{:?}", outcome.exceptions) };
    assert_eq!(l.id(left_out.row), "S90");
    assert_eq!(r.len(), 15);
}

#[test]
fn a_search_that_proves_nothing_gives_up_and_says_so() {
    // Nothing but round amounts: any of them could be anything.
    let lines = |prefix: &str, from: u32| {
        let line = |i: u32| format!("{prefix}{i} | 01-08 | {}.00 | P1\n", (from + 7 * i * i) * 10);
        format!("id | date | amount | batch\n{}", (0..5).map(line).collect::<String>())
    };
    let (_, _, _, outcome) = outcome_of(&lines("S", 31), &lines("A", 12), BY_KEY);
    assert_eq!((outcome.matches.len(), outcome.passes[0].gave_up), (0, 1), "{outcome:?}");
    // More of one customer than a search takes.
    let lines = |prefix: &str, field: &str, step: i64| {
        let line = |i: i64| format!("{prefix}{i} | 01-08 | {}.{:02} | HOLM OPTICS\n", 10 + step * i, i);
        format!("id | date | amount | {field}\n{}", (0..8).map(line).collect::<String>())
    };
    let (_, _, _, outcome) =
        outcome_of(&lines("B", "description", 17), &lines("L", "counterparty", 13), BY_TEXT);
    assert!(outcome.passes[0].gave_up > 0, "{:?}", outcome.passes);
}

/// Cents, of both sides.
type Case = (Vec<i64>, Vec<i64>);

/// Groups with equal sums, and single records besides.
fn cases() -> impl Strategy<Value = Case> {
    let amount = 1_000i64..90_000_000;
    let group = (prop::collection::vec(amount.clone(), 1..4), 1usize..3, 1i64..900);
    let single = prop::collection::vec(amount, 0..2);
    (prop::collection::vec(group, 0..3), single.clone(), single).prop_map(|(groups, left, right)| {
        let (mut lefts, mut rights) = (left, right);
        for (group, parts, shift) in groups {
            let sum: i64 = group.iter().sum();
            lefts.extend(group);
            match parts {
                1 => rights.push(sum),
                _ => rights.extend([sum / 3 + shift, sum - sum / 3 - shift]),
            }
        }
        (lefts, rights)
    })
}

fn records(amounts: &[i64], prefix: &str) -> Records {
    let mut builder = RecordsBuilder::new(vec!["batch".into(), "note".into()]);
    let eur = Currency::parse("EUR").unwrap();
    for (i, &amount) in amounts.iter().enumerate() {
        let id = format!("{prefix}{i:02}");
        builder.push(&id, 1, amount, eur, 20_000, &["P1", &id]).unwrap();
    }
    builder.build()
}

/// Left and right records.
type Group = (Vec<Row>, Vec<Row>);
type Groups = BTreeSet<Group>;

/// What a person with patience would find: everything if it balances, else again and again the choices of the fewest
/// records, made where they share none with another and tied where they do.
fn by_patience(left: &[i64], right: &[i64]) -> (Groups, BTreeSet<(bool, Row)>) {
    let (mut made, mut tied) = (Groups::new(), BTreeSet::new());
    let (mut l, mut r): (Vec<Row>, Vec<Row>) =
        ((0..left.len() as Row).collect(), (0..right.len() as Row).collect());
    let sum = |rows: &[Row], of: &[i64]| rows.iter().map(|&row| of[row as usize]).sum::<i64>();
    if !l.is_empty() && !r.is_empty() && sum(&l, left) == sum(&r, right) {
        return (Groups::from([(l, r)]), tied);
    }
    loop {
        let mut by_size: BTreeMap<usize, Vec<Group>> = BTreeMap::new();
        for a in 1u32..1 << l.len() {
            let of_left: Vec<Row> = (0..l.len()).filter(|i| a >> i & 1 == 1).map(|i| l[i]).collect();
            for b in 1u32..1 << r.len() {
                let of_right: Vec<Row> = (0..r.len()).filter(|i| b >> i & 1 == 1).map(|i| r[i]).collect();
                if sum(&of_left, left) == sum(&of_right, right) {
                    let size = of_left.len() + of_right.len();
                    by_size.entry(size).or_default().push((of_left.clone(), of_right));
                }
            }
        }
        let Some((_, fewest)) = by_size.pop_first() else { return (made, tied) };
        let shares = |a: &Group, b: &Group| {
            a.0.iter().any(|row| b.0.contains(row)) || a.1.iter().any(|row| b.1.contains(row))
        };
        for (i, group) in fewest.iter().enumerate() {
            if fewest.iter().enumerate().any(|(j, other)| j != i && shares(group, other)) {
                tied.extend(group.0.iter().map(|&row| (true, row)));
                tied.extend(group.1.iter().map(|&row| (false, row)));
            } else {
                made.insert(group.clone());
            }
        }
        l.retain(|row| !fewest.iter().any(|group| group.0.contains(row)));
        r.retain(|row| !fewest.iter().any(|group| group.1.contains(row)));
    }
}

fn found(outcome: &Outcome) -> (Groups, BTreeSet<(bool, Row)>) {
    let made = outcome.matches.iter().map(|m| (m.left.to_vec(), m.right.to_vec())).collect();
    let tied = outcome.exceptions.iter().filter(|e| e.kind == ExceptionKind::Ambiguous);
    (made, tied.map(|e| (e.side == matching::Side::Left, e.row)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn small_blocks_agree_with_patience((left, right) in cases()) {
        let (l, r) = (records(&left, "L"), records(&right, "R"));
        let rules = rule_set(&BY_KEY.replace("records_max = 10", "records_max = 20"), &l, &r);
        let outcome = reconcile(&l, &r, &rules, Watch::none()).unwrap();
        assert_sound(&l, &r, &rules, &outcome);
        // Where chance alone might have found a sum it gives up; then it has nothing that patience has not.
        let (made, tied) = by_patience(&left, &right);
        if outcome.passes[0].gave_up == 0 {
            prop_assert_eq!(found(&outcome), (made, tied));
        } else {
            prop_assert!(found(&outcome).0.is_subset(&made));
        }
    }

    /// Small amounts and equal ones, so that nearly everything is tied or given up: nothing may break.
    #[test]
    fn crowded_blocks_stay_sound(
        left in prop::collection::vec(-5i64..20, 0..12),
        right in prop::collection::vec(-5i64..20, 0..12),
    ) {
        let (l, r) = (records(&left, "L"), records(&right, "R"));
        let rules = rule_set(BY_KEY, &l, &r);
        let outcome = reconcile(&l, &r, &rules, Watch::none()).unwrap();
        assert_sound(&l, &r, &rules, &outcome);
    }
}

/// The planted groups are found, not given up: else the comparison above would prove nothing.
#[test]
fn planted_groups_of_odd_amounts_are_found() {
    let (left, right) = (vec![1_234_567, 7_654_321, 2_222_223], vec![5_000_011, 3_888_877, 9_999_999]);
    let (l, r) = (records(&left, "L"), records(&right, "R"));
    let outcome = reconcile(&l, &r, &rule_set(BY_KEY, &l, &r), Watch::none()).unwrap();
    assert_eq!(found(&outcome).0, Groups::from([(vec![0, 1], vec![0, 1])]));
}
