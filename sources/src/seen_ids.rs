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

/// Keyed at random, so that nobody can write a file whose ids all collide.
#[derive(Clone, Default)]
pub(crate) struct IdHasher(RandomState);

impl IdHasher {
    pub fn hash(&self, id: &str) -> Hash {
        Hash((self.0.hash_one(id) >> 32) as u32)
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
