use super::index::{COMMON_DAYS_MAX, KEY_RECORDS_MAX, Posting, in_reach};
use super::*;
use crate::{Currency, Records, RecordsBuilder};
use proptest::prelude::*;

/// Records with these numbers for ids.
fn records(ids: &[usize]) -> Records {
    let mut builder = RecordsBuilder::new(vec![]);
    for (row, id) in ids.iter().enumerate() {
        builder.push(&format!("{id:04}"), row as u64, 0, Currency::parse("EUR").unwrap(), 0, &[]).unwrap();
    }
    builder.build()
}

/// Of each left record, the right places that are left with their bits; and how many gave up.
fn thinned(of_records: &[Vec<f32>], max: usize, order: &[usize]) -> (Vec<Vec<(usize, f32)>>, u64) {
    let records = records(order);
    let nodes: Vec<u32> = (0..order.len() as u32).collect();
    let mut found = Found::default();
    for (left, bits) in (0..).zip(of_records) {
        // The record with the id n shares so much.
        let votes = order.iter().enumerate().filter_map(|(at, &id)| Some((at, bits.get(id)?)));
        for (right, &bits) in votes {
            found.ends.push((left, right as u32));
            found.bits.push(bits);
        }
    }
    let right = Part { records: &records, nodes: &nodes };
    let thin = found.thinned(max, right, Watch::none()).unwrap();
    let mut left_over = vec![vec![]; of_records.len()];
    assert!(thin.ends.is_sorted());
    for (&(left, right), &bits) in thin.ends.iter().zip(&thin.bits) {
        left_over[left as usize].push((order[right as usize], bits));
    }
    left_over.iter_mut().for_each(|pairs| pairs.sort_by_key(|pair| pair.0));
    (left_over, thin.gave_up)
}

proptest! {
    #[test]
    fn of_too_many_pairs_each_record_keeps_its_best_whatever_the_order(
        of_records in prop::collection::vec(prop::collection::vec((0..4u8).prop_map(f32::from), 0..9), 1..12),
        max in 1..60usize,
        order in Just((0..9).collect::<Vec<usize>>()).prop_shuffle(),
    ) {
        let (kept, gave_up) = thinned(&of_records, max, &order);
        let total: usize = kept.iter().map(Vec::len).sum();
        let all: usize = of_records.iter().map(Vec::len).sum();
        prop_assert!(total <= max);
        if all <= max {
            prop_assert_eq!(total, all);
        }
        let each = kept.iter().map(Vec::len).max().unwrap_or(0);
        for (bits, kept) in of_records.iter().zip(&kept) {
            // The same number for everybody who has more.
            prop_assert_eq!(kept.len(), bits.len().min(each));
            let worst = kept.iter().map(|pair| pair.1).fold(f32::MAX, f32::min);
            let is_kept = |id: usize| kept.iter().any(|pair| pair.0 == id);
            prop_assert!(bits.iter().enumerate().all(|(id, &bits)| is_kept(id) || bits <= worst));
        }
        // One more for each would have been too many.
        let with_one_more: usize = of_records.iter().map(|bits| bits.len().min(each + 1)).sum();
        prop_assert!(all <= max || with_one_more > max);
        prop_assert_eq!(gave_up as usize, of_records.iter().filter(|bits| bits.len() > each).count());
        prop_assert_eq!(thinned(&of_records, max, &(0..9).collect::<Vec<_>>()), (kept, gave_up));
    }

    #[test]
    fn of_a_common_key_all_records_with_amounts_in_reach_are_found(
        mut all in prop::collection::vec((0..6i32, -50..50i64), 0..900),
        low in -60..60i64,
        width in 0..40i64,
    ) {
        all.sort_unstable();
        let postings: Vec<Posting> =
            all.iter().zip(0..).map(|(&(day, amount), place)| Posting { day, place, amount }).collect();
        let wanted: Vec<u32> = postings
            .iter()
            .filter(|p| (low..=low + width).contains(&p.amount))
            .map(|p| p.place)
            .collect();
        match in_reach(&postings, (low, low + width)) {
            Some(found) => prop_assert_eq!(found.iter().map(|p| p.place).collect::<Vec<_>>(), wanted),
            None => prop_assert!(wanted.len() > KEY_RECORDS_MAX),
        }
    }
}

#[test]
fn a_common_key_is_not_looked_for_on_more_days_than_that() {
    let on_days = |days: usize| -> Vec<Posting> {
        (0..days).map(|day| Posting { day: day as i32, place: day as u32, amount: 0 }).collect()
    };
    let found = |days| in_reach(&on_days(days), (0, 0)).map(|found| found.len());
    assert_eq!(found(COMMON_DAYS_MAX), Some(COMMON_DAYS_MAX));
    assert_eq!(found(COMMON_DAYS_MAX + 1), None);
}
