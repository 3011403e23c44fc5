//! The definitions taken literally, by looking at everything.

use crate::Confidence;
use crate::select::pieces::Piece;
use crate::select::{Ends, Pair, Stakes, exact};

/// Left, right, and how many.
type Counted = (u32, u32, u32);

/// Pairs with how many are chosen, and the tied pairs: from all choices there are.
pub fn look_at_all(
    pairs: &[Pair],
    left_capacity: &dyn Fn(u32) -> u32,
    right_capacity: &dyn Fn(u32) -> u32,
    stakes: Stakes,
) -> (Vec<Counted>, Vec<(u32, u32)>) {
    let mut left: Vec<u32> = (0..4).map(left_capacity).collect();
    let mut right: Vec<u32> = (0..4).map(right_capacity).collect();
    let mut choices = vec![];
    all_choices(pairs, stakes, &mut left, &mut right, &mut vec![], 0, &mut choices);
    let best = choices.iter().map(|(worth, _)| *worth).max().unwrap();
    let margin = i64::from(stakes.margin.millionths());
    choices.retain(|(worth, _)| best - worth <= margin);
    let certain = |i: usize| choices.iter().map(|(_, counts)| counts[i]).min().unwrap();
    let most = |i: usize| choices.iter().map(|(_, counts)| counts[i]).max().unwrap();
    let (mut chosen, mut tied) = (vec![], vec![]);
    for (i, pair) in pairs.iter().enumerate() {
        if certain(i) > 0 {
            chosen.push((pair.left, pair.right, certain(i)));
        }
        if most(i) > certain(i) {
            tied.push((pair.left, pair.right));
        }
    }
    (chosen, tied)
}

fn all_choices(
    pairs: &[Pair],
    stakes: Stakes,
    left: &mut [u32],
    right: &mut [u32],
    counts: &mut Vec<u32>,
    worth: i64,
    choices: &mut Vec<(i64, Vec<u32>)>,
) {
    let Some(pair) = pairs.get(counts.len()) else {
        choices.push((worth, counts.clone()));
        return;
    };
    let (l, r) = (pair.left as usize, pair.right as usize);
    for count in 0..=left[l].min(right[r]) {
        (left[l], right[r]) = (left[l] - count, right[r] - count);
        counts.push(count);
        let worth = worth + stakes.worth(pair) * i64::from(count);
        all_choices(pairs, stakes, left, right, counts, worth, choices);
        counts.pop();
        (left[l], right[r]) = (left[l] + count, right[r] + count);
    }
}

/// What the solved network says the best choice is worth, one record a node.
pub fn best_worth(pairs: &[Pair], stakes: Stakes) -> i64 {
    let ends = Ends {
        left_len: 0,
        right_len: 0,
        left_capacity: &|_| 1,
        right_capacity: &|_| 1,
        right_frozen: &|_| false,
    };
    exact::best_worth(&Piece::of(pairs, &ends, stakes.margin), stakes)
}

/// Beyond the bound: look at all pairs again and again.
pub fn clear_choice(pairs: &[Pair], margin: Confidence) -> Vec<(u32, u32)> {
    let mut chosen: Vec<(u32, u32)> = vec![];
    loop {
        let is_free = |p: &&Pair| chosen.iter().all(|&(l, r)| l != p.left && r != p.right);
        let free: Vec<&Pair> = pairs.iter().filter(is_free).collect();
        let beats = |a: &Pair, b: &Pair| {
            a == b || a.confidence.millionths() > b.confidence.millionths() + margin.millionths()
        };
        let is_best = |p: &Pair| {
            free.iter().filter(|o| o.left == p.left || o.right == p.right).all(|other| beats(p, other))
        };
        match free.iter().find(|p| is_best(p)) {
            Some(p) => chosen.push((p.left, p.right)),
            None => break,
        }
    }
    chosen.sort();
    chosen
}
