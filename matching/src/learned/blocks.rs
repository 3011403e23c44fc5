//! Which pairs are looked at: those that share a value, a word or an amount that few records have.

mod index;
mod search;

use super::fields::{Agreement, Field, Part};
use crate::candidates::Scope;
use crate::twins::by_id;
use crate::{Cancelled, Pulse, Watch};
use index::Index;
use rayon::prelude::*;
use search::Search;

/// Pairs of one pass, about a hundred bytes each. Of more the weakest of each record are left out.
const PAIRS_MAX: usize = 6 << 20;
/// Pairs that are found at most, twelve bytes each, to leave some of them out. A pass that finds more gives up as a whole.
const FOUND_MAX: usize = 48 << 20;
/// Pairs compared together, see [`Field::fetch`].
const AHEAD: usize = 64;
/// Parts of the work; between them progress is told.
const WAVES: usize = 8;

/// Pairs by place, sorted by left place, with their agreements field by field.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    pub ends: Vec<(u32, u32)>,
    /// As many for each pair as there are fields.
    pub agreements: Vec<Agreement>,
    /// Left records that had more or commoner candidates than are looked at.
    pub gave_up: u64,
}

/// Pairs that are not compared yet, sorted by left and right place.
#[derive(Debug, Default)]
struct Found {
    ends: Vec<(u32, u32)>,
    /// By pair, how much what both share tells, in bits.
    bits: Vec<f32>,
    gave_up: u64,
}

pub(super) fn find(scope: &Scope<'_>, fields: &[Field], sides: [Part<'_>; 2]) -> Result<Pairs, Cancelled> {
    let found = Found::of(scope, fields, sides)?;
    if found.ends.len() > FOUND_MAX {
        return Ok(Pairs { gave_up: sides[0].nodes.len() as u64, ..Pairs::default() });
    }
    let Found { ends, gave_up, .. } = found.thinned(PAIRS_MAX, sides[1], scope.watch)?;
    let agreements = compare(scope, fields, sides, &ends)?;
    Ok(Pairs { ends, agreements, gave_up })
}

/// The agreements of all pairs.
fn compare(
    scope: &Scope<'_>,
    fields: &[Field],
    sides: [Part<'_>; 2],
    ends: &[(u32, u32)],
) -> Result<Vec<Agreement>, Cancelled> {
    let width = fields.len().max(1);
    let mut agreements = vec![Agreement::default(); ends.len() * width];
    let wave_len = ends.len().div_ceil(WAVES).max(1);
    let waves = agreements.chunks_mut(wave_len * width).zip(ends.chunks(wave_len));
    for (wave, (agreements, ends)) in waves.enumerate() {
        let pieces = agreements.par_chunks_mut(AHEAD * width).zip(ends.par_chunks(AHEAD)).with_min_len(16);
        pieces.try_for_each_init(
            || Pulse::new(scope.watch),
            |pulse, (agreements, pairs)| {
                fields.iter().for_each(|field| field.fetch(sides[1], pairs));
                for (agreements, &(left, right)) in agreements.chunks_mut(width).zip(pairs) {
                    pulse.beat(Pulse::TEXT * fields.len() as u32)?;
                    for (agreement, field) in agreements.iter_mut().zip(fields) {
                        *agreement = field.compare(sides, left as usize, right as usize);
                    }
                }
                Ok(())
            },
        )?;
        (scope.advance)(0.4 + 0.2 * (wave + 1) as f64 / WAVES as f64);
    }
    Ok(agreements)
}

impl Found {
    /// More than [`FOUND_MAX`] where there are too many; some are missing then.
    fn of(scope: &Scope<'_>, fields: &[Field], sides: [Part<'_>; 2]) -> Result<Self, Cancelled> {
        let index = Index::of(scope, fields, sides)?;
        let places: Vec<u32> = (0..sides[0].nodes.len() as u32).collect();
        let mut all = Found::default();
        // In waves, so that the limit of pairs is seen before much is done in vain.
        for (wave, places) in places.chunks(places.len().div_ceil(WAVES).max(1)).enumerate() {
            let lists = places.par_chunks(512).map(|places| {
                let mut search = Search::new(scope, fields, sides, &index);
                let mut found = Found::default();
                for &place in places {
                    found.gave_up += u64::from(search.look(place)?);
                    found.ends.extend(search.votes.iter().map(|&(other, _)| (place, other)));
                    found.bits.extend(search.votes.iter().map(|&(_, bits)| bits));
                }
                Ok(found)
            });
            for mut list in lists.collect::<Result<Vec<_>, Cancelled>>()? {
                all.ends.append(&mut list.ends);
                all.bits.append(&mut list.bits);
                all.gave_up += list.gave_up;
            }
            if all.ends.len() > FOUND_MAX {
                return Ok(all);
            }
            (scope.advance)(0.2 + 0.2 * (wave + 1) as f64 / WAVES as f64);
        }
        Ok(all)
    }

    /// Of each left record so many of the best that no more than `max` are left altogether: the same for any order of the
    /// records.
    fn thinned(self, max: usize, right: Part<'_>, watch: Watch<'_>) -> Result<Self, Cancelled> {
        if self.ends.len() <= max {
            return Ok(self);
        }
        let of_records = || self.ends.chunk_by(|a, b| a.0 == b.0);
        let (mut records_with, mut pulse) = (vec![], Pulse::new(watch));
        for pairs in of_records() {
            pulse.beat(pairs.len() as u32)?;
            records_with.resize(records_with.len().max(pairs.len() + 1), 0usize);
            records_with[pairs.len()] += 1;
        }
        // With one more for each record come as many pairs as there are records with so many.
        let (mut each, mut left) = (0, 0);
        let mut more: usize = records_with.iter().sum();
        while each + 1 < records_with.len() && left + more <= max {
            each += 1;
            left += more;
            more -= records_with[each];
        }
        let (mut thin, mut start) = (Found { gave_up: self.gave_up, ..Found::default() }, 0);
        for pairs in of_records() {
            pulse.beat(8 * pairs.len() as u32)?;
            let of_record = start..start + pairs.len();
            start = of_record.end;
            let mut votes: Vec<(u32, f32)> =
                pairs.iter().zip(&self.bits[of_record]).map(|(&(_, right), &bits)| (right, bits)).collect();
            thin.gave_up += u64::from(keep_best(&mut votes, each, right));
            thin.ends.extend(votes.iter().map(|&(right, _)| (pairs[0].0, right)));
            thin.bits.extend(votes.iter().map(|&(_, bits)| bits));
        }
        Ok(thin)
    }
}

/// Keeps so many of the right places that share most, in the order of places. Whether there were more.
fn keep_best(votes: &mut Vec<(u32, f32)>, max: usize, right: Part<'_>) -> bool {
    if votes.len() <= max {
        return false;
    }
    let name = |place: u32| right.nodes[place as usize];
    votes.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| by_id(right.records, name(a.0), name(b.0))));
    votes.truncate(max);
    votes.sort_by_key(|vote| vote.0);
    true
}

#[cfg(test)]
mod tests;
