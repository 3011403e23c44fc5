//! Records of both sides gathered by key: the join under all passes with keys.

use crate::keys::Fingerprint;
use crate::{Cancelled, Watch};
use rayon::prelude::*;

/// All items with one key; both slices are non-empty and sorted.
pub(crate) struct Block<'a> {
    pub left: &'a [u32],
    pub right: &'a [u32],
}

/// Pieces handed out at once; between them progress is told.
const WAVES: usize = 8;
/// Keys per partition on average: it sorts within the second level cache.
const PARTITION_LEN: usize = 1 << 14;

/// Calls `visit` for every key that both sides have, in parallel, in no particular order.
///
/// `visit` adds what it finds to its list; the lists come back joined. `advance` is told the share done.
pub(crate) fn join<T: Send>(
    left: Vec<(Fingerprint, u32)>,
    right: Vec<(Fingerprint, u32)>,
    watch: Watch<'_>,
    advance: &(dyn Fn(f64) + Sync),
    visit: impl Fn(Block<'_>, &mut Vec<T>) -> Result<(), Cancelled> + Sync,
) -> Result<Vec<T>, Cancelled> {
    let partitions = ((left.len() + right.len()) / PARTITION_LEN + 1).next_power_of_two();
    let (left, right) =
        rayon::join(|| Partitions::of(left, partitions, watch), || Partitions::of(right, partitions, watch));
    let (mut left, mut right) = (left?, right?);
    let mut found = vec![];
    let wave = partitions.div_ceil(WAVES);
    let waves = left.split(wave).into_iter().zip(right.split(wave));
    for (i, (lefts, rights)) in waves.enumerate() {
        let lists = lefts.into_par_iter().zip(rights).map(|(left, right)| {
            watch.check()?;
            left.sort_unstable();
            right.sort_unstable();
            let (mut list, mut left_rows, mut right_rows) = (vec![], vec![], vec![]);
            let (mut left, mut right) = (&*left, &*right);
            while let (Some(&(l, _)), Some(&(r, _))) = (left.first(), right.first()) {
                if l != r {
                    let behind = if l < r { &mut left } else { &mut right };
                    *behind = &behind[1..];
                    continue;
                }
                take_rows(&mut left, l, &mut left_rows);
                take_rows(&mut right, l, &mut right_rows);
                visit(Block { left: &left_rows, right: &right_rows }, &mut list)?;
            }
            Ok(list)
        });
        for mut list in lists.collect::<Result<Vec<_>, Cancelled>>()? {
            if found.is_empty() {
                found = list;
            } else {
                found.append(&mut list);
            }
        }
        advance((i + 1) as f64 / WAVES as f64);
    }
    Ok(found)
}

/// Takes the items with `key` from the front, their rows into `rows`.
fn take_rows(items: &mut &[(Fingerprint, u32)], key: Fingerprint, rows: &mut Vec<u32>) {
    let len = items.iter().take_while(|item| item.0 == key).count();
    rows.clear();
    rows.extend(items[..len].iter().map(|&(_, row)| row));
    *items = &items[len..];
}

/// Items in the order of their partitions, in one piece.
struct Partitions {
    items: Vec<(Fingerprint, u32)>,
    ends: Vec<usize>,
}

impl Partitions {
    fn of(items: Vec<(Fingerprint, u32)>, count: usize, watch: Watch<'_>) -> Result<Self, Cancelled> {
        let partition = |key: Fingerprint| key.spread() as usize & (count - 1);
        let mut places = vec![0usize; count + 1];
        items.iter().for_each(|&(key, _)| places[partition(key) + 1] += 1);
        (0..count).for_each(|p| places[p + 1] += places[p]);
        let Some(&first) = items.first() else { return Ok(Partitions { items, ends: vec![0; count] }) };
        let mut sorted = vec![first; items.len()];
        for chunk in items.chunks(1 << 18) {
            watch.check()?;
            for &(key, row) in chunk {
                let place = &mut places[partition(key)];
                sorted[*place] = (key, row);
                *place += 1;
            }
        }
        // Every partition's place has moved on to its end.
        places.truncate(count);
        Ok(Partitions { items: sorted, ends: places })
    }

    /// The partitions, `wave` at a time.
    fn split(&mut self, wave: usize) -> Vec<Vec<&mut [(Fingerprint, u32)]>> {
        let (mut waves, mut rest, mut start) = (vec![], &mut self.items[..], 0);
        for ends in self.ends.chunks(wave) {
            let mut parts = Vec::with_capacity(ends.len());
            for &end in ends {
                let (part, behind) = rest.split_at_mut(end - start);
                parts.push(part);
                (rest, start) = (behind, end);
            }
            waves.push(parts);
        }
        waves
    }
}
