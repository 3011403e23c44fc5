//! Amounts in different currencies, and differences that have a name.

use crate::table::{check, outcome_of};
use matching::{Reasoner, RuleSet};

const RATES: &str = r#"
    rate_base = "EUR"
    rate = [
        { from = "USD", to = "EUR", date = "2026-01-02", rate = "0.92" },
        { from = "USD", to = "EUR", date = "2026-01-05", rate = "0.90" },
        { from = "EUR", to = "GBP", date = "2026-01-05", rate = "0.85" },
        { from = "EUR", to = "JPY", date = "2026-01-05", rate = "160" },
    ]
"#;

#[test]
fn currencies_meet_at_the_rate_of_the_left_date() {
    let rules = format!(
        r#"{RATES}
        [[pass]]
        name = "converted"
        key = [{{ left = "reference", right = "reference" }}]
        currency = {{ convert = true, percent = "0.5" }}
        "#
    );
    check(
        "id | date  | amount        | reference
         A1 | 01-05 |  100.00 USD   | R1
         A2 | 01-04 |  100.00 USD   | R2
         A3 | 01-05 |  100.00 GBP   | R3
         A4 | 01-05 |  100.00 USD   | R4
         A5 | 01-05 |  100.00 USD   | R5
         A6 | 01-05 |   50.00 EUR   | R6
         A7 | 01-01 |  100.00 USD   | R7
         A8 | 01-05 |  100.00 CHF   | R8",
        "id | date  | amount        | reference
         B1 | 01-05 |   90.00 EUR   | R1
         B2 | 01-05 |   92.00 EUR   | R2
         B3 | 01-05 |   18824 JPY   | R3
         B4 | 01-05 |   90.45 EUR   | R4
         B5 | 01-05 |   90.46 EUR   | R5
         B6 | 01-05 |   50.00 EUR   | R6
         B7 | 01-05 |   92.00 EUR   | R7
         B8 | 01-05 |  100.00 EUR   | R8",
        &rules,
        // A3: 100 GBP / 0.85 * 160 = 18823.53 JPY, within half a per cent of 18824. A4 is 0.45 of 90.45 away,
        // which is half a per cent rounded down; A5 one cent more. A7 is before the first rate.
        "A1 = B1 : converted
         A2 = B2 : converted
         A3 = B3 : converted
         A4 = B4 : converted
         A5 amount_differs : B5
         B5 amount_differs : A5
         A6 = B6 : converted
         A7 currency_differs : B7
         B7 currency_differs : A7
         A8 currency_differs : B8
         B8 currency_differs : A8",
    );
}

#[test]
fn without_keys_the_converted_amount_finds_the_pair() {
    let rules = format!(
        r#"{RATES}
        [[pass]]
        name = "mirror"
        amount = {{ flip_sign = true, absolute = "0.10" }}
        currency = {{ convert = true }}
        date = {{ window_days = 3 }}
        "#
    );
    check(
        "id | date  | amount
         A1 | 01-05 |  100.00 USD
         A2 | 01-05 |  200.00 USD
         A3 | 01-05 | -300.00 USD
         A4 | 01-05 |   10.00 EUR",
        "id | date  | amount
         B1 | 01-06 |  -90.02 EUR
         B2 | 01-06 |  180.00 EUR
         B3 | 01-07 |  229.50 GBP
         B4 | 01-05 |  -10.00 EUR",
        &rules,
        "A1 = B1 : mirror
         A3 = B3 : mirror
         A4 = B4 : mirror
         A2 missing_right
         B2 missing_left",
    );
}

#[test]
fn the_proof_follows_money_from_one_currency_into_the_other() {
    let rules = format!(
        r#"{RATES}
        [[pass]]
        name = "converted"
        key = [{{ left = "reference", right = "reference" }}]
        amount = {{ flip_sign = true }}
        currency = {{ convert = true, percent = "1" }}
        "#
    );
    let (left, right, rules, outcome) = outcome_of(
        "id | date  | amount     | reference
         A1 | 01-05 | 100.00 USD | R1
         A2 | 01-05 |  10.00 USD | R2
         A3 | 01-05 |   7.00 EUR | R3",
        "id | date  | amount     | reference
         B1 | 01-05 | -90.10 EUR | R1
         B3 | 01-05 |  -7.00 EUR | R3",
        &rules,
    );
    let proof = |code: &str| *outcome.proof.iter().find(|p| p.currency.code() == code).unwrap();
    let (euro, dollar) = (proof("EUR"), proof("USD"));
    assert_eq!((dollar.left_matched, dollar.converted_out, dollar.converted_in), (10_000, 10_000, 0));
    assert_eq!((euro.converted_in, euro.converted_out, euro.matched_difference), (9_000, 0, -10));
    assert_eq!((euro.residual(), dollar.residual()), (0, 0));
    let m = outcome.matches.iter().find(|m| left.id(m.left[0]) == "A1").unwrap();
    assert_eq!((m.currency.code(), m.difference), ("EUR", -10));
    let reasoner = Reasoner::new(&left, &right, &rules);
    let (_, _, conversion) = reasoner.conversions(m).remove(0);
    assert_eq!((conversion.amount, conversion.converted, conversion.rate.as_str()), (10_000, 9_000, "0.9"));
    let reasons = reasoner.reasons(m);
    let says = |field: &str| reasons.iter().find(|r| r.field == field).unwrap().says.clone();
    assert_eq!(says("currency"), "100.00 USD are 90.00 EUR at 0.9 of 2026-01-05");
    assert_eq!(says("amount"), "right is 0.10 EUR more, within the allowance");
    let sum: f64 = reasons.iter().map(|r| r.weight).sum();
    assert!((sum - m.confidence.as_f64()).abs() < 1e-5);
}

#[test]
fn a_bank_charge_is_a_reason() {
    let rules = r#"
        [[pass]]
        name = "paid"
        key = [{ left = "reference", right = "reference" }]
        [pass.amount]
        absolute = "0.05"
        allowed = [
          { name = "bank charge", absolute = "15.00", side = "left_less" },
          { name = "early payment discount", percent = "3", side = "left_less" },
          { name = "overpaid a little", absolute = "1.00", side = "right_less" },
        ]
    "#;
    let left = "id | date  | amount  | reference
                B1 | 01-05 |  985.00 | R1
                B2 | 01-05 | 4850.00 | R2
                B3 | 01-05 |  101.00 | R3
                B4 | 01-05 |  102.00 | R4
                B5 | 01-05 | 4849.99 | R5
                B6 | 01-05 |  -15.00 | R6";
    let right = "id | date  | amount  | reference
                 L1 | 01-05 | 1000.00 | R1
                 L2 | 01-05 | 5000.00 | R2
                 L3 | 01-05 |  100.00 | R3
                 L4 | 01-05 |  100.00 | R4
                 L5 | 01-05 | 5000.00 | R5
                 L6 | 01-05 |    0.00 | R6";
    check(
        left,
        right,
        rules,
        "B1 = L1 : paid
         B2 = L2 : paid
         B3 = L3 : paid
         B4 amount_differs : L4
         L4 amount_differs : B4
         B5 amount_differs : L5
         L5 amount_differs : B5
         B6 = L6 : paid",
    );
    let (left, right, rules, outcome) = outcome_of(left, right, rules);
    let reasoner = Reasoner::new(&left, &right, &rules);
    let says = |id: &str| {
        let m = outcome.matches.iter().find(|m| left.id(m.left[0]) == id).unwrap();
        reasoner.reasons(m).into_iter().find(|r| r.field == "amount").unwrap().says
    };
    assert_eq!(says("B1"), "right is 15.00 EUR more: bank charge");
    assert_eq!(says("B2"), "right is 150.00 EUR more: early payment discount");
    assert_eq!(says("B3"), "left is 1.00 EUR more: overpaid a little");
}

#[test]
fn a_sum_may_be_short_for_a_reason() {
    check(
        "id | date  | amount | payout
         P1 | 01-06 | 295.00 | A",
        "id | date  | amount | payout
         O1 | 01-05 | 100.00 | A
         O2 | 01-05 | 200.00 | A",
        r#"
        [[pass]]
        name = "payout"
        cardinality = "1:n"
        key = [{ left = "payout", right = "payout" }]
        amount = { allowed = [{ name = "terminal rent", absolute = "5" }] }
        "#,
        "P1 = O1 + O2 : payout",
    );
}

#[test]
fn nothing_is_converted_unless_a_pass_says_so() {
    let rules = format!(
        r#"{RATES}
        [[pass]]
        name = "same currency"
        key = [{{ left = "reference", right = "reference" }}]
        amount = {{ percent = "20" }}
        "#
    );
    check(
        "id | date  | amount     | reference
         A1 | 01-05 | 100.00 USD | R1",
        "id | date  | amount     | reference
         B1 | 01-05 |  90.00 EUR | R1",
        &rules,
        "A1 currency_differs : B1
         B1 currency_differs : A1",
    );
    assert!(RuleSet::standard().passes.iter().all(|pass| pass.currency.is_none()));
}
