//! Which of a few amounts add up to a sum: all answers, found by meeting in the middle.

use crate::watch::steps::steps;
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
        steps(4);
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

/// The one or two amounts without which the others add up to a sum in `target`; at most [`ANSWERS_MAX`] and
/// one of them.
///
/// `amounts`: sorted, of any number. Work: one binary search for each, and one step per answer.
pub(crate) fn left_out(amounts: &[i64], target: &RangeInclusive<i128>) -> Vec<Vec<usize>> {
    let total: i128 = amounts.iter().map(|&a| i128::from(a)).sum();
    let over = total - target.end()..=total - target.start();
    let mut answers = vec![];
    for (i, &amount) in amounts.iter().enumerate() {
        steps(4);
        let amount = i128::from(amount);
        if over.contains(&amount) {
            answers.push(vec![i]);
        }
        let rest = &amounts[i + 1..];
        let start = rest.partition_point(|&other| i128::from(other) + amount < *over.start());
        let fitting = rest[start..].iter().take_while(|&&other| i128::from(other) + amount <= *over.end());
        answers.extend(fitting.enumerate().take(ANSWERS_MAX + 1).map(|(j, _)| vec![i, i + 1 + start + j]));
        if answers.len() > ANSWERS_MAX {
            answers.truncate(ANSWERS_MAX + 1);
            break;
        }
    }
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
    let subsets = (1u64 << amounts.len()) as f64 - 1.0 - amounts.len() as f64;
    by_chance(subsets, amounts, width)
}

/// The same for leaving out one or two.
pub(crate) fn left_out_by_chance(amounts: &[i64], width: i128) -> f64 {
    let n = amounts.len() as f64;
    by_chance(n * (n + 1.0) / 2.0, amounts, width)
}

fn by_chance(choices: f64, amounts: &[i64], width: i128) -> f64 {
    let reach: f64 = amounts.iter().map(|&a| (a as f64).abs()).sum();
    choices * width as f64 / reach.max(1.0)
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

    proptest! {
        #[test]
        fn everything_that_can_be_left_out_is_found(
            amounts in prop::collection::vec(prop_oneof![-20i64..20, any::<i64>()], 0..10),
            target in -60i128..60,
            width in 0i128..3,
        ) {
            let (mut amounts, target) = (amounts, target..=target + width);
            amounts.sort_unstable();
            let total: i128 = amounts.iter().map(|&a| i128::from(a)).sum();
            let mut all = vec![];
            for i in 0..amounts.len() {
                let left = total - i128::from(amounts[i]);
                all.extend(target.contains(&left).then(|| vec![i]));
                let fits = |&j: &usize| target.contains(&(left - i128::from(amounts[j])));
                all.extend((i + 1..amounts.len()).filter(fits).map(|j| vec![i, j]));
            }
            let found = left_out(&amounts, &target);
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
