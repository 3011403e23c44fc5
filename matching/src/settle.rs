//! Chosen pairs of nodes become matches of records, with their reasons.

use crate::candidates::Scope;
use crate::evidence::{Evidence, KeyEvidence};
use crate::groups::{Group, representative};
use crate::open::{Between, End};
use crate::outcome::{MatchEvidence, Note, RareEvidence, Rarities};
use crate::plan::Plan;
use crate::remainder::Rest;
use crate::select::{Chosen, Pair};
use crate::{Cancelled, Conversion, Currency, Match, Reason, Records, Row, Rows, Side, Tier};
use rayon::prelude::*;
use std::cmp::Ordering;

/// Rates that the reasons of one sum name.
const RATES_SAID_MAX: usize = 8;

pub(crate) fn pair_matches(scope: &Scope<'_>, chosen: &[Chosen]) -> Result<Vec<Match>, Cancelled> {
    let (left, right) = (&scope.remainder.left, &scope.remainder.right);
    let has_twins = |c: &&Chosen| {
        left.twins.of_node(c.pair.left).is_some() || right.twins.of_node(c.pair.right).is_some()
    };
    let (twins, plain): (Vec<&Chosen>, Vec<&Chosen>) = chosen.iter().partition(has_twins);
    let mut pairs: Vec<(Pair, Row, Row)> =
        plain.into_iter().map(|c| (c.pair, c.pair.left, c.pair.right)).collect();
    let lefts = deal_rows(&twins, left, |p| p.left, |a, b| right.by_id(a.right, b.right));
    let rights = deal_rows(&twins, right, |p| p.right, |a, b| left.by_id(a.left, b.left));
    for ((c, lefts), rights) in twins.iter().zip(lefts).zip(rights) {
        pairs.extend(lefts.into_iter().zip(rights).map(|(l, r)| (c.pair, l, r)));
    }
    let mut matches = Vec::with_capacity(pairs.len());
    for pairs in pairs.chunks(1 << 12) {
        scope.watch.check()?;
        // Into their places: a copy of all would be the highest peak of memory of the whole run.
        matches.par_extend(pairs.par_iter().map(|&(pair, l, r)| pair_match(scope, pair, l, r)));
    }
    Ok(matches)
}

/// Reasons for a pair whether it fits or not.
pub(crate) fn pair_reasons(scope: &Scope<'_>, pair: &Pair) -> Vec<Reason> {
    let (l, r) = (scope.remainder.left.records, scope.remainder.right.records);
    let (left, right) = ((l, pair.left), (r, pair.right));
    if let (Some(plan), Some(learned)) = (&scope.plan.learned, scope.learned) {
        let evidence = learned.evidence(pair.left, pair.right);
        return evidence.map_or(vec![], |e| e.reasons(plan, left, right));
    }
    let shared = scope.plan.keys.shared(&scope.plan.pass, left, right);
    let evidence = scope.evidence(pair.left, pair.right, key_of(scope, pair));
    let mut reasons = evidence.reasons(scope.plan, r.currency(pair.right), &shared);
    reasons.extend(rate_reason(scope.plan, left, right));
    reasons
}

/// By which rate the amounts were compared; not evidence for the pair, so it weighs nothing.
pub(crate) fn rate_reason(plan: &Plan<'_>, left: (&Records, Row), right: (&Records, Row)) -> Option<Reason> {
    let conversion = plan.conversion(left, right)?;
    Some(Reason { field: "currency".into(), says: conversion.says(), weight: 0.0 })
}

/// The same for records of a sum, compared in `currency`: what those of one currency at one rate are together.
pub(crate) fn rate_reasons(
    plan: &Plan<'_>,
    currency: Currency,
    left: (&Records, &[Row]),
    right: (&Records, &[Row]),
) -> Vec<Reason> {
    if plan.exchange.is_none() {
        return vec![];
    }
    let mut batches: Vec<Conversion> = vec![];
    for (records, rows) in [left, right] {
        for (_, of_one) in plan.conversions(currency, records, rows) {
            let same = |batch: &&mut Conversion| {
                (batch.from, &batch.rate, &batch.rate_date, batch.kind)
                    == (of_one.from, &of_one.rate, &of_one.rate_date, of_one.kind)
            };
            match batches.iter_mut().find(same) {
                // What all of them are together was an amount when they were compared.
                Some(batch) => {
                    batch.amount = batch.amount.saturating_add(of_one.amount);
                    batch.converted = batch.converted.saturating_add(of_one.converted);
                }
                None => batches.push(of_one),
            }
        }
    }
    batches.sort_by(|a, b| (a.from, &a.rate_date, &a.rate).cmp(&(b.from, &b.rate_date, &b.rate)));
    let more = batches.len().saturating_sub(RATES_SAID_MAX);
    batches.truncate(RATES_SAID_MAX);
    let mut says: Vec<String> = batches.iter().map(Conversion::says).collect();
    if more > 0 {
        says.push(format!("and so on at {more} more rates"));
    }
    let reason = |says| Reason { field: "currency".into(), says, weight: 0.0 };
    says.into_iter().map(reason).collect()
}

fn key_of(scope: &Scope<'_>, pair: &Pair) -> Option<KeyEvidence> {
    (!scope.plan.keys.is_empty()).then_some(KeyEvidence { spread: pair.spread })
}

fn pair_match(scope: &Scope<'_>, pair: Pair, left: Row, right: Row) -> Match {
    let (l, r) = (scope.remainder.left.records, scope.remainder.right.records);
    let distance = scope.plan.amounts((l, left), (r, right));
    let learned = scope.learned.and_then(|l| l.evidence(pair.left, pair.right)).cloned();
    let text = scope.text_evidence(pair.left, pair.right).map(|similarity| similarity as f32);
    let confirms = scope.plan.learned.as_ref().is_none_or(|l| pair.confidence.as_f64() >= l.confirm);
    Match {
        pass: scope.plan.index,
        tier: if confirms { scope.plan.pass.tier } else { Tier::Suggested },
        confidence: pair.confidence,
        currency: r.currency(right),
        left: Rows::One(left),
        right: Rows::One(right),
        // Candidates whose amounts cannot be compared, or differ by more than an i64, do not fit.
        difference: distance.map_or(0, |distance| distance.difference as i64),
        evidence: MatchEvidence {
            spread: pair.spread,
            left_twins: scope.remainder.left.twins.count(pair.left),
            right_twins: scope.remainder.right.twins.count(pair.right),
            note: Note::Nothing,
            rare: RareEvidence::of(Rarities { text, learned, ..Rarities::default() }),
        },
    }
}

/// Matches of sums.
pub(crate) fn group_matches(
    scope: &Scope<'_>,
    between: &Between,
    chosen: &[Chosen],
) -> Result<Vec<Match>, Cancelled> {
    let chosen: Vec<&Chosen> = chosen.iter().collect();
    let firsts = rows_of_firsts(scope, between, &chosen);
    let pairs: Vec<(&Chosen, Vec<Row>)> = chosen.into_iter().zip(firsts).collect();
    let matches = pairs.par_chunks(1024).map(|pairs| {
        scope.watch.check()?;
        Ok(pairs
            .iter()
            .filter_map(|(c, first)| group_match(scope, between, &c.pair, first))
            .collect::<Vec<_>>())
    });
    Ok(matches.collect::<Result<Vec<_>, Cancelled>>()?.into_iter().flatten().collect())
}

/// The rows at the first end of each: of a node as they are dealt.
fn rows_of_firsts(scope: &Scope<'_>, between: &Between, chosen: &[&Chosen]) -> Vec<Vec<Row>> {
    let Between::Sums { one, groups } = between else {
        let rows =
            |c: &&Chosen| between.group(End::First, &c.pair).map_or(vec![], |group| group.rows.clone());
        return chosen.iter().map(rows).collect();
    };
    let many = scope.remainder.side(one.other());
    let stands_for = |p: &Pair| representative(scope, one.other(), &groups[p.right as usize]);
    let order = |a: &Pair, b: &Pair| many.by_id(stands_for(a), stands_for(b));
    deal_rows(chosen, scope.remainder.side(*one), |p| p.left, order)
}

/// `None` never: a match of sums has a group at its second end.
fn group_match(scope: &Scope<'_>, between: &Between, pair: &Pair, first: &[Row]) -> Option<Match> {
    let second = between.group(End::Second, pair)?;
    let evidence = sum_evidence(scope, between, pair)?;
    let twins = match between {
        Between::Sums { one, .. } => scope.remainder.side(*one).twins.count(pair.left),
        _ => 0,
    };
    let (first, second_rows): (Rows, Rows) = (first.to_vec().into(), second.rows.clone().into());
    let is_turned = between.side(End::First) == Side::Right;
    let (left, right, left_twins, right_twins) =
        if is_turned { (second_rows, first, 0, twins) } else { (first, second_rows, twins, 0) };
    Some(Match {
        pass: scope.plan.index,
        tier: scope.plan.pass.tier,
        confidence: pair.confidence,
        currency: compared_in(scope, between, pair, second),
        left,
        right,
        difference: evidence.amount.difference as i64,
        evidence: MatchEvidence {
            spread: pair.spread,
            left_twins,
            right_twins,
            note: Note::of(scope.plan, &evidence),
            rare: RareEvidence::of(Rarities {
                text: evidence.text.map(|similarity| similarity as f32),
                // A search has 1,000 at most.
                in_reach: evidence.in_reach as u16,
                fee: evidence.fee,
                learned: None,
            }),
        },
    })
}

/// The single record's currency, or the right group's.
fn compared_in(scope: &Scope<'_>, between: &Between, pair: &Pair, second: &Group) -> Currency {
    match between {
        Between::Sums { one, .. } => scope.remainder.side(*one).records.currency(pair.left),
        _ => second.currency,
    }
}

fn sum_evidence(scope: &Scope<'_>, between: &Between, pair: &Pair) -> Option<Evidence> {
    let key = key_of(scope, pair);
    let second = between.group(End::Second, pair)?;
    Some(match between {
        Between::Sums { one, .. } => scope.group_evidence(*one, pair.left, second, key),
        _ => scope.groups_evidence(between.group(End::First, pair)?, second, key),
    })
}

/// Reasons for any pair, whether it fits or not.
pub(crate) fn reasons_between(scope: &Scope<'_>, between: &Between, pair: &Pair) -> Vec<Reason> {
    let of = |end| between.group(end, pair);
    match (between, of(End::First), of(End::Second)) {
        (Between::Sums { one, .. }, None, Some(group)) => sum_reasons(scope, *one, group, pair),
        (_, Some(left), Some(right)) => group_reasons(scope, left, right, key_of(scope, pair)),
        _ => pair_reasons(scope, pair),
    }
}

/// Reasons for a single record (of side `one`) and a group, whether it fits or not.
pub(crate) fn sum_reasons(scope: &Scope<'_>, one: Side, group: &Group, pair: &Pair) -> Vec<Reason> {
    let member = representative(scope, one.other(), group);
    let rows = if one == Side::Left { (pair.left, member) } else { (member, pair.left) };
    let evidence = scope.group_evidence(one, pair.left, group, key_of(scope, pair));
    let currency = scope.remainder.side(one).records.currency(pair.left);
    let mut reasons = evidence.reasons(scope.plan, currency, &shared(scope, rows));
    let single = std::slice::from_ref(&pair.left);
    let (l, r) = (scope.remainder.left.records, scope.remainder.right.records);
    let (left, right) = if one == Side::Left { (single, &group.rows[..]) } else { (&group.rows[..], single) };
    reasons.extend(rate_reasons(scope.plan, currency, (l, left), (r, right)));
    reasons
}

/// Reasons for two groups, whether they fit or not.
pub(crate) fn group_reasons(
    scope: &Scope<'_>,
    left: &Group,
    right: &Group,
    key: Option<KeyEvidence>,
) -> Vec<Reason> {
    let rows = (representative(scope, Side::Left, left), representative(scope, Side::Right, right));
    let evidence = scope.groups_evidence(left, right, key);
    let mut reasons = evidence.reasons(scope.plan, right.currency, &shared(scope, rows));
    let (l, r) = (scope.remainder.left.records, scope.remainder.right.records);
    reasons.extend(rate_reasons(scope.plan, right.currency, (l, &left.rows), (r, &right.rows)));
    reasons
}

fn shared(scope: &Scope<'_>, (left, right): (Row, Row)) -> Vec<(String, String)> {
    let (l, r) = (scope.remainder.left.records, scope.remainder.right.records);
    scope.plan.keys.shared(&scope.plan.pass, (l, left), (r, right))
}

/// The rows each chosen pair takes of one of its ends. The end's records are dealt out by id, to the most
/// confident pair first and among equals in `order`, so that the order of the file plays no part.
pub(crate) fn deal_rows(
    chosen: &[&Chosen],
    rest: &Rest<'_>,
    node_of: fn(&Pair) -> u32,
    order: impl Fn(&Pair, &Pair) -> Ordering,
) -> Vec<Vec<Row>> {
    let mut turns: Vec<usize> = (0..chosen.len()).collect();
    turns.sort_unstable_by(|&a, &b| {
        let (a, b) = (&chosen[a].pair, &chosen[b].pair);
        node_of(a).cmp(&node_of(b)).then(b.confidence.cmp(&a.confidence)).then_with(|| order(a, b))
    });
    let mut dealt = vec![vec![]; chosen.len()];
    for same in turns.chunk_by(|&a, &b| node_of(&chosen[a].pair) == node_of(&chosen[b].pair)) {
        let mut free = rest.free_of_node(node_of(&chosen[same[0]].pair)).into_iter();
        for &turn in same {
            dealt[turn] = free.by_ref().take(chosen[turn].count as usize).collect();
        }
    }
    dealt
}
