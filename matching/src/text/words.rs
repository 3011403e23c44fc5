//! The texts of one side as lists of words, each word a number.

use super::TextSource;
use super::rank::Rank;
use super::vocabulary::Vocabulary;
use super::word::{Outline, WORD_BYTES_MAX, is_reference};
use crate::keys::{HashedMap, KeyHasher, push_upper};
use crate::{Cancelled, Pulse, Row, Watch};
use rayon::prelude::*;
use std::ops::Range;

/// Words kept of one text, the first ones. A head counts them in a byte.
const WORDS_MAX: usize = 24;

/// A word's number; the highest bit says that it is a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct WordId(pub u32);

impl WordId {
    const REFERENCE: u32 = 1 << 31;

    pub fn of(number: u32, is_reference: bool) -> Self {
        WordId(number | if is_reference { Self::REFERENCE } else { 0 })
    }

    pub fn is_reference(self) -> bool {
        self.0 & Self::REFERENCE != 0
    }

    pub fn number(self) -> usize {
        (self.0 & !Self::REFERENCE) as usize
    }
}

/// The words of one side's texts, and what they weigh together.
#[derive(Debug, Default)]
pub(super) struct Words {
    words: Vec<WordId>,
    /// Of each of the words.
    outlines: Vec<Outline>,
    /// Of each of the words, as the vocabulary has it: one by one they would be read from anywhere in it.
    weights: Vec<f32>,
    /// Which rows have a text with words; those are numbered.
    rank: Rank,
    heads: Vec<Head>,
}

/// All there is to know of a text before its words, side by side.
#[derive(Debug, Clone, Copy)]
struct Head {
    start: u32,
    len: u8,
    has_references: bool,
    weight: f64,
    weight_without_references: f64,
}

/// One text.
#[derive(Clone, Copy)]
pub(super) struct Text<'w> {
    pub words: &'w [WordId],
    pub outlines: &'w [Outline],
    pub weights: &'w [f32],
    pub has_references: bool,
    /// What all words weigh together.
    pub weight: f64,
    pub weight_without_references: f64,
}

impl Head {
    fn places(&self) -> Range<usize> {
        self.start as usize..self.start as usize + usize::from(self.len)
    }
}

impl Words {
    /// Empty where the row has no text.
    pub fn of(&self, row: Row) -> &[WordId] {
        self.rank.get(row).map_or(&[], |number| self.words_of(&self.heads[number]))
    }

    pub fn text(&self, row: Row) -> Option<Text<'_>> {
        let head = &self.heads[self.rank.get(row)?];
        let &Head { has_references, weight, weight_without_references, .. } = head;
        let (words, outlines) = (self.words_of(head), &self.outlines[head.places()]);
        let weights = &self.weights[head.places()];
        Some(Text { words, outlines, weights, has_references, weight, weight_without_references })
    }

    /// Reads a little of each text. They lie anywhere: one after the other, each would wait for memory; together they wait
    /// at the same time.
    pub fn fetch(&self, rows: impl Iterator<Item = Row> + Clone) {
        let heads = rows.filter_map(|row| self.rank.get(row)).map(|number| &self.heads[number]);
        heads.clone().for_each(|head| {
            std::hint::black_box(head.start);
        });
        for start in heads.map(|head| head.start as usize) {
            std::hint::black_box((self.words[start], self.outlines[start], self.weights[start]));
        }
    }

    /// Forgets the texts of all other rows, and gives their memory back.
    pub fn keep(&mut self, is_wanted: impl Fn(Row) -> bool, watch: Watch<'_>) -> Result<(), Cancelled> {
        let mut pulse = Pulse::new(watch);
        let (mut rows, mut heads, mut words) = (vec![], 0, 0);
        for row in 0..self.rank.len() as Row {
            pulse.beat(1)?;
            let Some(number) = self.rank.get(row).filter(|_| is_wanted(row)) else { continue };
            // To the front, over what is forgotten.
            let head = self.heads[number];
            self.words.copy_within(head.places(), words);
            self.outlines.copy_within(head.places(), words);
            self.weights.copy_within(head.places(), words);
            self.heads[heads] = Head { start: words as u32, ..head };
            rows.push(row);
            (heads, words) = (heads + 1, words + usize::from(head.len));
        }
        self.words.truncate(words);
        self.outlines.truncate(words);
        self.weights.truncate(words);
        self.heads.truncate(heads);
        self.words.shrink_to_fit();
        self.outlines.shrink_to_fit();
        self.weights.shrink_to_fit();
        self.heads.shrink_to_fit();
        self.rank = Rank::of(rows.into_iter(), self.rank.len());
        Ok(())
    }

    fn words_of(&self, head: &Head) -> &[WordId] {
        &self.words[head.places()]
    }

    /// Joins chunks of texts whose words were given their numbers.
    pub fn join(chunks: Vec<Chunk>, watch: Watch<'_>) -> Result<Self, Cancelled> {
        let mut all = Words::default();
        all.words.reserve_exact(chunks.iter().map(|c| c.words.len()).sum());
        let (mut rows, mut count) = (vec![], 0);
        for chunk in chunks {
            watch.check()?;
            let (before, mut start) = (all.words.len() as u32, 0);
            all.words.extend(chunk.words.iter().map(|&word| WordId(word)));
            for (row, end) in (count as Row..).zip(&chunk.ends) {
                if *end > start {
                    rows.push(row);
                    all.heads.push(Head {
                        start: before + start,
                        len: (end - start) as u8,
                        has_references: false,
                        weight: 0.0,
                        weight_without_references: 0.0,
                    });
                    start = *end;
                }
            }
            count += chunk.ends.len();
        }
        all.rank = Rank::of(rows.into_iter(), count);
        Ok(all)
    }

    /// Looks up what the vocabulary knows of the words.
    pub fn weigh(&mut self, vocabulary: &Vocabulary, watch: Watch<'_>) -> Result<(), Cancelled> {
        let words = &self.words;
        let of = |&word| (vocabulary.word(word).outline(), vocabulary.word(word).weight);
        words.par_iter().map(of).unzip_into_vecs(&mut self.outlines, &mut self.weights);
        let weights = &self.weights;
        self.heads.par_chunks_mut(8192).try_for_each(|heads| {
            watch.check()?;
            for head in heads {
                for (&word, &weight) in words[head.places()].iter().zip(&weights[head.places()]) {
                    let weight = f64::from(weight);
                    head.weight += weight;
                    if word.is_reference() {
                        head.has_references = true;
                    } else {
                        head.weight_without_references += weight;
                    }
                }
            }
            Ok(())
        })
    }
}

/// Some texts, their words numbered among themselves in the order in which they come.
#[derive(Default)]
pub(super) struct Chunk {
    /// A word each: by its number in the chunk, later by its [`WordId`].
    pub words: Vec<u32>,
    pub ends: Vec<u32>,
    pub distinct: Vec<Distinct>,
    pub letters: Vec<u8>,
}

/// One of the different words of a chunk.
pub(super) struct Distinct {
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
            self.distinct.push(Distinct { hash, start, len, is_reference, texts: 0 });
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
