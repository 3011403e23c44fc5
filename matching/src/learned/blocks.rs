//! Which pairs are looked at: those that share a value, a word or an amount that few records have.

use super::fields::{Agreement, Field, KeyKind, Part, amount_key};
use crate::candidates::Scope;
use crate::keys::{HashedMap, KeyHasher};
use crate::nearby::Nearby;
use crate::sorted;
use crate::twins::{Node, by_id};
use crate::{Cancelled, Pulse, Side};
use rayon::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};

/// Records in reach by one key; more of them, and the key says too little to search by.
const KEY_RECORDS_MAX: usize = 256;
/// Records with a near amount inside the window; with more of them that alone is no reason to look.
const NEAR_AMOUNTS_MAX: usize = 8;
/// Pairs one left record may have; the ones that share the rarest things are kept.
const PAIRS_PER_RECORD_MAX: usize = 48;
/// Pairs of one pass, about a hundred bytes each.
const PAIRS_MAX: usize = 6 << 20;
/// Left records whose pairs are compared together, see [`Field::fetch`].
const AHEAD: usize = 16;
/// Right records with a key whose amounts are read between two looks at the watch.
const PIECE_LEN: usize = 1 << 14;

/// Pairs by place, sorted by left place, with their agreements field by field.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    pub ends: Vec<(u32, u32)>,
    /// As many for each pair as there are fields.
    pub agreements: Vec<Agreement>,
    /// Left records that had more or commoner candidates than are looked at.
    pub gave_up: u64,
}

pub(super) fn find(scope: &Scope<'_>, fields: &[Field], sides: [Part<'_>; 2]) -> Result<Pairs, Cancelled> {
    let index = Index::of(scope, fields, sides)?;
    let places: Vec<u32> = (0..sides[0].nodes.len() as u32).collect();
    let mut pairs = Pairs::default();
    // In waves, for progress and so that the limit of pairs is seen before much is done in vain.
    for (wave, places) in places.chunks(places.len().div_ceil(8).max(1)).enumerate() {
        let lists = places.par_chunks(512).map(|places| {
            scope.watch.check()?;
            let mut found = Pairs::default();
            let mut search = Search { scope, fields, sides, index: &index, keys: vec![], votes: vec![] };
            let mut pulse = Pulse::new(scope.watch);
            for places in places.chunks(AHEAD) {
                let first = found.ends.len();
                for &place in places {
                    search.pairs_of(place, &mut found, &mut pulse)?;
                }
                search.compare(&mut found, first, &mut pulse)?;
            }
            Ok(found)
        });
        for mut list in lists.collect::<Result<Vec<_>, Cancelled>>()? {
            pairs.ends.append(&mut list.ends);
            pairs.agreements.append(&mut list.agreements);
            pairs.gave_up += list.gave_up;
        }
        if pairs.ends.len() > PAIRS_MAX {
            return Ok(Pairs { gave_up: sides[0].nodes.len() as u64, ..Pairs::default() });
        }
        (scope.advance)(0.2 + 0.4 * (wave + 1) as f64 / 8.0);
    }
    Ok(pairs)
}

/// Right records by key and day.
struct Index {
    /// Where amounts may differ: by day and amount.
    near: Option<Nearby>,
    list: Vec<Posting>,
    ranges: HashedMap<(u32, u32)>,
}

/// A right record that has a key. With its amount, since most are told apart by that: looking it up elsewhere would
/// cost more than the rest of the search.
#[derive(Clone, Copy)]
struct Posting {
    day: i32,
    place: u32,
    amount: i64,
}

impl Index {
    fn of(scope: &Scope<'_>, fields: &[Field], [left, right]: [Part<'_>; 2]) -> Result<Self, Cancelled> {
        let places: Vec<u32> = (0..left.nodes.len() as u32).collect();
        let lists = places.par_chunks(4096).map(|places| {
            scope.watch.check()?;
            let (mut all, mut keys) = (vec![], vec![]);
            for &place in places {
                keys_of(scope, fields, Side::Left, left, place, &mut keys);
                all.extend_from_slice(&keys);
            }
            all.sort_unstable();
            all.dedup();
            Ok(all)
        });
        // Only keys that somebody asks for are worth their memory, and a few that only look like those.
        let lists = lists.collect::<Result<Vec<Vec<u64>>, Cancelled>>()?;
        let asked = KeyHints::of(&lists);
        drop(lists);
        let places: Vec<u32> = (0..right.nodes.len() as u32).collect();
        let lists = places.par_chunks(4096).map(|places| {
            scope.watch.check()?;
            let (mut list, mut keys) = (vec![], vec![]);
            for &place in places {
                let date = right.records.date(right.nodes[place as usize]);
                keys_of(scope, fields, Side::Right, right, place, &mut keys);
                let wanted = keys.iter().filter(|&&key| asked.may_have(key));
                list.extend(wanted.map(|&key| (key, date, place)));
            }
            Ok(list)
        });
        let mut list = lists.collect::<Result<Vec<_>, Cancelled>>()?.concat();
        sorted::sort(&mut list, scope.watch)?;
        let mut ranges = HashedMap::default();
        let mut start = 0u32;
        for same in list.chunk_by(|a, b| a.0 == b.0) {
            ranges.insert(same[0].0, (start, start + same.len() as u32));
            start += same.len() as u32;
        }
        let mut postings = vec![Posting { day: 0, place: 0, amount: 0 }; list.len()];
        let pieces = postings.par_chunks_mut(PIECE_LEN).zip(list.par_chunks(PIECE_LEN));
        pieces.try_for_each(|(postings, list)| {
            scope.watch.check()?;
            for (posting, &(_, day, place)) in postings.iter_mut().zip(list) {
                let amount = right.records.amount(right.nodes[place as usize]);
                *posting = Posting { day, place, amount };
            }
            Ok(())
        })?;
        let near = match scope.plan.window.days {
            Some(days) if fields.iter().any(|f| matches!(f, Field::Amounts { .. })) => {
                Some(Nearby::of(right.records, right.nodes, days, scope.watch)?)
            }
            _ => None,
        };
        Ok(Index { near, list: postings, ranges })
    }

    /// Places with the key inside the window, and how many have it on any day.
    fn around(&self, key: u64, window: Option<(i64, i64)>) -> (&[Posting], usize) {
        let Some(&(start, end)) = self.ranges.get(&key) else { return (&[], 0) };
        let all = &self.list[start as usize..end as usize];
        let Some((first, last)) = window else { return (all, all.len()) };
        let from = all.partition_point(|posting| i64::from(posting.day) < first);
        let near = &all[from..];
        (&near[..near.partition_point(|posting| i64::from(posting.day) <= last)], all.len())
    }
}

/// A bit for each low end of a key: tells most of the keys that are not among them.
struct KeyHints(Vec<AtomicU64>);

impl KeyHints {
    fn of(lists: &[Vec<u64>]) -> Self {
        let keys = lists.iter().map(Vec::len).sum::<usize>();
        let hints = KeyHints((0..(keys / 8 + 1).next_power_of_two()).map(|_| AtomicU64::new(0)).collect());
        lists.par_iter().flatten_iter().for_each(|&key| {
            let (word, bit) = hints.place(key);
            word.fetch_or(bit, Ordering::Relaxed);
        });
        hints
    }

    fn may_have(&self, key: u64) -> bool {
        let (word, bit) = self.place(key);
        word.load(Ordering::Relaxed) & bit != 0
    }

    fn place(&self, key: u64) -> (&AtomicU64, u64) {
        (&self.0[(key >> 6) as usize & (self.0.len() - 1)], 1 << (key & 63))
    }
}

/// The blocking keys of one record, each once.
fn keys_of(scope: &Scope<'_>, fields: &[Field], side: Side, part: Part<'_>, place: u32, keys: &mut Vec<u64>) {
    keys.clear();
    let node = part.nodes[place as usize];
    let currency = part.records.currency(node);
    let mut mixed = KeyHasher::new();
    mixed.currency(currency);
    for (number, field) in fields.iter().enumerate() {
        if let Field::Amounts { flip, .. } = field {
            let amount = part.records.amount(node);
            let amount = if *flip && side == Side::Right { amount.wrapping_neg() } else { amount };
            keys.push(amount_key(amount, currency));
            continue;
        }
        field.each_key(side, place as usize, |hash, kind| {
            // Without a window the beginnings of words would join too much.
            if kind == KeyKind::Prefix && scope.plan.window.days.is_none() {
                return;
            }
            let mut hasher = mixed;
            hasher.number(number as u64);
            hasher.number(hash);
            keys.push(hasher.finish_u64());
        });
    }
    keys.sort_unstable();
    keys.dedup();
}

struct Search<'a> {
    scope: &'a Scope<'a>,
    fields: &'a [Field],
    sides: [Part<'a>; 2],
    index: &'a Index,
    keys: Vec<u64>,
    /// Right place, and how much what is shared tells, in bits.
    votes: Vec<(u32, f32)>,
}

impl Search<'_> {
    fn pairs_of(&mut self, place: u32, found: &mut Pairs, pulse: &mut Pulse<'_>) -> Result<(), Cancelled> {
        let [left, right] = self.sides;
        let node = left.nodes[place as usize];
        keys_of(self.scope, self.fields, Side::Left, left, place, &mut self.keys);
        let plan = self.scope.plan;
        let date = i64::from(left.records.date(node));
        let window = plan.window.days.map(|days| (date - days, date + days));
        let currency = left.records.currency(node);
        let (low, high) = plan.allowance.in_currency(currency).reach_in_file(left.records.amount(node));
        self.votes.clear();
        let (mut common, mut rare) = (0, 0);
        for &key in &self.keys {
            let (near, of) = self.index.around(key, window);
            pulse.beat(8 + near.len().min(KEY_RECORDS_MAX) as u32)?;
            if near.len() > KEY_RECORDS_MAX {
                common += 1;
                continue;
            }
            rare += usize::from(!near.is_empty());
            let bits = (right.nodes.len() as f32 / of as f32).log2().max(0.1);
            let in_reach = near.iter().filter(|posting| (low..=high).contains(&posting.amount));
            self.votes.extend(in_reach.map(|posting| (posting.place, bits)));
        }
        rare += usize::from(self.vote_for_near_amounts(node));
        if common > 0 && rare == 0 {
            found.gave_up += 1;
        }
        let mut votes = std::mem::take(&mut self.votes);
        votes.retain(|&(other, _)| self.may_be(node, right.nodes[other as usize]));
        self.votes = votes;
        self.votes.sort_by_key(|v| v.0);
        self.votes.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
        if self.votes.len() > PAIRS_PER_RECORD_MAX {
            found.gave_up += 1;
            let name = |place: u32| right.nodes[place as usize];
            self.votes
                .sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| by_id(right.records, name(a.0), name(b.0))));
            self.votes.truncate(PAIRS_PER_RECORD_MAX);
            self.votes.sort_by_key(|v| v.0);
        }
        found.ends.extend(self.votes.iter().map(|&(other, _)| (place, other)));
        Ok(())
    }

    /// The agreements of the pairs from `first` on.
    fn compare(&self, found: &mut Pairs, first: usize, pulse: &mut Pulse<'_>) -> Result<(), Cancelled> {
        let pairs = &found.ends[first..];
        self.fields.iter().for_each(|field| field.fetch(self.sides[1], pairs));
        for &(left, right) in pairs {
            pulse.beat(Pulse::TEXT * self.fields.len() as u32)?;
            let compared = self.fields.iter().map(|f| f.compare(self.sides, left as usize, right as usize));
            found.agreements.extend(compared);
        }
        Ok(())
    }

    /// Amount, date and currency inside the rule, and no tie in the way.
    fn may_be(&self, left: Node, right: Node) -> bool {
        let (l, r) = (self.sides[0].records, self.sides[1].records);
        let plan = self.scope.plan;
        let allowance = plan.allowance.in_currency(l.currency(left));
        plan.window.admits(plan.window.distance(l.date(left), r.date(right)))
            && allowance.distance(l.amount(left).into(), r.amount(right).into()).fits()
            && l.currency(left) == r.currency(right)
            && self.scope.held.allows(left, right)
    }

    /// A near amount alone makes a candidate where few records have one. Whether there were any.
    fn vote_for_near_amounts(&mut self, node: Node) -> bool {
        let Some(nearby) = &self.index.near else { return false };
        let (left, right) = (self.sides[0].records, self.sides[1]);
        let allowance = self.scope.plan.allowance.in_currency(left.currency(node));
        let before = self.votes.len();
        for span in nearby.around(left.currency(node), left.date(node), left.amount(node), &allowance) {
            for &(_, other) in nearby.slice(&span) {
                if self.may_be(node, other) {
                    let Ok(at) = right.nodes.binary_search(&other) else { continue };
                    self.votes.push((at as u32, 1.0));
                }
                if self.votes.len() - before > NEAR_AMOUNTS_MAX {
                    self.votes.truncate(before);
                    return true;
                }
            }
        }
        self.votes.len() > before
    }
}
