//! Which statement something is, quickly.

use std::hash::Hasher;

/// Of a text that no outsider chooses: without a secret, and eight bytes at a time, since statements have thousands of bytes
/// and this runs for each. Two that meet share a name in figures, nothing worse.
pub(super) fn digest(sql: &str) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let (words, rest) = sql.as_bytes().as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let mixed = words.iter().chain([&last]).fold(sql.len() as u64, |sum, word| {
        let sum = (sum.rotate_left(29) ^ u64::from_le_bytes(*word)).wrapping_mul(ODD);
        sum ^ sum >> 32
    });
    mixed.wrapping_mul(ODD)
}

/// For keys that are digests.
#[derive(Default)]
pub(super) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0 << 8 | u64::from(*byte));
    }

    fn write_u64(&mut self, digest: u64) {
        self.0 = digest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn texts_that_differ_anywhere_differ() {
        let text = "SELECT id, kind FROM jobs WHERE state = 'available' AND id = ANY($1)";
        let mut texts =
            HashSet::from([text.to_owned(), String::new(), "\0".into(), "\0\0".into(), " ".repeat(8)]);
        for at in 0..text.len() {
            let with = |with: &str| format!("{}{with}{}", &text[..at], &text[at + 1..]);
            texts.extend(["x", "", "yz"].map(with));
        }
        let digests: HashSet<u64> = texts.iter().map(|text| digest(text)).collect();
        assert_eq!(digests.len(), texts.len());
    }
}
