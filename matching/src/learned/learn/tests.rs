use super::super::codes::{Codes, ReadAs};
use super::super::frequency::Frequency;
use super::super::posterior;
use super::*;
use crate::{Records, RecordsBuilder};

/// Repeatable numbers in [0, 1).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / (1u64 << 31) as f64
    }

    /// An index, each as often as its share says.
    fn level(&mut self, shares: &[f64]) -> u8 {
        let mut roll = self.roll();
        for (i, share) in shares.iter().enumerate() {
            if roll < *share {
                return i as u8;
            }
            roll -= share;
        }
        shares.len() as u8 - 1
    }
}

fn no_records() -> Records {
    RecordsBuilder::new(vec![]).build()
}

/// Fields of five levels, whose values are never looked at.
fn fields(count: usize) -> Vec<Field> {
    let (left, right) = (no_records(), no_records());
    let read = || Codes::read([(&left, &[], &[]), (&right, &[], &[])], ReadAs::Code, Watch::none());
    (0..count).map(|_| Field::Codes(read().unwrap())).collect()
}

const RECORDS: u32 = 500;
const MATCHED: u32 = 400;

/// Records 0 to MATCHED belong to the one of the same number; all pairs are candidates.
/// m and u without `missing`, of each field.
fn taught(m: &[[f64; 5]], u: &[[f64; 5]]) -> (Taught, Vec<bool>) {
    let fields = fields(m.len());
    let (mut dice, mut pairs, mut truth) = (Dice(7), Pairs::default(), vec![]);
    for left in 0..RECORDS {
        for right in 0..RECORDS {
            let belong = left == right && left < MATCHED;
            pairs.ends.push((left, right));
            truth.push(belong);
            for (m, u) in m.iter().zip(u) {
                let level = 1 + dice.level(if belong { m } else { u });
                pairs.agreements.push(Agreement { level, rarity: 0 });
            }
        }
    }
    let random: Vec<Vec<f64>> = u.iter().map(|u| [&[0.0], u.as_slice()].concat()).collect();
    let one_each = vec![1; RECORDS as usize];
    let pair_count = f64::from(RECORDS) * f64::from(RECORDS);
    let ends = Ends {
        left_rank: (0..one_each.len() as u32).collect(),
        left_order: (0..one_each.len() as u32).collect(),
        right_order: (0..one_each.len() as u32).rev().collect(),
        left: one_each.clone(),
        right: one_each,
        pair_count,
    };
    (learn((Watch::none(), &|_| {}), &fields, &random, &pairs, ends).unwrap(), truth)
}

#[test]
fn known_numbers_are_found_again() {
    let m = [[0.05, 0.05, 0.1, 0.2, 0.6], [0.2, 0.1, 0.1, 0.1, 0.5], [0.01, 0.04, 0.05, 0.1, 0.8]];
    let u = [[0.9, 0.05, 0.03, 0.015, 0.005], [0.8, 0.1, 0.05, 0.04, 0.01], [0.97, 0.01, 0.01, 0.009, 0.001]];
    let (taught, truth) = taught(&m, &u);
    for (found, known) in taught.model.fields.iter().zip(&m) {
        for (level, known) in known.iter().enumerate() {
            let found = found.m[level + 1];
            assert!((found - known).abs() < 0.07, "level {}: {found}, truly {known}", level + 1);
        }
    }
    let matches = taught.model.matches;
    assert!((matches - f64::from(MATCHED)).abs() < 25.0, "{matches} matches, truly {MATCHED}");
    // A probability is how often it is right: in ten bins, the mean of each against the truth.
    let mut bins = [(0.0, 0.0, 0.0); 10];
    for (&odds, &belong) in taught.odds.iter().zip(&truth) {
        let p = posterior::probability(odds);
        let bin = &mut bins[((p * 10.0) as usize).min(9)];
        *bin = (bin.0 + 1.0, bin.1 + p, bin.2 + f64::from(u8::from(belong)));
    }
    let apart: f64 = bins.iter().map(|b| (b.1 - b.2).abs()).sum::<f64>() / truth.len() as f64;
    assert!(apart < 0.01, "{apart} {bins:?}");
}

#[test]
fn sides_without_a_common_record_have_no_matches() {
    let u = [[0.9, 0.05, 0.03, 0.015, 0.005], [0.8, 0.1, 0.05, 0.04, 0.01]];
    // What the guess takes for matches is no more like one than the rest.
    let (taught, _) = taught(&u, &u);
    let sure = taught.odds.iter().filter(|&&odds| posterior::probability(odds) > 0.9).count();
    assert!(sure < 5, "{sure} of {} pairs", taught.odds.len());
}

#[test]
fn better_evidence_never_lowers_the_odds() {
    let m = [[0.1, 0.3, 0.05, 0.2, 0.35], [0.2, 0.1, 0.3, 0.1, 0.3]];
    let u = [[0.5, 0.05, 0.3, 0.1, 0.05], [0.4, 0.3, 0.1, 0.15, 0.05]];
    let model = taught(&m, &u).0.model;
    let levels = || (1..=5u8).flat_map(|a| (1..=5u8).map(move |b| (a, b)));
    let odds = |(a, b): (u8, u8)| {
        let agreements = [a, b].map(|level| Agreement { level, rarity: 0 });
        model.odds_of(bits(&model.tables(), &agreements))
    };
    for low in levels() {
        for high in levels().filter(|high| high.0 >= low.0 && high.1 >= low.1) {
            assert!(odds(high) >= odds(low), "{low:?} {high:?}");
        }
    }
    let alone = [1e-9, 0.5, 3.0, 1e4, 1e12];
    assert!(alone.windows(2).all(|w| model.sure_odds(w[0]) < model.sure_odds(w[1])));
    assert!(model.sure_odds(f64::MAX / 1e9) <= model.matches + 1.0001);
}

#[test]
fn learning_stops_when_asked() {
    let watch = Watch { cancelled: &|| true, progress: &|_| {} };
    let ends = Ends {
        left: vec![1],
        right: vec![1],
        pair_count: 1.0,
        left_order: vec![0],
        right_order: vec![0],
        left_rank: vec![0],
    };
    let pairs = Pairs { ends: vec![(0, 0)], agreements: vec![Agreement::default()], gave_up: 0 };
    assert!(learn((watch, &|_| {}), &fields(1), &[vec![0.0; 6]], &pairs, ends).is_err());
}

#[test]
fn a_part_of_very_many_pairs_teaches_the_same() {
    let m = [[0.05, 0.05, 0.1, 0.2, 0.6], [0.2, 0.1, 0.1, 0.1, 0.5], [0.01, 0.04, 0.05, 0.1, 0.8]];
    let u = [[0.9, 0.05, 0.03, 0.015, 0.005], [0.8, 0.1, 0.05, 0.04, 0.01], [0.97, 0.01, 0.01, 0.009, 0.001]];
    const RECORDS: u32 = 20_000;
    let nothing: [std::iter::Empty<u64>; 2] = [std::iter::empty(), std::iter::empty()];
    let [none, no_more] = nothing;
    let frequency = Frequency::of(none, no_more, [0, 0], Watch::none()).unwrap();
    let mut fields = fields(m.len());
    fields.push(Field::Amounts { frequency, flip: false });
    let (mut dice, mut pairs) = (Dice(11), Pairs::default());
    for left in 0..RECORDS {
        // Four of five have their record on the other side, and all others are near.
        for right in left.saturating_sub(10)..(left + 11).min(RECORDS) {
            pairs.ends.push((left, right));
            for (m, u) in m.iter().zip(&u) {
                let level = 1 + dice.level(if left == right && left % 5 > 0 { m } else { u });
                pairs.agreements.push(Agreement { level, rarity: 0 });
            }
            pairs.agreements.push(Agreement::default());
        }
    }
    let mut random: Vec<Vec<f64>> = u.iter().map(|u| [&[0.0], u.as_slice()].concat()).collect();
    random.push(vec![0.0; fields[m.len()].levels() + 1]);
    let order: Vec<u32> = (0..RECORDS).collect();
    let ends = Ends {
        left: vec![1; RECORDS as usize],
        right: vec![1; RECORDS as usize],
        pair_count: pairs.ends.len() as f64,
        left_order: order.clone(),
        right_order: order.clone(),
        left_rank: order,
    };
    let share = Sample::of(&pairs, &fields, &ends, Watch::none()).unwrap().share();
    assert!((0.25..0.4).contains(&share), "{share} of the records");
    let taught = learn((Watch::none(), &|_| {}), &fields, &random, &pairs, ends).unwrap();
    for (found, known) in taught.model.fields.iter().zip(&m) {
        for (level, known) in known.iter().enumerate() {
            let found = found.m[level + 1];
            assert!((found - known).abs() < 0.03, "level {}: {found}, truly {known}", level + 1);
        }
    }
    let matches = taught.model.matches;
    assert!((matches / 16_000.0 - 1.0).abs() < 0.03, "{matches} matches, truly 16,000");
    assert_eq!(taught.odds.len(), pairs.ends.len(), "all are judged");
    let right = |((&odds, &(left, right)), wanted): ((&f64, &(u32, u32)), bool)| {
        usize::from((posterior::probability(odds) > 0.9) == wanted && (left == right) == wanted)
    };
    let sure: usize = taught.odds.iter().zip(&pairs.ends).map(|pair| right((pair, true))).sum();
    assert!(sure > 12_000, "{sure} of 16,000 are sure");
}

#[test]
fn records_of_one_amount_are_sampled_together_and_a_sample_is_never_small() {
    const RECORDS: u32 = 30_000;
    let frequency = Frequency::of(std::iter::empty(), std::iter::empty(), [0, 0], Watch::none()).unwrap();
    let fields = [Field::Amounts { frequency, flip: false }];
    let mut pairs = Pairs::default();
    for left in 0..RECORDS {
        for right in 0..10 {
            pairs.ends.push((left, right));
            pairs.agreements.push(Agreement::default());
        }
    }
    let sample = |left_rank: Vec<u32>| {
        let ends = Ends {
            left: vec![1; RECORDS as usize],
            right: vec![1; 10],
            pair_count: 1.0,
            left_order: (0..RECORDS).collect(),
            right_order: (0..10).collect(),
            left_rank,
        };
        Sample::of(&pairs, &fields, &ends, Watch::none()).unwrap()
    };
    // Seven of each amount: all or none.
    let by_sevens = sample((0..RECORDS).map(|place| place / 7 * 7).collect());
    assert!((0.3..0.6).contains(&by_sevens.share()), "{}", by_sevens.share());
    let taken: std::collections::HashSet<u32> =
        by_sevens.pairs(&pairs).ends.iter().map(|&(left, _)| left).collect();
    for first in (0..RECORDS - 7).step_by(7) {
        assert!((first..first + 7).all(|place| taken.contains(&place) == taken.contains(&first)), "{first}");
    }
    // One amount that nearly all have: what is left is too few to learn from.
    let outside = RECORDS / 16 - 1;
    let crowded = sample((0..RECORDS).map(|place| if place < 8 { place } else { outside }).collect());
    assert_eq!(crowded.share(), 1.0);
}
