use super::*;

/// Pairs as `left right hundredths`; records as `capacity` of every left node and one of every right.
fn check(capacity: &[u32], pairs: &[(u32, u32, u32)], expected: &[(u32, u32, u32)], open: usize) {
    let pair = |&(left, right, c): &(u32, u32, u32)| Pair {
        left,
        right,
        confidence: Confidence::from_millionths(c * 10_000).unwrap(),
        spread: 1,
    };
    let ends = Ends {
        left_len: 10,
        right_len: 10,
        left_capacity: &|n| capacity.get(n as usize).copied().unwrap_or(1),
        right_capacity: &|_| 1,
        right_frozen: &|n| n == 9,
    };
    // Any rotation and the reverse must give the same.
    for turn in 0..pairs.len() * 2 {
        let mut turned: Vec<Pair> = pairs.iter().map(pair).collect();
        turned.rotate_left(turn % pairs.len());
        if turn >= pairs.len() {
            turned.reverse();
        }
        let margin = Confidence::from_f64(0.02);
        let selection = select(turned, &ends, margin, Watch::none()).unwrap();
        let mut chosen: Vec<_> =
            selection.chosen.iter().map(|c| (c.pair.left, c.pair.right, c.count)).collect();
        chosen.sort();
        assert_eq!(chosen, expected, "{pairs:?} turned by {turn}");
        assert_eq!(selection.open.len(), open, "{pairs:?}: {:?}", selection.open);
        assert_eq!(contended(&selection.open, margin).is_empty(), open == 0);
    }
}

#[test]
fn only_clear_winners_are_chosen() {
    // One candidate.
    check(&[], &[(0, 0, 90)], &[(0, 0, 1)], 0);
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
    // A loser of a tie stays open behind it.
    check(&[], &[(0, 0, 90), (1, 0, 90), (2, 0, 50)], &[], 3);
    // A frozen end is not chosen and still competes.
    check(&[], &[(0, 9, 90)], &[], 1);
    check(&[], &[(0, 9, 90), (0, 1, 89)], &[], 2);
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

/// The definition, taken literally: look at all pairs again and again.
fn naive(pairs: &[Pair], margin: Confidence) -> Vec<(u32, u32)> {
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

proptest::proptest! {
    #[test]
    fn the_choice_is_the_one_of_the_definition(
        pairs in proptest::collection::btree_map((0u32..8, 0u32..8), 0u32..12, 0..30),
        margin in 0u32..4,
    ) {
        let step = |n: u32| Confidence::from_millionths(n * 50_000).unwrap();
        let pairs: Vec<Pair> = pairs
            .into_iter()
            .map(|((left, right), c)| Pair { left, right, confidence: step(c), spread: 1 })
            .collect();
        let ends = Ends {
            left_len: 8,
            right_len: 8,
            left_capacity: &|_| 1,
            right_capacity: &|_| 1,
            right_frozen: &|_| false,
        };
        let expected = naive(&pairs, step(margin));
        let selection = select(pairs, &ends, step(margin), Watch::none()).unwrap();
        let mut chosen: Vec<_> = selection.chosen.iter().map(|c| (c.pair.left, c.pair.right)).collect();
        chosen.sort();
        proptest::prop_assert_eq!(chosen, expected);
    }
}
