//! Which amounts of two sides have the same sum: the choices of the fewest, found by meeting in the middle.

use crate::subsets::AMOUNTS_MAX;
use crate::watch::steps::steps;

/// Choices looked at of one size; where there are more, which of them is right is out of the question.
pub(crate) const CHOICES_MAX: usize = 1_024;

/// Amounts of both sides, ready to be searched by the number of amounts a choice has.
///
/// Work: 2^(n/2) sums of each half, sorted once; per size one binary search for each sum of a half and size of the
/// other, and one step per answer. Twenty amounts are two times 1,024 sums.
pub(crate) struct Balances {
    /// By number of amounts: sums (left less right) and which amounts they are of, sorted.
    low: Vec<Vec<(i128, u32)>>,
    high: Vec<Vec<(i128, u32)>>,
    left: u32,
    /// The largest amount, and what all of them are multiples of.
    largest: i128,
    step: i128,
    len: usize,
}

impl Balances {
    /// At most [`AMOUNTS_MAX`] in all. Bits of a choice count the left amounts first, then the right ones.
    pub fn of(left: &[i128], right: &[i128]) -> Self {
        let signed: Vec<i128> = left.iter().copied().chain(right.iter().map(|&amount| -amount)).collect();
        debug_assert!(signed.len() <= AMOUNTS_MAX);
        // Either half has amounts of both sides, so that both are of all sizes and signs.
        let middle = signed.len() / 2;
        Balances {
            low: sums(&signed[..middle], 0),
            high: sums(&signed[middle..], middle),
            left: (1 << left.len()) - 1,
            largest: signed.iter().map(|amount| amount.abs()).max().unwrap_or_default(),
            step: signed.iter().fold(0, |step, &amount| greatest_common_divisor(step, amount.abs())).max(1),
            len: signed.len(),
        }
    }

    /// All choices of `size` amounts, at least one of each side, whose sums are at most `apart`; at most
    /// [`CHOICES_MAX`] and one. Sorted.
    pub fn of_size(&self, size: usize, apart: i128) -> Vec<u32> {
        let mut choices = vec![];
        for (sum, bits, others, range) in self.halves(size, apart) {
            for &(other, more) in &others[range] {
                debug_assert!((sum + other).abs() <= apart);
                let choice = bits | more;
                if choice & self.left != 0 && choice & !self.left != 0 {
                    choices.push(choice);
                }
                if choices.len() > CHOICES_MAX {
                    return choices;
                }
            }
        }
        choices.sort_unstable();
        choices
    }

    /// How many choices of `size` amounts would have sums at most `apart` by chance, judged by how many have sums
    /// nearly so: `found` of them are left out of account, for these are what is to be judged.
    pub fn by_chance(&self, size: usize, apart: i128, found: usize) -> f64 {
        let near = (self.largest / 10).max(10 * apart).max(self.step);
        let count: usize = self.halves(size, near).map(|(_, _, _, range)| range.len()).sum();
        // Sums are multiples of the step, so many of which are near and so many of which would be an answer.
        let places = |within: i128| (2 * (within / self.step) + 1) as f64;
        count.saturating_sub(found) as f64 * places(apart) / places(near)
    }

    pub fn sizes(&self) -> std::ops::RangeInclusive<usize> {
        2..=self.len
    }

    /// The sums of one half with those of the other (a list, and a place in it) that make `size` amounts together and
    /// at most `apart` from nothing.
    fn halves(
        &self,
        size: usize,
        apart: i128,
    ) -> impl Iterator<Item = (i128, u32, &[(i128, u32)], std::ops::Range<usize>)> {
        let lows = self.low.iter().enumerate().filter(move |(of_low, _)| *of_low <= size);
        let with_highs = lows.filter_map(move |(of_low, lows)| Some((lows, self.high.get(size - of_low)?)));
        with_highs.flat_map(move |(lows, highs)| {
            lows.iter().map(move |&(sum, bits)| {
                steps(4);
                let start = highs.partition_point(|&(other, _)| other < -apart - sum);
                let len = highs[start..].partition_point(|&(other, _)| other <= apart - sum);
                (sum, bits, &highs[..], start..start + len)
            })
        })
    }
}

/// The sum of every subset, by its size; the first amount's bit is `first`.
fn sums(amounts: &[i128], first: usize) -> Vec<Vec<(i128, u32)>> {
    let mut by_size = vec![vec![]; amounts.len() + 1];
    by_size[0].push((0, 0));
    for (i, &amount) in amounts.iter().enumerate() {
        for size in (0..=i).rev() {
            let grown: Vec<(i128, u32)> =
                by_size[size].iter().map(|&(sum, bits)| (sum + amount, bits | 1 << (first + i))).collect();
            by_size[size + 1].extend(grown);
        }
    }
    by_size.iter_mut().for_each(|sums| sums.sort_unstable());
    by_size
}

fn greatest_common_divisor(mut a: i128, mut b: i128) -> i128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn brute_force(left: &[i128], right: &[i128], size: u32, apart: i128) -> Vec<u32> {
        let n = left.len() + right.len();
        let of_left = (1u32 << left.len()) - 1;
        let signed: Vec<i128> = left.iter().copied().chain(right.iter().map(|r| -r)).collect();
        let sum = |bits: u32| -> i128 { (0..n).filter(|i| bits >> i & 1 == 1).map(|i| signed[i]).sum() };
        let both = |bits: u32| bits & of_left != 0 && bits & !of_left != 0;
        (0..1 << n).filter(|&b: &u32| b.count_ones() == size && both(b) && sum(b).abs() <= apart).collect()
    }

    proptest! {
        #[test]
        fn every_choice_of_a_size_is_found(
            left in prop::collection::vec(prop_oneof![-9i128..30, (i64::MIN..i64::MAX).prop_map(i128::from)], 0..6),
            right in prop::collection::vec(prop_oneof![-9i128..30, (i64::MIN..i64::MAX).prop_map(i128::from)], 0..6),
            apart in 0i128..4,
        ) {
            let balances = Balances::of(&left, &right);
            for size in balances.sizes() {
                let found = balances.of_size(size, apart);
                prop_assert_eq!(&found, &brute_force(&left, &right, size as u32, apart));
                prop_assert!(balances.by_chance(size, apart, found.len()) >= 0.0);
            }
        }
    }

    #[test]
    fn chance_grows_with_the_number_of_choices_and_with_round_amounts() {
        let odd: Vec<i128> = vec![10_037, 20_411, 30_809, 41_203];
        let few = Balances::of(&odd, &[30_448, 72_012]).by_chance(4, 0, 1);
        assert!(few < 0.01, "{few}");
        let many: Vec<i128> = (0..10).map(|i| 10_037 + 1_013 * i * i).collect();
        let more: Vec<i128> = (0..10).map(|i| 11_039 + 977 * i * i).collect();
        let many = Balances::of(&many, &more).by_chance(8, 0, 0);
        assert!(many > 0.05, "{many}");
        let round: Vec<i128> = odd.iter().map(|amount| amount / 10_000 * 10_000).collect();
        let round = Balances::of(&round, &[30_000, 70_000]).by_chance(4, 0, 0);
        assert!(round > few, "{round}");
    }
}
