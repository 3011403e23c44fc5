//! Records that share the key of a pass one to one.

use super::block::Question;
use super::double::double_of;
use super::sum_key::no_rate;
use super::{Verdict, missing_kind, name};
use crate::evidence::KeyEvidence;
use crate::keys::Fingerprint;
use crate::plan::Plan;
use crate::select::Pair;
use crate::settle::pair_reasons;
use crate::{Candidate, Confidence, ExceptionKind, Match, Reason, Row, Side};
use std::cmp::Reverse;

/// Pairings less sure than this are not worth a person's look.
const CONFIDENCE_MIN: f64 = 0.35;
/// Of a matched record's key: it joins that record with its partner and with one more.
const TAKEN_SPREAD_MAX: u32 = 2;

pub(super) fn answer(q: &Question<'_>) -> Option<Verdict> {
    duplicate(q).or_else(|| counterpart(q))
}

/// A matched record of the same side that has the same key, or whose counterpart has.
fn duplicate(q: &Question<'_>) -> Option<Verdict> {
    let own = q.run.remainder.side(q.side);
    let (amount, currency) = (own.records.amount(q.row), own.records.currency(q.row));
    let mut originals: Vec<Row> = vec![];
    for sharer in &q.sharers.same_side {
        let (same_amount, same_currency) =
            (own.records.amount(sharer.row) == amount, own.records.currency(sharer.row) == currency);
        if same_amount
            && same_currency
            && let Some(m) = q.match_of.get(q.side, sharer.row)
            && repeats(q, sharer.row, &q.run.matches[m])
        {
            originals.push(sharer.row);
        }
    }
    let other = q.run.remainder.side(q.side.other()).records;
    for sharer in &q.sharers.other_side {
        if other.currency(sharer.row) == currency
            && amount_fits(q, sharer.row)
            && let Some(m) = q.match_of.get(q.side.other(), sharer.row)
            && let [original] = *rows_of(q, m)
            && repeats(q, original, &q.run.matches[m])
        {
            originals.push(original);
        }
    }
    let days = |row: Row| i64::from(own.records.date(row)) - i64::from(own.records.date(q.row));
    let original = originals
        .into_iter()
        .min_by(|&a, &b| days(a).abs().cmp(&days(b).abs()).then_with(|| own.by_id(a, b)))?;
    Some(double_of(q.run, q.side, q.row, original, Some(field(q))))
}

/// Whether the question's record has all of the key that joins `original` to its counterpart. With tokens
/// this is not a matter of course: `INV-2026-0011` and `INV-2026-0012` share `2026`.
fn repeats(q: &Question<'_>, original: Row, its_match: &Match) -> bool {
    if !q.spec.keys.has_tokens() {
        return true;
    }
    let keys_of = |side: Side, row: Row| {
        let mut keys = vec![];
        q.spec.keys.each(q.run.remainder.side(side).records, side, row, None, &mut keys);
        keys
    };
    let (own, originals) = (keys_of(q.side, q.row), keys_of(q.side, original));
    let counterparts = if q.side == Side::Left { &its_match.right } else { &its_match.left };
    let [counterpart] = **counterparts else { return false };
    let counterparts = keys_of(q.side.other(), counterpart);
    let mut joining = originals.iter().filter(|key| counterparts.binary_search(key).is_ok()).peekable();
    match joining.peek() {
        Some(_) => joining.all(|key| own.binary_search(key).is_ok()),
        // Another key joined them: then one text has to have all that the other has.
        None => own == originals || is_part(&own, &counterparts) || is_part(&counterparts, &own),
    }
}

/// Both sorted.
fn is_part(part: &[Fingerprint], whole: &[Fingerprint]) -> bool {
    !part.is_empty() && part.iter().all(|key| whole.binary_search(key).is_ok())
}

/// A record of the other side with the same key that differs in what the rules ask for.
fn counterpart(q: &Question<'_>) -> Option<Verdict> {
    let other = q.run.remainder.side(q.side.other());
    // The last pass of the key is usually the most lenient: its evidence explains best.
    let plan = q.spec.plans.last()?;
    let scope = q.run.scope(plan, &|_| {});
    let mut found: Vec<(bool, Pair, Row)> = vec![];
    for sharer in &q.sharers.other_side {
        let (left, right) = pair_rows(q, sharer.row);
        let key = KeyEvidence { spread: sharer.spread };
        let evidence = scope.evidence(left, right, Some(key));
        let confidence = evidence.confidence(plan);
        let free = other.is_free(sharer.row);
        // A matched record far away, or one of many with the same number, says nothing.
        let is_plausible = free || evidence.in_window(plan) && sharer.spread <= TAKEN_SPREAD_MAX;
        if is_plausible && confidence >= Confidence::from_f64(CONFIDENCE_MIN) {
            found.push((free, Pair { left, right, confidence, spread: sharer.spread }, sharer.row));
        }
    }
    found.sort_by_key(|&(free, pair, _)| (Reverse(free), Reverse(pair.confidence)));
    let &(free, pair, best) = found.first()?;
    let is_bare = KeyEvidence { spread: pair.spread }.is_bare();
    let same = if is_bare { "has the same number, once without a prefix," } else { "has the same key" };
    let counterpart = format!("{} {same}", name(q.run, q.side.other(), best));
    let (kind, says) = match difference(q, best) {
        // It is spoken for: nothing about it needs correcting.
        _ if !free && q.run.is_netted(q.side.other(), best) => {
            (missing_kind(q.side), format!("{counterpart} but it cancels out with another of its side"))
        }
        _ if !free => (missing_kind(q.side), format!("{counterpart} but it has another match already")),
        kind @ ExceptionKind::CurrencyDiffers => {
            (kind, format!("{counterpart} in another currency{}", no_rate(q)))
        }
        kind @ ExceptionKind::AmountDiffers => (kind, format!("{counterpart} but another amount")),
        kind @ ExceptionKind::DateDiffers => {
            (kind, format!("{counterpart} and amount but its date is outside the window"))
        }
        kind => (kind, format!("{counterpart} but was not sure enough")),
    };
    let total = found.len();
    found.truncate(q.run.rules.candidates_max as usize);
    let candidate = |(free, pair, row): (bool, Pair, Row)| {
        let mut reasons = pair_reasons(&scope, &pair);
        let (l, r) = (q.run.remainder.left.records, q.run.remainder.right.records);
        let (l, r) = (l.currency(pair.left), r.currency(pair.right));
        if l != r && !reasons.iter().any(|reason| reason.field == "currency") {
            reasons.retain(|reason| reason.field != "amount");
            reasons.push(Reason { field: "currency".into(), says: format!("{l} against {r}"), weight: 0.0 });
        }
        if !free {
            reasons.push(Reason { field: "match".into(), says: "has a match already".into(), weight: 0.0 });
        }
        Candidate { side: q.side.other(), rows: vec![row], confidence: pair.confidence, reasons }
    };
    let candidates = found.into_iter().map(candidate).collect();
    Some(Verdict { kind, says: says.into(), candidates, found: total, is_weak: !free })
}

fn difference(q: &Question<'_>, other: Row) -> ExceptionKind {
    let (left, right) = pair_rows(q, other);
    let (l, r) = (q.run.remainder.left.records, q.run.remainder.right.records);
    let in_window = |plan: &&Plan<'_>| plan.window.admits(plan.window.distance(l.date(left), r.date(right)));
    if !q.spec.plans.iter().any(|plan| plan.amounts((l, left), (r, right)).is_some()) {
        ExceptionKind::CurrencyDiffers
    } else if !amount_fits(q, other) {
        ExceptionKind::AmountDiffers
    } else if !q.spec.plans.iter().any(in_window) {
        ExceptionKind::DateDiffers
    } else {
        missing_kind(q.side)
    }
}

/// The name of the key on the question's side.
pub(super) fn field<'a>(q: &Question<'a>) -> &'a str {
    let key = &q.spec.plans[0].pass.keys[0];
    if q.side == Side::Left { &key.left } else { &key.right }
}

/// Whether the amounts are within any of the passes with this key.
fn amount_fits(q: &Question<'_>, other: Row) -> bool {
    let (left, right) = pair_rows(q, other);
    let (l, r) = (q.run.remainder.left.records, q.run.remainder.right.records);
    q.spec.plans.iter().any(|plan| plan.amounts((l, left), (r, right)).is_some_and(|amounts| amounts.fits()))
}

/// The question's record and one of the other side, as left and right.
fn pair_rows(q: &Question<'_>, other: Row) -> (Row, Row) {
    if q.side == Side::Left { (q.row, other) } else { (other, q.row) }
}

/// The question's side of a match.
pub(super) fn rows_of<'a>(q: &'a Question<'_>, index: usize) -> &'a [Row] {
    let m = &q.run.matches[index];
    if q.side == Side::Left { &m.left } else { &m.right }
}
