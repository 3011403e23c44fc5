//! Sums whose parts are in another currency than the whole.

use crate::table::{check, outcome_of};
use matching::{Reasoner, RuleSet, Side};

const RATES: &str = r#"
    rate_base = "EUR"
    rate = [
        { from = "USD", to = "EUR", date = "2026-01-02", rate = "0.92" },
        { from = "USD", to = "EUR", date = "2026-01-05", rate = "0.90" },
        { from = "EUR", to = "JPY", date = "2026-01-05", rate = "160" },
    ]
"#;

fn rules(cardinality: &str, amount: &str, currency: &str) -> String {
    format!(
        r#"{RATES}
        [[pass]]
        name = "settled"
        cardinality = "{cardinality}"
        key = [{{ left = "batch", right = "batch" }}]
        amount = {{ {amount} }}
        currency = {{ convert = true, {currency} }}
        "#
    )
}

const PARTS: &str = "
    id | date  | amount       | batch
    I1 | 01-05 |   100.00 USD | P1
    I2 | 01-04 |    50.00 USD | P1
    I3 | 01-05 |    10.00 EUR | P1
    I4 | 01-06 |   100.00 USD | P2
    I5 | 01-06 |   100.00 USD | P3
    I6 | 01-05 |   100.00 CHF | P4
    I7 | 01-05 |    10.00 EUR | P4
    I8 | 01-05 |     1600 JPY | P5
    I9 | 01-05 |   100.00 USD | P5";
const WHOLES: &str = "
    id | date  | amount       | batch
    W1 | 01-07 |   146.00 EUR | P1
    W2 | 01-07 |    90.45 EUR | P2
    W3 | 01-07 |    90.46 EUR | P3
    W4 | 01-07 |   110.00 EUR | P4
    W5 | 01-07 |   100.00 EUR | P5";

/// 100 USD of 5 January are 90 EUR, 50 of the 4th 46 EUR, 1600 JPY 10 EUR. W3 is one cent more than half a per cent
/// away. For CHF there is no rate.
#[test]
fn the_parts_are_converted_at_the_rates_of_their_own_dates() {
    check(
        PARTS,
        WHOLES,
        &rules("n:1", "", r#"percent = "0.5""#),
        "I1 + I2 + I3 = W1 : settled
         I4 = W2 : settled
         I5 amount_differs : W3
         W3 amount_differs : I5
         I6 currency_differs : W4
         I7 currency_differs : W4
         W4 currency_differs
         I8 + I9 = W5 : settled",
    );
}

#[test]
fn the_whole_may_be_on_the_left() {
    check(
        WHOLES,
        PARTS,
        &rules("1:n", "", r#"percent = "0.5""#),
        "W1 = I1 + I2 + I3 : settled
         W2 = I4 : settled
         W3 amount_differs : I5
         I5 amount_differs : W3
         W4 currency_differs
         I6 currency_differs : W4
         I7 currency_differs : W4
         W5 = I8 + I9 : settled",
    );
}

#[test]
fn groups_meet_groups_in_the_currency_of_the_right_side() {
    check(
        "id | date  | amount     | batch
         L1 | 01-05 | 100.00 USD | P1
         L2 | 01-05 |  10.00 EUR | P1
         L3 | 01-05 | 100.00 USD | P2",
        "id | date  | amount     | batch
         R1 | 01-05 |  60.00 EUR | P1
         R2 | 01-05 |  40.00 EUR | P1
         R3 | 01-05 |  80.00 EUR | P2
         R4 | 01-05 |   9.00 EUR | P2",
        &rules("n:m", "", ""),
        "L1 + L2 = R1 + R2 : settled
         L3 amount_differs : R3 + R4
         R3 amount_differs : L3
         R4 amount_differs : L3",
    );
}

/// Three times 0.55 USD are three times 0.495 EUR: 0.50 each, or 1.485 together, which are 1.49.
#[test]
fn what_is_rounded_is_each_record_or_their_total() {
    let parts = "
        id | date  | amount   | batch
        I1 | 01-05 | 0.55 USD | P1
        I2 | 01-05 | 0.55 USD | P1
        I3 | 01-05 | 0.55 USD | P1";
    for (rounded, whole, converted) in [("each", "1.50", [50, 50, 50]), ("total", "1.49", [50, 49, 50])] {
        let rules = rules("n:1", "", &format!(r#"rounded = "{rounded}""#));
        let whole = format!("id | date | amount | batch\nW1 | 01-05 | {whole} EUR | P1");
        let (left, right, rules, outcome) = outcome_of(parts, &whole, &rules);
        let [m] = &outcome.matches[..] else { panic!("{rounded}: {outcome:?}") };
        assert_eq!((m.left.len(), m.difference), (3, 0), "{rounded}");
        let conversions = Reasoner::new(&left, &right, &rules).conversions(m);
        assert_eq!(conversions.iter().map(|(_, _, c)| c.converted).collect::<Vec<_>>(), converted);
        assert!(conversions.iter().all(|(side, _, _)| *side == Side::Left));
    }
}

#[test]
fn the_proof_names_what_left_a_currency_and_what_the_conversion_cost() {
    let (left, right, rules, outcome) = outcome_of(WHOLES, PARTS, &rules("1:n", "", r#"percent = "0.5""#));
    let proof = |code: &str| *outcome.proof.iter().find(|p| p.currency.code() == code).unwrap();
    let (euro, dollar, yen) = (proof("EUR"), proof("USD"), proof("JPY"));
    // Right amounts leave with a minus: left less right. P1, P2 and P5 are matched: 350 USD, and 1600 JPY.
    assert_eq!((dollar.right_matched, dollar.converted_out, dollar.converted_in), (35_000, -35_000, 0));
    assert_eq!((yen.right_matched, yen.converted_out), (1_600, -1_600));
    // 136 of P1, 90 of P2, 100 of P5 arrive; W2 is 0.45 more than its part.
    assert_eq!((euro.converted_in, euro.converted_out), (-32_600, 0));
    assert_eq!((euro.matched_difference, euro.converted_difference), (45, 45));
    assert!(outcome.proof.iter().all(|p| p.residual() == 0));
    let m = outcome.matches.iter().find(|m| left.id(m.left[0]) == "W1").unwrap();
    let says: Vec<String> = Reasoner::new(&left, &right, &rules)
        .reasons(m)
        .into_iter()
        .filter(|reason| reason.field == "currency")
        .map(|reason| reason.says)
        .collect();
    assert_eq!(
        says,
        ["50.00 USD are 46.00 EUR at 0.92 of 2026-01-02", "100.00 USD are 90.00 EUR at 0.9 of 2026-01-05"]
    );
}

#[test]
fn signs_may_be_mirrored_while_a_sum_is_converted() {
    let (_, _, _, outcome) = outcome_of(
        "id | date  | amount     | batch
         L1 | 01-05 |  95.00 EUR | P1",
        "id | date  | amount     | batch
         R1 | 01-05 | -50.00 USD | P1
         R2 | 01-05 | -50.00 USD | P1
         R3 | 01-05 |  -5.10 EUR | P1",
        &rules("1:n", r#"flip_sign = true"#, r#"percent = "1""#),
    );
    assert_eq!(outcome.matches.len(), 1, "{outcome:?}");
    let proof = |code: &str| *outcome.proof.iter().find(|p| p.currency.code() == code).unwrap();
    let (euro, dollar) = (proof("EUR"), proof("USD"));
    assert_eq!(
        (dollar.right_matched, dollar.right_flipped, dollar.converted_out),
        (-10_000, -10_000, -10_000)
    );
    assert_eq!((euro.right_flipped, euro.converted_in, euro.matched_difference), (-510, -9_000, -10));
    assert_eq!((euro.residual(), dollar.residual()), (0, 0));
}

#[test]
fn a_fee_may_be_kept_back_from_a_converted_sum() {
    check(
        "id | date  | amount     | batch
         W1 | 01-07 |  98.00 EUR | P1",
        "id | date  | amount     | batch
         I1 | 01-05 | 100.00 USD | P1
         I2 | 01-05 |  10.00 EUR | P1",
        &rules("1:n", r#"fee = { percent = "2" }"#, ""),
        "W1 = I1 + I2 : settled",
    );
}

#[test]
fn what_cannot_be_converted_together_is_a_mistake_with_its_place() {
    let rules: RuleSet = toml::from_str(
        r#"
        version = 1
        [[pass]]
        name = "search"
        cardinality = "1:n"
        key = [{ left = "batch", right = "batch" }]
        currency = { convert = true }
        search = {}
        [[pass]]
        name = "split"
        cardinality = "1:n"
        key = [{ left = "batch", right = "batch" }]
        currency = { convert = true }
        split = true
        [[pass]]
        name = "no key"
        cardinality = "n:1"
        currency = { convert = true }
        date = { window_days = 3 }
        [[pass]]
        name = "pairs"
        currency = { convert = true, rounded = "total" }
        date = { window_days = 3 }
        "#,
    )
    .unwrap();
    let places: Vec<String> = rules.check(None, None).into_iter().map(|error| error.at).collect();
    for at in [
        "pass[0].currency.convert",
        "pass[1].currency.convert",
        "pass[2].currency.convert",
        "pass[3].currency.rounded",
    ] {
        assert!(places.iter().any(|place| place == at), "{at} in {places:?}");
    }
}
