//! Sorting that can be stopped: as fast as sorting in parallel is, with a look at the watch between pieces.

use crate::watch::steps::steps;
use crate::{Cancelled, Pulse, Watch};
use rayon::prelude::*;
use std::cmp::Ordering;

/// Shorter lists are sorted in one go, a few milliseconds.
const PIECE_LEN: usize = 1 << 15;
/// Items set on their side of a pivot between two looks.
const STRIDE: usize = 1 << 16;
/// A pivot that leaves less than one in so many on a side was a bad one, or has many equals.
const LOPSIDED: usize = 8;

/// In the end as `sort_unstable` leaves it where no two items are equal.
pub(crate) fn sort<T: Ord + Clone + Send>(items: &mut [T], watch: Watch<'_>) -> Result<(), Cancelled> {
    sort_by(items, watch, &Ord::cmp)
}

pub(crate) fn sort_by_key<T: Clone + Send, K: Ord>(
    items: &mut [T],
    watch: Watch<'_>,
    key: impl Fn(&T) -> K + Sync,
) -> Result<(), Cancelled> {
    sort_by(items, watch, &|a, b| key(a).cmp(&key(b)))
}

/// The same for large items, or keys that cost something: each key is made once, and an item moves once. Of equal keys the
/// first stays first. At most 2^32 items.
pub(crate) fn sort_by_kept_key<T: Send + Sync, K: Ord + Clone + Send>(
    items: &mut [T],
    watch: Watch<'_>,
    key: impl Fn(&T) -> K + Sync,
) -> Result<(), Cancelled> {
    let mut keys: Vec<(K, u32)> =
        items.par_iter().enumerate().map(|(at, item)| (key(item), at as u32)).collect();
    sort(&mut keys, watch)?;
    let mut from: Vec<u32> = keys.into_iter().map(|(_, at)| at).collect();
    let mut pulse = Pulse::new(watch);
    for first in 0..from.len() {
        // Each takes the place of the one before it, around to where the hole began.
        let mut hole = first;
        loop {
            pulse.beat(4)?;
            let next = std::mem::replace(&mut from[hole], hole as u32) as usize;
            if next == first {
                break;
            }
            items.swap(hole, next);
            hole = next;
        }
    }
    Ok(())
}

fn sort_by<T: Clone + Send>(
    items: &mut [T],
    watch: Watch<'_>,
    order: &(impl Fn(&T, &T) -> Ordering + Sync),
) -> Result<(), Cancelled> {
    watch.check()?;
    if items.len() <= PIECE_LEN {
        steps(items.len() * items.len().max(2).ilog2() as usize / 4);
        items.sort_unstable_by(order);
        return Ok(());
    }
    let pivot = middle_of_some(items, order);
    let less = split(items, watch, |item| order(item, &pivot) == Ordering::Less)?;
    let (low, mut high) = items.split_at_mut(less);
    if low.len() < high.len() / LOPSIDED {
        // At least the pivot itself is in its place then, so that there is always less to do.
        let equal = split(high, watch, |item| order(item, &pivot) != Ordering::Greater)?;
        high = &mut high[equal..];
    }
    let (low, high) = rayon::join(|| sort_by(low, watch, order), || sort_by(high, watch, order));
    low.and(high)
}

/// The middle one of a few from all over the list: the same for the same list.
fn middle_of_some<T: Clone>(items: &[T], order: &impl Fn(&T, &T) -> Ordering) -> T {
    const SOME: usize = 127;
    let mut places: Vec<usize> = (0..SOME).map(|i| i * (items.len() / SOME)).collect();
    places.sort_unstable_by(|&a, &b| order(&items[a], &items[b]).then(a.cmp(&b)));
    items[places[SOME / 2]].clone()
}

/// Those that are `first` to the front; how many there are.
fn split<T>(items: &mut [T], watch: Watch<'_>, is_first: impl Fn(&T) -> bool) -> Result<usize, Cancelled> {
    let mut count = 0;
    for i in 0..items.len() {
        if i % STRIDE == 0 {
            watch.check()?;
            steps(STRIDE / 4);
        }
        // Without a branch, for there is no guessing it.
        items.swap(count, i);
        count += usize::from(is_first(&items[count]));
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    fn spread(i: u64) -> u64 {
        let z = i.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z ^ z >> 29
    }

    #[test]
    fn sorted_is_sorted() {
        let lists: [(&str, Vec<u64>); 6] = [
            ("short", (0..1_000).map(spread).collect()),
            ("any", (0..300_000).map(spread).collect()),
            ("in order", (0..300_000).collect()),
            ("backwards", (0..300_000).rev().collect()),
            ("few values", (0..300_000).map(|i| spread(i) % 7).collect()),
            ("all the same", vec![5; 300_000]),
        ];
        for (name, list) in lists {
            let (mut found, mut expected) = (list.clone(), list);
            sort(&mut found, Watch::none()).unwrap();
            expected.sort_unstable();
            assert!(found == expected, "{name}");
            found.iter_mut().for_each(|n| *n ^= 0xffff);
            sort_by_key(&mut found, Watch::none(), |&n| std::cmp::Reverse(n)).unwrap();
            assert!(found.is_sorted_by(|a, b| a >= b), "{name}, backwards");
            let mut stable: Vec<(u64, usize)> = found.iter().map(|n| n % 1000).zip(0..).collect();
            let mut expected = stable.clone();
            expected.sort_by_key(|item| item.0);
            sort_by_kept_key(&mut stable, Watch::none(), |item| item.0).unwrap();
            assert!(stable == expected, "{name}, by kept keys");
        }
    }

    #[test]
    fn a_sort_stops_at_any_look() {
        let list: Vec<u64> = (0..300_000).map(spread).collect();
        let looks = AtomicUsize::new(0);
        let count = || {
            looks.fetch_add(1, Relaxed);
            false
        };
        sort(&mut list.clone(), Watch { cancelled: &count, progress: &|_| {} }).unwrap();
        let all = looks.into_inner();
        assert!(all > 10, "{all}");
        for stop_at in [0, 1, all / 2, all - 1] {
            let looks = AtomicUsize::new(0);
            let stop = || looks.fetch_add(1, Relaxed) >= stop_at;
            let watch = Watch { cancelled: &stop, progress: &|_| {} };
            assert_eq!(sort(&mut list.clone(), watch), Err(Cancelled), "at {stop_at} of {all}");
        }
    }
}
