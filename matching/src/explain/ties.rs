//! Ambiguous: the passes found several equally good counterparts and chose none.

use super::{Verdict, Verdicts};
use crate::open::{End, Open};
use crate::remainder::Rest;
use crate::run::Run;
use crate::select::Pair;
use crate::settle::reasons_between;
use crate::{Cancelled, Candidate, ExceptionKind, Pulse, Row};
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashSet};

pub(super) fn explain(run: &Run<'_>, verdicts: &mut Verdicts) -> Result<(), Cancelled> {
    for open in &run.open {
        let mut pulse = Pulse::new(run.watch);
        for end in End::BOTH {
            let grouped = open.between.is_grouped(end);
            // Groups may share records, where they were searched for: each has the counterparts of all.
            let mut places: BTreeMap<u32, Vec<Pair>> = BTreeMap::new();
            for pair in &open.tied {
                match open.between.group(end, pair) {
                    Some(group) => {
                        group.rows.iter().for_each(|&row| places.entry(row).or_default().push(*pair))
                    }
                    None => places.entry(end.of(pair)).or_default().push(*pair),
                }
            }
            let side = open.between.side(end);
            for (place, pairs) in places {
                pulse.beat(Pulse::TEXT * 16)?;
                let mut rows =
                    if grouped { vec![place] } else { run.remainder.side(side).free_of_node(place) };
                rows.retain(|&row| !verdicts.has(side, row));
                if !rows.is_empty() {
                    explain_rows(run, open, end, rows, &pairs, verdicts);
                }
            }
        }
    }
    Ok(())
}

/// `end`: which end of the pairs the records are at. They get all records of the other ends as candidates.
fn explain_rows(
    run: &Run<'_>,
    open: &Open,
    end: End,
    rows: Vec<Row>,
    pairs: &[Pair],
    verdicts: &mut Verdicts,
) {
    let (side, other) = (open.between.side(end), open.between.side(end.other()));
    let (own, rest) = (run.remainder.side(side), run.remainder.side(other));
    let mut ranked: Vec<(&Pair, Vec<Row>, Vec<Row>)> = vec![];
    for pair in pairs {
        let own_rows = open.between.group(end, pair).map_or(vec![], |group| in_order(own, &group.rows));
        let others = open.between.rows(&run.remainder, end.other(), pair);
        ranked.extend(others.into_iter().map(|rows| (pair, in_order(rest, &rows), own_rows.clone())));
    }
    ranked.sort_by(|a, b| {
        let by_confidence = b.0.confidence.cmp(&a.0.confidence);
        by_confidence.then_with(|| by_ids(rest, &a.1, &b.1)).then_with(|| by_ids(own, &a.2, &b.2))
    });
    // Two sums with one record in common may be those of one and the same single record.
    let mut seen = HashSet::new();
    ranked.retain(|(_, rows, _)| seen.insert(rows.clone()));
    let found = ranked.len();
    ranked.truncate(run.rules.candidates_max as usize);
    let scope = run.scope(&run.plans[open.plan], &|_| {});
    let candidate = |(pair, mut rows, _): (&Pair, Vec<Row>, Vec<Row>)| {
        rows.sort_unstable();
        let reasons = reasons_between(&scope, &open.between, pair);
        Candidate { side: other, rows, confidence: pair.confidence, reasons }
    };
    let candidates: Vec<Candidate> = ranked.into_iter().map(candidate).collect();
    let says = match found {
        1 => "its best counterpart has another one that is equally good; none was chosen".to_owned(),
        n => format!("{n} counterparts are equally good; none was chosen"),
    };
    let kind = ExceptionKind::Ambiguous;
    for row in rows {
        let (says, candidates) = (says.clone(), candidates.clone());
        verdicts.add(side, row, Verdict { kind, says: says.into(), candidates, found, is_weak: false });
    }
}

/// By id: the order of the file plays no part.
fn in_order(rest: &Rest<'_>, rows: &[Row]) -> Vec<Row> {
    let mut rows = rows.to_vec();
    rows.sort_by(|&a, &b| rest.by_id(a, b));
    rows
}

fn by_ids(rest: &Rest<'_>, a: &[Row], b: &[Row]) -> Ordering {
    let differing = a.iter().zip(b).map(|(&a, &b)| rest.by_id(a, b)).find(|order| order.is_ne());
    differing.unwrap_or_else(|| a.len().cmp(&b.len()))
}
