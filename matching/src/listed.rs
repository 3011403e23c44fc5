//! Keys of [`crate::Normalise::List`]: which cell lists a record.

use crate::keys::{Column, HashedMap, with_normalised};
use crate::shared_keys::{hash, listed};
use crate::{Normalise, Records, Side};
use std::sync::Arc;

/// By the hash of each listed key that of its cell. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    side: Side,
    column: Column,
    cell_of: Arc<HashedMap<Option<u64>>>,
}

/// Those made for one run have read the same records.
impl PartialEq for Listed {
    fn eq(&self, other: &Self) -> bool {
        (self.side, self.column) == (other.side, other.column)
    }
}

impl Eq for Listed {}

impl Listed {
    /// Reads the lists in the `column` of `side`: 16 bytes a listed key.
    pub fn of(side: Side, records: &Records, column: Column) -> Self {
        let mut cell_of: HashedMap<Option<u64>> = HashedMap::default();
        for row in records.rows() {
            let text = column.text(records, row);
            let Some(cell) = hash_of(text) else { continue };
            for key in listed(text).filter_map(hash_of) {
                // What several cells list belongs to none.
                cell_of
                    .entry(key)
                    .and_modify(|of| *of = of.filter(|other| *other == cell))
                    .or_insert(Some(cell));
            }
        }
        Listed { side, column, cell_of: Arc::new(cell_of) }
    }

    /// The cell itself, or the one that lists the text.
    pub fn key(&self, text: &str, side: Side) -> Option<u64> {
        let own = hash_of(text)?;
        if side == self.side { Some(own) } else { self.cell_of.get(&own).copied().flatten() }
    }
}

fn hash_of(text: &str) -> Option<u64> {
    with_normalised(text, Normalise::Alphanumeric, |text| (!text.is_empty()).then(|| hash(text)))
}
