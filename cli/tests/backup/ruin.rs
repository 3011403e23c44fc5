//! Ways in which a stored object can go wrong, chosen by numbers that are the same in every run.

use std::path::Path;

/// xorshift64*, after Vigna (2016): the same sequence for the same seed.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.max(1))
    }

    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(high).expect("31 bits") % end.max(1)
    }
}

/// Spoils the object at `path`, which held `good`; says how. The result always differs from what was there.
pub fn ruin(path: &Path, good: &[u8], dice: &mut Dice) -> &'static str {
    let mut bytes = good.to_vec();
    let at = dice.below(bytes.len());
    let how = match dice.below(7) {
        0 => {
            bytes[at] ^= 1 << dice.below(8);
            "a flipped bit"
        }
        1 => {
            bytes.truncate(at);
            "a truncation"
        }
        2 => {
            let end = bytes.len().min(at + 1 + dice.below(4096));
            bytes[at..end].fill(0);
            "a run of zeros"
        }
        3 => {
            bytes.extend_from_slice(&good[..good.len().min(1 + dice.below(64))]);
            "an appendix"
        }
        4 => {
            bytes.remove(at);
            "a lost byte"
        }
        5 => {
            bytes.insert(at, 0x5a);
            "an inserted byte"
        }
        _ => {
            std::fs::remove_file(path).expect("removing");
            return "a removal";
        }
    };
    if bytes == good {
        // The run was of zeros already.
        bytes[at] ^= 1;
    }
    std::fs::write(path, bytes).expect("writing");
    how
}
