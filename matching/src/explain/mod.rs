//! A reason for every record that no pass matched, and what a person should look at next.
//!
//! The first that applies counts: a tie of the passes; an identical record that is matched; a record of
//! the same key (in the order of the
//! passes with keys), where being the double of a matched record comes before a differing amount, date or
//! currency; a free record with like text and an amount or date a little outside the rule; a record of the
//! same key that has another match; nothing.

mod block;
mod double;
mod group_key;
mod like_text;
mod members;
mod same_key;
mod sum_key;
mod ties;

use crate::keys::RowMap;
use crate::run::Run;
use crate::{Cancelled, Candidate, Exception, ExceptionKind, Phase, Row, Side};
use std::collections::BTreeMap;

pub(crate) fn explain(run: &Run<'_>) -> Result<Vec<Exception>, Cancelled> {
    let mut verdicts = Verdicts::default();
    ties::explain(run, &mut verdicts)?;
    double::explain(run, &mut verdicts)?;
    run.report(Phase::Explain, 0.2);
    let specs = block::specs(run);
    let (members, match_of) = (members::gather(run, &specs, &verdicts)?, block::MatchOf::of(run)?);
    run.report(Phase::Explain, 0.5);
    for (i, (spec, members)) in specs.iter().zip(members).enumerate() {
        block::explain(run, spec, &members, &match_of, &mut verdicts)?;
        run.report(Phase::Explain, 0.5 + 0.3 * (i + 1) as f64 / specs.len() as f64);
    }
    like_text::explain(run, &mut verdicts)?;
    run.report(Phase::Explain, 0.9);
    // By kind, side and row, as they come.
    let mut by_kind: BTreeMap<ExceptionKind, Vec<Exception>> = BTreeMap::new();
    for side in [Side::Left, Side::Right] {
        for row in run.remainder.side(side).free_rows() {
            if row % 65_536 == 0 {
                run.watch.check()?;
            }
            let verdict = verdicts.take(side, row).unwrap_or_else(|| Verdict::missing(side));
            let exception = verdict.exception(side, row, run.rules.candidates_max as usize);
            by_kind.entry(exception.kind).or_default().push(exception);
        }
    }
    let mut kinds = by_kind.into_values();
    let mut exceptions = kinds.next().unwrap_or_default();
    kinds.for_each(|mut more| exceptions.append(&mut more));
    Ok(exceptions)
}

/// What is known so far, by side.
#[derive(Default)]
struct Verdicts {
    settled: [RowMap<Verdict>; 2],
    /// Counts only where nothing better is found.
    weak: [RowMap<Verdict>; 2],
}

impl Verdicts {
    /// The first verdict on a record stays. A weak one does not keep others from coming.
    fn add(&mut self, side: Side, row: Row, verdict: Verdict) {
        let of = if verdict.is_weak { &mut self.weak } else { &mut self.settled };
        of[side as usize].entry(row).or_insert(verdict);
    }

    fn has(&self, side: Side, row: Row) -> bool {
        self.settled[side as usize].contains_key(&row)
    }

    fn take(&mut self, side: Side, row: Row) -> Option<Verdict> {
        let side = side as usize;
        self.settled[side].remove(&row).or_else(|| self.weak[side].remove(&row))
    }
}

struct Verdict {
    kind: ExceptionKind,
    says: String,
    /// Best first.
    candidates: Vec<Candidate>,
    /// When more were found than are listed.
    found: usize,
    /// The counterpart it speaks of has another match.
    is_weak: bool,
}

impl Verdict {
    fn new(kind: ExceptionKind, says: String, candidates: Vec<Candidate>) -> Self {
        Verdict { kind, says, found: candidates.len(), candidates, is_weak: false }
    }

    fn missing(side: Side) -> Self {
        let says = format!("no {} record is a plausible counterpart", side.other().as_str());
        Verdict::new(missing_kind(side), says, vec![])
    }

    fn exception(mut self, side: Side, row: Row, candidates_max: usize) -> Exception {
        let candidates_found = self.found.max(self.candidates.len()) as u32;
        self.candidates.truncate(candidates_max);
        Exception {
            kind: self.kind,
            side,
            row,
            says: self.says,
            candidates: self.candidates,
            candidates_found,
        }
    }
}

/// A record of `side` has nothing on the other one.
fn missing_kind(side: Side) -> ExceptionKind {
    match side {
        Side::Left => ExceptionKind::MissingRight,
        Side::Right => ExceptionKind::MissingLeft,
    }
}

/// `right record B-17`, for sentences.
fn name(run: &Run<'_>, side: Side, row: Row) -> String {
    let id: String = run.remainder.side(side).records.id(row).chars().take(80).collect();
    format!("{} record {id}", side.as_str())
}
