//! What cancels out inside one side.

use crate::table::check;

const STORNO: &str = r#"
    [[netting]]
    name = "reversal"
    side = "left"
    key = [{ field = "reference" }]
    window_days = 10
    [[pass]]
    name = "same reference"
    key = [{ left = "reference", right = "reference" }]
"#;

#[test]
fn a_booking_and_its_reversal_are_no_open_items() {
    check(
        "id | date  | amount     | reference
         B1 | 01-05 |  100.00    | R-1
         B2 | 01-07 | -100.00    | r 1
         B3 | 01-05 |  100.00    | R-2
         B4 | 01-20 | -100.00    | R-2
         B5 | 01-05 | -100.00    | R-3
         B6 | 01-05 |  100.01    | R-3
         B7 | 01-05 |  100.00    | R-4
         B8 | 01-05 | -100.00 USD| R-4
         B9 | 01-05 | -100.00    |
         C1 | 01-05 |  100.00    |
         C2 | 01-05 |    0.00    | R-5",
        "id | date  | amount  | reference
         L1 | 01-05 |  100.00 | R-1
         L2 | 01-05 |  100.00 | R-9
         L3 | 01-06 | -100.00 | R-9",
        STORNO,
        // Too late, another amount, another currency, no reference, nothing to take back, another side.
        "B1 + B2 = : reversal
         B3 missing_right
         B4 missing_right
         B5 missing_right
         B6 missing_right
         B7 missing_right
         B8 missing_right
         B9 missing_right
         C1 missing_right
         C2 missing_right
         L1 missing_left : B1, B2
         L2 missing_left
         L3 missing_left",
    );
}

#[test]
fn void_and_reissue_leave_the_reissue_to_be_matched() {
    check(
        "id | date  | amount  | reference | check
         B1 | 01-05 |  500.00 | R-1       | 1001
         B2 | 01-08 | -500.00 | R-1       | 1001
         B3 | 01-09 |  500.00 | R-1       | 1002
         C1 | 01-05 |   80.00 | R-2       | 1003
         C2 | 01-05 |  -80.00 | R-2       | 1003
         C3 | 01-06 |   80.00 | R-2       | 1004
         C4 | 01-07 |  -80.00 | R-2       | 1004
         C5 | 01-08 |   80.00 | R-2       | 1005",
        "id | date  | amount  | reference
         L1 | 01-09 |  500.00 | R-1
         L2 | 01-09 |   80.00 | R-2",
        STORNO,
        "B1 + B2 = : reversal
         B3 = L1 : same reference
         C1 + C2 = : reversal
         C3 + C4 = : reversal
         C5 = L2 : same reference",
    );
}

#[test]
fn a_return_that_names_its_payment_is_netted_whatever_its_own_reference() {
    let rules = r#"
        [[netting]]
        name = "returned"
        key = [{ field = "id", reversal = "text", normalise = "tokens" }]
        window_days = 30
        [[pass]]
        name = "same text"
        key = [{ left = "text", right = "text" }]
    "#;
    check(
        "id    | date  | amount  | text
         T1001 | 01-05 | -100.00 | PAYMENT BERG
         T1002 | 01-05 | -100.00 | PAYMENT BERG
         T1003 | 01-09 |  100.00 | RETURN OF T1002 ACCOUNT CLOSED
         T1004 | 01-09 |  100.00 | RETURN OF T1009",
        "id    | date  | amount  | text
         U2001 | 01-05 |   70.00 | PAYMENT TAL
         U2002 | 01-04 |  -70.00 | RETURN OF U2001
         L1    | 01-05 | -100.00 | PAYMENT BERG",
        rules,
        // A return before the payment is not one.
        "T1002 + T1003 = : returned
         T1001 = L1 : same text
         T1004 missing_right
         U2001 missing_left
         U2002 missing_left",
    );
}

#[test]
fn what_could_be_netted_in_two_ways_is_left_alone_unless_the_records_are_identical() {
    check(
        "id | date  | amount  | reference | text
         B1 | 01-05 |  100.00 | R-1       | a
         B2 | 01-05 |  100.00 | R-1       | b
         B3 | 01-06 | -100.00 | R-1       | c
         C1 | 01-05 |   70.00 | R-2       | a
         C2 | 01-05 |   70.00 | R-2       | a
         C3 | 01-06 |  -70.00 | R-2       | c
         D1 | 01-05 |   30.00 | R-3       | a
         D2 | 01-05 |   30.00 | R-3       | a
         D3 | 01-05 |  -30.00 | R-3       | b
         D4 | 01-05 |  -30.00 | R-3       | b",
        "id | date  | amount  | reference | text
         L1 | 01-05 |   70.00 | R-2       | a",
        STORNO,
        "B1 missing_right
         B2 missing_right
         B3 missing_right
         C1 + C3 = : reversal
         C2 = L1 : same reference
         D1 + D3 = : reversal
         D2 + D4 = : reversal",
    );
}

#[test]
fn the_double_of_a_netted_record_is_missing_its_counterpart_and_no_duplicate() {
    check(
        "id | date  | amount  | reference
         B1 | 01-05 |   70.00 | R-2
         B2 | 01-05 |   70.00 | R-2
         B3 | 01-06 |  -70.00 | R-2",
        "id | date  | amount  | reference
         L1 | 01-05 |   10.00 | R-9",
        STORNO,
        "B1 + B3 = : reversal
         B2 missing_right
         L1 missing_left",
    );
}

#[test]
fn both_sides_are_netted_and_say_why() {
    use crate::table::{records_of, rule_set};
    use matching::{Reasoner, Watch, reconcile};
    let side = |prefix: &str| {
        records_of(&format!(
            "id | date  | amount  | reference
             {prefix}1 | 01-05 |  -70.00 | R-2
             {prefix}2 | 01-08 |   70.00 | R-2"
        ))
    };
    let (left, right) = (side("B"), side("L"));
    let rules = STORNO.replace("side = \"left\"", "tier = \"suggested\"");
    let rules = rule_set(&rules, &left, &right);
    let outcome = reconcile(&left, &right, &rules, Watch::none()).unwrap();
    assert!(outcome.exceptions.is_empty());
    let count = outcome.passes.last().unwrap();
    assert_eq!((count.name.as_str(), count.matches, count.left_records), ("reversal", 2, 2));
    assert!(outcome.matches.iter().all(|m| m.is_netted() && m.tier == matching::Tier::Suggested));
    let reasons = Reasoner::new(&left, &right, &rules).reasons(&outcome.matches[1]);
    let says: Vec<&str> = reasons.iter().map(|reason| reason.says.as_str()).collect();
    assert_eq!(says, ["reference R-2 on both", "the amounts cancel out", "taken back 3 days later"]);
}
