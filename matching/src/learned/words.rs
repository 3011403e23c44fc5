//! Texts as bags of words that count the less the more records have them.

use super::frequency::Frequency;
use crate::keys::{Column, KeyHasher, push_upper};
use crate::twins::Node;
use crate::{Cancelled, Records, Side, Watch};
use rapidfuzz::distance::osa;
use rayon::prelude::*;

/// Words kept of one text, the first ones.
const WORDS_MAX: usize = 48;
/// Bytes kept of one word.
const WORD_BYTES_MAX: usize = 40;
/// Digits that make a word a reference, which counts only where both texts have one.
const REFERENCE_DIGITS_MIN: usize = 4;
/// Words with fewer letters in common than this are different words, not misspelt ones.
const ALIKE_MIN: f64 = 0.75;
/// What a word counts that is the beginning of the other.
const PREFIX: f64 = 0.9;
const PREFIX_CHARS_MIN: usize = 3;
/// Whole texts up to this many letters are also compared letter by letter: names are often written apart.
const SPELLED_BYTES_MAX: usize = 32;

#[derive(Debug, Clone, Copy)]
pub(super) struct Word {
    pub hash: u64,
    /// One bit per letter the word has, others sharing them: tells most words apart at a glance.
    letters: u64,
    start: u64,
    len: u8,
    pub is_reference: bool,
    /// Records of the other side have it too.
    pub is_known: bool,
    /// Near 0 for a word that every record has, 1 for one that no other has.
    pub weight: f32,
    /// Share of the records of a side that have it.
    pub share: f32,
}

/// The words of one side, by place of its record.
#[derive(Debug, Default)]
pub(super) struct SideWords {
    letters: Vec<u8>,
    words: Vec<Word>,
    ends: Vec<u32>,
    /// Hash of the whole text without what stands between words; 0 for an empty one.
    whole: Vec<u64>,
}

impl SideWords {
    pub fn of(&self, place: usize) -> &[Word] {
        let start = if place == 0 { 0 } else { self.ends[place - 1] as usize };
        &self.words[start..self.ends[place] as usize]
    }

    pub fn whole(&self, place: usize) -> u64 {
        self.whole[place]
    }

    /// Something of all that a comparison reads first, see [`super::fields::Field::fetch`].
    pub fn first(&self, place: usize) -> u64 {
        self.whole[place] ^ self.of(place).first().map_or(0, |word| word.hash)
    }

    pub fn letters(&self, word: &Word) -> &[u8] {
        &self.letters[word.start as usize..word.start as usize + usize::from(word.len)]
    }

    /// The hash of each word of each text, once per text.
    fn distinct(&self) -> impl Iterator<Item = u64> {
        (0..self.ends.len()).flat_map(|place| {
            let words = self.of(place);
            let is_first = |i: &usize| !words[..*i].iter().any(|w| w.hash == words[*i].hash);
            (0..words.len()).filter(is_first).map(|i| words[i].hash)
        })
    }

    /// All letters of a text written together.
    fn spelled(&self, words: &[Word]) -> &[u8] {
        match (words.first(), words.last()) {
            (Some(first), Some(last)) => {
                &self.letters[first.start as usize..last.start as usize + usize::from(last.len)]
            }
            _ => &[],
        }
    }
}

/// The texts of both sides, with the weights that come from themselves.
#[derive(Debug)]
pub(super) struct Words {
    pub left: SideWords,
    pub right: SideWords,
    wholes: Frequency,
    records: f64,
    silent: Option<Side>,
}

/// How alike two texts are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Likeness {
    /// One is empty.
    Missing,
    /// The same letters and digits. Share of the records of a side that have this text.
    Same { share: f64 },
    /// One text has no word that any record of the other side has, and is not spelled alike either.
    Strange,
    /// 0 to 1, and the share of the records that have the rarest word both have.
    Alike { similarity: f64, share: f64 },
}

impl Words {
    pub fn read(
        sides: [(&Records, &[Node], &[Column]); 2],
        silent: Option<Side>,
        watch: Watch<'_>,
    ) -> Result<Self, Cancelled> {
        let [left, right] = sides.map(|(records, nodes, columns)| read_side(records, nodes, columns, watch));
        let (left, right) = (left?, right?);
        let mut words = Words {
            records: (left.ends.len() + right.ends.len()).max(2) as f64,
            wholes: Frequency::of(
                left.whole.iter().copied(),
                right.whole.iter().copied(),
                [left.whole.len(), right.whole.len()],
                watch,
            )?,
            left,
            right,
            silent,
        };
        words.weigh(watch)?;
        Ok(words)
    }

    pub fn side(&self, side: Side) -> &SideWords {
        match side {
            Side::Left => &self.left,
            Side::Right => &self.right,
        }
    }

    pub fn compare(&self, left: usize, right: usize) -> Likeness {
        let (whole_left, whole_right) = (self.left.whole[left], self.right.whole[right]);
        if whole_left == 0 || whole_right == 0 {
            return Likeness::Missing;
        }
        if whole_left == whole_right {
            return Likeness::Same { share: self.wholes.share(whole_left) };
        }
        let (l, r) = (self.left.of(left), self.right.of(right));
        let both_have_references = l.iter().any(|w| w.is_reference) && r.iter().any(|w| w.is_reference);
        let heard = |w: &&Word| !w.is_reference || both_have_references;
        let (mut found, mut left_weight, mut right_weight) = (0.0, 0.0, 0.0);
        r.iter().filter(heard).for_each(|w| right_weight += f64::from(w.weight));
        let mut share = f32::MAX;
        // Each word of the right text is found once.
        let mut taken = 0u64;
        let mut rest: u64 = 0;
        for (i, word) in l.iter().enumerate().filter(|(_, w)| heard(w)) {
            left_weight += f64::from(word.weight);
            let same = r.iter().enumerate().position(|(j, o)| taken >> j & 1 == 0 && o.hash == word.hash);
            match same {
                Some(j) => {
                    taken |= 1 << j;
                    found += f64::from(word.weight);
                    share = share.min(word.share);
                }
                None => rest |= 1 << i,
            }
        }
        if left_weight == 0.0 || right_weight == 0.0 {
            return Likeness::Missing;
        }
        for word in (0..l.len()).filter(|i| rest >> i & 1 == 1).map(|i| &l[i]) {
            let letters = self.left.letters(word);
            let mut best = (0.0, 0);
            for (j, other) in r.iter().enumerate().filter(|(j, o)| taken >> j & 1 == 0 && heard(o)) {
                if other.is_reference != word.is_reference || word.is_other_than(other) {
                    continue;
                }
                let alike = alike(letters, self.right.letters(other));
                // What counts is the word that both sides know, or the lighter of two: a common one does not gain by
                // being written wrongly.
                let weight = match (word.is_known, other.is_known) {
                    (true, false) => word.weight,
                    (false, true) => other.weight,
                    _ => word.weight.min(other.weight),
                };
                let found = alike * f64::from(weight);
                if found > best.0 {
                    best = (found, j);
                }
            }
            if best.0 > 0.0 {
                taken |= 1 << best.1;
                found += best.0;
            }
        }
        let mut similarity = (found / (left_weight * right_weight).sqrt()).min(1.0);
        let (a, b) = (self.left.spelled(l), self.right.spelled(r));
        if a.len().max(b.len()) <= SPELLED_BYTES_MAX {
            let args = osa::Args::default().score_cutoff(similarity.max(0.6));
            let spelled = osa::normalized_similarity_with_args(a.iter().copied(), b.iter().copied(), &args);
            similarity = similarity.max(spelled.unwrap_or(0.0));
        }
        let is_strange = |words: &[Word]| !words.iter().any(|w| w.is_known && !w.is_reference);
        if similarity < STRANGE_MAX
            && (self.silent != Some(Side::Right) && is_strange(l)
                || self.silent != Some(Side::Left) && is_strange(r))
        {
            return Likeness::Strange;
        }
        let share = if share == f32::MAX { 0.0 } else { share.into() };
        Likeness::Alike { similarity, share }
    }

    /// Sets each word's weight from the number of records that have it: ln(1 + n / have) / ln(1 + n).
    fn weigh(&mut self, watch: Watch<'_>) -> Result<(), Cancelled> {
        let frequency = {
            let [left, right] = [&self.left, &self.right].map(SideWords::distinct);
            Frequency::of(left, right, [self.left.ends.len(), self.right.ends.len()], watch)?
        };
        watch.check()?;
        let n = self.records;
        for words in [&mut self.left, &mut self.right] {
            words.words.par_chunks_mut(4096).try_for_each(|words| {
                watch.check()?;
                for word in words {
                    let (left, right) = frequency.counts(word.hash);
                    let weight = (n / f64::from((left + right).max(1))).ln_1p() / n.ln_1p();
                    word.is_known = left > 0 && right > 0;
                    // What the other side never writes says little about a pair.
                    word.weight = if word.is_known { weight } else { weight * UNKNOWN } as f32;
                    word.share = frequency.share_of(left, right) as f32;
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}

/// Texts of words unknown to the other side are still the same when they are spelled this much alike.
const STRANGE_MAX: f64 = 0.35;
/// Part of its weight that a word keeps which no record of the other side has.
const UNKNOWN: f64 = 0.6;

impl Word {
    /// Certain when true: each letter that only one of two words has takes an edit of its own.
    fn is_other_than(&self, other: &Word) -> bool {
        let (only_self, only_other) = (self.letters & !other.letters, other.letters & !self.letters);
        if only_self == 0 || only_other == 0 {
            return false;
        }
        let edits = only_self.count_ones().max(only_other.count_ones());
        f64::from(edits) > (1.0 - ALIKE_MIN) * f64::from(self.len.max(other.len)) + 1e-9
    }
}

fn alike(a: &[u8], b: &[u8]) -> f64 {
    let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
    let digits = |w: &[u8]| w.iter().any(u8::is_ascii_digit);
    if short.len() >= PREFIX_CHARS_MIN && long.starts_with(short) && !digits(long) {
        return PREFIX;
    }
    // A number with one other digit is another number.
    if (short.len() as f64) < ALIKE_MIN * long.len() as f64 || digits(short) && digits(long) && long.len() < 6
    {
        return 0.0;
    }
    let args = osa::Args::default().score_cutoff(ALIKE_MIN);
    osa::normalized_similarity_with_args(a.iter().copied(), b.iter().copied(), &args).unwrap_or(0.0)
}

fn read_side(
    records: &Records,
    nodes: &[Node],
    columns: &[Column],
    watch: Watch<'_>,
) -> Result<SideWords, Cancelled> {
    let parts = nodes.par_chunks(4096).map(|nodes| {
        watch.check()?;
        let (mut part, mut buffer) = (SideWords::default(), String::new());
        for &node in nodes {
            part.push(records, node, columns, &mut buffer);
        }
        Ok(part)
    });
    let mut all = SideWords::default();
    for part in parts.collect::<Result<Vec<_>, Cancelled>>()? {
        let (letters, words) = (all.letters.len() as u64, all.words.len() as u32);
        all.letters.extend(&part.letters);
        all.words.extend(part.words.iter().map(|&w| Word { start: w.start + letters, ..w }));
        all.ends.extend(part.ends.iter().map(|end| end + words));
        all.whole.extend(&part.whole);
    }
    Ok(all)
}

impl SideWords {
    fn push(&mut self, records: &Records, node: Node, columns: &[Column], buffer: &mut String) {
        let texts = columns.iter().map(|c| c.text(records, node));
        let words = texts.flat_map(|t| t.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()));
        let mut whole = KeyHasher::new();
        let before = self.words.len();
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
            whole.bytes(letters);
            self.words.push(Word {
                hash: hasher.finish_u64() >> 1,
                letters: letters.iter().fold(0, |bits, letter| bits | 1 << (letter & 63)),
                start: self.letters.len() as u64,
                len: len as u8,
                is_reference: letters.iter().filter(|b| b.is_ascii_digit()).count() >= REFERENCE_DIGITS_MIN,
                is_known: false,
                weight: 1.0,
                share: 1.0,
            });
            self.letters.extend(letters);
        }
        let empty = self.words.len() == before;
        self.whole.push(if empty { 0 } else { whole.finish_u64() >> 1 | 1 });
        self.ends.push(self.words.len() as u32);
    }
}
