//! All different words of both sides' texts. Texts are lists of numbers of these, so that a word is kept, weighed
//! and looked at once however many texts have it.

use super::word::{Word, letters_of};
use super::words::{Chunk, WordId};
use crate::keys::HashedMap;
use crate::{Cancelled, Watch};
use rayon::prelude::*;
use std::sync::atomic::{AtomicU32, Ordering};

/// Parts of the vocabulary that are put together independently of each other.
const SHARDS: usize = 16;

#[derive(Debug, Default)]
pub(super) struct Vocabulary {
    words: Vec<Word>,
    letters: Vec<u8>,
}

/// One word while the texts that have it are counted.
struct Counted {
    /// Where its letters are: chunk and number there.
    first: (u32, u32),
    texts: u32,
    sides: u8,
}

/// Words, and references apart from them.
type Shard = [Vec<Counted>; 2];

impl Vocabulary {
    /// Gives every word of the chunks its number in the vocabulary. Weights come from how many of all texts
    /// have the word: ln(1 + n / have) / ln(1 + n).
    ///
    /// Words come before references: there are few of them, they are compared all the time, and together they
    /// stay in the nearer caches.
    ///
    /// The first `left_count` chunks are the left side's.
    pub fn of(chunks: &mut [Chunk], left_count: usize, watch: Watch<'_>) -> Result<Self, Cancelled> {
        let texts: usize = chunks.iter().map(|c| c.ends.len()).sum();
        // By chunk and number there: the number in the word's shard, later in the vocabulary.
        let numbers: Vec<Vec<AtomicU32>> =
            chunks.iter().map(|c| c.distinct.iter().map(|_| AtomicU32::new(0)).collect()).collect();
        let shards = (0..SHARDS).into_par_iter().map(|shard| {
            let (mut all, mut known) = (Shard::default(), HashedMap::<u32>::default());
            for (c, chunk) in chunks.iter().enumerate() {
                watch.check()?;
                for (i, word) in chunk.distinct.iter().enumerate().filter(|(_, w)| shard_of(w.hash) == shard)
                {
                    let all = &mut all[usize::from(word.is_reference)];
                    let number = *known.entry(word.hash).or_insert_with(|| {
                        all.push(Counted { first: (c as u32, i as u32), texts: 0, sides: 0 });
                        all.len() as u32 - 1
                    });
                    let counted = &mut all[number as usize];
                    counted.texts += word.texts;
                    counted.sides |= if c < left_count { 1 } else { 2 };
                    numbers[c][i].store(number, Ordering::Relaxed);
                }
            }
            Ok(all)
        });
        let shards = shards.collect::<Result<Vec<_>, Cancelled>>()?;
        let mut starts = [[0u32; SHARDS]; 2];
        let mut vocabulary = Vocabulary::default();
        vocabulary.words.reserve_exact(shards.iter().flatten().map(Vec::len).sum());
        for (kind, starts) in starts.iter_mut().enumerate() {
            for (start, shard) in starts.iter_mut().zip(&shards) {
                watch.check()?;
                *start = vocabulary.words.len() as u32;
                shard[kind].iter().for_each(|counted| vocabulary.push(chunks, counted, texts as f64));
            }
        }
        chunks.par_iter_mut().zip(&numbers).try_for_each(|(chunk, numbers)| {
            watch.check()?;
            let id = |number: u32| {
                let distinct = &chunk.distinct[number as usize];
                let in_shard = numbers[number as usize].load(Ordering::Relaxed);
                let start = starts[usize::from(distinct.is_reference)][shard_of(distinct.hash)];
                WordId::of(start + in_shard, distinct.is_reference).0
            };
            chunk.words.iter_mut().for_each(|word| *word = id(*word));
            Ok(())
        })?;
        Ok(vocabulary)
    }

    fn push(&mut self, chunks: &[Chunk], counted: &Counted, texts: f64) {
        let (chunk, number) = counted.first;
        let chunk = &chunks[chunk as usize];
        let distinct = &chunk.distinct[number as usize];
        let letters = chunk.letters(distinct);
        self.words.push(Word {
            letters: letters_of(letters),
            start: self.letters.len() as u64,
            weight: ((texts / f64::from(counted.texts)).ln_1p() / texts.ln_1p()) as f32,
            len: distinct.len,
            is_known: counted.sides == 3,
        });
        self.letters.extend_from_slice(letters);
    }

    pub fn len(&self) -> usize {
        self.words.len()
    }

    pub fn word(&self, id: WordId) -> &Word {
        &self.words[id.number()]
    }

    pub fn letters(&self, word: &Word) -> &[u8] {
        &self.letters[word.start as usize..word.start as usize + usize::from(word.len)]
    }

    /// Some text of the other side has the word too, and it is no reference.
    pub fn tells(&self, id: WordId) -> bool {
        !id.is_reference() && self.word(id).is_known
    }
}

fn shard_of(hash: u64) -> usize {
    (hash >> 60) as usize
}
