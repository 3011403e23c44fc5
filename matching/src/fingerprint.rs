//! Fingerprints of keys, and maps by them.

use crate::{Currency, Row};
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// 96 bits that stand for a key; two different keys with one fingerprint would take about 2^48 records.
/// Packed, so that a list of keys with their rows takes 16 bytes an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C, packed(4))]
pub(crate) struct Fingerprint {
    high: u64,
    low: u32,
}

impl Fingerprint {
    /// Bits to choose a partition or a bucket by.
    pub fn spread(self) -> u64 {
        self.high
    }

    /// That of the key together with an amount.
    pub fn beside(self, amount: u64, currency: Currency) -> Self {
        let mut hasher = KeyHasher(self.high, u64::from(self.low));
        hasher.number(amount);
        hasher.currency(currency);
        hasher.finish()
    }
}

/// A hasher for maps by [`Fingerprint`] or by hashes: hashing a hash again would be in vain.
#[derive(Clone, Default)]
pub(crate) struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 ^= hash;
    }

    fn write_u32(&mut self, _: u32) {}

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&b| self.0 = self.0.rotate_left(8) ^ u64::from(b));
    }
}

/// A hasher for maps by rows, which nobody chooses so that they collide: they count the records of a file.
#[derive(Clone, Default)]
pub(crate) struct ByRow(u64);

impl Hasher for ByRow {
    fn finish(&self) -> u64 {
        // The map wants the upper bits to differ as well.
        self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn write_u32(&mut self, row: u32) {
        self.0 = self.0.rotate_left(32) ^ u64::from(row);
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&b| self.0 = self.0.rotate_left(8) ^ u64::from(b));
    }
}

pub(crate) type RowMap<V> = HashMap<Row, V, BuildHasherDefault<ByRow>>;
pub(crate) type RowSet<T = Row> = HashSet<T, BuildHasherDefault<ByRow>>;

pub(crate) type FingerprintMap<V> = HashMap<Fingerprint, V, BuildHasherDefault<AsIs>>;
pub(crate) type HashedMap<V> = HashMap<u64, V, BuildHasherDefault<AsIs>>;

/// One bit per low bits of a fingerprint, to tell most of those that are not among some; small enough to stay in the
/// nearer caches.
pub(crate) struct FingerprintHints(Vec<u64>);

impl FingerprintHints {
    pub fn of(keys: impl Iterator<Item = Fingerprint>, len: usize) -> Self {
        let mut hints = vec![0u64; (len / 4 + 1).next_power_of_two()];
        for key in keys {
            let bit = key.spread() as usize & (hints.len() * 64 - 1);
            hints[bit / 64] |= 1 << (bit % 64);
        }
        FingerprintHints(hints)
    }

    pub fn may_have(&self, key: &Fingerprint) -> bool {
        let bit = key.spread() as usize & (self.0.len() * 64 - 1);
        self.0[bit / 64] >> (bit % 64) & 1 == 1
    }
}

/// Fingerprints, numbered; asked far more often about those it has not than about those it has.
pub(crate) struct FingerprintSet {
    hints: FingerprintHints,
    numbers: FingerprintMap<u32>,
}

impl FingerprintSet {
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    pub fn keys(&self) -> impl Iterator<Item = Fingerprint> {
        self.numbers.keys().copied()
    }

    pub fn has(&self, key: &Fingerprint) -> bool {
        self.number(key).is_some()
    }

    /// Below [`Self::len`].
    pub fn number(&self, key: &Fingerprint) -> Option<usize> {
        let may_have = self.hints.may_have(key);
        may_have.then(|| self.numbers.get(key).map(|&number| number as usize)).flatten()
    }
}

impl FromIterator<Fingerprint> for FingerprintSet {
    /// Each at most once.
    fn from_iter<I: IntoIterator<Item = Fingerprint>>(keys: I) -> Self {
        let numbers: FingerprintMap<u32> = keys.into_iter().zip(0..).collect();
        FingerprintSet { hints: FingerprintHints::of(numbers.keys().copied(), numbers.len()), numbers }
    }
}

/// Builds a [`Fingerprint`] from parts; (`ab`, `c`) and (`a`, `bc`) differ. The same on every machine.
#[derive(Clone, Copy)]
pub(crate) struct KeyHasher(u64, u64);

impl KeyHasher {
    pub fn new() -> Self {
        KeyHasher(0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f)
    }

    pub fn number(&mut self, number: u64) {
        crate::watch::steps::steps(1);
        self.0 = fold(self.0 ^ number, 0xa076_1d64_78bd_642f);
        self.1 = fold(self.1 ^ number.rotate_left(32), 0xe703_7ed1_a0b4_28db);
    }

    pub fn part(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        let (eights, rest) = bytes.as_chunks::<8>();
        eights.iter().for_each(|eight| self.number(u64::from_le_bytes(*eight)));
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            self.number(u64::from_le_bytes(last));
        }
    }

    pub fn currency(&mut self, currency: Currency) {
        self.part(currency.code());
    }

    pub fn finish(&self) -> Fingerprint {
        Fingerprint { high: self.finish_u64(), low: fold(self.1, 0x8ebc_6af0_9c88_c6e3) as u32 }
    }

    pub fn finish_u64(&self) -> u64 {
        fold(self.0 ^ self.1.rotate_left(17), 0x5899_65cc_7537_4cc3)
    }
}

fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    // Without the sum a zero would forget everything before it.
    (product as u64 ^ (product >> 64) as u64).wrapping_add(a)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_border_between_parts_counts() {
        let of = |parts: &[&str]| {
            let mut hasher = KeyHasher::new();
            parts.iter().for_each(|p| hasher.part(p));
            hasher.finish()
        };
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
        assert_ne!(of(&["a"]), of(&["a", ""]));
        assert_eq!(of(&["a", "b"]), of(&["a", "b"]));
    }
}
