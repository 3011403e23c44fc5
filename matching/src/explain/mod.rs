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
use crate::sorted;
use crate::{Cancelled, Candidate, Exception, ExceptionKind, Phase, Row, Side};
use rayon::prelude::*;
use std::borrow::Cow;

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
    verdicts.exceptions(run)
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

    fn of(&self, side: Side, row: Row) -> Option<&Verdict> {
        let side = side as usize;
        self.settled[side].get(&row).or_else(|| self.weak[side].get(&row))
    }

    /// Of every free record, by kind, side and row. Nearly all of them may be without any counterpart, and these are
    /// made in parallel.
    fn exceptions(self, run: &Run<'_>) -> Result<Vec<Exception>, Cancelled> {
        let of_right = self.rows_missing(run, Side::Right)?;
        let of_left = self.rows_missing(run, Side::Left)?;
        let mut others = vec![];
        let mut explained = vec![];
        let candidates_max = run.rules.candidates_max as usize;
        for (side, (settled, mut weak)) in
            [Side::Left, Side::Right].into_iter().zip(self.settled.into_iter().zip(self.weak))
        {
            weak.retain(|row, _| !settled.contains_key(row));
            let free =
                settled.into_iter().chain(weak).filter(|&(row, _)| run.remainder.side(side).is_free(row));
            for (row, verdict) in free {
                let is_missing = verdict.kind == missing_kind(side);
                let of = if is_missing { &mut explained } else { &mut others };
                of.push(verdict.exception(side, row, candidates_max));
            }
        }
        let mut exceptions = Vec::with_capacity(of_right.len() + of_left.len() + others.len());
        // The kinds of records without a counterpart come first, a missing left record of the right side before the other.
        for (side, rows) in [(Side::Right, &of_right), (Side::Left, &of_left)] {
            for rows in rows.chunks(1 << 18) {
                run.watch.check()?;
                let missing = |&row: &Row| Verdict::missing(side).exception(side, row, candidates_max);
                exceptions.par_extend(rows.par_iter().map(missing));
            }
        }
        for exception in explained {
            let (rows, start) =
                if exception.side == Side::Right { (&of_right, 0) } else { (&of_left, of_right.len()) };
            if let Ok(place) = rows.binary_search(&exception.row) {
                exceptions[start + place] = exception;
            }
        }
        sorted::sort_by_kept_key(&mut others, run.watch, |e| (e.kind, e.side, e.row))?;
        exceptions.append(&mut others);
        Ok(exceptions)
    }

    /// The free records of a side that nothing is known of but that their counterpart is missing, sorted.
    fn rows_missing(&self, run: &Run<'_>, side: Side) -> Result<Vec<Row>, Cancelled> {
        let rest = run.remainder.side(side);
        let starts: Vec<Row> = rest.records.rows().step_by(1 << 14).collect();
        let lists = starts.into_par_iter().map(|start| {
            run.watch.check()?;
            let end = rest.records.rows().end.min(start.saturating_add(1 << 14));
            let is_missing = |&row: &Row| {
                let is_kind = |verdict: &Verdict| verdict.kind == missing_kind(side);
                rest.is_free(row) && self.of(side, row).is_none_or(is_kind)
            };
            Ok((start..end).filter(is_missing).collect::<Vec<_>>())
        });
        Ok(lists.collect::<Result<Vec<_>, Cancelled>>()?.concat())
    }
}

struct Verdict {
    kind: ExceptionKind,
    says: Cow<'static, str>,
    /// Best first.
    candidates: Vec<Candidate>,
    /// When more were found than are listed.
    found: usize,
    /// The counterpart it speaks of has another match.
    is_weak: bool,
}

impl Verdict {
    fn new(kind: ExceptionKind, says: impl Into<Cow<'static, str>>, candidates: Vec<Candidate>) -> Self {
        Verdict { kind, says: says.into(), found: candidates.len(), candidates, is_weak: false }
    }

    fn missing(side: Side) -> Self {
        let says = match side {
            Side::Left => "no right record is a plausible counterpart",
            Side::Right => "no left record is a plausible counterpart",
        };
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
