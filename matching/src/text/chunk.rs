//! The words of some texts, before the vocabulary of all texts is known.

use super::TextSource;
use super::word::{WORD_BYTES_MAX, is_reference};
use super::words::WordId;
use crate::Row;
use crate::keys::{HashedMap, KeyHasher, push_upper};
use std::ops::Range;

/// Words kept of one text, the first ones. A head counts them in a byte.
const WORDS_MAX: usize = 24;

/// Some texts, their words numbered among themselves in the order in which they come.
#[derive(Default)]
pub(super) struct Chunk {
    /// A word each, by its number in the chunk.
    pub words: Vec<u32>,
    pub ends: Vec<u32>,
    pub distinct: Vec<Distinct>,
    pub letters: Vec<u8>,
}

/// One of the different words of a chunk.
pub(super) struct Distinct {
    /// In the vocabulary, once that is known.
    pub id: WordId,
    pub hash: u64,
    pub start: u32,
    pub len: u8,
    pub is_reference: bool,
    /// Texts of the chunk that have it.
    pub texts: u32,
}

impl Chunk {
    /// Texts in a chunk; so many words fit the second level cache.
    pub const TEXTS: usize = 8192;

    /// The words of each text.
    pub fn texts(&self) -> impl Iterator<Item = &[u32]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.words[start as usize..end as usize])
    }

    pub fn letters(&self, distinct: &Distinct) -> &[u8] {
        &self.letters[distinct.start as usize..distinct.start as usize + usize::from(distinct.len)]
    }

    /// `numbers` may hold anything before; it has grown for the next chunk then.
    pub fn read(source: &TextSource<'_>, rows: Range<Row>, numbers: &mut HashedMap<u32>) -> Self {
        let mut chunk = Chunk { ends: Vec::with_capacity(rows.len()), ..Chunk::default() };
        let mut buffer = String::new();
        numbers.clear();
        for row in rows {
            if (source.wanted)(row) {
                chunk.push_text(source, row, numbers, &mut buffer);
            }
            chunk.ends.push(chunk.words.len() as u32);
        }
        chunk
    }

    fn push_text(
        &mut self,
        source: &TextSource<'_>,
        row: Row,
        numbers: &mut HashedMap<u32>,
        buffer: &mut String,
    ) {
        let (first, mut left) = (self.words.len(), WORDS_MAX);
        for text in source.columns.iter().map(|c| c.text(source.records, row)) {
            left = each_word(text, left, buffer, |letters| self.push_word(first, letters, numbers));
        }
    }

    /// `first`: where the words of its text begin.
    fn push_word(&mut self, first: usize, letters: &[u8], numbers: &mut HashedMap<u32>) {
        let mut hasher = KeyHasher::new();
        hasher.bytes(letters);
        let hash = hasher.finish_u64();
        let number = *numbers.entry(hash).or_insert_with(|| {
            let (start, len) = (self.letters.len() as u32, letters.len() as u8);
            self.letters.extend_from_slice(letters);
            let is_reference = is_reference(letters);
            self.distinct.push(Distinct { id: WordId(0), hash, start, len, is_reference, texts: 0 });
            self.distinct.len() as u32 - 1
        });
        if !self.words[first..].contains(&number) {
            self.distinct[number as usize].texts += 1;
        }
        self.words.push(number);
    }
}

/// Calls `found` with the letters of each word, upper case and cut, of the first `left` ones; how many more there may be
/// then. `buffer` may hold anything before and after.
fn each_word(text: &str, mut left: usize, buffer: &mut String, mut found: impl FnMut(&[u8])) -> usize {
    if !text.is_ascii() {
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        for word in words.take(left) {
            buffer.clear();
            push_upper(word, buffer);
            let mut len = buffer.len().min(WORD_BYTES_MAX);
            while !buffer.is_char_boundary(len) {
                len -= 1;
            }
            found(&buffer.as_bytes()[..len]);
            left -= 1;
        }
        return left;
    }
    // The same for plain texts, byte by byte.
    let (mut letters, mut len) = ([0u8; WORD_BYTES_MAX], 0);
    for byte in text.bytes().chain([b' ']) {
        if byte.is_ascii_alphanumeric() {
            if len < WORD_BYTES_MAX {
                letters[len] = byte.to_ascii_uppercase();
                len += 1;
            }
        } else if len > 0 {
            if left == 0 {
                return 0;
            }
            found(&letters[..len]);
            (left, len) = (left - 1, 0);
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(text: &str, left: usize) -> (Vec<String>, usize) {
        let mut all = vec![];
        let left = each_word(text, left, &mut String::new(), |letters| {
            all.push(String::from_utf8(letters.to_vec()).unwrap());
        });
        (all, left)
    }

    proptest! {
        #[test]
        fn plain_texts_are_read_as_all_others(text in "[ -~]{0,80}|[a-z]{0,120}( [A-Z0-9]{1,60})?", left in 0..6usize) {
            // Punctuation beyond ASCII belongs to no word.
            let long_way = words(&format!("{text}\u{2014}"), left);
            prop_assert_eq!(words(&text, left), long_way);
        }
    }
}
