//! Texts as bags of words that count the less the more records have them.

mod vocabulary;

use super::frequency::Frequency;
use crate::{Cancelled, Side, Watch};
use rapidfuzz::distance::osa;
use vocabulary::{SideWords, Source, Vocabulary, Word};

/// Words with fewer letters in common than this are different words, not misspelt ones.
const ALIKE_MIN: f64 = 0.75;
/// What a word counts that is the beginning of the other.
const PREFIX: f64 = 0.9;
const PREFIX_CHARS_MIN: usize = 3;
/// Whole texts up to this many letters are also compared letter by letter: names are often written apart.
const SPELLED_BYTES_MAX: usize = 32;
/// Texts of words unknown to the other side are still the same when they are spelled this much alike.
const STRANGE_MAX: f64 = 0.35;

/// The texts of both sides, with the weights that come from themselves.
#[derive(Debug)]
pub(super) struct Words {
    vocabulary: Vocabulary,
    left: SideWords,
    right: SideWords,
    wholes: Frequency,
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
    pub fn read(sides: [Source<'_>; 2], silent: Option<Side>, watch: Watch<'_>) -> Result<Self, Cancelled> {
        let (vocabulary, [left, right]) = vocabulary::read(sides, watch)?;
        let wholes = Frequency::of(left.wholes(), right.wholes(), [left.len(), right.len()], watch)?;
        Ok(Words { vocabulary, left, right, wholes, silent })
    }

    /// Hash of a text without what stands between words; 0 for an empty one.
    pub fn whole(&self, side: Side, place: usize) -> u64 {
        self.side(side).whole(place)
    }

    /// The words of a text, each with its letters.
    pub fn each(&self, side: Side, place: usize) -> impl Iterator<Item = (&Word, &[u8])> {
        let words = self.side(side).of(place).iter().map(|&number| self.vocabulary.word(number));
        words.map(|word| (word, self.vocabulary.letters(word)))
    }

    /// Something of all that a comparison reads first, see [`super::fields::Field::fetch`].
    pub fn first(&self, side: Side, place: usize) -> u64 {
        let of = self.side(side);
        of.whole(place) ^ of.of(place).first().map_or(0, |&number| number.into())
    }

    fn side(&self, side: Side) -> &SideWords {
        match side {
            Side::Left => &self.left,
            Side::Right => &self.right,
        }
    }

    pub fn compare(&self, left: usize, right: usize) -> Likeness {
        let (whole_left, whole_right) = (self.left.whole(left), self.right.whole(right));
        if whole_left == 0 || whole_right == 0 {
            return Likeness::Missing;
        }
        if whole_left == whole_right {
            return Likeness::Same { share: self.wholes.share(whole_left) };
        }
        let word = |&number: &u32| self.vocabulary.word(number);
        let (l, r) = (self.left.of(left), self.right.of(right));
        let has_references = |numbers: &[u32]| numbers.iter().map(word).any(|w| w.is_reference);
        let both_have_references = has_references(l) && has_references(r);
        let heard = |w: &Word| !w.is_reference || both_have_references;
        let (mut found, mut left_weight, mut right_weight) = (0.0, 0.0, 0.0);
        r.iter().map(word).filter(|w| heard(w)).for_each(|w| right_weight += f64::from(w.weight));
        let mut share = f32::MAX;
        // Each word of the right text is found once.
        let mut taken = 0u64;
        let mut rest: u64 = 0;
        for (i, number) in l.iter().enumerate() {
            let word = word(number);
            if !heard(word) {
                continue;
            }
            left_weight += f64::from(word.weight);
            let same = r.iter().enumerate().position(|(j, other)| taken >> j & 1 == 0 && other == number);
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
        let left_over = (0..l.len()).filter(|i| rest >> i & 1 == 1).map(|i| word(&l[i]));
        for word in left_over {
            let letters = self.vocabulary.letters(word);
            let mut best = (0.0, 0);
            let others = r.iter().map(|&number| self.vocabulary.word(number)).enumerate();
            for (j, other) in others.filter(|(j, o)| taken >> j & 1 == 0 && heard(o)) {
                if other.is_reference != word.is_reference || word.is_other_than(other) {
                    continue;
                }
                let alike = alike(letters, self.vocabulary.letters(other));
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
        let mut spelled = [[0; SPELLED_BYTES_MAX]; 2];
        let [of_left, of_right] = &mut spelled;
        if let (Some(a), Some(b)) = (self.spelled(l, of_left), self.spelled(r, of_right)) {
            let args = osa::Args::default().score_cutoff(similarity.max(0.6));
            let spelled = osa::normalized_similarity_with_args(a.iter().copied(), b.iter().copied(), &args);
            similarity = similarity.max(spelled.unwrap_or(0.0));
        }
        let is_strange = |numbers: &[u32]| !numbers.iter().map(word).any(|w| w.is_known && !w.is_reference);
        if similarity < STRANGE_MAX
            && (self.silent != Some(Side::Right) && is_strange(l)
                || self.silent != Some(Side::Left) && is_strange(r))
        {
            return Likeness::Strange;
        }
        let share = if share == f32::MAX { 0.0 } else { share.into() };
        Likeness::Alike { similarity, share }
    }

    /// All letters of a text written together, where they are few.
    fn spelled<'b>(&self, numbers: &[u32], into: &'b mut [u8; SPELLED_BYTES_MAX]) -> Option<&'b [u8]> {
        let mut len = 0;
        for word in numbers.iter().map(|&number| self.vocabulary.word(number)) {
            let letters = self.vocabulary.letters(word);
            into.get_mut(len..len + letters.len())?.copy_from_slice(letters);
            len += letters.len();
        }
        Some(&into[..len])
    }
}

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
