//! Records of both sides gathered by key: the join under all passes with keys.

use crate::keys::Fingerprint;
use crate::{Cancelled, Watch};
use rayon::prelude::*;

/// Which list an item of a [`Block`] came from.
#[derive(Debug, Clone, Copy)]
struct Item {
    key: Fingerprint,
    is_right: bool,
    row: u32,
}

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
    let mut parts: Vec<Vec<Item>> = vec![vec![]; partitions];
    for (is_right, items) in [(false, left), (true, right)] {
        for chunk in items.chunks(1 << 18) {
            watch.check()?;
            for &(key, row) in chunk {
                parts[key as usize & (partitions - 1)].push(Item { key, is_right, row });
            }
        }
    }
    let mut found = vec![];
    let wave = partitions.div_ceil(WAVES);
    for (i, wave) in parts.chunks_mut(wave).enumerate() {
        let lists = wave.par_iter_mut().map(|part| {
            watch.check()?;
            part.sort_unstable_by_key(|item| (item.key, item.is_right, item.row));
            let (mut list, mut rows) = (vec![], vec![]);
            for same in part.chunk_by(|a, b| a.key == b.key) {
                let lefts = same.partition_point(|item| !item.is_right);
                if lefts == 0 || lefts == same.len() {
                    continue;
                }
                rows.clear();
                rows.extend(same.iter().map(|item| item.row));
                visit(Block { left: &rows[..lefts], right: &rows[lefts..] }, &mut list)?;
            }
            *part = vec![];
            Ok(list)
        });
        for mut list in lists.collect::<Result<Vec<_>, Cancelled>>()? {
            found.append(&mut list);
        }
        advance((i + 1) as f64 / WAVES as f64);
    }
    Ok(found)
}
