use super::*;
use crate::DateDirection;

fn allowance(absolute: &str, percent: &str) -> Allowance {
    let text = |t: &str| (!t.is_empty()).then(|| t.to_owned());
    let rule = AmountRule { absolute: text(absolute), percent: text(percent), ..AmountRule::default() };
    Allowance::compile(&rule).unwrap()
}

fn window(days: Option<i64>, direction: DateDirection) -> Window {
    Window { days, max: days, business: None, direction }
}

#[test]
fn a_named_difference_counts_on_its_side_only() {
    let named = |name: &str, absolute: &str, side| AllowedDifference {
        name: name.into(),
        absolute: Some(absolute.into()),
        percent: None,
        side,
    };
    let rule = AmountRule {
        absolute: Some("0.05".into()),
        allowed: vec![
            named("charge", "15.00", LesserSide::LeftLess),
            named("rounding", "0.50", LesserSide::Either),
        ],
        ..AmountRule::default()
    };
    let mut allowance = Allowance::compile(&rule).unwrap();
    let euro = Currency::parse("EUR").unwrap();
    allowance.prepare(&[euro]);
    let allowance = allowance.in_currency(euro);
    for (left, right, fits, name) in [
        (100_000, 100_000, true, None),
        (99_996, 100_000, true, None),
        (98_500, 100_000, true, Some(0)),
        (98_499, 100_000, false, None),
        (100_050, 100_000, true, Some(1)),
        (100_051, 100_000, false, None),
        (-101_500, -100_000, true, Some(0)),
    ] {
        let distance = allowance.distance(left.into(), right.into());
        assert_eq!((distance.fits(), distance.named), (fits, name), "{left} {right}");
        if fits {
            assert!(allowance.reach(left).contains(&allowance.adjusted(right)), "{left} {right}");
        }
    }
}

#[test]
fn whatever_fits_is_in_reach_in_the_signs_of_the_file() {
    let amounts = [0, 1, -1, 95, 100, 105, -100, 10_000, -10_049, i64::MAX, i64::MIN, i64::MIN + 1];
    for (flip_sign, percent) in [(false, "0.5"), (true, "5"), (false, "100"), (true, "100")] {
        let rule = AmountRule {
            flip_sign,
            absolute: Some("0.05".into()),
            percent: Some(percent.into()),
            ..AmountRule::default()
        };
        let allowance = Allowance::compile(&rule).unwrap();
        let allowance = allowance.in_currency(Currency::parse("EUR").unwrap());
        for (left, right) in amounts.iter().flat_map(|&l| amounts.map(|r| (l, r))) {
            let (low, high) = allowance.reach_in_file(left);
            let fits = allowance.distance(left.into(), right.into()).fits();
            assert!(!fits || (low..=high).contains(&right), "{left} {right} {flip_sign} {percent}");
        }
    }
}

#[test]
fn the_larger_allowance_counts_and_is_exact() {
    for (absolute, percent, currency, left, right, fits) in [
        ("", "", "EUR", 100, 100, true),
        ("", "", "EUR", 100, 101, false),
        ("0.05", "", "EUR", 1000, 1005, true),
        ("0.05", "", "EUR", 1000, 1006, false),
        ("0.05", "", "JPY", 1000, 1001, false),
        ("0.005", "", "KWD", 1000, 1005, true),
        ("", "0.5", "EUR", 1000, 995, true),
        ("", "0.5", "EUR", 1000, 994, false),
        ("0.05", "0.5", "EUR", 100, 105, true),
        ("0.05", "0.5", "EUR", 10_000, 10_050, true),
        ("", "100", "EUR", 5, 0, true),
        ("", "100", "EUR", 5, -1, false),
        ("", "0.5", "EUR", -1000, -1005, true),
        ("", "0.5", "EUR", -1000, 1000, false),
        ("", "100", "EUR", i64::MIN, i64::MAX, false),
    ] {
        let allowance = allowance(absolute, percent);
        let allowance = allowance.in_currency(Currency::parse(currency).unwrap());
        let distance = allowance.distance(left.into(), right.into());
        assert_eq!(distance.fits(), fits, "{left} {right} within {absolute} or {percent}%");
        if fits {
            assert!(allowance.reach(left).contains(&allowance.adjusted(right)), "{left} {right}");
        }
    }
}

#[test]
fn closeness_never_grows_with_distance() {
    let allowance = allowance("1.00", "");
    let allowance = allowance.in_currency(Currency::parse("EUR").unwrap());
    let (near, anywhere) = (window(Some(5), DateDirection::Either), window(None, DateDirection::Either));
    for step in 0..200 {
        let amount = |r| allowance.distance(1000, r).closeness();
        assert!(amount(1000 + step) >= amount(1001 + step));
        let (d, step) = (|w: &Window, days| w.closeness(days), step as i64);
        assert!(d(&near, step) >= d(&near, step + 1) && d(&anywhere, step) >= d(&anywhere, step + 1));
    }
}

#[test]
fn a_direction_says_which_side_may_be_later() {
    let window = |direction| window(Some(2), direction);
    for (days, either, right_later, left_later) in
        [(-3, false, false, false), (-1, true, false, true), (0, true, true, true), (2, true, true, false)]
    {
        assert_eq!(window(DateDirection::Either).admits(days), either);
        assert_eq!(window(DateDirection::RightLater).admits(days), right_later);
        assert_eq!(window(DateDirection::LeftLater).admits(days), left_later);
    }
}
