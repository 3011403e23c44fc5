//! Numbers the rows that have something among all rows: a bit a row instead of an empty place.

use crate::Row;

const BLOCK_ROWS: usize = 512;

#[derive(Debug, Default)]
pub(super) struct Rank {
    bits: Vec<u64>,
    /// Rows that have something before each block of rows.
    before: Vec<u32>,
}

impl Rank {
    /// `rows`: sorted, each below `count`.
    pub fn of(rows: impl Iterator<Item = Row>, count: usize) -> Self {
        let mut bits = vec![0u64; count.div_ceil(BLOCK_ROWS) * (BLOCK_ROWS / 64)];
        rows.for_each(|row| bits[row as usize / 64] |= 1 << (row % 64));
        let (blocks, _) = bits.as_chunks::<{ BLOCK_ROWS / 64 }>();
        let before = blocks.iter().scan(0, |sum, block| {
            let before = *sum;
            *sum += block.iter().map(|word| word.count_ones()).sum::<u32>();
            Some(before)
        });
        let before = before.collect();
        Rank { bits, before }
    }

    /// At least the count of rows it was made for; those beyond it have nothing.
    pub fn len(&self) -> usize {
        self.bits.len() * 64
    }

    /// How many rows before this one have something; `None` when it has nothing itself.
    pub fn get(&self, row: Row) -> Option<usize> {
        let (word, bit) = (row as usize / 64, row % 64);
        if self.bits[word] >> bit & 1 == 0 {
            return None;
        }
        let block = word / (BLOCK_ROWS / 64);
        let whole = self.bits[block * (BLOCK_ROWS / 64)..word].iter().map(|word| word.count_ones());
        let rest = (self.bits[word] & ((1 << bit) - 1)).count_ones();
        Some((self.before[block] + whole.sum::<u32>() + rest) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_numbered_in_their_order() {
        let rows: Vec<Row> = (0..5_000).filter(|row| row % 7 == 3 || (1_000..1_900).contains(row)).collect();
        let rank = Rank::of(rows.iter().copied(), 5_000);
        let numbered: Vec<Row> = (0..5_000).filter(|&row| rank.get(row).is_some()).collect();
        assert_eq!(numbered, rows);
        assert!(rows.iter().enumerate().all(|(i, &row)| rank.get(row) == Some(i)));
    }
}
