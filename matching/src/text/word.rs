//! Single words, and how alike two of them are.

use rapidfuzz::distance::osa;

/// Bytes kept of one word.
pub(super) const WORD_BYTES_MAX: usize = 48;
/// Digits that make a word a reference rather than a quantity.
const REFERENCE_DIGITS_MIN: usize = 4;
/// Two words with fewer letters in common than this are different words, not misspelt ones.
const ALIKE_MIN: f64 = 0.7;
/// References differ by a digit from their neighbours as well as from their own misprints: a near miss
/// counts less than a misspelt word does.
const REFERENCE_NEAR: f64 = 0.8;
/// What a word counts that is the beginning of the other: `LOGIST.` for `Logistics`.
const PREFIX: f64 = 0.9;
const PREFIX_CHARS_MIN: usize = 3;

/// What is known of a word, all texts taken together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word {
    /// One bit per letter or digit the word has, others sharing them: to tell most words apart at a glance.
    pub letters: u64,
    pub start: u64,
    /// In (0, 1]: near 0 for a word that every text has, 1 for one that no other has.
    pub weight: f32,
    pub len: u8,
    /// Texts of both sides have it.
    pub is_known: bool,
}

/// What tells most words apart, in four bytes: a bit for each letter from A to Z, one for all else, and the length.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outline(u32);

impl Outline {
    const PLAIN_BITS: u32 = 26;
    const PLAIN: u32 = (1 << Self::PLAIN_BITS) - 1;
    const LEN_AT: u32 = 27;
    /// This length and every larger one.
    const LONG: u32 = 31;

    /// As [`Word::is_other_than`], which is true of all words of which this is.
    pub fn is_other_than(self, other: Outline) -> bool {
        let letters = |outline: Outline| outline.0 & ((1 << Self::LEN_AT) - 1);
        let (only_self, only_other) = (letters(self) & !letters(other), letters(other) & !letters(self));
        if only_self == 0 || only_other == 0 {
            return false;
        }
        let len = match (self.0 >> Self::LEN_AT).max(other.0 >> Self::LEN_AT) {
            Self::LONG => WORD_BYTES_MAX as u32,
            len => len,
        };
        let edits = only_self.count_ones().max(only_other.count_ones());
        f64::from(edits) > (1.0 - ALIKE_MIN) * f64::from(len) + 1e-9
    }
}

pub(super) fn letters_of(word: &[u8]) -> u64 {
    word.iter().fold(0, |bits, letter| bits | 1 << (letter & 63))
}

pub(super) fn is_reference(word: &[u8]) -> bool {
    word.iter().filter(|b| b.is_ascii_digit()).count() >= REFERENCE_DIGITS_MIN
}

impl Word {
    /// See [`Outline`].
    pub fn outline(&self) -> Outline {
        let plain = (self.letters >> 1) as u32 & Outline::PLAIN;
        let has_others = self.letters & !(u64::from(Outline::PLAIN) << 1) != 0;
        let len = u32::from(self.len).min(Outline::LONG);
        Outline(plain | u32::from(has_others) << Outline::PLAIN_BITS | len << Outline::LEN_AT)
    }

    /// Certain when true. Each letter that only one of two words has takes an edit of its own, and so many
    /// edits may not be; a word that begins the other has no letter of its own.
    pub fn is_other_than(&self, other: &Word) -> bool {
        let (only_self, only_other) = (self.letters & !other.letters, other.letters & !self.letters);
        if only_self == 0 || only_other == 0 {
            return false;
        }
        let edits = only_self.count_ones().max(only_other.count_ones());
        f64::from(edits) > (1.0 - ALIKE_MIN) * f64::from(self.len.max(other.len)) + 1e-9
    }
}

/// Both are references, or neither is.
pub(super) fn alike(a: &[u8], b: &[u8], references: bool) -> f64 {
    let alike = if references { alike_references(a, b) * REFERENCE_NEAR } else { alike_words(a, b) };
    debug_assert!((0.0..=1.0).contains(&alike));
    alike
}

fn alike_references(a: &[u8], b: &[u8]) -> f64 {
    let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
    // `00004711` is the end of `INV00004711`.
    if short.len() >= REFERENCE_DIGITS_MIN && long.ends_with(short) {
        1.0
    } else {
        alike_letters(short, long)
    }
}

fn alike_words(a: &[u8], b: &[u8]) -> f64 {
    let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
    if short.len() >= PREFIX_CHARS_MIN && long.starts_with(short) {
        PREFIX
    } else {
        alike_letters(short, long)
    }
}

fn alike_letters(short: &[u8], long: &[u8]) -> f64 {
    if (short.len() as f64) < ALIKE_MIN * long.len() as f64 {
        return 0.0;
    }
    let args = osa::Args::default().score_cutoff(ALIKE_MIN);
    osa::normalized_similarity_with_args(short.iter().copied(), long.iter().copied(), &args).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outline_never_tells_apart_what_the_letters_do_not() {
        let words = [
            "A",
            "B",
            "GMBH",
            "MUELLER",
            "MEULLER",
            "MILLER",
            "OPTICS",
            "OPT",
            "1ST",
            "2ND",
            "Ä",
            "ÄÖÜ",
            "GESCHAEFTSFUEHRUNGSGESELLSCHAFTMBH",
            "GESCHAEFTSFUEHRERGESELLSCHAFTENMBH",
            "日本",
            "X99",
        ];
        let word = |text: &str| Word {
            letters: letters_of(text.as_bytes()),
            start: 0,
            weight: 1.0,
            len: text.len() as u8,
            is_known: false,
        };
        let mut told_apart = 0;
        for (a, b) in words.iter().flat_map(|a| words.iter().map(move |b| (word(a), word(b)))) {
            let outlines = a.outline().is_other_than(b.outline());
            assert!(!outlines || a.is_other_than(&b), "{a:?} {b:?}");
            told_apart += u32::from(outlines);
        }
        assert!(told_apart > 100, "{told_apart}");
    }
}
