//! The texts of one side as lists of words, each word a number.

use super::TextSource;
use super::rank::Rank;
use super::vocabulary::Vocabulary;
use super::word::{Outline, WORD_BYTES_MAX, is_reference};
use crate::keys::{HashedMap, KeyHasher, push_upper};
use crate::{Cancelled, Row, Watch};
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
        Some(Text { words, outlines, has_references, weight, weight_without_references })
    }

    /// Reads a little of each text. They lie anywhere: one after the other, each would wait for memory; together they wait
    /// at the same time.
    pub fn fetch(&self, rows: &[Row]) {
        let heads = || rows.iter().filter_map(|&row| self.rank.get(row)).map(|number| &self.heads[number]);
        heads().for_each(|head| {
            std::hint::black_box(head.start);
        });
        for start in heads().map(|head| head.start as usize) {
            std::hint::black_box((self.words[start], self.outlines[start]));
        }
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
        self.outlines = words.par_iter().map(|&word| vocabulary.word(word).outline()).collect();
        self.heads.par_chunks_mut(8192).try_for_each(|heads| {
            watch.check()?;
            for head in heads {
                for &word in &words[head.places()] {
                    let weight = f64::from(vocabulary.word(word).weight);
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
