use super::*;
use crate::day::parse;
use proptest::prelude::*;

fn currency(code: &str) -> Currency {
    Currency::parse(code).unwrap()
}

fn rates(lines: &[(&str, &str, &str, &str)]) -> RuleSet {
    let rate = |&(from, to, date, rate): &(&str, &str, &str, &str)| Rate {
        from: from.into(),
        to: to.into(),
        date: date.into(),
        rate: rate.into(),
    };
    RuleSet { rates: lines.iter().map(rate).collect(), ..RuleSet::standard() }
}

fn exchange(rules: &RuleSet, rule: &CurrencyRule) -> Exchange {
    let all = ["EUR", "USD", "GBP", "JPY", "KWD"].map(currency);
    Exchange::new(rule, &read_rates(rules).unwrap(), Some(currency("EUR")), &all, &all)
}

#[test]
fn the_latest_rate_in_the_window_counts() {
    let rules = rates(&[
        ("USD", "EUR", "2026-01-30", "0.92"),
        ("USD", "EUR", "2026-01-28", "0.90"),
        ("EUR", "USD", "2026-02-02", "1.25"),
        ("EUR", "GBP", "2026-01-30", "0.85"),
        ("EUR", "JPY", "2026-01-30", "160.5"),
        ("EUR", "KWD", "2026-01-30", "0.33"),
    ]);
    let exchange = exchange(&rules, &CurrencyRule { rate_window_days: Some(3), ..CurrencyRule::default() });
    let convert = |amount, from, to, date| {
        let day = parse(date).unwrap();
        exchange.convert(amount, currency(from), currency(to), day).map(|c| (c.amount, format(c.day), c.kind))
    };
    use RateKind::{Cross, Direct, Inverse};
    let is = |amount, date: &str, kind| Some((amount, date.to_owned(), kind));
    for (amount, from, to, date, expected) in [
        (10_000, "USD", "EUR", "2026-01-30", is(9_200, "2026-01-30", Direct)),
        (10_000, "USD", "EUR", "2026-01-29", is(9_000, "2026-01-28", Direct)),
        (-10_000, "USD", "EUR", "2026-02-02", is(-9_200, "2026-01-30", Direct)),
        // Direct rates of the window come before a newer inverse one; then only that is left.
        (10_000, "USD", "EUR", "2026-02-03", is(8_000, "2026-02-02", Inverse)),
        (10_000, "USD", "EUR", "2026-02-06", None),
        (10_000, "USD", "EUR", "2026-01-27", None),
        // 100 USD = 92 EUR = 78.20 GBP
        (10_000, "USD", "GBP", "2026-01-31", is(7_820, "2026-01-30", Cross)),
        (100, "USD", "JPY", "2026-01-30", is(148, "2026-01-30", Cross)),
        (161, "JPY", "EUR", "2026-01-30", is(100, "2026-01-30", Inverse)),
        (10_000, "USD", "KWD", "2026-01-30", is(30_360, "2026-01-30", Cross)),
        (i64::MAX, "EUR", "JPY", "2026-01-30", None),
        (i64::MAX, "GBP", "USD", "2026-01-30", None),
        (5, "EUR", "EUR", "2026-01-30", None),
    ] {
        assert_eq!(convert(amount, from, to, date), expected, "{amount} {from} to {to} on {date}");
    }
}

#[test]
fn what_is_said_can_be_checked_by_hand() {
    let rules = rates(&[("EUR", "USD", "2026-01-30", "1.0833"), ("EUR", "GBP", "2026-01-30", "0.85")]);
    let exchange = exchange(&rules, &CurrencyRule::default());
    let of = |amount, from, to| {
        let (from, to) = (currency(from), currency(to));
        let c = exchange.convert(amount, from, to, parse("2026-01-31").unwrap()).unwrap();
        c.rate(from, to)
    };
    assert_eq!(of(1, "EUR", "USD"), "1.0833");
    assert_eq!(of(1, "USD", "EUR"), "0.9231053263");
    assert_eq!(of(1, "USD", "GBP"), "0.7846395274");
}

#[test]
fn every_mistake_of_the_table_has_its_place() {
    let rules = rates(&[
        ("USD", "EUR", "2026-01-30", "0.92"),
        ("USD", "EUR", "2026-01-30", "0.93"),
        ("USD", "EUR", "2026-01-30", "0.920"),
        ("XXQ", "EURO", "30.01.2026", "-1"),
        ("EUR", "EUR", "2026-01-30", "1"),
        ("EUR", "USD", "2026-01-30", "0"),
        ("EUR", "USD", "2026-01-30", "100000000"),
        ("EUR", "USD", "2026-01-30", "0.12345678901"),
    ]);
    let errors = read_rates(&rules).unwrap_err();
    let places: Vec<&str> = errors.iter().map(|e| e.at.as_str()).collect();
    assert_eq!(
        places,
        [
            "rate[1]",
            "rate[3].from",
            "rate[3].to",
            "rate[3].date",
            "rate[3].rate",
            "rate[4].to",
            "rate[5].rate",
            "rate[6].rate",
            "rate[7].rate"
        ]
    );
}

proptest! {
    /// Half a minor unit at most, by an independent reckoning in whole numbers.
    #[test]
    fn a_conversion_is_off_by_half_a_minor_unit_at_most(
        amount in -1_000_000_000_000i64..1_000_000_000_000,
        units in 1u64..2_000_000_000_000,
        even: bool,
    ) {
        let rate = crate::format_minor(units.into(), RATE_SCALE);
        let rules = rates(&[("EUR", "JPY", "2026-01-30", &rate)]);
        let rounding = if even { Rounding::HalfEven } else { Rounding::HalfUp };
        let exchange = exchange(&rules, &CurrencyRule { rounding, ..CurrencyRule::default() });
        let day = parse("2026-01-30").unwrap();
        let forth = exchange.convert(amount, currency("EUR"), currency("JPY"), day).unwrap().amount;
        // Cents times units of 10^-10 yen a euro: 10^12 of them are a yen.
        let (exact, got) = (i128::from(amount) * i128::from(units), i128::from(forth) * 1_000_000_000_000);
        prop_assert!((exact - got).abs() * 2 <= 1_000_000_000_000);
        // The other sign gives the same amount, and more money is never worth less.
        let of = |amount| exchange.convert(amount, currency("EUR"), currency("JPY"), day).unwrap().amount;
        prop_assert_eq!(of(-amount), -forth);
        prop_assert!(of(amount + 1) >= forth);
        // There and back again is as exact as the coarser of both roundings allows.
        if let Some(back) = exchange.convert(forth, currency("JPY"), currency("EUR"), day) {
            let slack = 5_000_000_000_000 / i128::from(units) / 10 + 1;
            prop_assert!((i128::from(back.amount) - i128::from(amount)).abs() <= slack);
        }
    }
}
