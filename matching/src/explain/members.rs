//! Who has the keys that free records ask for: one look at every record, for all keys of the rule set.

use super::Verdicts;
use super::block::{BLOCK_SIDE_MAX, Spec};
use crate::evidence::KeyEvidence;
use crate::keys::{Fingerprint, FingerprintHints, FingerprintMap, FingerprintSet};
use crate::plan::KeyPlan;
use crate::run::Run;
use crate::sorted;
use crate::{Cancelled, Row, Side, Watch};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

/// The records that have the keys of one [`Spec`] for which some free record asks.
pub(super) struct Members {
    /// The free records that may find something, by side and row.
    pub asking: Vec<(Side, Row)>,
    /// By key, side and row.
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
    let mut asking: Vec<Asking> = vec![];
    for reading in &readings {
        asking.push(Asking::of(run, reading, &readings, verdicts)?);
    }
    let mut sets = Vec::with_capacity(specs.len());
    for (i, spec) in specs.iter().enumerate() {
        run.watch.check()?;
        let of_spec = readings.iter().zip(&asking).filter(|(reading, _)| reading.specs.contains(&i));
        let keys = of_spec.flat_map(|(reading, asking)| {
            let keys = asking.keys.iter().zip(&asking.may_find);
            keys.map(|(&(key, _), &may_find)| (key, reading.side, may_find))
        });
        sets.push(worth_asking(run, keys.collect(), spec)?);
    }
    let mut members: Vec<Vec<(Fingerprint, Side, Row)>> = specs.iter().map(|_| vec![]).collect();
    let mut rows_asking: Vec<Vec<(Side, Row)>> = specs.iter().map(|_| vec![]).collect();
    for (reading, asking) in readings.iter().zip(asking) {
        let side = reading.side;
        let rows = asking.rows();
        for &spec in &reading.specs {
            rows_asking[spec].extend(rows.iter().map(|&row| (side, row)));
        }
        let asked: Vec<Asked<'_>> = reading.specs.iter().filter_map(|&i| Asked::of(i, &sets[i])).collect();
        if asked.is_empty() {
            continue;
        }
        // The keys of those that ask are read already; of the others nearly all are asked for by none of the specs.
        let others = others(run, side, verdicts);
        let len = asked.iter().map(|asked| asked.keys.len()).sum();
        let hints = FingerprintHints::of(asked.iter().flat_map(|asked| asked.keys.keys()), len);
        let take = |key, row, found: &mut Vec<_>| {
            if !hints.may_have(&key) {
                return;
            }
            let wanting = asked.iter().filter(|asked| asked.wants(&key));
            found.extend(wanting.map(|asked| (asked.spec, key, row)));
        };
        let chunks = asking.keys.par_chunks(1 << 16).map(|keys| {
            run.watch.check()?;
            let mut found = vec![];
            keys.iter().for_each(|&(key, row)| take(key, row, &mut found));
            Ok(found)
        });
        let mut found = chunks.collect::<Result<Vec<_>, Cancelled>>()?;
        found.push(read(run, reading, &others, take)?);
        found
            .into_iter()
            .flatten()
            .for_each(|(spec, key, row)| members[spec as usize].push((key, side, row)));
    }
    let members = members.into_iter().zip(rows_asking);
    members.map(|(members, asking)| Members::of(run, members, asking)).collect()
}

/// The free records of a side without a verdict, with the keys that one reading has of them.
struct Asking {
    /// In the order of the rows.
    keys: Vec<(Fingerprint, Row)>,
    /// By key of the list: the record may find something by it. The others only show how many have the key.
    may_find: Vec<bool>,
}

/// A side with so many times the records that could explain one of its own: most of its keys are nobody else's.
const FEW_AGAINST_MANY: usize = 4;

impl Asking {
    /// Without keys that nobody else has where most are such: a key explains something only if a record of the other
    /// side has it too, or a matched one of the same side with the same amount.
    fn of(
        run: &Run<'_>,
        reading: &Reading<'_>,
        readings: &[Reading<'_>],
        verdicts: &Verdicts,
    ) -> Result<Self, Cancelled> {
        let side = reading.side;
        let rest = run.remainder.side(side);
        let rows: Vec<Row> = rest.free_rows().filter(|&row| !verdicts.has(side, row)).collect();
        let other = run.remainder.side(side.other()).records;
        let matched: Vec<Row> = rest.records.rows().filter(|&row| !rest.is_free(row)).collect();
        if rows.len() < FEW_AGAINST_MANY * (other.len() + matched.len()) {
            let keys = read(run, reading, &rows, |key, row, found| found.push((key, row)))?;
            return Ok(Asking { may_find: vec![true; keys.len()], keys });
        }
        let others: Vec<Row> = other.rows().collect();
        let mut of_others = vec![];
        let meets = |r: &&Reading<'_>| r.side != side && r.specs.iter().any(|s| reading.specs.contains(s));
        for reading in readings.iter().filter(meets) {
            of_others.extend(read(run, reading, &others, |key, _, found| found.push(key))?);
        }
        let with_amount = |key: Fingerprint, row: Row| {
            key.beside(rest.records.amount(row).cast_unsigned(), rest.records.currency(row))
        };
        let of_matched = read(run, reading, &matched, |key, row, found| found.push((key, row)))?;
        // Sets and not only hints: of so many records, those that ask for nothing by mistake would be most that ask.
        let of_others = set_of(of_others, run.watch)?;
        let of_doubles = of_matched.iter().map(|&(key, row)| with_amount(key, row)).collect();
        let of_doubles = set_of(of_doubles, run.watch)?;
        let of_matched = set_of(of_matched.into_iter().map(|(key, _)| key).collect(), run.watch)?;
        let found = read(run, reading, &rows, |key, row, found| {
            let is_other = of_others.has(&key);
            if is_other || of_matched.has(&key) {
                found.push(((key, row), is_other || of_doubles.has(&with_amount(key, row))));
            }
        })?;
        let (keys, may_find) = found.into_iter().unzip();
        Ok(Asking { keys, may_find })
    }

    /// The records that may find something.
    fn rows(&self) -> Vec<Row> {
        let asking = self.keys.iter().zip(&self.may_find).filter(|(_, may_find)| **may_find);
        let mut rows: Vec<Row> = asking.map(|(&(_, row), _)| row).collect();
        rows.dedup();
        rows
    }
}

fn set_of(mut keys: Vec<Fingerprint>, watch: Watch<'_>) -> Result<FingerprintSet, Cancelled> {
    sorted::sort(&mut keys, watch)?;
    keys.dedup();
    Ok(keys.into_iter().collect())
}

/// The records of a side that do not ask: those with a match or a verdict.
fn others(run: &Run<'_>, side: Side, verdicts: &Verdicts) -> Vec<Row> {
    let rest = run.remainder.side(side);
    rest.records.rows().filter(|&row| !rest.is_free(row) || verdicts.has(side, row)).collect()
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
    mut keys: Vec<(Fingerprint, Side, bool)>,
    spec: &Spec<'_>,
) -> Result<FingerprintSet, Cancelled> {
    sorted::sort(&mut keys, run.watch)?;
    let few = |same: &&[(Fingerprint, Side, bool)]| {
        let left = same.partition_point(|k| k.1 == Side::Left);
        same.iter().any(|k| k.2) && is_small(left, same.len() - left, spec.keys.has_tokens())
    };
    Ok(keys.chunk_by(|a, b| a.0 == b.0).filter(few).map(|same| same[0].0).collect())
}

/// Whether a block of so many left and right records explains anything.
fn is_small(left: usize, right: usize, tokens: bool) -> bool {
    let joins_few = left.max(1) * right.max(1) <= KeyEvidence::SPREAD_MAX;
    left <= BLOCK_SIDE_MAX && right <= BLOCK_SIDE_MAX && (joins_few || !tokens)
}

impl Members {
    fn of(
        run: &Run<'_>,
        mut members: Vec<(Fingerprint, Side, Row)>,
        asking: Vec<(Side, Row)>,
    ) -> Result<Self, Cancelled> {
        sorted::sort(&mut members, run.watch)?;
        let mut blocks = FingerprintMap::default();
        let mut start = 0;
        for same in members.chunk_by(|a, b| a.0 == b.0) {
            let middle = start + same.partition_point(|m| m.1 == Side::Left);
            let end = start + same.len();
            blocks.insert(same[0].0, (start..middle, middle..end));
            start = end;
        }
        Ok(Members { asking, members, blocks })
    }

    /// The left and the right records that have the key; `None` when nobody asked for it.
    pub fn block(&self, key: Fingerprint) -> Option<[impl ExactSizeIterator<Item = Row> + '_; 2]> {
        let (left, right) = self.blocks.get(&key)?;
        Some([left, right].map(|range| self.members[range.clone()].iter().map(|&(_, _, row)| row)))
    }
}
