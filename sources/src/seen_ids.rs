//! Finds ids that occur twice in a side.

use hashbrown::HashTable;
use matching::{Records, Row};
use std::hash::{BuildHasher, RandomState};

/// Rows by the hash of their id. Holds no text: about twelve bytes a record, and equal hashes are settled by
/// looking at the records themselves, so that two different ids are never taken for the same.
#[derive(Default)]
pub(crate) struct SeenIds {
    /// With its hash, so that growing the table does not fetch every id from memory again.
    rows: HashTable<(Hash, Row)>,
    /// Keyed at random, so that nobody can write a file whose ids all collide.
    hasher: RandomState,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Hash(u32);

impl Hash {
    /// What the table wants: its upper seven bits must differ, too.
    fn spread(self) -> u64 {
        u64::from(self.0).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

impl SeenIds {
    /// The row of `records` that already has `id`.
    pub fn row_of(&self, id: &str, records: &Records) -> Option<Row> {
        let hash = self.hash(id);
        let found = self.rows.find(hash.spread(), |(other, row)| *other == hash && records.id(*row) == id);
        found.map(|(_, row)| *row)
    }

    /// Remembers that `row` has `id`.
    pub fn insert(&mut self, id: &str, row: Row) {
        let hash = self.hash(id);
        self.rows.insert_unique(hash.spread(), (hash, row), |(hash, _)| hash.spread());
    }

    fn hash(&self, id: &str) -> Hash {
        Hash((self.hasher.hash_one(id) >> 32) as u32)
    }
}
