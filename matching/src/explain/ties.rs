//! Ambiguous: the passes found several equally good counterparts and chose none.

use super::{Verdict, Verdicts};
use crate::run::{Open, Run};
use crate::select::Pair;
use crate::settle::{group_reasons, pair_reasons};
use crate::{Cancelled, Candidate, ExceptionKind, Pulse, Row, Side};
use std::collections::HashMap;

pub(super) fn explain(run: &Run<'_>, verdicts: &mut Verdicts) -> Result<(), Cancelled> {
    for open in &run.open {
        let right = match &open.groups {
            None => by_end(&open.tied, |p| vec![p.right]),
            // Searched groups may share records: each of those has the singles of all its groups.
            Some((_, groups)) => by_end(&open.tied, |p| groups[p.right as usize].rows.clone()),
        };
        let mut pulse = Pulse::new(run.watch);
        for (end, by_end) in [(Side::Left, by_end(&open.tied, |p| vec![p.left])), (Side::Right, right)] {
            for (place, pairs) in by_end {
                pulse.beat(Pulse::TEXT * 16)?;
                explain_end(run, open, end, place, &pairs, verdicts);
            }
        }
    }
    Ok(())
}

fn by_end(pairs: &[Pair], of: impl Fn(&Pair) -> Vec<u32>) -> HashMap<u32, Vec<Pair>> {
    let mut all: HashMap<u32, Vec<Pair>> = HashMap::new();
    for pair in pairs {
        of(pair).into_iter().for_each(|end| all.entry(end).or_default().push(*pair));
    }
    all
}

/// `end`: which end of the pairs `place` is: a node, or a record of groups. Its records get all records of the other ends as candidates.
fn explain_end(run: &Run<'_>, open: &Open, end: Side, place: u32, pairs: &[Pair], verdicts: &mut Verdicts) {
    let (side, rows) = match &open.groups {
        Some((one, _)) if end == Side::Right => (one.other(), vec![place]),
        _ => {
            let (side, rows) = rows_at(run, open, end, place);
            (side, rows.concat())
        }
    };
    let rows: Vec<Row> = rows.into_iter().filter(|&row| !verdicts.has(side, row)).collect();
    if rows.is_empty() {
        return;
    }
    let mut ranked: Vec<(&Pair, Vec<Row>)> = vec![];
    for pair in pairs {
        let other = if end == Side::Left { pair.right } else { pair.left };
        let (_, others) = rows_at(run, open, end.other(), other);
        ranked.extend(others.into_iter().map(|rows| (pair, rows)));
    }
    let rest = run.remainder.side(side.other());
    ranked.sort_by(|(a, a_rows), (b, b_rows)| {
        b.confidence.cmp(&a.confidence).then_with(|| rest.by_id(a_rows[0], b_rows[0]))
    });
    let found = ranked.len();
    ranked.truncate(run.rules.candidates_max as usize);
    let scope = run.scope(&run.plans[open.plan], &|_| {});
    let candidates: Vec<Candidate> = ranked
        .into_iter()
        .map(|(pair, rows)| {
            let reasons = match &open.groups {
                None => pair_reasons(&scope, pair),
                Some((one, groups)) => group_reasons(&scope, *one, &groups[pair.right as usize], pair),
            };
            Candidate { side: side.other(), rows, confidence: pair.confidence, reasons }
        })
        .collect();
    let says = match found {
        1 => "its best counterpart has another one that is equally good; none was chosen".to_owned(),
        n => format!("{n} counterparts are equally good; none was chosen"),
    };
    for row in rows {
        let verdict = Verdict {
            kind: ExceptionKind::Ambiguous,
            says: says.clone(),
            candidates: candidates.clone(),
            found,
            is_weak: false,
        };
        verdicts.add(side, row, verdict);
    }
}

/// The side a pair's end is on, and its free records: one list per twin, or all of a group in one.
fn rows_at(run: &Run<'_>, open: &Open, end: Side, place: u32) -> (Side, Vec<Vec<Row>>) {
    let side = match &open.groups {
        None => end,
        Some((one, _)) => {
            if end == Side::Left {
                *one
            } else {
                one.other()
            }
        }
    };
    match (&open.groups, end) {
        (Some((_, groups)), Side::Right) => (side, vec![groups[place as usize].rows.clone()]),
        _ => {
            let rows = run.remainder.side(side).free_of_node(place);
            (side, rows.into_iter().map(|row| vec![row]).collect())
        }
    }
}
