//! Records that share the key of a pass of sums.

use super::block::{Question, Sharer};
use super::double::double_of;
use super::same_key::{field, rows_of};
use super::{Verdict, missing_kind, name};
use crate::candidates::Scope;
use crate::evidence::KeyEvidence;
use crate::groups::Group;
use crate::keys::Fingerprint;
use crate::plan::Plan;
use crate::select::Pair;
use crate::settle::sum_reasons;
use crate::{Candidate, Currency, ExceptionKind, Row, Side};
use std::collections::BTreeMap;

/// `one`: the side of the single record.
pub(super) fn answer(q: &Question<'_>, one: Side) -> Option<Verdict> {
    if q.side == one { duplicate(q).or_else(|| sums(q)) } else { singles(q, one) }
}

/// The sum is matched already with a record of the same amount.
fn duplicate(q: &Question<'_>) -> Option<Verdict> {
    let own = q.run.remainder.side(q.side).records;
    let is_original =
        |row: Row| own.amount(row) == own.amount(q.row) && own.currency(row) == own.currency(q.row);
    let matched = q.sharers.other_side.iter().filter_map(|s| q.match_of.get(q.side.other(), s.row));
    for index in matched {
        if let [original] = *rows_of(q, index)
            && is_original(original)
        {
            return Some(double_of(q.run, q.side, q.row, original, Some(field(q))));
        }
    }
    None
}

/// The question's record is the single one: the sums that have its key.
fn sums(q: &Question<'_>) -> Option<Verdict> {
    let plan = q.spec.plans.last()?;
    let many = q.side.other();
    let scope = q.run.scope(plan, &|_| {});
    let groups = free_groups(q, many, &q.sharers.other_side);
    let (same, foreign): (Vec<_>, Vec<_>) =
        groups.into_iter().partition(|(group, _)| scope.sums_of_one(q.side, q.row, group).is_some());
    if let (true, Some((group, _))) = (same.is_empty(), foreign.first()) {
        return Some(Verdict::new(ExceptionKind::CurrencyDiffers, foreign_sum(q, group), vec![]));
    }
    let mut ranked: Vec<(Group, Pair)> = same
        .into_iter()
        .map(|(group, spread)| {
            let pair = pair_of(&scope, q.side, q.row, &group, spread, plan);
            (group, pair)
        })
        .collect();
    // Stable: equal ones stay in the order of their smallest id.
    ranked.sort_by_key(|(_, pair)| std::cmp::Reverse(pair.confidence));
    let (group, pair) = ranked.first()?;
    let kind = difference(q, q.side, q.row, group);
    let says = match kind {
        ExceptionKind::AmountDiffers => {
            format!("{} {} records have its key but their sum is another", group.rows.len(), many.as_str())
        }
        ExceptionKind::DateDiffers => {
            format!(
                "{} {} records add up to it, but not all inside the window",
                group.rows.len(),
                many.as_str()
            )
        }
        _ => format!("{} {} records add up to it but were not sure enough", group.rows.len(), many.as_str()),
    };
    let reasons = sum_reasons(&scope, q.side, group, pair);
    let candidate = Candidate { side: many, rows: group.rows.clone(), confidence: pair.confidence, reasons };
    Some(Verdict {
        kind,
        says: says.into(),
        candidates: vec![candidate],
        found: ranked.len(),
        is_weak: false,
    })
}

/// The question's record is one of a sum: the single records that have its key.
fn singles(q: &Question<'_>, one: Side) -> Option<Verdict> {
    let plan = q.spec.plans.last()?;
    let own = q.run.remainder.side(q.side);
    let key = plan.keys.whole(own.records, q.side, q.row, None)?;
    let currency = own.records.currency(q.row);
    let mut members = vec![Sharer { row: q.row, spread: 1 }];
    members.extend(q.sharers.same_side.iter().copied());
    members.retain(|s| plan.keys.whole(own.records, q.side, s.row, None) == Some(key));
    let groups = free_groups(q, q.side, &members);
    let (group, _) = groups.into_iter().find(|(group, _)| group.rows.contains(&q.row))?;
    let single = q.run.remainder.side(one);
    let free = q.sharers.other_side.iter().filter(|s| single.is_free(s.row));
    let scope = q.run.scope(plan, &|_| {});
    let mut ranked: Vec<Pair> = free.map(|s| pair_of(&scope, one, s.row, &group, s.spread, plan)).collect();
    ranked.sort_by_key(|pair| {
        (single.records.currency(pair.left) != currency, std::cmp::Reverse(pair.confidence))
    });
    let best = ranked.first()?;
    let kind = difference(q, one, best.left, &group);
    let counterpart = name(q.run, one, best.left);
    let n = group.rows.len();
    let says = match kind {
        ExceptionKind::CurrencyDiffers => {
            format!("{counterpart} has the same key in another currency{}", no_rate(q))
        }
        ExceptionKind::AmountDiffers => {
            format!("{counterpart} has the same key but is not the sum of the {n}")
        }
        ExceptionKind::DateDiffers => format!("{counterpart} is the sum of the {n}, but outside the window"),
        _ => format!("{counterpart} is the sum of the {n} but was not sure enough"),
    };
    let found = ranked.len();
    ranked.truncate(q.run.rules.candidates_max as usize);
    let candidate = |pair: Pair| {
        let reasons = sum_reasons(&scope, one, &group, &pair);
        Candidate { side: one, rows: vec![pair.left], confidence: pair.confidence, reasons }
    };
    Some(Verdict {
        kind,
        says: says.into(),
        candidates: ranked.into_iter().map(candidate).collect(),
        found,
        is_weak: false,
    })
}

/// What a person reads where the other group's currency is in the way.
pub(super) fn foreign_sum(q: &Question<'_>, group: &Group) -> String {
    let (n, currency) = (group.rows.len(), group.currency);
    let other = if group.is_mixed { "several currencies".to_owned() } else { currency.to_string() };
    format!("the sum of {n} records with its key is in {other}{}", no_rate(q))
}

/// Where a pass would have converted.
pub(super) fn no_rate(q: &Question<'_>) -> &'static str {
    let converts = q.spec.plans.iter().any(|plan| plan.exchange.is_some());
    if converts { ", and no rate between the two is near its date" } else { "" }
}

/// The free ones of these records by key and, unless the last pass of the key converts them, currency, with the
/// least spread that led to each; in the order of their first record.
pub(super) fn free_groups(q: &Question<'_>, many: Side, sharers: &[Sharer]) -> Vec<(Group, u32)> {
    let rest = q.run.remainder.side(many);
    let converts = |plan: &&Plan<'_>| plan.exchange.is_some() && plan.shape().converted() == many;
    let is_converted = q.spec.plans.last().is_some_and(converts);
    type Members = (Vec<Row>, u32, usize);
    let mut groups: BTreeMap<(Fingerprint, Option<Currency>), Members> = BTreeMap::new();
    for (i, sharer) in sharers.iter().enumerate().filter(|(_, s)| rest.is_free(s.row)) {
        let Some(key) = q.spec.keys.whole(rest.records, many, sharer.row, None) else { continue };
        let currency = (!is_converted).then(|| rest.records.currency(sharer.row));
        let group = groups.entry((key, currency)).or_insert_with(|| (vec![], sharer.spread, i));
        group.0.push(sharer.row);
        group.1 = group.1.min(sharer.spread);
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort_by_key(|&(_, _, first)| first);
    groups.into_iter().map(|(rows, spread, _)| (Group::of(rest.records, rows), spread)).collect()
}

fn pair_of(scope: &Scope<'_>, one: Side, single: Row, group: &Group, spread: u32, plan: &Plan<'_>) -> Pair {
    let evidence = scope.group_evidence(one, single, group, Some(KeyEvidence { spread }));
    Pair { left: single, right: 0, confidence: evidence.confidence(plan), spread }
}

fn difference(q: &Question<'_>, one: Side, single: Row, group: &Group) -> ExceptionKind {
    let comparable = |plan: &&&Plan<'_>| q.run.scope(plan, &|_| {}).sums_of_one(one, single, group).is_some();
    let evidence = |plan: &Plan<'_>| {
        q.run.scope(plan, &|_| {}).group_evidence(one, single, group, Some(KeyEvidence { spread: 1 }))
    };
    let plans: Vec<_> = q.spec.plans.iter().filter(comparable).collect();
    if plans.is_empty() {
        ExceptionKind::CurrencyDiffers
    } else if !plans.iter().any(|plan| evidence(plan).amount_fits()) {
        ExceptionKind::AmountDiffers
    } else if !plans.iter().any(|plan| evidence(plan).fits(plan)) {
        ExceptionKind::DateDiffers
    } else {
        missing_kind(q.side)
    }
}
