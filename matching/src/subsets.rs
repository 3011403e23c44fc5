//! Which of a few amounts add up to a sum: all answers, found by meeting in the middle.

use std::ops::RangeInclusive;

/// More amounts are not searched: 2^10 sums a half, a millisecond at most.
pub(crate) const AMOUNTS_MAX: usize = 20;
/// Answers listed; where there are more, which of them is right is out of the question.
pub(crate) const ANSWERS_MAX: usize = 32;

/// All subsets of at least two amounts whose sum is in `target`, as bits; at most [`ANSWERS_MAX`] and one.
///
/// `amounts`: at most [`AMOUNTS_MAX`]. Work: 2^(n/2) sums a half, sorted once, and one step per answer.
pub(crate) fn subsets(amounts: &[i64], target: &RangeInclusive<i128>) -> Vec<u32> {
    debug_assert!(amounts.len() <= AMOUNTS_MAX);
    let (low, high) = amounts.split_at(amounts.len() / 2);
    let mut lows = sums(low);
    lows.sort_unstable();
    let mut answers = vec![];
    for (sum, bits) in sums(high) {
        let start = lows.partition_point(|&(other, _)| other + sum < *target.start());
        for &(_, others) in lows[start..].iter().take_while(|&&(other, _)| other + sum <= *target.end()) {
            let answer = bits << low.len() | others;
            if answer.count_ones() >= 2 {
                answers.push(answer);
            }
            if answers.len() > ANSWERS_MAX {
                return answers;
            }
        }
    }
    answers.sort_unstable();
    answers
}

/// The sum of every subset, and which it is.
fn sums(amounts: &[i64]) -> Vec<(i128, u32)> {
    let mut sums = vec![(0, 0)];
    for (i, &amount) in amounts.iter().enumerate() {
        for place in 0..sums.len() {
            let (sum, bits) = sums[place];
            sums.push((sum + i128::from(amount), bits | 1 << i));
        }
    }
    sums
}

/// How many sums of so many amounts would be in a target of this width if they fell anywhere between
/// nothing and all: what chance alone would answer.
pub(crate) fn expected_by_chance(amounts: &[i64], width: i128) -> f64 {
    let reach: f64 = amounts.iter().map(|&a| (a as f64).abs()).sum();
    let subsets = (1u64 << amounts.len()) as f64 - 1.0 - amounts.len() as f64;
    subsets * width as f64 / reach.max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn brute_force(amounts: &[i64], target: &RangeInclusive<i128>) -> Vec<u32> {
        let sum = |bits: u32| -> i128 {
            (0..amounts.len()).filter(|i| bits >> i & 1 == 1).map(|i| i128::from(amounts[i])).sum()
        };
        (0..1 << amounts.len()).filter(|&b: &u32| b.count_ones() >= 2 && target.contains(&sum(b))).collect()
    }

    proptest! {
        #[test]
        fn every_answer_is_found(
            amounts in prop::collection::vec(prop_oneof![-50i64..50, any::<i64>()], 0..10),
            target in -100i128..100,
            width in 0i128..4,
        ) {
            let target = target..=target + width;
            let (found, all) = (subsets(&amounts, &target), brute_force(&amounts, &target));
            if all.len() <= ANSWERS_MAX {
                prop_assert_eq!(found, all);
            } else {
                prop_assert!(found.len() > ANSWERS_MAX && found.iter().all(|answer| all.contains(answer)));
            }
        }
    }

    #[test]
    fn the_largest_search_ends_at_once() {
        let amounts: Vec<i64> = (0..AMOUNTS_MAX as i64).map(|i| 1 << i).collect();
        assert_eq!(subsets(&amounts, &(0b1010..=0b1010)), [0b1010]);
        assert_eq!(subsets(&[5; AMOUNTS_MAX], &(50..=50)).len(), ANSWERS_MAX + 1);
    }
}
