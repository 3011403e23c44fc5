//! What must hold for every outcome, worked out from the rules again and not from the code under test.

use matching::{
    Cardinality, Confidence, Conversion, DateDirection, ExceptionKind, Match, OpenRemainder, Outcome, Pass,
    Reason, Reasoner, Records, Rounded, Row, RuleSet, Side, Tier,
};
use std::collections::BTreeMap;

pub fn assert_sound(left: &Records, right: &Records, rules: &RuleSet, outcome: &Outcome) {
    assert_each_record_ends_once(left, right, outcome);
    assert_proof_closes(left, right, rules, outcome);
    let reasoner = Reasoner::new(left, right, rules);
    for m in &outcome.matches {
        let reasons = reasoner.reasons(m);
        if m.is_netted() {
            assert_netting_follows_its_rule(left, right, rules, m);
        } else {
            let conversions = reasoner.conversions(m);
            assert_match_follows_its_pass(left, right, rules, m, &reasons, &conversions);
        }
        assert_reasons_add_up(rules.passes.get(usize::from(m.pass)), m, &reasons);
    }
    assert_exceptions_make_sense(left, right, rules, outcome);
    assert!(outcome.matches.is_sorted_by_key(|m| (
        std::cmp::Reverse(m.confidence),
        m.left.is_empty(),
        m.left.first(),
        m.right.first()
    )));
    assert!(outcome.exceptions.is_sorted_by_key(|e| (e.kind, e.side, e.row)));
    let counted: u64 = outcome.passes.iter().map(|p| p.left_records + p.right_records).sum();
    assert_eq!(counted as usize + outcome.exceptions.len(), left.len() + right.len());
}

fn assert_each_record_ends_once(left: &Records, right: &Records, outcome: &Outcome) {
    let mut ends = [vec![0; left.len()], vec![0; right.len()]];
    for m in &outcome.matches {
        assert!(!m.left.is_empty() || !m.right.is_empty());
        assert!(m.left.is_sorted() && m.right.is_sorted());
        m.left.iter().for_each(|&r| ends[0][r as usize] += 1);
        m.right.iter().for_each(|&r| ends[1][r as usize] += 1);
    }
    for e in &outcome.exceptions {
        ends[usize::from(e.side == Side::Right)][e.row as usize] += 1;
    }
    assert!(ends.iter().flatten().all(|&n| n == 1), "{ends:?}");
}

fn assert_proof_closes(left: &Records, right: &Records, rules: &RuleSet, outcome: &Outcome) {
    let mut totals: BTreeMap<String, (i128, i128)> = BTreeMap::new();
    for row in left.rows() {
        totals.entry(left.currency(row).to_string()).or_default().0 += i128::from(left.amount(row));
    }
    for row in right.rows() {
        totals.entry(right.currency(row).to_string()).or_default().1 += i128::from(right.amount(row));
    }
    let proven: BTreeMap<String, (i128, i128)> =
        outcome.proof.iter().map(|p| (p.currency.to_string(), (p.left_total, p.right_total))).collect();
    assert_eq!(totals, proven);
    let converts = rules.passes.iter().any(|p| p.currency.as_ref().is_some_and(|c| c.convert));
    let flips = rules.passes.iter().any(|p| p.amount.flip_sign);
    for p in &outcome.proof {
        assert_eq!(p.residual(), 0, "{p:?}");
        assert_eq!(p.left_total, p.left_matched + p.left_unmatched);
        assert_eq!(p.right_total, p.right_matched + p.right_unmatched);
        let converted = p.converted_in - p.converted_out;
        assert_eq!(p.left_matched - p.right_matched + 2 * p.right_flipped + converted, p.matched_difference);
        assert!(flips || p.right_flipped == 0);
        let open = |side: Side| -> i128 {
            let of =
                outcome.matches.iter().filter(|m| m.currency == p.currency).filter_map(|m| m.remainder());
            of.filter(|open| open.side == side).map(|open| i128::from(open.amount)).sum()
        };
        assert_eq!((p.open_remainder_left, p.open_remainder_right), (open(Side::Left), open(Side::Right)));
        assert!(converts || (p.converted_in, p.converted_out) == (0, 0));
    }
}

fn assert_match_follows_its_pass(
    left: &Records,
    right: &Records,
    rules: &RuleSet,
    m: &Match,
    reasons: &[Reason],
    conversions: &[(Side, Row, Conversion)],
) {
    let pass = &rules.passes[usize::from(m.pass)];
    match &pass.learned {
        Some(learned) if m.confidence.as_f64() < learned.confirm => assert_eq!(m.tier, Tier::Suggested),
        // Texts may say otherwise, and then a reason does.
        _ if m.tier == Tier::Suggested && pass.doubt.is_some() => {
            let doubts = reasons.iter().filter(|reason| reason.says.contains("known to the other side"));
            assert!(pass.tier == Tier::Suggested || doubts.count() == 1, "{reasons:?}");
        }
        _ => assert_eq!(m.tier, pass.tier),
    }
    match pass.cardinality {
        Cardinality::OneToOne => assert_eq!((m.left.len(), m.right.len()), (1, 1)),
        Cardinality::OneToMany => assert_eq!(m.left.len(), 1),
        Cardinality::ManyToOne => assert_eq!(m.right.len(), 1),
        Cardinality::ManyToMany => {}
    }
    for &l in &m.left {
        for &r in &m.right {
            let days = i64::from(right.date(r)) - i64::from(left.date(l));
            assert!(pass.date.window_days.is_none_or(|max| days.abs() <= i64::from(max)), "{m:?}");
            // How business days are counted is proven where they are.
            let calendar_days = days.abs();
            let longest = pass.date.window_business_days.map(|n| 2 * i64::from(n) + 6);
            assert!(longest.is_none_or(|longest| calendar_days <= longest), "{m:?}");
            match pass.date.direction {
                _ if longest.is_some() => {}
                DateDirection::Either => {}
                DateDirection::RightLater => assert!(days >= 0),
                DateDirection::LeftLater => assert!(days <= 0),
            }
        }
    }
    let foreign = |side: Side, records: &Records, row: Row| {
        let found = conversions.iter().find(|(of, at, _)| (*of, *at) == (side, row));
        assert_eq!(found.is_none(), records.currency(row) == m.currency);
        found.map(|(_, _, conversion)| conversion)
    };
    let worth = |side: Side, records: &Records, row: Row| {
        let Some(conversion) = foreign(side, records, row) else { return i128::from(records.amount(row)) };
        let rule = pass.currency.as_ref().filter(|rule| rule.convert).expect("a pass that converts");
        assert_eq!(
            (conversion.amount, conversion.from, conversion.to),
            (records.amount(row), records.currency(row), m.currency)
        );
        // Texts of rates have ten decimals and amounts here are small: half a unit and what the float loses.
        let units = |currency: matching::Currency| 10f64.powi(currency.exponent() as i32);
        let by_float = conversion.amount as f64 / units(conversion.from)
            * conversion.rate.parse::<f64>().unwrap()
            * units(conversion.to);
        let off = (by_float - conversion.converted as f64).abs();
        let rounded = if rule.rounded == Rounded::Total { 1.0 } else { 0.5 };
        assert!(off <= rounded + by_float.abs() * 1e-6, "{conversion:?} {by_float}");
        i128::from(conversion.converted)
    };
    let left_sum: i128 = m.left.iter().map(|&l| worth(Side::Left, left, l)).sum();
    let right_sum: i128 = m.right.iter().map(|&r| worth(Side::Right, right, r)).sum();
    let right_sum = if pass.amount.flip_sign { -right_sum } else { right_sum };
    assert_eq!(i128::from(m.difference), left_sum - right_sum);
    // Decimal texts of these tests are short enough for a float to compare them safely.
    let number = |text: &Option<String>| text.as_ref().map_or(0.0, |t| t.parse::<f64>().unwrap());
    let absolute = number(&pass.amount.absolute) * 10f64.powi(m.currency.exponent() as i32);
    let converting = pass.currency.as_ref().filter(|_| !conversions.is_empty());
    let of_rate = converting.map_or(0.0, |rule| number(&rule.percent));
    let percent =
        number(&pass.amount.percent).max(of_rate) / 100.0 * left_sum.abs().max(right_sum.abs()) as f64;
    let within = (m.difference as f64).abs() <= absolute.max(percent) + 1e-6;
    let fee = reasons.iter().any(|r| r.field == "sum" && r.says.contains(", a fee of "));
    let named = reasons.iter().any(|r| pass.amount.allowed.iter().any(|named| r.says.ends_with(&named.name)));
    let explained = match (within, fee, named, m.remainder()) {
        (true, false, false, None) => true,
        (false, true, false, None) => pass.amount.fee.is_some(),
        (false, false, true, None) => true,
        (false, false, false, Some(open)) => {
            pass.split && is_part(left, right, pass.amount.flip_sign, m, open)
        }
        _ => false,
    };
    assert!(explained, "{m:?} {reasons:?}");
    let threshold = pass.threshold.map_or(rules.threshold(), Confidence::from_f64);
    assert!(m.confidence >= threshold);
}

/// The rest of the larger amount stays open, with that amount's sign and no larger.
fn is_part(left: &Records, right: &Records, flip: bool, m: &Match, open: OpenRemainder) -> bool {
    let sum = |records: &Records, rows: &[u32]| -> i128 {
        rows.iter().map(|&row| i128::from(records.amount(row))).sum()
    };
    let (left, right) = (sum(left, &m.left), sum(right, &m.right));
    let (own, other) = if open.side == Side::Left { (left, right) } else { (right, left) };
    let other = if flip { -other } else { other };
    own - other == i128::from(open.amount) && own.signum() == other.signum() && own.abs() > other.abs()
}

/// Two records of one side and currency that are nothing together, the reversal not before what it reverses.
fn assert_netting_follows_its_rule(left: &Records, right: &Records, rules: &RuleSet, m: &Match) {
    let rule = &rules.netting[usize::from(m.pass) - rules.passes.len()];
    let (side, records, rows) =
        if m.right.is_empty() { (Side::Left, left, &m.left) } else { (Side::Right, right, &m.right) };
    assert!(rule.side.is_none_or(|only| only == side) && m.tier == rule.tier);
    let [a, b] = **rows else { panic!("{m:?}") };
    assert_eq!(i128::from(records.amount(a)) + i128::from(records.amount(b)), 0);
    assert!(records.amount(a) != 0 && records.currency(a) == m.currency && records.currency(b) == m.currency);
    assert!(records.date(a).abs_diff(records.date(b)) <= rule.window_days);
    assert_eq!((m.difference, m.remainder()), (0, None));
}

/// `pass`: `None` of netting.
fn assert_reasons_add_up(pass: Option<&Pass>, m: &Match, reasons: &[Reason]) {
    let weights: f64 = reasons.iter().map(|r| r.weight).sum();
    assert!(reasons.iter().all(|r| r.weight.is_finite() && !r.says.is_empty()));
    if pass.is_some_and(|pass| pass.learned.is_some()) {
        // Bits of odds, each rounded to a ten-thousandth.
        let confidence = 1.0 / (1.0 + (-weights).exp2());
        assert!(
            (confidence - m.confidence.as_f64()).abs() < 2e-4,
            "{confidence} is not that of {m:?}: {reasons:?}"
        );
        return;
    }
    assert!((weights - m.confidence.as_f64()).abs() < 1e-5, "the reasons explain the confidence: {m:?}");
    assert!(reasons.iter().all(|r| (-1.0..=1.0).contains(&r.weight)));
}

fn assert_exceptions_make_sense(left: &Records, right: &Records, rules: &RuleSet, outcome: &Outcome) {
    let is_free = |side: Side, row: u32| outcome.exceptions.iter().any(|e| e.side == side && e.row == row);
    for e in &outcome.exceptions {
        assert!(!e.says.is_empty());
        assert!(e.candidates.len() <= rules.candidates_max as usize);
        assert!(e.candidates_found as usize >= e.candidates.len());
        for candidate in &e.candidates {
            assert!(
                !candidate.rows.is_empty() && candidate.rows.is_sorted() && !candidate.reasons.is_empty()
            );
            let is_double = e.kind == ExceptionKind::Duplicate;
            assert_eq!(candidate.side == e.side, is_double, "{e:?}");
            let records = if candidate.side == Side::Left { left } else { right };
            assert!(candidate.rows.iter().all(|&row| (row as usize) < records.len()));
        }
        match e.kind {
            ExceptionKind::MissingLeft => assert_eq!(e.side, Side::Right),
            ExceptionKind::MissingRight => assert_eq!(e.side, Side::Left),
            ExceptionKind::Ambiguous => {
                assert!(e.candidates_found >= 1);
                for c in &e.candidates {
                    assert!(c.rows.iter().all(|&row| is_free(c.side, row)), "a candidate is matched: {e:?}");
                }
            }
            ExceptionKind::Duplicate => {
                assert!(
                    e.candidates.iter().all(|c| c.rows.iter().all(|&row| !is_free(c.side, row))),
                    "{e:?}"
                );
            }
            ExceptionKind::AmountDiffers | ExceptionKind::DateDiffers | ExceptionKind::CurrencyDiffers => {}
            ExceptionKind::AlreadyMatched => panic!("only a chain of runs has these"),
        }
    }
}
