//! What is matched: statements on the left, ledgers on the right.

use crate::table::check;

#[test]
fn equal_references_meet_whatever_the_order() {
    check(
        "id | date  | amount   | reference
         B1 | 01-05 |   100.00 | INV-1001
         B2 | 01-06 |   250.00 | inv 1002
         B3 | 01-06 |  -250.00 | INV1003",
        "id | date  | amount   | reference
         L3 | 01-06 |  -250.00 | INV-1003
         L1 | 01-05 |   100.00 | INV-1001
         L2 | 01-05 |   250.00 | INV/1002
         L4 | 01-05 |   250.00 | INV/1004",
        "",
        "B1 = L1 : same reference
         B2 = L2 : same reference
         B3 = L3 : same reference
         L4 missing_left",
    );
}

#[test]
fn keys_with_a_tolerance_and_a_lag() {
    let rules = r#"
        ambiguity_margin = 0.005
        [[pass]]
        name = "order"
        key = [{ left = "order", right = "order_id" }, { left = "code", right = "auth", normalise = "exact" }]
        amount = { absolute = "0.05" }
        date = { window_days = 5, direction = "right_later" }
    "#;
    check(
        "id | date  | amount | order | code
         S1 | 01-05 | 100.00 | O-1   | a
         S2 | 01-05 | 100.00 | O-2   | a
         S3 | 01-05 | 100.00 | O-3   | a
         S4 | 01-05 | 100.00 | O-4   | a
         S5 | 01-05 | 100.00 | O-5   |
         S6 | 01-05 | 100    JPY | O-6 | a",
        "id | date  | amount | order_id | auth
         A1 | 01-10 | 100.05 | O1 | a
         A2 | 01-06 | 100.06 | O2 | a
         A3 | 01-04 | 100.00 | O3 | a
         A4 | 01-06 | 100.00 | O4 | A
         A5 | 01-06 | 100.00 | O5 |
         A6 | 01-06 | 101    JPY | O6 | a",
        rules,
        "S1 = A1 : order
         S2 amount_differs : A2
         A2 amount_differs : S2
         S3 date_differs : A3
         A3 date_differs : S3
         S4 missing_right
         A4 missing_left
         S5 missing_right
         A5 missing_left
         S6 amount_differs : A6
         A6 amount_differs : S6",
    );
}

#[test]
fn a_reference_is_found_inside_a_text() {
    check(
        "id | date  | amount | description
         B1 | 01-05 |  80.00 | SEPA CREDIT HOLM GMBH INV 2026 00004711 THANK YOU
         B2 | 01-05 |  80.00 | SEPA CREDIT HOLM GMBH 4712
         B3 | 01-05 |  80.00 | SEPA CREDIT BERG GMBH",
        "id | date  | amount | reference
         L1 | 01-04 |  80.00 | INV-2026-00004711
         L2 | 01-04 |  80.00 | INV-2026-00004712
         L3 | 01-04 |  80.00 | INV-2026-00004713",
        "",
        "B1 = L1 : description names reference
         B2 = L2 : description names reference
         B3 missing_right
         L3 missing_left",
    );
}

#[test]
fn a_deposit_is_the_sum_of_its_batch() {
    check(
        "id | date  | amount | reference | description
         B1 | 01-08 | 300.00 |           | PAYOUT 00001234 THANKS
         B2 | 01-08 |  70.00 | BATCH-9   | PAYOUT
         B3 | 01-08 |  99.00 |           | PAYOUT 00001236",
        "id | date  | amount | counterparty | batch
         L1 | 01-06 | 100.00 | Holm | PO-00001234
         L2 | 01-07 | 250.00 | Berg | PO-00001234
         L3 | 01-07 | -50.00 | Tal  | PO-00001234
         L4 | 01-07 |  70.00 | Tal  | PO-00001235
         L5 | 01-07 |  49.00 | Tal  | PO-00001236
         L6 | 01-07 |  51.00 | Tal  | PO-00001236",
        "",
        "B1 = L1 + L2 + L3 : sum of right batch named in description
         B2 = L4 : near amount, all evidence together
         B3 amount_differs : L5 + L6
         L5 amount_differs : B3
         L6 amount_differs : B3",
    );
}

#[test]
fn many_on_the_left_meet_one_on_the_right() {
    let rules = r#"
        [[pass]]
        name = "payout"
        cardinality = "n:1"
        key = [{ left = "payout", right = "payout" }]
        amount = { percent = "1" }
        date = { window_days = 3 }
    "#;
    check(
        "id | date  | amount | payout
         S1 | 01-05 |  40.00 | P1
         S2 | 01-06 |  60.00 | P1
         S3 | 01-05 |  40.00 USD | P1
         S4 | 01-01 |  10.00 | P2
         S5 | 01-06 |  10.00 | P2",
        "id | date  | amount | payout
         P1 | 01-07 |  99.00 | p-1
         P2 | 01-07 |  20.00 | p-2",
        rules,
        "S1 + S2 = P1 : payout
         S3 missing_right
         S4 date_differs : P2
         S5 date_differs : P2
         P2 date_differs : S4 + S5",
    );
}

#[test]
fn equal_amounts_are_told_apart_by_their_texts() {
    check(
        "id | date  | amount | description
         B1 | 01-05 |  49.99 | SEPA CREDIT MUELLER OPTICS
         B2 | 01-05 |  49.99 | SEPA CREDIT KAISER LOGIST. GMBH
         B3 | 01-05 |  49.99 | SEPA CREDIT SOMEBODY ELSE",
        "id | date  | amount | counterparty
         L1 | 01-03 |  49.99 | Kaiser Logistics GmbH
         L2 | 01-03 |  49.99 | Mueller Optics GmbH
         L3 | 01-20 |  49.99 | Mueller Optics GmbH",
        "",
        "B1 = L2 : same amount, like text
         B2 = L1 : same amount, like text
         B3 missing_right
         L3 missing_left",
    );
}

#[test]
fn a_text_that_names_nobody_is_not_held_against_a_record() {
    // B2 names a party that the ledger knows, and has the amount of another one.
    check(
        "id | date  | amount | description
         B1 | 01-05 |  49.99 | SQ *9XK2
         B2 | 01-05 |  59.99 | SEPA CREDIT HOLM",
        "id | date  | amount | counterparty
         L1 | 01-04 |  49.99 | Kaiser Logistics GmbH
         L2 | 01-04 |  60.15 | Mueller Optics GmbH
         L3 | 01-08 |  59.99 | Holm GmbH",
        "",
        "B1 = L1 : near amount, all evidence together
         B2 = L3 : near amount, all evidence together
         L2 missing_left",
    );
}

#[test]
fn identical_records_are_paired_by_their_ids() {
    check(
        "id | date  | amount | reference
         B1 | 01-05 |   9.99 | ABO
         B2 | 01-05 |   9.99 | ABO
         B3 | 01-05 |   9.99 | ABO",
        "id | date  | amount | reference
         L1 | 01-05 |   9.99 | ABO
         L2 | 01-05 |   9.99 | ABO",
        "",
        "B1 = L1 : same reference
         B2 = L2 : same reference
         B3 duplicate : B1",
    );
    // Which of two identical payments pays which invoice is no choice either.
    check(
        "id | date  | amount | description
         B1 | 01-05 |   9.99 | HOLM
         B2 | 01-05 |   9.99 | HOLM",
        "id | date  | amount | counterparty | voucher
         L1 | 01-05 |   9.99 | Holm | 17
         L2 | 01-05 |   9.99 | Holm | 18",
        "",
        "B1 = L1 : same amount, like text
         B2 = L2 : same amount, like text",
    );
}

#[test]
fn a_key_on_the_id_tells_identical_records_apart() {
    let rules = r#"
        [[pass]]
        name = "id"
        key = [{ left = "id", right = "paid" }]
    "#;
    check(
        "id | date  | amount | text
         B1 | 01-05 | 9.99 | ABO
         B2 | 01-05 | 9.99 | ABO",
        "id | date  | amount | paid
         L1 | 01-05 | 9.99 | B2
         L2 | 01-05 | 9.99 | B1",
        rules,
        "B1 = L2 : id
         B2 = L1 : id",
    );
}

#[test]
fn the_nearer_of_two_wins_only_by_more_than_the_margin() {
    let rules = |margin: &str| {
        format!(
            "ambiguity_margin = {margin}\n[[pass]]\nname = \"ref\"\nkey = [{{ left = \"ref\", right = \"ref\" }}]\ndate = {{ window_days = 5 }}"
        )
    };
    let left = "id | date  | amount | ref
                B1 | 01-05 |  10.00 | R1";
    let right = "id | date  | amount | ref
                 L1 | 01-05 |  10.00 | R1
                 L2 | 01-06 |  10.00 | R1";
    check(left, right, &rules("0.02"), "B1 = L1 : ref\n L2 duplicate : L1");
    check(
        left,
        right,
        &rules("0.1"),
        "B1 ambiguous : L1, L2
         L1 ambiguous : B1
         L2 ambiguous : B1",
    );
}

#[test]
fn a_flipped_sign_matches_payments_with_what_was_owed() {
    let rules = r#"
        [[pass]]
        name = "paid"
        key = [{ left = "ref", right = "ref" }]
        amount = { flip_sign = true, absolute = "0.10" }
        [[pass]]
        name = "near"
        amount = { flip_sign = true, percent = "2" }
        date = { window_days = 3 }
    "#;
    check(
        "id | date  | amount  | ref
         B1 | 01-05 |  -10.00 | R1
         B2 | 01-05 |   20.00 | R2
         B3 | 01-05 | -100.00 |",
        "id | date  | amount  | ref
         L1 | 01-05 |   10.10 | R1
         L2 | 01-05 |   20.00 | R2
         L3 | 01-06 |   99.00 | X",
        rules,
        "B1 = L1 : paid
         B2 amount_differs : L2
         L2 amount_differs : B2
         B3 = L3 : near",
    );
}

#[test]
fn empty_sides_are_fine() {
    let none = "id | date | amount | reference";
    let one = "id | date | amount | reference\n B1 | 01-05 | 1.00 | R";
    check(none, none, "", "");
    check(one, none, "", "B1 missing_right");
    check(none, one, "", "B1 missing_left");
}
