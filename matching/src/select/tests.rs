//! By hand, and against others that look at everything.

use super::*;
use proptest::prelude::*;

mod oracle;

/// Pairs as `left right hundredths`; records as `capacity` of every left node and one of every right.
fn check(capacity: &[u32], pairs: &[(u32, u32, u32)], expected: &[(u32, u32, u32)], tied: usize) {
    let pair = |&(left, right, c): &(u32, u32, u32)| pair(left, right, c * 10_000);
    // Any rotation and the reverse must give the same.
    for turn in 0..pairs.len() * 2 {
        let mut turned: Vec<Pair> = pairs.iter().map(pair).collect();
        turned.rotate_left(turn % pairs.len());
        if turn >= pairs.len() {
            turned.reverse();
        }
        let left_capacity = |n: u32| capacity.get(n as usize).copied().unwrap_or(1);
        let selection = run(turned, &left_capacity, &|_| 1, &|n| n == 9, 20_000);
        assert_eq!(counts(&selection), expected, "{pairs:?} turned by {turn}");
        assert_eq!(selection.tied.len(), tied, "{pairs:?}: {:?}", selection.tied);
        assert!(selection.tied.iter().all(|pair| selection.open.contains(pair)));
        assert_eq!(selection.tied.is_empty(), selection.open.is_empty());
    }
}

fn pair(left: u32, right: u32, millionths: u32) -> Pair {
    Pair { left, right, confidence: Confidence::from_millionths(millionths).unwrap(), spread: 1 }
}

fn counts(selection: &Selection) -> Vec<(u32, u32, u32)> {
    let mut chosen: Vec<_> = selection.chosen.iter().map(|c| (c.pair.left, c.pair.right, c.count)).collect();
    chosen.sort();
    chosen
}

fn run(
    pairs: Vec<Pair>,
    left_capacity: &(dyn Fn(u32) -> u32 + Sync),
    right_capacity: &(dyn Fn(u32) -> u32 + Sync),
    right_frozen: &(dyn Fn(u32) -> bool + Sync),
    margin: u32,
) -> Selection {
    let len = pairs.iter().map(|p| p.left.max(p.right) as usize + 1).max().unwrap_or(0);
    let ends = Ends { left_len: len, right_len: len, left_capacity, right_capacity, right_frozen };
    select(pairs, &ends, stakes(margin), Watch::none()).unwrap()
}

fn stakes(margin: u32) -> Stakes {
    Stakes {
        threshold: Confidence::from_millionths(500_000).unwrap(),
        margin: Confidence::from_millionths(margin).unwrap(),
    }
}

#[test]
fn what_every_good_choice_has_is_chosen() {
    // One candidate, also at the threshold.
    check(&[], &[(0, 0, 90)], &[(0, 0, 1)], 0);
    check(&[], &[(0, 0, 50)], &[(0, 0, 1)], 0);
    // A clear best; the other candidate loses its partner and is done.
    check(&[], &[(0, 0, 90), (0, 1, 80)], &[(0, 0, 1)], 0);
    // Within the margin, also exactly on it: nobody.
    check(&[], &[(0, 0, 90), (0, 1, 89)], &[], 2);
    check(&[], &[(0, 0, 90), (0, 1, 88)], &[], 2);
    check(&[], &[(0, 0, 90), (1, 0, 90)], &[], 2);
    // The best of one is better off elsewhere.
    check(&[], &[(0, 0, 90), (1, 0, 95), (0, 1, 60)], &[(0, 1, 1), (1, 0, 1)], 0);
    // Elimination runs down a chain.
    check(
        &[],
        &[(0, 0, 90), (1, 0, 80), (1, 1, 80), (2, 1, 70), (2, 2, 70)],
        &[(0, 0, 1), (1, 1, 1), (2, 2, 1)],
        0,
    );
    // A square of equals stays open, its neighbour does not.
    check(&[], &[(0, 0, 90), (0, 1, 90), (1, 0, 90), (1, 1, 90), (2, 2, 50)], &[(2, 2, 1)], 4);
    // A loser of a tie stays open behind it, but is not one of the tied.
    check(&[], &[(0, 0, 90), (1, 0, 90), (2, 0, 55)], &[], 2);
    // A frozen end is not chosen and still competes.
    check(&[], &[(0, 9, 90)], &[], 1);
    check(&[], &[(0, 9, 90), (0, 1, 89)], &[], 2);
}

#[test]
fn the_whole_counts_and_not_the_first_best() {
    // The best pair of all would leave two good ones apart.
    check(&[], &[(0, 0, 95), (0, 1, 90), (1, 0, 92)], &[(0, 1, 1), (1, 0, 1)], 0);
    // But two doubtful pairs do not part a sure one.
    check(&[], &[(0, 0, 100), (0, 1, 60), (1, 0, 60)], &[(0, 0, 1)], 0);
    // Each record's own best is within the margin of another, and yet only one choice is good as a whole.
    check(&[], &[(0, 0, 90), (0, 1, 89), (1, 0, 89), (1, 1, 95)], &[(0, 0, 1), (1, 1, 1)], 0);
    // The other way round two near choices of a whole are a tie, though every single best is clear.
    check(&[], &[(0, 0, 90), (0, 1, 80), (1, 0, 70), (1, 1, 61)], &[], 4);
}

#[test]
fn identical_records_leave_no_choice() {
    // Two identical left records, two different right ones.
    check(&[2], &[(0, 0, 90), (0, 1, 90)], &[(0, 0, 1), (0, 1, 1)], 0);
    // Three right ones: which is left over would be a choice.
    check(&[2], &[(0, 0, 90), (0, 1, 90), (0, 2, 90)], &[], 3);
    // Fewer: one of the twins stays.
    check(&[3], &[(0, 0, 90), (0, 1, 70)], &[(0, 0, 1), (0, 1, 1)], 0);
    // A twin's partner with another equal candidate is a choice.
    check(&[2], &[(0, 0, 90), (0, 1, 90), (1, 1, 90)], &[(0, 0, 1)], 2);
}

#[test]
fn of_twins_on_both_sides_as_many_are_chosen_as_every_good_choice_has() {
    // Three twins, of which two can go to two twins, one of them perhaps to a third.
    let right_capacity = |n: u32| if n == 0 { 2 } else { 1 };
    let pairs = vec![pair(0, 0, 900_000), pair(0, 1, 900_000)];
    let selection = run(pairs.clone(), &|_| 2, &right_capacity, &|_| false, 20_000);
    assert_eq!(counts(&selection), [(0, 0, 1)]);
    assert_eq!(selection.tied.len(), 2);
    let selection = run(pairs, &|_| 3, &right_capacity, &|_| false, 20_000);
    assert_eq!(counts(&selection), [(0, 0, 2), (0, 1, 1)]);
    assert!(selection.open.is_empty());
}

/// Pairs of a square with so many lefts and rights, worth what `of` says in millionths.
fn square(size: u32, of: impl Fn(u32, u32) -> u32) -> Vec<Pair> {
    (0..size).flat_map(|l| (0..size).map(move |r| (l, r))).map(|(l, r)| pair(l, r, of(l, r))).collect()
}

#[test]
fn the_largest_pieces_are_solved_and_larger_ones_said_to_be_too_large() {
    // Every record has neighbours within the margin, and still one whole is better than all others.
    let near = |l: u32, r: u32| 900_000 - 400 * l.abs_diff(r).pow(2).min(900);
    for (size, beyond_bound) in [(200, 0), (201, 1)] {
        let selection = run(square(size, near), &|_| 1, &|_| 1, &|_| false, 700);
        let expected: Vec<_> = (0..size).map(|n| (n, n, 1)).collect();
        assert_eq!(selection.beyond_bound, beyond_bound);
        assert_eq!(counts(&selection), if beyond_bound == 0 { expected } else { vec![] }, "{size}");
    }
    // All alike: everything is tied, and that is seen without asking each pair by itself.
    let selection = run(square(200, |_, _| 900_000), &|_| 1, &|_| 1, &|_| false, 20_000);
    assert_eq!((selection.chosen.len(), selection.tied.len()), (0, 40_000));
    // Few nodes, but too many records.
    let pairs = vec![pair(0, 0, 900_000), pair(0, 1, 900_000)];
    let selection = run(pairs, &|_| 3_000, &|_| 600, &|_| false, 20_000);
    assert_eq!((selection.beyond_bound, counts(&selection)), (1, vec![(0, 0, 600), (0, 1, 600)]));
}

#[test]
fn the_best_choice_is_that_of_another_program() {
    use pathfinding::prelude::{Matrix, kuhn_munkres};
    // Numbers without a pattern; every run the same.
    let mut state = 7u64;
    let mut next = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for size in [1, 2, 3, 5, 8, 13, 40, 120, 200] {
        for few in [3, 100_000] {
            let confidences: Vec<u32> = (0..size * size).map(|_| 500_000 + next(few) as u32).collect();
            let pairs = square(size, |l, r| confidences[(l * size + r) as usize]);
            let worths = pairs.iter().map(|p| stakes(20_000).worth(p)).collect();
            let (best, _) = kuhn_munkres(&Matrix::from_vec(size as usize, size as usize, worths).unwrap());
            assert_eq!(oracle::best_worth(&pairs, stakes(20_000)), best, "{size} x {size} of {few}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn the_choice_is_that_of_looking_at_all_choices(
        pairs in prop::collection::btree_map((0u32..4, 0u32..4), 0u32..8, 1..10),
        left_capacity in prop::collection::vec(1u32..3, 4),
        right_capacity in prop::collection::vec(1u32..3, 4),
        margin in 0u32..4,
    ) {
        let pairs: Vec<Pair> =
            pairs.into_iter().map(|((l, r), c)| pair(l, r, 500_000 + c * 10_000)).collect();
        let of_left = |n: u32| left_capacity[n as usize];
        let of_right = |n: u32| right_capacity[n as usize];
        let margin = margin * 10_000;
        let selection = run(pairs.clone(), &of_left, &of_right, &|_| false, margin);
        let (chosen, tied) = oracle::look_at_all(&pairs, &of_left, &of_right, stakes(margin));
        prop_assert_eq!(counts(&selection), chosen);
        let mut found: Vec<_> = selection.tied.iter().map(|p| (p.left, p.right)).collect();
        found.sort();
        prop_assert_eq!(found, tied);
    }

    #[test]
    fn beyond_the_bound_the_choice_is_the_one_of_the_definition(
        pairs in prop::collection::btree_map((0u32..8, 0u32..8), 0u32..12, 0..30),
        margin in 0u32..4,
    ) {
        let step = |n: u32| Confidence::from_millionths(n * 50_000).unwrap();
        let pairs: Vec<Pair> =
            pairs.into_iter().map(|((left, right), c)| pair(left, right, c * 50_000)).collect();
        let expected = oracle::clear_choice(&pairs, step(margin));
        let (mut selection, watch) = (Selection::default(), Watch::none());
        if !pairs.is_empty() {
            let one = |_| 1;
            let ends = Ends {
                left_len: 8,
                right_len: 8,
                left_capacity: &one,
                right_capacity: &one,
                right_frozen: &|_| false,
            };
            let piece = Piece::of(&pairs, &ends, step(margin));
            clear::select(piece, &mut selection, &mut Pulse::new(watch)).unwrap();
        }
        let chosen: Vec<_> = counts(&selection).into_iter().map(|(l, r, _)| (l, r)).collect();
        prop_assert_eq!(chosen, expected);
        prop_assert_eq!(selection.tied.is_empty(), selection.open.is_empty());
    }
}
