//! Finds ids that occur twice in a side.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use matching::Row;
use std::hash::{BuildHasher, RandomState};

/// Rows by the hash of their id. Holds no text: about twelve bytes a record, and equal hashes are settled by
/// looking at the records themselves, so that two different ids are never taken for the same.
#[derive(Default)]
pub(crate) struct SeenIds {
    /// With its hash, so that growing the table does not fetch every id from memory again.
    rows: HashTable<(Hash, Row)>,
    hasher: IdHasher,
}

/// Keyed at random, so that nobody can write a file whose ids all collide. Multiplies and folds eight bytes at a
/// time, as wyhash does (Wang Yi, public domain): less work than the standard hasher on short texts.
#[derive(Clone)]
pub(crate) struct IdHasher {
    start: u64,
    factor: u64,
}

impl Default for IdHasher {
    fn default() -> Self {
        let random = RandomState::new();
        IdHasher { start: random.hash_one(0), factor: random.hash_one(1) | 1 }
    }
}

impl IdHasher {
    pub fn hash(&self, id: &str) -> Hash {
        let (eights, rest) = id.as_bytes().as_chunks::<8>();
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        let words = eights.iter().chain(std::iter::once(&last)).map(|eight| u64::from_le_bytes(*eight));
        let mix = |hash: u64, word: u64| {
            let product = u128::from(hash ^ word) * u128::from(self.factor);
            // Without the sum a word equal to the hash would forget everything before it.
            (product as u64 ^ (product >> 64) as u64).wrapping_add(hash)
        };
        let hash = words.fold(self.start ^ id.len() as u64, mix);
        Hash((mix(hash, self.start) >> 32) as u32)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hash(u32);

impl Hash {
    /// What the table wants: its upper seven bits must differ, too.
    fn spread(self) -> u64 {
        u64::from(self.0).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

impl SeenIds {
    pub fn hasher(&self) -> &IdHasher {
        &self.hasher
    }

    /// Remembers that `row` has the id with this hash, unless another row has the same one: then that row.
    /// `has_it` says whether a row has the very id.
    pub fn insert(&mut self, hash: Hash, row: Row, has_it: impl Fn(Row) -> bool) -> Option<Row> {
        let is_it = |(other, row): &(Hash, Row)| *other == hash && has_it(*row);
        match self.rows.entry(hash.spread(), is_it, |(hash, _)| hash.spread()) {
            Entry::Occupied(known) => Some(known.get().1),
            Entry::Vacant(place) => {
                place.insert((hash, row));
                None
            }
        }
    }
}
