//! The different words of both sides' texts. A text is a list of their numbers: a word is kept and weighed once,
//! however many texts have it.

use crate::keys::{Column, HashedMap, KeyHasher, push_upper};
use crate::learned::frequency::Frequency;
use crate::twins::Node;
use crate::{Cancelled, Records, Side, Watch};
use rayon::prelude::*;

/// Words kept of one text, the first ones.
const WORDS_MAX: usize = 48;
/// Bytes kept of one word.
const WORD_BYTES_MAX: usize = 40;
/// Digits that make a word a reference, which counts only where both texts have one.
const REFERENCE_DIGITS_MIN: usize = 4;
/// Part of its weight that a word keeps which no record of the other side has.
const UNKNOWN: f64 = 0.6;
/// Texts that are read before their words are numbered: that many are in memory twice.
const BATCH_TEXTS: usize = 1 << 18;

#[derive(Debug, Clone, Copy)]
pub(in crate::learned) struct Word {
    pub hash: u64,
    /// One bit per letter the word has, others sharing them: tells most words apart at a glance.
    pub letters: u64,
    start: u64,
    pub len: u8,
    pub is_reference: bool,
    /// Records of the other side have it too.
    pub is_known: bool,
    /// Near 0 for a word that every record has, 1 for one that no other has.
    pub weight: f32,
    /// Share of the records of a side that have it.
    pub share: f32,
}

/// Numbers of a word mean nothing but its place here.
#[derive(Debug, Default)]
pub(in crate::learned) struct Vocabulary {
    words: Vec<Word>,
    letters: Vec<u8>,
}

impl Vocabulary {
    pub fn word(&self, number: u32) -> &Word {
        &self.words[number as usize]
    }

    pub fn letters(&self, word: &Word) -> &[u8] {
        &self.letters[word.start as usize..word.start as usize + usize::from(word.len)]
    }

    fn push(&mut self, word: &Word, letters: &[u8]) -> u32 {
        self.words.push(Word { start: self.letters.len() as u64, ..*word });
        self.letters.extend_from_slice(letters);
        self.words.len() as u32 - 1
    }
}

/// The texts of one side, by place of their record.
#[derive(Debug, Default)]
pub(in crate::learned) struct SideWords {
    words: Vec<u32>,
    ends: Vec<u32>,
    /// Hash of the whole text without what stands between words; 0 for an empty one.
    whole: Vec<u64>,
}

impl SideWords {
    /// By their numbers in the vocabulary, in the order of the text.
    pub fn of(&self, place: usize) -> &[u32] {
        let start = if place == 0 { 0 } else { self.ends[place - 1] as usize };
        &self.words[start..self.ends[place] as usize]
    }

    pub fn whole(&self, place: usize) -> u64 {
        self.whole[place]
    }

    /// Of every text, in the order of places.
    pub fn wholes(&self) -> impl Iterator<Item = u64> {
        self.whole.iter().copied()
    }

    pub fn len(&self) -> usize {
        self.whole.len()
    }
}

/// One side's records, those of them that count, and where their texts are.
pub(in crate::learned) type Source<'s> = (&'s Records, &'s [Node], &'s [Column]);

/// The left and the right texts, with all their words weighed.
pub(in crate::learned) fn read(
    sides: [Source<'_>; 2],
    watch: Watch<'_>,
) -> Result<(Vocabulary, [SideWords; 2]), Cancelled> {
    let mut reading = Reading::default();
    let left = reading.side(Side::Left, sides[0], watch)?;
    let right = reading.side(Side::Right, sides[1], watch)?;
    let records = [left.len(), right.len()];
    Ok((reading.weighed(records, watch)?, [left, right]))
}

/// A vocabulary that grows.
#[derive(Default)]
struct Reading {
    vocabulary: Vocabulary,
    numbers: HashedMap<u32>,
    /// By word: the texts of the left and of the right side that have it.
    texts: Vec<[u32; 2]>,
}

impl Reading {
    fn side(
        &mut self,
        side: Side,
        (records, nodes, columns): Source<'_>,
        watch: Watch<'_>,
    ) -> Result<SideWords, Cancelled> {
        let mut all = SideWords::default();
        for batch in nodes.chunks(BATCH_TEXTS) {
            let chunks = batch.par_chunks(4096).map_init(HashedMap::default, |numbers, nodes| {
                watch.check()?;
                Ok(Chunk::read(records, nodes, columns, numbers))
            });
            for chunk in chunks.collect::<Result<Vec<_>, Cancelled>>()? {
                watch.check()?;
                self.add(side, chunk, &mut all);
            }
        }
        Ok(all)
    }

    fn add(&mut self, side: Side, chunk: Chunk, all: &mut SideWords) {
        let number = |(word, &texts): (&Word, &u32)| {
            let (vocabulary, known) = (&mut self.vocabulary, &mut self.texts);
            let number = *self.numbers.entry(word.hash).or_insert_with(|| {
                known.push([0, 0]);
                vocabulary.push(word, chunk.vocabulary.letters(word))
            });
            self.texts[number as usize][side as usize] += texts;
            number
        };
        let numbers: Vec<u32> = chunk.vocabulary.words.iter().zip(&chunk.texts).map(number).collect();
        let before = all.words.len() as u32;
        all.words.extend(chunk.side.words.iter().map(|&word| numbers[word as usize]));
        all.ends.extend(chunk.side.ends.iter().map(|end| end + before));
        all.whole.extend(&chunk.side.whole);
    }

    /// Sets each word's weight from the number of records that have it: ln(1 + n / have) / ln(1 + n).
    fn weighed(self, records: [usize; 2], watch: Watch<'_>) -> Result<Vocabulary, Cancelled> {
        let Reading { mut vocabulary, texts, .. } = self;
        let frequency = Frequency::of_counts(texts.iter().map(|&[left, right]| (left, right)), records);
        let n = (records[0] + records[1]).max(2) as f64;
        let chunks = vocabulary.words.par_chunks_mut(4096).zip(texts.par_chunks(4096));
        chunks.try_for_each(|(words, texts)| {
            watch.check()?;
            for (word, &[left, right]) in words.iter_mut().zip(texts) {
                let weight = (n / f64::from((left + right).max(1))).ln_1p() / n.ln_1p();
                word.is_known = left > 0 && right > 0;
                // What the other side never writes says little about a pair.
                word.weight = if word.is_known { weight } else { weight * UNKNOWN } as f32;
                word.share = frequency.share_of(left, right) as f32;
            }
            Ok(())
        })?;
        Ok(vocabulary)
    }
}

/// Some texts, their words numbered among themselves.
#[derive(Default)]
struct Chunk {
    side: SideWords,
    vocabulary: Vocabulary,
    /// By word, the texts that have it.
    texts: Vec<u32>,
}

impl Chunk {
    /// `numbers` may hold anything before and after.
    fn read(records: &Records, nodes: &[Node], columns: &[Column], numbers: &mut HashedMap<u32>) -> Self {
        let (mut chunk, mut buffer) = (Chunk::default(), String::new());
        numbers.clear();
        for &node in nodes {
            let texts = columns.iter().map(|c| c.text(records, node));
            let words = texts.flat_map(|t| t.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()));
            let (mut whole, first) = (KeyHasher::new(), chunk.side.words.len());
            for word in words.take(WORDS_MAX) {
                buffer.clear();
                push_upper(word, &mut buffer);
                let mut len = buffer.len().min(WORD_BYTES_MAX);
                while !buffer.is_char_boundary(len) {
                    len -= 1;
                }
                let letters = &buffer.as_bytes()[..len];
                whole.bytes(letters);
                chunk.push(first, letters, numbers);
            }
            let is_empty = chunk.side.words.len() == first;
            chunk.side.whole.push(if is_empty { 0 } else { whole.finish_u64() >> 1 | 1 });
            chunk.side.ends.push(chunk.side.words.len() as u32);
        }
        chunk
    }

    /// `first`: where the words of its text begin.
    fn push(&mut self, first: usize, letters: &[u8], numbers: &mut HashedMap<u32>) {
        let mut hasher = KeyHasher::new();
        hasher.bytes(letters);
        let hash = hasher.finish_u64() >> 1;
        let number = *numbers.entry(hash).or_insert_with(|| {
            let word = Word {
                hash,
                letters: letters.iter().fold(0, |bits, letter| bits | 1 << (letter & 63)),
                start: 0,
                len: letters.len() as u8,
                is_reference: letters.iter().filter(|b| b.is_ascii_digit()).count() >= REFERENCE_DIGITS_MIN,
                is_known: false,
                weight: 1.0,
                share: 1.0,
            };
            self.texts.push(0);
            self.vocabulary.push(&word, letters)
        });
        if !self.side.words[first..].contains(&number) {
            self.texts[number as usize] += 1;
        }
        self.side.words.push(number);
    }
}
