//! How often a value occurs, and how often one that was seen so seldom really does.

use crate::keys::HashedMap;
use crate::{Cancelled, Watch, sorted};

/// Counts up to this many are corrected; more often seen values are as common as they look.
const SELDOM_MAX: usize = 8;
/// The corrected count of a value seen once is at least this: no file proves that a value has no namesake.
const ONCE_MIN: f64 = 0.02;

/// Occurrences of values on both sides.
///
/// A value that one record of ten thousand has need not be one in ten thousand: when hardly any value of a
/// side occurs twice, each is far rarer. Good and Turing's estimate puts the number of values seen twice
/// against those seen once.
#[derive(Debug, Default)]
pub(super) struct Frequency {
    counts: HashedMap<(u32, u32)>,
    sides: [SideFrequency; 2],
}

#[derive(Debug, Default, Clone)]
struct SideFrequency {
    records: f64,
    /// By times seen.
    corrected: [f64; SELDOM_MAX + 1],
}

impl Frequency {
    /// `left` and `right` have every value once for each record that has it; 0 is no value.
    pub fn of(
        left: impl Iterator<Item = u64>,
        right: impl Iterator<Item = u64>,
        records: [usize; 2],
        watch: Watch<'_>,
    ) -> Result<Self, Cancelled> {
        // Twice the hash, and which side it is from in the lowest bit.
        let mut all: Vec<u64> = left.filter(|&v| v != 0).map(|v| v << 1).collect();
        all.extend(right.filter(|&v| v != 0).map(|v| v << 1 | 1));
        sorted::sort(&mut all, watch)?;
        let count = |same: &[u64]| {
            let left = same.partition_point(|hash| hash & 1 == 0);
            (same[0] >> 1, (left as u32, (same.len() - left) as u32))
        };
        let counts: HashedMap<(u32, u32)> = all.chunk_by(|a, b| a >> 1 == b >> 1).map(count).collect();
        Ok(Frequency { sides: Frequency::of_counts(counts.values().copied(), records).sides, counts })
    }

    /// Of values that somebody else has counted and keeps the counts of: knows none by itself, only [`Self::share_of`].
    pub fn of_counts(counts: impl Iterator<Item = (u32, u32)>, records: [usize; 2]) -> Self {
        let mut seen = [[0u64; SELDOM_MAX + 2]; 2];
        for (left, right) in counts {
            for (seen, count) in seen.iter_mut().zip([left, right]) {
                if let Some(seen) = seen.get_mut(count as usize) {
                    *seen += 1;
                }
            }
        }
        let side = |side: usize| SideFrequency {
            records: records[side].max(1) as f64,
            corrected: corrected(&seen[side]),
        };
        Frequency { counts: HashedMap::default(), sides: [side(0), side(1)] }
    }

    /// Records of each side that have the value.
    pub fn counts(&self, value: u64) -> (u32, u32) {
        self.counts.get(&(value & (u64::MAX >> 1))).copied().unwrap_or_default()
    }

    /// Share of the records that have the value, of the side where it is more common; above 0.
    pub fn share(&self, value: u64) -> f64 {
        let (left, right) = self.counts(value);
        self.share_of(left, right)
    }

    pub fn share_of(&self, left: u32, right: u32) -> f64 {
        let share = |side: &SideFrequency, count: u32| {
            let count = match side.corrected.get(count.max(1) as usize) {
                Some(&corrected) => corrected,
                None => f64::from(count),
            };
            count / side.records
        };
        share(&self.sides[0], left).max(share(&self.sides[1], right)).min(1.0)
    }
}

/// Never more than the count itself, and never less than that of a smaller one.
fn corrected(seen: &[u64; SELDOM_MAX + 2]) -> [f64; SELDOM_MAX + 1] {
    let mut corrected = [ONCE_MIN; SELDOM_MAX + 1];
    for times in 1..=SELDOM_MAX {
        // Half a value more keeps small files from certainty.
        let next = (times + 1) as f64 * (seen[times + 1] as f64 + 0.5) / (seen[times] as f64 + 0.5);
        let floor = if times == 1 { ONCE_MIN } else { corrected[times - 1] };
        corrected[times] = next.clamp(floor, times as f64);
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_seen_once_among_none_seen_twice_is_rarer_than_it_looks() {
        let singles = || 1..=1000u64;
        let alone = Frequency::of(singles(), singles(), [1000, 1000], Watch::none()).unwrap();
        assert!(alone.share(7) < 1.0 / 20_000.0, "{}", alone.share(7));
        let pairs = || (1..=500u64).chain(1..=500).chain(501..=1000);
        let in_pairs = Frequency::of(pairs(), pairs(), [1500, 1500], Watch::none()).unwrap();
        assert!(in_pairs.share(700) > 0.9 / 1500.0, "{}", in_pairs.share(700));
        assert!(in_pairs.share(7) >= in_pairs.share(700));
    }
}
