//! The texts of one side as lists of words, each word a number.

use super::chunk::Chunk;
use super::rank::Rank;
use super::vocabulary::Vocabulary;
use super::word::Outline;
use crate::{Cancelled, Row, Watch};
use rayon::prelude::*;
use std::ops::Range;

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
#[derive(Debug, Clone, Copy, Default)]
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

    /// Joins chunks of texts whose words were given their numbers, with what the vocabulary knows of each.
    pub fn join(chunks: Vec<Chunk>, vocabulary: &Vocabulary, watch: Watch<'_>) -> Result<Self, Cancelled> {
        let count = chunks.iter().map(|chunk| chunk.ends.len()).sum();
        let (mut rows, mut heads_of) = (vec![], vec![]);
        let mut first = 0;
        for chunk in &chunks {
            watch.check()?;
            let before = rows.len();
            rows.extend(
                (first..).zip(chunk.texts()).filter(|(_, words)| !words.is_empty()).map(|(row, _)| row),
            );
            heads_of.push(rows.len() - before);
            first += chunk.ends.len() as Row;
        }
        let words = chunks.iter().map(|chunk| chunk.words.len()).sum();
        let mut all = Words {
            words: vec![WordId(0); words],
            outlines: vec![Outline::default(); words],
            heads: vec![Head::default(); rows.len()],
            rank: Rank::of(rows.into_iter(), count),
        };
        let (mut words, mut outlines, mut heads) =
            (&mut all.words[..], &mut all.outlines[..], &mut all.heads[..]);
        let (mut pieces, mut start) = (Vec::with_capacity(chunks.len()), 0);
        for (chunk, heads_len) in chunks.into_iter().zip(heads_of) {
            let len = chunk.words.len();
            let (own_words, own_outlines, own_heads);
            (own_words, words) = words.split_at_mut(len);
            (own_outlines, outlines) = outlines.split_at_mut(len);
            (own_heads, heads) = heads.split_at_mut(heads_len);
            pieces.push((chunk, start, own_words, own_outlines, own_heads));
            start += len as u32;
        }
        pieces.into_par_iter().try_for_each(|(chunk, start, words, outlines, heads)| {
            watch.check()?;
            // Each different word is looked up once: the vocabulary is large, and texts repeat their words.
            let known = chunk.distinct.iter().map(|distinct| {
                let word = vocabulary.word(distinct.id);
                (distinct.id, word.outline(), f64::from(word.weight))
            });
            let known: Vec<(WordId, Outline, f64)> = known.collect();
            let mut at = 0;
            for (texts, head) in chunk.texts().filter(|words| !words.is_empty()).zip(heads) {
                *head = Head { start: start + at as u32, len: texts.len() as u8, ..Head::default() };
                for &number in texts {
                    let (id, outline, weight) = known[number as usize];
                    (words[at], outlines[at]) = (id, outline);
                    at += 1;
                    head.weight += weight;
                    if id.is_reference() {
                        head.has_references = true;
                    } else {
                        head.weight_without_references += weight;
                    }
                }
            }
            Ok(())
        })?;
        Ok(all)
    }
}
