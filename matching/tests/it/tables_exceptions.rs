//! What is not matched, and what a person is told about it.

use crate::table::check;

const BY_REF: &str = r#"
    [[pass]]
    name = "ref"
    key = [{ left = "ref", right = "ref" }]
    date = { window_days = 3 }
"#;

#[test]
fn a_tie_between_different_records_is_never_chosen() {
    check(
        "id | date  | amount | ref | text
         B1 | 01-05 |  10.00 | R1  | one
         B2 | 01-05 |  10.00 | R1  | two",
        "id | date  | amount | ref
         L1 | 01-05 |  10.00 | R1",
        BY_REF,
        "B1 ambiguous : L1
         B2 ambiguous : L1
         L1 ambiguous : B1, B2",
    );
}

#[test]
fn a_later_pass_decides_between_the_tied_and_elimination_does_the_rest() {
    let rules = r#"
        [[pass]]
        name = "ref"
        key = [{ left = "ref", right = "ref" }]
        [[pass]]
        name = "text"
        date = { window_days = 3 }
        text = { left = ["text"], right = ["text"], min = 0.8 }
    "#;
    check(
        "id | date  | amount | ref | text
         B1 | 01-05 |  10.00 | R1  | HOLM
         B2 | 01-05 |  10.00 | R1  | unreadable",
        "id | date  | amount | ref | text
         L1 | 01-05 |  10.00 | R1  | Berg
         L2 | 01-05 |  10.00 | R1  | Holm
         L3 | 01-05 |  10.00 | R3  | Holm",
        rules,
        "B1 = L2 : text
         B2 = L1 : ref
         L3 missing_left",
    );
}

#[test]
fn a_weaker_pass_finds_no_third_record_for_a_tied_one() {
    let rules = r#"
        [[pass]]
        name = "ref"
        key = [{ left = "ref", right = "ref" }]
        [[pass]]
        name = "amount"
        date = { window_days = 3 }
    "#;
    check(
        "id | date  | amount | ref | text
         B1 | 01-05 |  10.00 | R1  | one
         B2 | 01-05 |  10.00 | R1  | two",
        "id | date  | amount | ref
         L1 | 01-05 |  10.00 | R1
         L2 | 01-05 |  10.00 | R2",
        rules,
        "B1 ambiguous : L1
         B2 ambiguous : L1
         L1 ambiguous : B1, B2
         L2 missing_left",
    );
}

#[test]
fn no_more_candidates_are_listed_than_asked_for() {
    check(
        "id | date  | amount | ref
         B1 | 01-05 |  10.00 | R1",
        "id | date  | amount | ref | text
         L1 | 01-05 |  10.00 | R1  | a
         L2 | 01-05 |  10.00 | R1  | b
         L3 | 01-05 |  10.00 | R1  | c",
        &format!("candidates_max = 2\n{BY_REF}"),
        "B1 ambiguous : L1, L2
         L1 ambiguous : B1
         L2 ambiguous : B1
         L3 ambiguous : B1",
    );
}

#[test]
fn each_difference_has_its_name() {
    check(
        "id | date  | amount     | ref
         B1 | 01-05 |  10.00     | AMOUNT
         B2 | 01-05 |  10.00     | DATE
         B3 | 01-05 |  10.00     | CURRENCY
         B4 | 01-05 |  10.00     | NOBODY
         B5 | 01-05 |  10.00     | TWICE
         B6 | 01-07 |  10.00     | TWICE
         B7 | 01-05 |  10.00     |",
        "id | date  | amount     | ref
         L1 | 01-05 |  12.00     | amount
         L2 | 01-09 |  10.00     | date
         L3 | 01-05 |  10.00 USD | currency
         L5 | 01-05 |  10.00     | twice
         L8 | 01-05 |  11.00     | twice",
        BY_REF,
        "B1 amount_differs : L1
         L1 amount_differs : B1
         B2 date_differs : L2
         L2 date_differs : B2
         B3 currency_differs : L3
         L3 currency_differs : B3
         B4 missing_right
         B5 = L5 : ref
         B6 duplicate : B5
         L8 amount_differs : B6, B5
         B7 missing_right",
    );
}

#[test]
fn a_counterpart_that_has_another_match_is_named_but_not_blamed() {
    check(
        "id | date  | amount | ref
         B1 | 01-05 |  10.00 | R1",
        "id | date  | amount | ref
         L1 | 01-05 |  10.00 | R1
         L2 | 01-05 |   4.00 | R1",
        BY_REF,
        "B1 = L1 : ref
         L2 missing_left : B1",
    );
}

#[test]
fn a_double_is_found_under_the_other_key_of_its_counterpart() {
    let rules = r#"
        [[pass]]
        name = "order"
        key = [{ left = "order", right = "order" }]
        [[pass]]
        name = "settlement"
        key = [{ left = "order", right = "note", normalise = "tokens" }]
    "#;
    check(
        "id | date  | amount | order
         S1 | 01-05 |  10.00 | ORD-00012345",
        "id | date  | amount | order        | note
         A1 | 01-05 |  10.00 | ORD-00012345 |
         A2 | 01-06 |  10.00 |              | again ORD-00012345",
        rules,
        "S1 = A1 : order
         A2 duplicate : A1",
    );
}

#[test]
fn a_record_just_outside_is_shown_when_the_text_is_alike() {
    check(
        "id | date  | amount | description
         B1 | 01-05 | 100.00 | WIRE HOLM OPTICS
         B2 | 01-05 | 200.00 | WIRE BERG MARINE
         B3 | 01-05 | 300.00 | WIRE TAL FARMS",
        "id | date  | amount | counterparty
         L1 | 01-15 | 100.00 | Holm Optics
         L2 | 01-06 | 204.00 | Berg Marine
         L3 | 01-06 | 333.00 | Quite Another
         L4 | 01-06 |   1.00 | Tal Farms",
        "",
        "B1 date_differs : L1
         L1 date_differs : B1
         B2 amount_differs : L2
         L2 amount_differs : B2
         B3 missing_right
         L3 missing_left
         L4 missing_left",
    );
}

#[test]
fn below_the_threshold_nothing_is_matched() {
    let rules = "threshold = 0.9\n[[pass]]\nname = \"ref\"\nkey = [{ left = \"ref\", right = \"ref\" }]\ndate = { window_days = 9 }";
    check(
        "id | date  | amount | ref
         B1 | 01-05 |  10.00 | R1
         B2 | 01-05 |  10.00 | R2",
        "id | date  | amount | ref
         L1 | 01-05 |  10.00 | R1
         L2 | 01-14 |  10.00 | R2",
        rules,
        "B1 = L1 : ref
         B2 missing_right : L2
         L2 missing_left : B2",
    );
}

#[test]
fn a_pass_that_gives_up_says_so_and_matches_nothing_by_chance() {
    use crate::{soundness::assert_sound, table::rule_set};
    let side = |prefix: &str| {
        let mut builder = matching::RecordsBuilder::new(vec!["text".into()]);
        let eur = matching::Currency::parse("EUR").unwrap();
        for i in 0..400 {
            builder.push(&format!("{prefix}{i}"), 1, 999, eur, 20_000 + i / 100, &[&i.to_string()]).unwrap();
        }
        // In reach of the crowd's window only by one day, and itself with few candidates.
        builder.push(&format!("{prefix}x"), 1, 999, eur, 20_006, &["x"]).unwrap();
        builder.build()
    };
    let (left, right) = (side("B"), side("L"));
    let rules = rule_set("[[pass]]\nname = \"amount\"\ndate = { window_days = 3 }", &left, &right);
    let outcome = matching::reconcile(&left, &right, &rules, matching::Watch::none()).unwrap();
    assert_sound(&left, &right, &rules, &outcome);
    assert!(outcome.passes[0].gave_up > 300, "{:?}", outcome.passes);
    assert_eq!(outcome.matches, []);
}
