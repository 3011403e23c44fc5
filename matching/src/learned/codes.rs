//! Numbers of papers, telephones and accounts: exact, shared in part, or one character off.

use crate::keys::{Column, HashedMap, KeyHasher, each_token, push_upper};
use crate::twins::Node;
use crate::{Cancelled, Records, Side, Watch};
use rapidfuzz::distance::osa;
use rayon::prelude::*;

/// Bytes of a code compared character by character.
const CODE_BYTES_MAX: usize = 32;
/// References kept of one value, the first ones.
const TOKENS_MAX: usize = 12;
/// A shorter code has no character to lose.
const NEAR_BYTES_MIN: usize = 4;
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

    /// Hashes of the references inside the value, sorted.
    pub fn tokens(&self, place: usize) -> &[u64] {
        let start = if place == 0 { 0 } else { self.token_ends[place - 1] as usize };
        &self.tokens[start..self.token_ends[place] as usize]
    }

    fn letters(&self, place: usize) -> &[u8] {
        let start = if place == 0 { 0 } else { self.ends[place - 1] as usize };
        &self.letters[start..self.ends[place] as usize]
    }
}

/// The codes of both sides, and how many records have each.
#[derive(Debug)]
pub(super) struct Codes {
    pub left: SideCodes,
    pub right: SideCodes,
    /// Of whole values and of tokens: records that have it, the larger number of both sides.
    counts: HashedMap<u32>,
    records: f64,
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
    pub fn read(sides: [(&Records, &[Node], &[Column]); 2], watch: Watch<'_>) -> Result<Self, Cancelled> {
        let [left, right] = sides.map(|(records, nodes, columns)| read_side(records, nodes, columns, watch));
        let (left, right) = (left?, right?);
        let mut counts: HashedMap<(u32, u32)> = HashedMap::default();
        for (codes, is_left) in [(&left, true), (&right, false)] {
            for place in 0..codes.whole.len() {
                let whole = codes.whole[place];
                let others = codes.tokens(place).iter().filter(|&&t| t != whole);
                for &hash in std::iter::once(&whole).filter(|&&w| w != 0).chain(others) {
                    let count = counts.entry(hash).or_default();
                    *(if is_left { &mut count.0 } else { &mut count.1 }) += 1;
                }
            }
            watch.check()?;
        }
        let records = (left.whole.len().max(right.whole.len())).max(1) as f64;
        let counts = counts.into_iter().map(|(hash, (l, r))| (hash, l.max(r))).collect();
        Ok(Codes { left, right, counts, records })
    }

    pub fn side(&self, side: Side) -> &SideCodes {
        match side {
            Side::Left => &self.left,
            Side::Right => &self.right,
        }
    }

    pub fn count(&self, hash: u64) -> u32 {
        self.counts.get(&hash).copied().unwrap_or(1)
    }

    pub fn compare(&self, left: usize, right: usize) -> Closeness {
        let (l, r) = (self.left.whole[left], self.right.whole[right]);
        if l == r && l != 0 {
            return Closeness::Same { share: f64::from(self.count(l)) / self.records };
        }
        let (mine, theirs) = (self.left.tokens(left), self.right.tokens(right));
        let shared = mine.iter().filter(|t| theirs.contains(t)).map(|&t| self.count(t)).min();
        if let Some(count) = shared {
            return Closeness::Shared { share: f64::from(count) / self.records };
        }
        if l == 0 || r == 0 {
            return Closeness::Missing;
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
    watch: Watch<'_>,
) -> Result<SideCodes, Cancelled> {
    let parts = nodes.par_chunks(4096).map(|nodes| {
        watch.check()?;
        let (mut part, mut buffer) = (SideCodes::default(), String::new());
        for &node in nodes {
            part.push(records, node, columns, &mut buffer);
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
    fn push(&mut self, records: &Records, node: Node, columns: &[Column], buffer: &mut String) {
        buffer.clear();
        let before = self.tokens.len();
        // Of several fields the first is the code itself; the others may name it somewhere in a text.
        for (i, column) in columns.iter().enumerate() {
            let text = column.text(records, node);
            if i == 0 {
                push_upper(text, buffer);
            }
            each_token(text, |token| {
                if self.tokens.len() - before < TOKENS_MAX {
                    self.tokens.push(hash(token.as_bytes()));
                }
            });
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
    hasher.finish_u64() | 1
}
