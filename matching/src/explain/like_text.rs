//! Records without a common key: a free one with like text whose amount or date is just outside the rule.

use super::{Verdict, Verdicts, name};
use crate::nearby::{AmountsInReach, FEW_AGAINST_MANY, Nearby, in_reach};
use crate::plan::Plan;
use crate::run::Run;
use crate::select::Pair;
use crate::settle::pair_reasons;
use crate::{Cancelled, Candidate, ExceptionKind, Pulse, Row, Side};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// How far a date may be outside its window and still be worth a look: a month and a day.
const DAYS_MAX: i64 = 31;
/// Records compared per search; where more are in reach, being near means nothing.
const COMPARISONS_MAX: usize = 64;

#[derive(Clone, Copy)]
struct Near {
    pair: Pair,
    kind: ExceptionKind,
}

/// The first pass without keys that compares texts decides what "like" and "just outside" mean.
pub(super) fn explain(run: &Run<'_>, verdicts: &mut Verdicts) -> Result<(), Cancelled> {
    let mut in_order = run.rules.passes_in_order().into_iter().map(|place| &run.plans[place]);
    let Some(plan) = in_order.find(|p| p.keys.is_empty() && p.text.is_some()) else { return Ok(()) };
    let near = find(run, plan)?;
    let scope = run.scope(plan, &|_| {});
    for side in [Side::Left, Side::Right] {
        let mut by_row: BTreeMap<Row, Vec<Near>> = BTreeMap::new();
        let ends = |near: &Near| match side {
            Side::Left => (near.pair.left, near.pair.right),
            Side::Right => (near.pair.right, near.pair.left),
        };
        for near in &near {
            by_row.entry(ends(near).0).or_default().push(*near);
        }
        for (row, mut near) in by_row {
            if verdicts.has(side, row) {
                continue;
            }
            let rest = run.remainder.side(side.other());
            near.sort_by(|a, b| {
                b.pair.confidence.cmp(&a.pair.confidence).then_with(|| rest.by_id(ends(a).1, ends(b).1))
            });
            let (kind, best) = (near[0].kind, name(run, side.other(), ends(&near[0]).1));
            let says = match kind {
                ExceptionKind::DateDiffers => {
                    format!("{best} has a like text and amount, outside the window")
                }
                _ => format!("{best} has a like text and date but another amount"),
            };
            let found = near.len();
            near.truncate(run.rules.candidates_max as usize);
            let candidate = |near: &Near| Candidate {
                side: side.other(),
                rows: vec![ends(near).1],
                confidence: near.pair.confidence,
                reasons: pair_reasons(&scope, &near.pair),
            };
            let candidates = near.iter().map(candidate).collect();
            verdicts.add(side, row, Verdict { kind, says: says.into(), candidates, found, is_weak: false });
        }
    }
    Ok(())
}

fn find(run: &Run<'_>, plan: &Plan<'_>) -> Result<Vec<Near>, Cancelled> {
    let (left, right) = (&run.remainder.left, &run.remainder.right);
    let (lefts, mut rights): (Vec<Row>, Vec<Row>) = (left.free_rows().collect(), right.free_rows().collect());
    if rights.len() >= FEW_AGAINST_MANY * lefts.len() {
        // What is within the rule is also within it when it is wider.
        let target = |&row: &Row| {
            let currency = left.records.currency(row);
            (currency, left.records.amount(row), plan.allowance.in_currency(currency).widened())
        };
        let reach = AmountsInReach::of(lefts.iter().map(target), run.watch)?;
        rights = in_reach(right.records, rights, &reach, run.watch)?;
    }
    let window_days = plan.window.days.unwrap_or(0);
    let late = Nearby::of(right.records, &rights, window_days.max(DAYS_MAX), run.watch)?;
    let close = Nearby::of(right.records, &rights, window_days, run.watch)?;
    let scope = run.scope(plan, &|_| {});
    let Some((texts, rule)) = scope.texts.zip(plan.text.as_ref()) else { return Ok(vec![]) };
    let lists = lefts.par_chunks(256).map(|lefts| {
        let (mut list, mut pulse) = (vec![], Pulse::new(run.watch));
        for &row in lefts {
            let (currency, date) = (left.records.currency(row), left.records.date(row));
            let amount = left.records.amount(row);
            let (exact, wide) =
                (plan.allowance.in_currency(currency), plan.allowance.in_currency(currency).widened());
            for (index, allowance, kind) in
                [(&late, &exact, ExceptionKind::DateDiffers), (&close, &wide, ExceptionKind::AmountDiffers)]
            {
                let spans: Vec<_> = index.around(currency, date, amount, allowance).collect();
                if spans.iter().map(|s| s.neighbours.len()).sum::<usize>() > COMPARISONS_MAX {
                    continue;
                }
                for neighbour in spans.iter().flat_map(|s| s.neighbours) {
                    let other = neighbour.node;
                    let days = i64::from(neighbour.day) - i64::from(date);
                    let in_window = plan.window.admits(plan.window.distance(date, neighbour.day));
                    let distance = exact.distance(amount.into(), neighbour.amount.into());
                    let is_outside = match kind {
                        ExceptionKind::DateDiffers => distance.fits() && !in_window,
                        _ => !distance.fits() && in_window,
                    };
                    if !is_outside || days.abs() > window_days.max(DAYS_MAX) {
                        continue;
                    }
                    pulse.beat(Pulse::TEXT)?;
                    if texts.similarity_from(rule.min, row, other) < rule.min {
                        continue;
                    }
                    let evidence = scope.evidence(row, other, None);
                    let confidence = evidence.confidence(plan);
                    list.push(Near { pair: Pair { left: row, right: other, confidence, spread: 1 }, kind });
                }
            }
            pulse.beat(64)?;
        }
        Ok(list)
    });
    Ok(lists.collect::<Result<Vec<_>, Cancelled>>()?.into_iter().flatten().collect())
}
