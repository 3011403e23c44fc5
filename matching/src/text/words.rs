//! The texts of one side as lists of words, each word a number.

use super::TextSource;
use super::rank::Rank;
use super::word::{WORD_BYTES_MAX, is_reference};
use crate::keys::{HashedMap, KeyHasher, push_upper};
use crate::{Cancelled, Row, Watch};
use rayon::prelude::*;

/// Words kept of one text, the first ones.
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
    /// Which rows have a text with words; those are numbered, and what follows is by their numbers.
    rank: Rank,
    ends: Vec<u32>,
    /// Of all words, and of those that are no references.
    weights: Vec<(f64, f64)>,
}

/// One text.
#[derive(Clone, Copy)]
pub(super) struct Text<'w> {
    pub words: &'w [WordId],
    pub weight: f64,
    pub weight_without_references: f64,
}

impl Words {
    /// Empty where the row has no text.
    pub fn of(&self, row: Row) -> &[WordId] {
        self.rank.get(row).map_or(&[], |number| self.numbered(number))
    }

    pub fn text(&self, row: Row) -> Option<Text<'_>> {
        let number = self.rank.get(row)?;
        let (weight, weight_without_references) = self.weights[number];
        Some(Text { words: self.numbered(number), weight, weight_without_references })
    }

    fn numbered(&self, number: usize) -> &[WordId] {
        let start = if number == 0 { 0 } else { self.ends[number - 1] as usize };
        &self.words[start..self.ends[number] as usize]
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
                    all.ends.push(before + end);
                    start = *end;
                }
            }
            count += chunk.ends.len();
        }
        all.rank = Rank::of(rows.into_iter(), count);
        Ok(all)
    }

    pub fn weigh(
        &mut self,
        weight: impl Fn(WordId) -> f32 + Sync,
        watch: Watch<'_>,
    ) -> Result<(), Cancelled> {
        let weigh = |number: usize| {
            let words = self.numbered(number).iter();
            words.fold((0.0, 0.0), |(all, plain), &word| {
                let weight = f64::from(weight(word));
                (all + weight, if word.is_reference() { plain } else { plain + weight })
            })
        };
        let mut weights = vec![(0.0, 0.0); self.ends.len()];
        weights.par_chunks_mut(8192).enumerate().try_for_each(|(chunk, weights)| {
            watch.check()?;
            weights.iter_mut().zip(chunk * 8192..).for_each(|(both, number)| *both = weigh(number));
            Ok(())
        })?;
        self.weights = weights;
        Ok(())
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

    pub fn read(source: &TextSource<'_>, rows: std::ops::Range<Row>) -> Self {
        let mut chunk = Chunk { ends: Vec::with_capacity(rows.len()), ..Chunk::default() };
        let (mut numbers, mut buffer) = (HashedMap::<u32>::default(), String::new());
        for row in rows {
            if (source.wanted)(row) {
                chunk.push_text(source, row, &mut numbers, &mut buffer);
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
        let texts = source.columns.iter().map(|c| c.text(source.records, row));
        let words = texts.flat_map(|t| t.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()));
        let first = self.words.len();
        for word in words.take(WORDS_MAX) {
            buffer.clear();
            push_upper(word, buffer);
            let mut len = buffer.len().min(WORD_BYTES_MAX);
            while !buffer.is_char_boundary(len) {
                len -= 1;
            }
            let letters = &buffer.as_bytes()[..len];
            let mut hasher = KeyHasher::new();
            hasher.bytes(letters);
            let hash = hasher.finish_u64();
            let number = *numbers.entry(hash).or_insert_with(|| {
                let start = self.letters.len() as u32;
                self.letters.extend_from_slice(letters);
                let is_reference = is_reference(letters);
                self.distinct.push(Distinct { hash, start, len: len as u8, is_reference, texts: 0 });
                self.distinct.len() as u32 - 1
            });
            if !self.words[first..].contains(&number) {
                self.distinct[number as usize].texts += 1;
            }
            self.words.push(number);
        }
    }
}
