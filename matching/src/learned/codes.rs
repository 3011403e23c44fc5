//! Numbers of papers, telephones and accounts: exact, shared in part, or one character off.

use super::frequency::Frequency;
use crate::keys::{Column, KeyHasher, each_token, push_upper};
use crate::twins::Node;
use crate::{Cancelled, Records, Side, Watch};
use rapidfuzz::distance::osa;
use rayon::prelude::*;

/// Bytes of a code compared character by character.
const CODE_BYTES_MAX: usize = 32;
/// References kept of one value, the first ones.
const TOKENS_MAX: usize = 48;
/// A shorter code has no character to lose.
const NEAR_BYTES_MIN: usize = 4;
/// A reference that more of the records have is a year or a branch.
const SHARED_MAX: f64 = 0.02;
/// Share of characters that must agree to call two codes alike.
const ALIKE_MIN: f64 = 0.7;

/// The codes of one side, by place of the record.
#[derive(Debug, Default)]
pub(super) struct SideCodes {
    letters: Vec<u8>,
    /// Where the letters of a value end.
    ends: Vec<u64>,
    /// Hash of the whole value; 0 for an empty one.
    whole: Vec<u64>,
    tokens: Vec<u64>,
    token_ends: Vec<u32>,
}

impl SideCodes {
    pub fn whole(&self, place: usize) -> u64 {
        self.whole[place]
    }

    /// Something of all that a comparison reads first, see [`super::fields::Field::fetch`].
    pub fn first(&self, place: usize) -> u64 {
        let letter = self.letters(place).first().copied().unwrap_or_default();
        self.whole[place] ^ u64::from(letter) ^ self.tokens(place).first().copied().unwrap_or_default()
    }

    /// Hashes of the references inside the value, sorted.
    pub fn tokens(&self, place: usize) -> &[u64] {
        let start = if place == 0 { 0 } else { self.token_ends[place - 1] as usize };
        &self.tokens[start..self.token_ends[place] as usize]
    }

    /// Whole values and references of all records, each once per record.
    fn values(&self) -> impl Iterator<Item = u64> {
        (0..self.whole.len()).flat_map(|place| {
            let whole = self.whole[place];
            let tokens = self.tokens(place).iter().copied().filter(move |&token| token != whole);
            std::iter::once(whole).chain(tokens)
        })
    }

    fn letters(&self, place: usize) -> &[u8] {
        let start = if place == 0 { 0 } else { self.ends[place - 1] as usize };
        &self.letters[start..self.ends[place] as usize]
    }
}

/// The codes of both sides, and how many records have each.
#[derive(Debug)]
pub(super) struct Codes {
    read_as: ReadAs,
    pub left: SideCodes,
    pub right: SideCodes,
    /// Of whole values and of references inside them.
    frequency: Frequency,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Closeness {
    Missing,
    /// `share` of the records of a side have the value.
    Same {
        share: f64,
    },
    /// Both have a reference that so many records have.
    Shared {
        share: f64,
    },
    /// One character wrong, missing or too many, or two neighbours swapped.
    Near,
    Alike,
    Different,
}

impl Codes {
    pub fn read(
        sides: [(&Records, &[Node], &[Column]); 2],
        read_as: ReadAs,
        watch: Watch<'_>,
    ) -> Result<Self, Cancelled> {
        let [left, right] =
            sides.map(|(records, nodes, columns)| read_side(records, nodes, columns, read_as, watch));
        let (left, right) = (left?, right?);
        watch.check()?;
        let records = [left.whole.len(), right.whole.len()];
        let frequency = Frequency::of(left.values(), right.values(), records, watch)?;
        Ok(Codes { read_as, left, right, frequency })
    }

    pub fn side(&self, side: Side) -> &SideCodes {
        match side {
            Side::Left => &self.left,
            Side::Right => &self.right,
        }
    }

    pub fn compare(&self, left: usize, right: usize) -> Closeness {
        let (l, r) = (self.left.whole[left], self.right.whole[right]);
        if l == r && l != 0 {
            return Closeness::Same { share: self.frequency.share(l) };
        }
        let (mine, theirs) = (self.left.tokens(left), self.right.tokens(right));
        let shared = mine.iter().filter(|t| theirs.contains(t)).map(|&t| self.frequency.share(t));
        if let Some(share) = shared.min_by(f64::total_cmp).filter(|&share| share <= SHARED_MAX) {
            return Closeness::Shared { share };
        }
        if l == 0 || r == 0 {
            let both = self.read_as == ReadAs::Mentions && !mine.is_empty() && !theirs.is_empty();
            return if both { Closeness::Different } else { Closeness::Missing };
        }
        let (a, b) = (self.left.letters(left), self.right.letters(right));
        if a.len().min(b.len()) < NEAR_BYTES_MIN {
            return Closeness::Different;
        }
        let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
        // `00004711` is the end of `INV00004711`; ends of such length are no chance.
        if long.ends_with(short) {
            return Closeness::Near;
        }
        let args = osa::Args::default().score_cutoff(ALIKE_MIN);
        let similarity = osa::normalized_similarity_with_args(a.iter().copied(), b.iter().copied(), &args);
        match similarity {
            Some(s) if (1.0 - s) * long.len() as f64 <= 1.0 + 1e-6 => Closeness::Near,
            Some(_) => Closeness::Alike,
            None => Closeness::Different,
        }
    }
}

fn read_side(
    records: &Records,
    nodes: &[Node],
    columns: &[Column],
    read_as: ReadAs,
    watch: Watch<'_>,
) -> Result<SideCodes, Cancelled> {
    let parts = nodes.par_chunks(4096).map(|nodes| {
        watch.check()?;
        let (mut part, mut buffer) = (SideCodes::default(), String::new());
        for &node in nodes {
            part.push(records, node, columns, read_as, &mut buffer);
        }
        Ok(part)
    });
    let mut all = SideCodes::default();
    for part in parts.collect::<Result<Vec<_>, Cancelled>>()? {
        let (letters, tokens) = (all.letters.len() as u64, all.tokens.len() as u32);
        all.letters.extend(&part.letters);
        all.ends.extend(part.ends.iter().map(|end| end + letters));
        all.whole.extend(&part.whole);
        all.tokens.extend(&part.tokens);
        all.token_ends.extend(part.token_ends.iter().map(|end| end + tokens));
    }
    Ok(all)
}

impl SideCodes {
    fn push(
        &mut self,
        records: &Records,
        node: Node,
        columns: &[Column],
        read_as: ReadAs,
        buffer: &mut String,
    ) {
        buffer.clear();
        let before = self.tokens.len();
        for (i, column) in columns.iter().enumerate() {
            let text = column.text(records, node);
            let mut add = |token: &str| {
                if self.tokens.len() - before < TOKENS_MAX {
                    self.tokens.push(hash(token.as_bytes()));
                }
            };
            match read_as {
                ReadAs::Mentions => each_mention(text, add),
                ReadAs::Code => {
                    each_token(text, &mut add);
                    // Of several fields the first is the code itself; the others may name it in a text.
                    if i == 0 {
                        push_upper(text, buffer);
                    }
                }
            }
        }
        let mut len = buffer.len().min(CODE_BYTES_MAX);
        while !buffer.is_char_boundary(len) {
            len -= 1;
        }
        self.whole.push(if buffer.is_empty() { 0 } else { hash(buffer.as_bytes()) });
        self.letters.extend(&buffer.as_bytes()[..len]);
        self.ends.push(self.letters.len() as u64);
        self.tokens[before..].sort_unstable();
        let mut kept = before;
        for i in before..self.tokens.len() {
            if i == before || self.tokens[i] != self.tokens[kept - 1] {
                self.tokens[kept] = self.tokens[i];
                kept += 1;
            }
        }
        self.tokens.truncate(kept);
        self.token_ends.push(kept as u32);
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = KeyHasher::new();
    hasher.bytes(bytes);
    hasher.finish_u64() >> 1 | 1
}

/// What of a value counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadAs {
    /// The value itself, and the references inside it.
    Code,
    /// Only the numbers of things that a text mentions: words with a digit, and two or three neighbouring ones
    /// written together (`KX-TG9341T`, `KXTG9341T`).
    Mentions,
}

/// Bytes of what a text may mention: with fewer it is a quantity, with more a sentence.
const MENTION_BYTES: std::ops::RangeInclusive<usize> = 3..=24;
/// The same for words written together.
const JOINED_BYTES_MIN: usize = 5;

/// Calls `found` with each thing that a text mentions, see [`ReadAs::Mentions`]. May repeat itself.
pub(super) fn each_mention(text: &str, mut found: impl FnMut(&str)) {
    // Most texts mention nothing: no word of theirs has a digit.
    if !text.bytes().any(|b| b.is_ascii_digit()) {
        return;
    }
    let words = || text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
    let digits = |word: &str| word.bytes().filter(u8::is_ascii_digit).count();
    let (mut joined, mut start) = (String::new(), words());
    while let Some(first) = start.next() {
        joined.clear();
        push_upper(first, &mut joined);
        if digits(&joined) > 0 && MENTION_BYTES.contains(&joined.len()) {
            found(&joined);
        }
        for word in start.clone().take(2) {
            push_upper(word, &mut joined);
            if joined.len() > *MENTION_BYTES.end() {
                break;
            }
            if digits(&joined) > 1 && joined.len() >= JOINED_BYTES_MIN {
                found(&joined);
            }
        }
    }
}
