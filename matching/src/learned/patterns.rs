//! Pairs that agree in the same way: of millions of pairs a few thousand are different, and each of those is weighed
//! once for all.

use super::fields::Agreement;
use crate::keys::{Fingerprint, FingerprintMap, KeyHasher};
use crate::watch::steps::steps;
use crate::{Cancelled, Watch};
use rayon::prelude::*;

/// Pairs looked through between two looks at the watch.
const PIECE_LEN: usize = 1 << 14;

#[derive(Debug)]
pub(super) struct Patterns {
    width: usize,
    /// Pattern by pattern, a field after the other.
    distinct: Vec<Agreement>,
    /// Pairs that have each pattern.
    counts: Vec<u64>,
    /// By pair, its pattern.
    of: Vec<u32>,
}

/// The patterns of one piece, numbered among themselves.
#[derive(Default)]
struct Piece {
    keys: Vec<Fingerprint>,
    /// The first pair of the piece with each.
    first: Vec<u32>,
    counts: Vec<u64>,
    of: Vec<u32>,
}

impl Patterns {
    /// `agreements`: `width` of each pair.
    pub fn of(agreements: &[Agreement], width: usize, watch: Watch<'_>) -> Result<Self, Cancelled> {
        let width = width.max(1);
        let pieces = agreements.par_chunks(PIECE_LEN * width).map(|agreements| {
            watch.check()?;
            Ok(Piece::of(agreements, width))
        });
        let pieces = pieces.collect::<Result<Vec<_>, Cancelled>>()?;
        let mut patterns = Patterns { width, distinct: vec![], counts: vec![], of: vec![] };
        let mut numbers = FingerprintMap::<u32>::default();
        let mut renumbered = Vec::with_capacity(pieces.len());
        for (piece, agreements) in pieces.iter().zip(agreements.chunks(PIECE_LEN * width)) {
            watch.check()?;
            let mut number = |(i, key): (usize, &Fingerprint)| {
                let number = *numbers.entry(*key).or_insert_with(|| {
                    let at = piece.first[i] as usize * width;
                    patterns.distinct.extend_from_slice(&agreements[at..at + width]);
                    patterns.counts.push(0);
                    patterns.counts.len() as u32 - 1
                });
                patterns.counts[number as usize] += piece.counts[i];
                number
            };
            renumbered.push(piece.keys.iter().enumerate().map(&mut number).collect::<Vec<u32>>());
        }
        patterns.of = vec![0; agreements.len() / width];
        let places = patterns.of.par_chunks_mut(PIECE_LEN).zip(&pieces).zip(&renumbered);
        places.for_each(|((of, piece), renumbered)| {
            of.iter_mut().zip(&piece.of).for_each(|(of, &own)| *of = renumbered[own as usize]);
        });
        Ok(patterns)
    }

    /// Agreements of each pattern, field by field.
    pub fn distinct(&self) -> impl Iterator<Item = &[Agreement]> {
        self.distinct.chunks(self.width)
    }

    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// By pair, its pattern.
    pub fn of_pairs(&self) -> &[u32] {
        &self.of
    }
}

impl Piece {
    fn of(agreements: &[Agreement], width: usize) -> Self {
        steps(agreements.len());
        let (mut piece, mut numbers) = (Piece::default(), FingerprintMap::<u32>::default());
        for (i, agreements) in agreements.chunks(width).enumerate() {
            let mut hasher = KeyHasher::new();
            // Four agreements of two bytes make a number.
            for four in agreements.chunks(4) {
                let add =
                    |number: u64, a: &Agreement| number << 16 | u64::from(a.level) << 8 | u64::from(a.rarity);
                hasher.number(four.iter().fold(0, add));
            }
            let key = hasher.finish();
            let number = *numbers.entry(key).or_insert_with(|| {
                piece.keys.push(key);
                piece.first.push(i as u32);
                piece.counts.push(0);
                piece.keys.len() as u32 - 1
            });
            piece.counts[number as usize] += 1;
            piece.of.push(number);
        }
        piece
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_finds_its_own_agreements_and_every_pattern_is_there_once() {
        for width in [1, 3, 5, 9] {
            let of = |i: usize, field: usize| Agreement {
                level: (i * 7 % 5) as u8,
                rarity: (i / 3 % 4 * (field + 1)) as u8,
            };
            let pairs = 3 * PIECE_LEN + 77;
            let all: Vec<Agreement> =
                (0..pairs).flat_map(|i| (0..width).map(move |field| of(i, field))).collect();
            let patterns = Patterns::of(&all, width, Watch::none()).unwrap();
            let distinct: Vec<&[Agreement]> = patterns.distinct().collect();
            assert_eq!(distinct.len(), patterns.counts().len());
            let mut sorted = distinct.clone();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(sorted.len(), distinct.len(), "width {width}");
            let mut counts = vec![0; distinct.len()];
            for (agreements, &pattern) in all.chunks(width).zip(patterns.of_pairs()) {
                assert_eq!(agreements, distinct[pattern as usize]);
                counts[pattern as usize] += 1;
            }
            assert_eq!((counts.as_slice(), patterns.of_pairs().len()), (patterns.counts(), pairs));
        }
        assert!(Patterns::of(&[], 4, Watch::none()).unwrap().of_pairs().is_empty());
    }
}
