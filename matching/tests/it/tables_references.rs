//! References cut out of texts, and those with check digits.

use crate::table::check;

#[test]
fn a_pattern_finds_the_reference_on_both_sides() {
    check(
        "id | date  | amount | text
         B1 | 01-05 | 100.00 | Re: inv-2026-0047, thanks
         B2 | 01-05 | 100.00 | INV20260048
         B3 | 01-05 | 100.00 | order 2026-0049
         B4 | 01-05 | 100.00 |",
        "id | date  | amount | document
         L1 | 01-04 | 100.00 | INV-2026-0047
         L2 | 01-04 | 100.00 | INV-2026-0048/rev1
         L3 | 01-04 | 100.00 | INV-2026-0049
         L4 | 01-04 | 100.00 | credit note",
        r#"
        [[pass]]
        name = "invoice"
        key = [{ left = "text", right = "document", normalise = "pattern", pattern = 'INV-?(\d{4})-?(\d{4})' }]
        "#,
        "B1 = L1 : invoice
         B2 = L2 : invoice
         B3 missing_right
         B4 missing_right
         L3 missing_left
         L4 missing_left",
    );
}

#[test]
fn a_pattern_of_one_side_meets_the_plain_text_of_the_other() {
    check(
        "id | date  | amount | text
         B1 | 01-05 | 100.00 | Kunde: ab-77 / Mai",
        "id | date  | amount | customer
         L1 | 01-04 | 100.00 | AB 77",
        r#"
        [[pass]]
        name = "customer"
        key = [{ left = "text", right = "customer", normalise = "pattern", left_pattern = 'Kunde: ([a-z]+-\d+)' }]
        "#,
        "B1 = L1 : customer",
    );
}

#[test]
fn a_sum_may_be_grouped_by_what_a_pattern_finds() {
    check(
        "id | date  | amount | reference
         P1 | 01-05 | 300.00 | PO-0012",
        "id | date  | amount | memo
         O1 | 01-04 | 100.00 | card sale, payout PO-0012
         O2 | 01-04 | 200.00 | refund of x; PO-0012
         O3 | 01-04 | 200.00 | card sale",
        r#"
        [[pass]]
        name = "payout"
        cardinality = "1:n"
        key = [{ left = "reference", right = "memo", normalise = "pattern", pattern = 'PO-\d+' }]
        "#,
        "P1 = O1 + O2 : payout
         O3 missing_left",
    );
}

#[test]
fn creditor_references_meet_however_they_are_written() {
    check(
        "id | date  | amount | text
         B1 | 01-05 | 100.00 | RF18 5390 0754 7034 THANK YOU
         B2 | 01-05 | 100.00 | 21 00000 00003 13947 14300 09017
         B3 | 01-05 | 100.00 | KID 000 1234567897
         B4 | 01-05 | 100.00 | RF19 5390 0754 7035
         B5 | 01-05 | 100.00 | VIITE 12 34561",
        "id | date  | amount | reference
         L1 | 01-04 | 100.00 | RF18539007547034
         L2 | 01-04 | 100.00 | 210000000003139471430009017
         L3 | 01-04 | 100.00 | 1234567897
         L4 | 01-04 | 100.00 | RF19539007547035
         L5 | 01-04 | 100.00 | RF341234561",
        r#"
        [[pass]]
        name = "creditor reference"
        key = [{ left = "text", right = "reference", normalise = "creditor_reference" }]
        "#,
        // The check digits of B4 and L4 are wrong: no reference, however equal.
        "B1 = L1 : creditor reference
         B2 = L2 : creditor reference
         B3 = L3 : creditor reference
         B5 = L5 : creditor reference
         B4 missing_right
         L4 missing_left",
    );
}
