//! Windows in business days, and passes with thresholds and turns of their own.

use crate::table::check;

#[test]
fn a_payment_before_the_weekend_arrives_after_it() {
    // 2026-01-02 was a Friday, 01-05 a Monday.
    check(
        "id | date  | amount | reference
         B1 | 01-05 | 100.00 | R1
         B2 | 01-06 | 200.00 | R2
         B3 | 01-03 | 300.00 | R3
         B4 | 01-02 | 400.00 | R4",
        "id | date  | amount | reference
         L1 | 01-02 | 100.00 | R1
         L2 | 01-02 | 200.00 | R2
         L3 | 01-05 | 300.00 | R3
         L4 | 01-04 | 400.00 | R4",
        r#"
        [[pass]]
        name = "next day"
        key = [{ left = "reference", right = "reference" }]
        date = { window_business_days = 1 }
        "#,
        // Saturday counts as Monday: no day from there to Monday, one from Friday to Sunday, two to Tuesday.
        "B1 = L1 : next day
         B3 = L3 : next day
         B4 = L4 : next day
         B2 date_differs : L2
         L2 date_differs : B2",
    );
}

#[test]
fn easter_closes_target_but_not_the_federal_reserve() {
    let left = "id | date  | amount
                B1 | 04-07 | 100.00";
    let right = "id | date  | amount
                 L1 | 04-02 | 100.00";
    let rules = |calendar: &str| {
        format!(
            "{}\n[[pass]]\nname = \"amount\"\ndate = {{ window_business_days = 1, calendar = \"{calendar}\" }}",
            "[[calendar]]\nname = \"ours\"\nholidays = [\"2026-04-03\", \"2026-04-06\"]"
        )
    };
    for calendar in ["target2", "uk", "ours"] {
        check(left, right, &rules(calendar), "B1 = L1 : amount");
    }
    for calendar in ["us_federal_reserve", "weekends"] {
        check(left, right, &rules(calendar), "B1 missing_right\nL1 missing_left");
    }
}

#[test]
fn a_direction_looks_at_business_days() {
    check(
        "id | date  | amount | reference
         B1 | 01-05 | 100.00 | R1
         B2 | 01-06 | 200.00 | R2",
        "id | date  | amount | reference
         L1 | 01-03 | 100.00 | R1
         L2 | 01-05 | 200.00 | R2",
        r#"
        [[pass]]
        name = "not before"
        key = [{ left = "reference", right = "reference" }]
        date = { window_business_days = 2, direction = "right_later" }
        "#,
        "B1 = L1 : not before
         B2 date_differs : L2
         L2 date_differs : B2",
    );
}

#[test]
fn a_sum_is_in_the_window_when_all_its_parts_are() {
    check(
        "id | date  | amount | payout
         P1 | 01-06 | 300.00 | A
         P2 | 01-06 | 300.00 | B",
        "id | date  | amount | payout
         O1 | 01-02 | 100.00 | A
         O2 | 01-03 | 200.00 | A
         O3 | 01-01 | 100.00 | B
         O4 | 01-05 | 200.00 | B",
        r#"
        [[pass]]
        name = "payout"
        cardinality = "1:n"
        key = [{ left = "payout", right = "payout" }]
        date = { window_business_days = 2 }
        "#,
        "P1 = O1 + O2 : payout
         P2 date_differs : O3 + O4
         O3 date_differs : P2
         O4 date_differs : P2",
    );
}

#[test]
fn priority_says_which_pass_is_first() {
    let left = "id | date  | amount | a | b
                B1 | 01-05 | 100.00 | x | y";
    let right = "id | date  | amount | a | b
                 L1 | 01-05 | 100.00 | x |
                 L2 | 01-05 | 100.00 |   | y";
    let rules = |first: i32, second: i32| {
        format!(
            r#"
            [[pass]]
            name = "by a"
            priority = {first}
            key = [{{ left = "a", right = "a" }}]
            [[pass]]
            name = "by b"
            priority = {second}
            key = [{{ left = "b", right = "b" }}]
            "#
        )
    };
    check(left, right, &rules(0, 0), "B1 = L1 : by a\nL2 duplicate : L1");
    check(left, right, &rules(-5, 3), "B1 = L1 : by a\nL2 duplicate : L1");
    check(left, right, &rules(2, 1), "B1 = L2 : by b\nL1 duplicate : L2");
}

#[test]
fn a_pass_has_its_own_threshold_and_margin() {
    let left = "id | date  | amount | reference
                B1 | 01-05 | 100.00 | R1
                B2 | 01-05 | 200.00 |
                B3 | 01-05 | 300.00 |";
    let right = "id | date  | amount | reference
                 L1 | 01-05 | 100.00 | R1
                 L2 | 01-05 | 200.00 |
                 L3 | 01-05 | 300.00 |
                 L4 | 01-06 | 300.00 |";
    let rules = r#"
        threshold = 0.9
        [[pass]]
        name = "reference"
        key = [{ left = "reference", right = "reference" }]
        [[pass]]
        name = "amount"
        threshold = 0.5
        ambiguity_margin = MARGIN
        date = { window_days = 5 }
    "#;
    check(
        left,
        right,
        &rules.replace("MARGIN", "0.0"),
        "B1 = L1 : reference
         B2 = L2 : amount
         B3 = L3 : amount
         L4 missing_left",
    );
    check(
        left,
        right,
        &rules.replace("MARGIN", "0.2"),
        "B1 = L1 : reference
         B2 = L2 : amount
         B3 ambiguous : L3, L4
         L3 ambiguous : B3
         L4 ambiguous : B3",
    );
}
