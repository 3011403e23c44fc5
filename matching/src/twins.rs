//! Records of one side that are equal in all but id and line: no rule can tell them apart.

use crate::keys::{KeyHasher, RowMap};
use crate::sorted;
use crate::{Cancelled, Pulse, Records, Row, Watch};
use rayon::prelude::*;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// Stands for a record and its twins: the row of the one with the smallest id.
pub(crate) type Node = Row;

/// The twins of one side. Most records have none and stand for themselves.
#[derive(Debug, Default)]
pub(crate) struct Twins {
    /// Only records with twins; each list by id.
    rows_of: RowMap<Vec<Row>>,
    node_of: RowMap<Node>,
    /// A bit for each record that has one; nothing when none has. Nearly every question ends here.
    has_twin: Vec<u64>,
}

impl Twins {
    /// Nobody has a twin: right where a rule reads the ids, for then they tell twins apart.
    pub fn none() -> Self {
        Self::default()
    }

    pub fn find(records: &Records, watch: Watch<'_>) -> Result<Self, Cancelled> {
        let fields = records.field_names().len();
        let mut hashes: Vec<(u64, Row)> = (0..records.len() as Row)
            .into_par_iter()
            .map_init(
                || Pulse::new(watch),
                |pulse, row| {
                    pulse.beat(16)?;
                    let mut hasher = KeyHasher::new();
                    hasher.number(records.amount(row).cast_unsigned());
                    hasher.number(u64::from(records.date(row).cast_unsigned()));
                    hasher.currency(records.currency(row));
                    (0..fields).for_each(|f| hasher.part(records.field(f, row)));
                    Ok((hasher.finish_u64(), row))
                },
            )
            .collect::<Result<_, Cancelled>>()?;
        hashes = perhaps_shared(&hashes, watch)?;
        sorted::sort(&mut hashes, watch)?;
        let mut twins = Twins::default();
        let mut pulse = Pulse::new(watch);
        for run in hashes.chunk_by(|a, b| a.0 == b.0).filter(|run| run.len() > 1) {
            let mut rows: Vec<Row> = run.iter().map(|&(_, row)| row).collect();
            pulse.beat(rows.len() as u32 * 8)?;
            // Equal hashes are nearly always equal records; sorting by content splits the rest.
            rows.sort_by(|&a, &b| contents(records, a).cmp(contents(records, b)).then(by_id(records, a, b)));
            for same in rows.chunk_by(|&a, &b| contents(records, a).eq(contents(records, b))) {
                if let [node, _, ..] = *same {
                    twins.rows_of.insert(node, same.to_vec());
                    twins.node_of.extend(same.iter().map(|&row| (row, node)));
                    twins.has_twin.resize(records.len().div_ceil(64), 0);
                    same.iter().for_each(|&row| twins.has_twin[row as usize / 64] |= 1 << (row % 64));
                }
            }
        }
        Ok(twins)
    }

    pub fn node(&self, row: Row) -> Node {
        if self.has(row) { self.node_of.get(&row).copied().unwrap_or(row) } else { row }
    }

    /// How many records the node stands for.
    pub fn count(&self, node: Node) -> u32 {
        self.of_node(node).map_or(1, |rows| rows.len() as u32)
    }

    /// All records of a node, by id; `None` when it is only the record itself.
    pub fn of_node(&self, node: Node) -> Option<&[Row]> {
        if self.has(node) { self.rows_of.get(&node).map(Vec::as_slice) } else { None }
    }

    fn has(&self, row: Row) -> bool {
        self.has_twin.get(row as usize / 64).is_some_and(|bits| bits >> (row % 64) & 1 == 1)
    }
}

/// All that have their hash in common with another one, and a few more: one in thirty that have it alone.
///
/// Most records have no twin, and to see that a bit a hash is enough, where sorting takes ten times as long.
fn perhaps_shared(hashes: &[(u64, Row)], watch: Watch<'_>) -> Result<Vec<(u64, Row)>, Cancelled> {
    let words = (hashes.len() / 2 + 1).next_power_of_two();
    let bits = || (0..words).map(|_| AtomicU64::new(0)).collect::<Vec<_>>();
    let (seen, seen_twice) = (bits(), bits());
    let place = |hash: u64| ((hash as usize / 64) & (words - 1), 1u64 << (hash % 64));
    hashes.par_chunks(1 << 14).try_for_each(|hashes| {
        watch.check()?;
        for (word, bit) in hashes.iter().map(|&(hash, _)| place(hash)) {
            if seen[word].fetch_or(bit, Relaxed) & bit != 0 {
                seen_twice[word].fetch_or(bit, Relaxed);
            }
        }
        Ok(())
    })?;
    let lists = hashes.par_chunks(1 << 14).map(|hashes| {
        watch.check()?;
        let is_shared = |&&(hash, _): &&(u64, Row)| {
            let (word, bit) = place(hash);
            seen_twice[word].load(Relaxed) & bit != 0
        };
        Ok(hashes.iter().filter(is_shared).copied().collect::<Vec<_>>())
    });
    Ok(lists.collect::<Result<Vec<_>, Cancelled>>()?.concat())
}

/// The order that does not depend on where in its file a record stands.
pub(crate) fn by_id(records: &Records, a: Row, b: Row) -> std::cmp::Ordering {
    records.id(a).cmp(records.id(b)).then(a.cmp(&b))
}

fn contents(records: &Records, row: Row) -> impl Iterator<Item = Content<'_>> {
    let numbers = Content::Numbers(records.amount(row), records.date(row), records.currency(row));
    let texts = (0..records.field_names().len()).map(move |f| Content::Text(records.field(f, row)));
    std::iter::once(numbers).chain(texts)
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Content<'r> {
    Numbers(i64, i32, crate::Currency),
    Text(&'r str),
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn none_that_shares_its_hash_is_left_out(hashes in prop::collection::vec(0..300u64, 0..200)) {
            let all: Vec<(u64, Row)> = hashes.into_iter().zip(0..).collect();
            let kept = perhaps_shared(&all, Watch::none()).unwrap();
            let is_shared = |&&(hash, row): &&(u64, Row)| all.iter().any(|&(h, r)| h == hash && r != row);
            let shared: Vec<(u64, Row)> = all.iter().filter(is_shared).copied().collect();
            let of_kept: Vec<(u64, Row)> = kept.iter().filter(is_shared).copied().collect();
            prop_assert_eq!(of_kept, shared);
            prop_assert!(kept.is_sorted_by_key(|&(_, row)| row));
        }
    }
}
