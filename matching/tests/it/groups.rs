//! Groups against groups, sums of a part of a batch, and amounts settled in part.

use crate::table::check;

const GROUPS: &str = r#"
    [[pass]]
    name = "settlement"
    cardinality = "n:m"
    key = [{ left = "batch", right = "batch" }]
    amount = { absolute = "0.05" }
    date = { window_days = 3 }
"#;

#[test]
fn several_records_of_a_key_meet_several_of_the_other_side() {
    check(
        "id | date  | amount     | batch
         S1 | 01-05 | 100.00     | P1
         S2 | 01-06 | 200.00     | P1
         S3 | 01-06 |  50.00     | P2
         S4 | 01-06 |  60.00     | P2
         S5 | 01-06 |  70.00     | P3
         S6 | 01-06 |  30.00     | P3
         S7 | 01-06 |  70.00 USD | P1
         S8 | 01-06 |  10.00     | P4
         S9 | 01-06 |  10.00     |",
        "id | date  | amount     | batch
         A1 | 01-06 | 150.00     | P1
         A2 | 01-07 | 150.03     | P1
         A3 | 01-07 |  55.00     | P2
         A4 | 01-07 |  55.06     | P2
         A5 | 01-10 |  60.00     | P3
         A6 | 01-07 |  40.00     | P3
         A7 | 01-07 |  70.00 USD | P1
         A8 | 01-07 |  10.00 USD | P4
         A9 | 01-07 |  10.00     | P5",
        GROUPS,
        "S1 + S2 = A1 + A2 : settlement
         S7 = A7 : settlement
         S3 amount_differs : A3 + A4
         S4 amount_differs : A3 + A4
         A3 amount_differs : S3 + S4
         A4 amount_differs : S3 + S4
         S5 date_differs : A5 + A6
         S6 date_differs : A5 + A6
         A5 date_differs : S5 + S6
         A6 date_differs : S5 + S6
         S8 currency_differs
         A8 currency_differs
         S9 missing_right
         A9 missing_left",
    );
}

#[test]
fn the_smaller_of_two_groups_may_lack_a_fee() {
    check(
        "id | date  | amount | batch
         S1 | 01-05 |  98.00 | P1
         S2 | 01-06 | 196.00 | P1",
        "id | date  | amount | batch
         A1 | 01-06 | 150.00 | P1
         A2 | 01-07 | 150.00 | P1",
        r#"
        [[pass]]
        name = "settlement"
        cardinality = "n:m"
        key = [{ left = "batch", right = "batch" }]
        amount = { fee = { percent = "2" } }
        "#,
        "S1 + S2 = A1 + A2 : settlement",
    );
}

#[test]
fn two_batches_named_in_a_text_and_equally_good_are_a_tie() {
    check(
        "id | date  | amount | text
         S1 | 01-05 |  10.00 | PAYOUTS 1001 AND 1002
         S2 | 01-06 |  20.00 | PAYOUTS 1001 AND 1002",
        "id | date  | amount | batch
         A1 | 01-06 |  15.00 | 1001
         A2 | 01-06 |  15.00 | 1001
         A3 | 01-06 |  25.00 | 1002
         A4 | 01-06 |   5.00 | 1002",
        r#"
        [[pass]]
        name = "settlement"
        cardinality = "n:m"
        key = [{ left = "text", right = "batch", normalise = "tokens" }]
        "#,
        "S1 ambiguous : A1 + A2, A3 + A4
         S2 ambiguous : A1 + A2, A3 + A4
         A1 ambiguous : S1 + S2
         A2 ambiguous : S1 + S2
         A3 ambiguous : S1 + S2
         A4 ambiguous : S1 + S2",
    );
}

const PARTS: &str = r#"
    [[pass]]
    name = "batch"
    cardinality = "1:n"
    key = [{ left = "batch", right = "batch" }]
    date = { window_days = 5 }
    search = { records_max = 6 }
"#;

#[test]
fn a_deposit_may_leave_lines_of_its_batch_out() {
    check(
        "id | date  | amount | batch
         B1 | 01-08 | 310.00 | P1
         B2 | 01-08 | 100.00 | P2
         B3 | 01-08 |  70.00 | P3
         B4 | 01-08 |  80.00 | P3
         B5 | 01-08 |  40.00 | P4
         B6 | 01-08 | 100.00 | P5",
        "id | date  | amount | batch
         L1 | 01-06 | 100.10 | P1
         L2 | 01-07 | 209.90 | P1
         L3 | 01-07 |  55.00 | P1
         L4 | 01-07 |  -7.31 | P1
         M1 | 01-07 |  40.00 | P2
         M2 | 01-07 |  60.00 | P2
         M3 | 01-07 |  60.00 | P2
         N1 | 01-07 |  30.00 | P3
         N2 | 01-07 |  40.00 | P3
         N3 | 01-07 |  25.00 | P3
         N4 | 01-07 |  55.00 | P3
         O1 | 01-07 |  30.00 | P4
         O2 | 01-07 |  10.00 | P4
         O3 | 01-20 |   0.01 | P4
         Q1 | 01-07 |  40.00 | P5
         Q2 | 01-07 |  60.00 | P5
         Q3 | 01-06 |  60.00 | P5",
        PARTS,
        // Of two identical lines either would do: the second is a double booking.
        "B1 = L1 + L2 : batch
         L3 missing_left
         L4 missing_left
         B2 = M1 + M2 : batch
         M3 duplicate : M2
         B6 ambiguous : Q1 + Q2, Q1 + Q3
         Q1 ambiguous : B6
         Q2 ambiguous : B6
         Q3 ambiguous : B6
         B3 = N1 + N2 : batch
         B4 = N3 + N4 : batch
         B5 amount_differs : O1 + O2 + O3
         O1 amount_differs : B5
         O2 amount_differs : B5
         O3 amount_differs : B5",
    );
}

#[test]
fn a_search_within_a_key_gives_up_where_chance_would_answer() {
    use crate::soundness::assert_sound;
    use crate::table::rule_set;
    use matching::{Currency, RecordsBuilder, Watch, reconcile};
    let eur = Currency::parse("EUR").unwrap();
    // Forty lines: two left out of forty different amounts are found. Of amounts that lie close together
    // many pairs have the same sum, and nothing is said.
    for (power, matches, gave_up) in [(3, 1, 0), (1, 0, 1)] {
        let (mut left, mut right) =
            (RecordsBuilder::new(vec!["batch".into()]), RecordsBuilder::new(vec!["batch".into()]));
        let amount = |i: i64| 100 + i.pow(power);
        let sum: i64 = (0..40).map(amount).sum();
        left.push("B", 1, sum - amount(3) - amount(31), eur, 20_000, &["P1"]).unwrap();
        (0..40).for_each(|i| right.push(&format!("L{i}"), 1, amount(i), eur, 20_000, &["P1"]).unwrap());
        let (left, right) = (left.build(), right.build());
        let rules = rule_set(PARTS, &left, &right);
        let outcome = reconcile(&left, &right, &rules, Watch::none()).unwrap();
        assert_sound(&left, &right, &rules, &outcome);
        assert_eq!((outcome.matches.len(), outcome.passes[0].gave_up), (matches, gave_up), "power {power}");
    }
}

const SPLIT: &str = r#"
    [[pass]]
    name = "paid"
    cardinality = "1:n"
    key = [{ left = "invoice", right = "invoice" }]
    amount = { absolute = "0.05" }
    split = true
"#;

#[test]
fn an_invoice_may_be_paid_in_part_or_too_much() {
    check(
        "id | date  | amount   | invoice
         I1 | 01-02 |  1000.00 | 1
         I2 | 01-02 |   500.00 | 2
         I3 | 01-02 |   200.00 | 3
         I4 | 01-02 |   100.00 | 4
         I5 | 01-02 |   100.00 | 5
         I6 | 01-02 |  -100.00 | 6
         I7 | 01-02 |   100.00 | 7",
        "id | date  | amount   | invoice
         P1 | 02-01 |   300.00 | 1
         P2 | 03-01 |   400.00 | 1
         P3 | 02-01 |   250.00 | 2
         P4 | 02-01 |   250.03 | 2
         P5 | 02-01 |   150.00 | 3
         P6 | 02-05 |   150.00 | 3
         P7 | 02-01 |   -40.00 | 4
         P8 | 02-01 |  1000.00 | 5
         P9 | 02-01 |   -40.00 | 6",
        SPLIT,
        // One cent within the tolerance is no remainder; an amount ten times as large is no payment of it.
        "I1 = P1 + P2 : paid, left 300.00 open
         I2 = P3 + P4 : paid
         I3 = P5 + P6 : paid, right 100.00 open
         I6 = P9 : paid, left -60.00 open
         I4 amount_differs : P7
         P7 amount_differs : I4
         I5 amount_differs : P8
         P8 amount_differs : I5
         I7 missing_right",
    );
}

#[test]
fn a_part_payment_seen_from_the_other_side_and_with_other_signs() {
    let rules = r#"
        [[pass]]
        name = "paid"
        cardinality = "n:1"
        key = [{ left = "invoice", right = "invoice" }]
        amount = { flip_sign = true }
        split = true
    "#;
    check(
        "id | date  | amount | invoice
         P1 | 02-01 |  30.00 | 1
         P2 | 03-01 |  40.00 | 1
         P3 | 03-01 |  80.00 | 2
         P4 | 03-01 |  70.00 | 2",
        "id | date  | amount  | invoice
         I1 | 01-02 | -100.00 | 1
         I2 | 01-02 | -100.00 | 2",
        rules,
        "P1 + P2 = I1 : paid, right -30.00 open
         P3 + P4 = I2 : paid, left 50.00 open",
    );
}

#[test]
fn the_balance_names_what_stays_open() {
    use crate::table::{records_of, rule_set};
    use matching::{Reasoner, Watch, reconcile};
    let left = records_of(
        "id | date  | amount  | invoice
         I1 | 01-02 | 1000.00 | 1
         I2 | 01-02 |   80.00 | 2",
    );
    let right = records_of(
        "id | date  | amount | invoice
         P1 | 02-01 | 700.00 | 1
         P2 | 02-01 |  50.00 | 2
         P3 | 02-01 |  45.00 | 2",
    );
    let rules = rule_set(SPLIT, &left, &right);
    let outcome = reconcile(&left, &right, &rules, Watch::none()).unwrap();
    let proof = outcome.proof[0];
    assert_eq!((proof.left_matched, proof.left_unmatched, proof.right_matched), (108_000, 0, 79_500));
    assert_eq!((proof.open_remainder_left, proof.open_remainder_right), (30_000, 1_500));
    assert_eq!((proof.matched_difference, proof.residual()), (28_500, 0));
    let reasoner = Reasoner::new(&left, &right, &rules);
    let says = outcome.matches.iter().flat_map(|m| reasoner.reasons(m)).filter(|r| r.field == "sum");
    let mut says: Vec<String> = says.map(|reason| reason.says).collect();
    says.sort();
    assert_eq!(
        says,
        [
            "sum of 1: left is 300.00 EUR more, which stays open",
            "sum of 2: right is 15.00 EUR more, which stays open"
        ]
    );
}

#[test]
fn the_tolerance_of_a_sum_is_in_its_own_currency() {
    check(
        "id | date  | amount     | batch
         S1 | 01-05 | 300.05     | P1
         S2 | 01-05 | 300.06     | P2
         S3 | 01-05 | 10001 JPY  | P3
         S4 | 01-05 | 300.050 KWD| P4
         S5 | 01-05 | 300.051 KWD| P5",
        "id | date  | amount     | batch
         A1 | 01-06 | 100.00     | P1
         A2 | 01-06 | 200.00     | P1
         B1 | 01-06 | 100.00     | P2
         B2 | 01-06 | 200.00     | P2
         C1 | 01-06 | 5000 JPY   | P3
         C2 | 01-06 | 5000 JPY   | P3
         D1 | 01-06 | 100.000 KWD| P4
         D2 | 01-06 | 200.000 KWD| P4
         E1 | 01-06 | 100.000 KWD| P5
         E2 | 01-06 | 200.000 KWD| P5",
        GROUPS,
        "S1 = A1 + A2 : settlement
         S2 amount_differs : B1 + B2
         B1 amount_differs : S2
         B2 amount_differs : S2
         S3 amount_differs : C1 + C2
         C1 amount_differs : S3
         C2 amount_differs : S3
         S4 = D1 + D2 : settlement
         S5 amount_differs : E1 + E2
         E1 amount_differs : S5
         E2 amount_differs : S5",
    );
}
