//! Records that share the key of a pass that sets groups against groups.

use super::block::{Question, Sharer};
use super::sum_key::{foreign_sum, free_groups};
use super::{Verdict, missing_kind};
use crate::candidates::Scope;
use crate::evidence::{Evidence, KeyEvidence};
use crate::groups::Group;
use crate::plan::Plan;
use crate::settle::group_reasons;
use crate::{Candidate, ExceptionKind, Side};
use std::cmp::Reverse;

/// The record's group against the nearest group of the other side that has the key.
pub(super) fn answer(q: &Question<'_>) -> Option<Verdict> {
    let plan = q.spec.plans.last()?;
    let own = q.run.remainder.side(q.side);
    let key = plan.keys.whole(own.records, q.side, q.row, None)?;
    let mut members = vec![Sharer { row: q.row, spread: 1 }];
    members.extend(q.sharers.same_side.iter().copied());
    members.retain(|s| plan.keys.whole(own.records, q.side, s.row, None) == Some(key));
    let groups = free_groups(q, q.side, &members);
    let group = groups.into_iter().map(|(group, _)| group).find(|group| group.rows.contains(&q.row))?;
    let others = free_groups(q, q.side.other(), &q.sharers.other_side);
    let scope = q.run.scope(plan, &|_| {});
    let (same, foreign): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|(other, _)| are_comparable(&scope, q.side, &group, other));
    if let (true, Some((other, _))) = (same.is_empty(), foreign.first()) {
        return Some(Verdict::new(ExceptionKind::CurrencyDiffers, foreign_sum(q, other), vec![]));
    }
    let ranked = same.into_iter().map(|(other, spread)| {
        let confidence = evidence(&scope, q.side, &group, &other, spread).confidence(plan);
        (other, spread, confidence)
    });
    let mut ranked: Vec<_> = ranked.collect();
    // Stable: equal ones stay in the order of their smallest id.
    ranked.sort_by_key(|&(_, _, confidence)| Reverse(confidence));
    let found = ranked.len();
    let (other, _, _) = ranked.first()?;
    let kind = difference(q, &group, other);
    let (own, theirs) = (group.rows.len(), other.rows.len());
    let says = match kind {
        ExceptionKind::AmountDiffers => {
            format!("with its key {own} records stand against {theirs}, and the sums are not the same")
        }
        ExceptionKind::DateDiffers => {
            format!(
                "with its key {own} records and {theirs} have the same sum, but not all inside the window"
            )
        }
        _ => format!("with its key {own} records and {theirs} have the same sum but were not sure enough"),
    };
    ranked.truncate(q.run.rules.candidates_max as usize);
    let candidate = |(other, spread, confidence): (Group, u32, _)| {
        let (left, right) = if q.side == Side::Left { (&group, &other) } else { (&other, &group) };
        let reasons = group_reasons(&scope, left, right, Some(KeyEvidence { spread }));
        Candidate { side: q.side.other(), rows: other.rows, confidence, reasons }
    };
    let candidates = ranked.into_iter().map(candidate).collect();
    Some(Verdict { kind, says: says.into(), candidates, found, is_weak: false })
}

fn are_comparable(scope: &Scope<'_>, side: Side, own: &Group, other: &Group) -> bool {
    let (left, right) = if side == Side::Left { (own, other) } else { (other, own) };
    scope.sums_of_groups(left, right).is_some()
}

fn evidence(scope: &Scope<'_>, side: Side, own: &Group, other: &Group, spread: u32) -> Evidence {
    let (left, right) = if side == Side::Left { (own, other) } else { (other, own) };
    scope.groups_evidence(left, right, Some(KeyEvidence { spread }))
}

/// There is a pass that can compare the two.
fn difference(q: &Question<'_>, own: &Group, other: &Group) -> ExceptionKind {
    let comparable = |plan: &&&Plan<'_>| are_comparable(&q.run.scope(plan, &|_| {}), q.side, own, other);
    let plans: Vec<_> = q.spec.plans.iter().filter(comparable).collect();
    let of = |plan: &Plan<'_>| evidence(&q.run.scope(plan, &|_| {}), q.side, own, other, 1);
    if !plans.iter().any(|plan| of(plan).amount_fits()) {
        ExceptionKind::AmountDiffers
    } else if !plans.iter().any(|plan| of(plan).fits(plan)) {
        ExceptionKind::DateDiffers
    } else {
        missing_kind(q.side)
    }
}
