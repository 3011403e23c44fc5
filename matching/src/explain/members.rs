//! Who has the keys that free records ask for: one look at every record, for all keys of the rule set.

use super::Verdicts;
use super::block::{BLOCK_SIDE_MAX, Spec};
use crate::evidence::KeyEvidence;
use crate::keys::{Fingerprint, FingerprintHints, FingerprintMap, FingerprintSet};
use crate::plan::KeyPlan;
use crate::run::Run;
use crate::sorted;
use crate::{Cancelled, Row, Side};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

/// The records that have the keys of one [`Spec`] for which some free record asks.
pub(super) struct Members {
    /// By key, side and id.
    members: Vec<(Fingerprint, Side, Row)>,
    /// Per key: where its left records begin, where its right ones begin, where they end.
    blocks: FingerprintMap<(Range<usize>, Range<usize>)>,
}

/// What one or several specs read of the records of one side, so that it is read once.
struct Reading<'a> {
    side: Side,
    keys: &'a KeyPlan,
    specs: Vec<usize>,
}

/// One for each spec. Asked for are the keys of the records without a verdict; later there may be fewer of them,
/// and then some members too many.
pub(super) fn gather(
    run: &Run<'_>,
    specs: &[Spec<'_>],
    verdicts: &Verdicts,
) -> Result<Vec<Members>, Cancelled> {
    let readings = readings(specs);
    let mut asked: Vec<(Side, Vec<Fingerprint>)> = vec![];
    for reading in &readings {
        let free = run.remainder.side(reading.side).free_rows();
        let asking: Vec<Row> = free.filter(|&row| !verdicts.has(reading.side, row)).collect();
        asked.push((reading.side, read(run, reading, &asking, |key, _, found| found.push(key))?));
    }
    let mut sets = Vec::with_capacity(specs.len());
    for (i, spec) in specs.iter().enumerate() {
        run.watch.check()?;
        let of_spec = readings.iter().zip(&asked).filter(|(reading, _)| reading.specs.contains(&i));
        let keys = of_spec.flat_map(|(_, (side, keys))| keys.iter().map(|&key| (key, *side))).collect();
        sets.push(worth_asking(run, keys, spec)?);
    }
    drop(asked);
    let mut members: Vec<Vec<(Fingerprint, Side, Row)>> = specs.iter().map(|_| vec![]).collect();
    for reading in &readings {
        let asked: Vec<Asked<'_>> = reading.specs.iter().filter_map(|&i| Asked::of(i, &sets[i])).collect();
        if asked.is_empty() {
            continue;
        }
        let side = reading.side;
        let rows: Vec<Row> = run.remainder.side(side).records.rows().collect();
        // Nearly all keys are asked for by none of the specs.
        let len = asked.iter().map(|asked| asked.keys.len()).sum();
        let hints = FingerprintHints::of(asked.iter().flat_map(|asked| asked.keys.keys()), len);
        let found = read(run, reading, &rows, |key, row, found: &mut Vec<_>| {
            if !hints.may_have(&key) {
                return;
            }
            let wanting = asked.iter().filter(|asked| asked.wants(&key));
            found.extend(wanting.map(|asked| (asked.spec, key, row)));
        })?;
        found.into_iter().for_each(|(spec, key, row)| members[spec as usize].push((key, side, row)));
    }
    members.into_iter().map(|members| Members::of(run, members)).collect()
}

/// The keys that one spec asks for, and how many records of a side were found to have each.
struct Asked<'s> {
    spec: u32,
    keys: &'s FingerprintSet,
    found: Vec<AtomicU32>,
}

impl<'s> Asked<'s> {
    /// `None` when it asks for none.
    fn of(spec: usize, keys: &'s FingerprintSet) -> Option<Self> {
        let found = (0..keys.len()).map(|_| AtomicU32::new(0)).collect();
        (keys.len() > 0).then_some(Asked { spec: spec as u32, keys, found })
    }

    /// One record more than a block may have is enough to know that it is too large; which ones they are is
    /// chance, but nobody looks at them then.
    fn wants(&self, key: &Fingerprint) -> bool {
        let found = self.keys.number(key).map(|number| &self.found[number]);
        found.is_some_and(|found| {
            let few = |found: u32| (found as usize <= BLOCK_SIDE_MAX).then_some(found + 1);
            found.fetch_update(Ordering::Relaxed, Ordering::Relaxed, few).is_ok()
        })
    }
}

fn readings<'a>(specs: &[Spec<'a>]) -> Vec<Reading<'a>> {
    let mut readings: Vec<Reading<'a>> = vec![];
    for side in [Side::Left, Side::Right] {
        for (i, spec) in specs.iter().enumerate() {
            match readings.iter_mut().find(|r| r.side == side && r.keys.reads_as(spec.keys, side)) {
                Some(reading) => reading.specs.push(i),
                None => readings.push(Reading { side, keys: spec.keys, specs: vec![i] }),
            }
        }
    }
    readings
}

/// `take` is called with every key of every row; what it adds comes back in the order of the rows.
fn read<T: Send>(
    run: &Run<'_>,
    reading: &Reading<'_>,
    rows: &[Row],
    take: impl Fn(Fingerprint, Row, &mut Vec<T>) + Sync,
) -> Result<Vec<T>, Cancelled> {
    let records = run.remainder.side(reading.side).records;
    let lists = rows.par_chunks(4096).map(|rows| {
        run.watch.check()?;
        let (mut all, mut keys) = (vec![], vec![]);
        for &row in rows {
            reading.keys.each(records, reading.side, row, None, &mut keys);
            keys.iter().for_each(|&key| take(key, row, &mut all));
        }
        Ok(all)
    });
    Ok(lists.collect::<Result<Vec<_>, Cancelled>>()?.into_iter().flatten().collect())
}

/// The keys that few enough of the asking records have to say something; the others are already known to
/// be in blocks that are too large, and collecting those would be most of the work.
fn worth_asking(
    run: &Run<'_>,
    mut keys: Vec<(Fingerprint, Side)>,
    spec: &Spec<'_>,
) -> Result<FingerprintSet, Cancelled> {
    sorted::sort(&mut keys, run.watch)?;
    let few = |same: &&[(Fingerprint, Side)]| {
        let left = same.partition_point(|k| k.1 == Side::Left);
        is_small(left, same.len() - left, spec.keys.has_tokens())
    };
    Ok(keys.chunk_by(|a, b| a.0 == b.0).filter(few).map(|same| same[0].0).collect())
}

/// Whether a block of so many left and right records explains anything.
fn is_small(left: usize, right: usize, tokens: bool) -> bool {
    let joins_few = left.max(1) * right.max(1) <= KeyEvidence::SPREAD_MAX;
    left <= BLOCK_SIDE_MAX && right <= BLOCK_SIDE_MAX && (joins_few || !tokens)
}

impl Members {
    fn of(run: &Run<'_>, mut members: Vec<(Fingerprint, Side, Row)>) -> Result<Self, Cancelled> {
        sorted::sort(&mut members, run.watch)?;
        let mut blocks = FingerprintMap::default();
        let mut start = 0;
        for same in members.chunk_by(|a, b| a.0 == b.0) {
            let middle = start + same.partition_point(|m| m.1 == Side::Left);
            let end = start + same.len();
            blocks.insert(same[0].0, (start..middle, middle..end));
            start = end;
        }
        Ok(Members { members, blocks })
    }

    /// The left and the right records that have the key; `None` when nobody asked for it.
    pub fn block(&self, key: Fingerprint) -> Option<[impl ExactSizeIterator<Item = Row> + '_; 2]> {
        let (left, right) = self.blocks.get(&key)?;
        Some([left, right].map(|range| self.members[range.clone()].iter().map(|&(_, _, row)| row)))
    }
}
