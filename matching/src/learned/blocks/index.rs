//! Right records by the keys by which left ones look for them.

use crate::candidates::Scope;
use crate::keys::{HashedMap, KeyHasher};
use crate::learned::fields::{Field, KeyKind, Part, amount_key};
use crate::nearby::Nearby;
use crate::sorted;
use crate::{Cancelled, Side};
use rayon::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};

/// Records in reach by one key; a key that more have is common, and says too little to search by.
pub(super) const KEY_RECORDS_MAX: usize = 256;
/// Days on which the records of a common key are looked for by their amounts.
pub(super) const COMMON_DAYS_MAX: usize = 64;
/// Right records with a key whose amounts are read between two looks at the watch.
const PIECE_LEN: usize = 1 << 14;

/// Right records by key and day.
pub(super) struct Index {
    /// Where amounts may differ: by day and amount.
    pub near: Option<Nearby>,
    /// By key and day, those of a common key by amount then.
    list: Vec<Posting>,
    ranges: HashedMap<(u32, u32)>,
}

/// A right record that has a key. With its amount, since most are told apart by that: looking it up elsewhere would
/// cost more than the rest of the search.
#[derive(Clone, Copy)]
pub(super) struct Posting {
    pub day: i32,
    pub place: u32,
    pub amount: i64,
}

impl Index {
    pub fn of(scope: &Scope<'_>, fields: &[Field], [left, right]: [Part<'_>; 2]) -> Result<Self, Cancelled> {
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
        let lists = lists.collect::<Result<Vec<_>, Cancelled>>()?;
        let mut list = Vec::with_capacity(lists.iter().map(Vec::len).sum());
        lists.into_iter().for_each(|mut part| list.append(&mut part));
        sorted::sort(&mut list, scope.watch)?;
        let mut ranges = HashedMap::default();
        let mut start = 0u32;
        for same in list.chunk_by(|a, b| a.0 == b.0) {
            ranges.insert(same[0].0, (start, start + same.len() as u32));
            start += same.len() as u32;
        }
        // In the memory of the list: both have sixteen bytes for each item, and are the largest things of the pass.
        let mut postings: Vec<Posting> =
            list.into_iter().map(|(_, day, place)| Posting { day, place, amount: 0 }).collect();
        postings.par_chunks_mut(PIECE_LEN).try_for_each(|postings| {
            scope.watch.check()?;
            for posting in postings {
                posting.amount = right.records.amount(right.nodes[posting.place as usize]);
            }
            Ok(())
        })?;
        for &(start, end) in ranges.values().filter(|(start, end)| (end - start) as usize > KEY_RECORDS_MAX) {
            let common = &mut postings[start as usize..end as usize];
            sorted::sort_by_key(common, scope.watch, |p| (p.day, p.amount, p.place))?;
        }
        let near = match scope.plan.window.days {
            Some(days) if fields.iter().any(|f| matches!(f, Field::Amounts { .. })) => {
                Some(Nearby::of(right.records, right.nodes, days, scope.watch)?)
            }
            _ => None,
        };
        Ok(Index { near, list: postings, ranges })
    }

    /// Places with the key inside the window, and how many have it on any day.
    pub fn around(&self, key: u64, window: Option<(i64, i64)>) -> (&[Posting], usize) {
        let Some(&(start, end)) = self.ranges.get(&key) else { return (&[], 0) };
        let all = &self.list[start as usize..end as usize];
        let Some((first, last)) = window else { return (all, all.len()) };
        let from = all.partition_point(|posting| i64::from(posting.day) < first);
        let near = &all[from..];
        (&near[..near.partition_point(|posting| i64::from(posting.day) <= last)], all.len())
    }
}

/// Of what [`Index::around`] gives for a common key, the records whose amounts are in reach. `None` where these are no few
/// either, or lie on too many days.
pub(super) fn in_reach(common: &[Posting], (low, high): (i64, i64)) -> Option<Vec<Posting>> {
    let (mut found, mut days, mut rest) = (vec![], 0, common);
    while let Some(&Posting { day, .. }) = rest.first() {
        days += 1;
        let (of_day, later) = rest.split_at(rest.partition_point(|posting| posting.day <= day));
        let from = &of_day[of_day.partition_point(|posting| posting.amount < low)..];
        let near = &from[..from.partition_point(|posting| posting.amount <= high)];
        if days > COMMON_DAYS_MAX || found.len() + near.len() > KEY_RECORDS_MAX {
            return None;
        }
        found.extend_from_slice(near);
        rest = later;
    }
    Some(found)
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
pub(super) fn keys_of(
    scope: &Scope<'_>,
    fields: &[Field],
    side: Side,
    part: Part<'_>,
    place: u32,
    keys: &mut Vec<u64>,
) {
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
