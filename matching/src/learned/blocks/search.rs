//! The right records that one left record is compared with.

use super::index::{COMMON_DAYS_MAX, Index, KEY_RECORDS_MAX, in_reach, keys_of};
use super::keep_best;
use crate::candidates::Scope;
use crate::learned::fields::{Field, Part};
use crate::twins::Node;
use crate::{Cancelled, Pulse, Side};

/// Of a record's common keys the rarest ones are looked at.
const COMMON_KEYS_MAX: usize = 2;
/// Records with a near amount inside the window; with more of them that alone is no reason to look.
const NEAR_AMOUNTS_MAX: usize = 8;
/// Pairs one left record may have; the ones that share the rarest things are kept.
const PAIRS_PER_RECORD_MAX: usize = 48;

pub(super) struct Search<'a> {
    scope: &'a Scope<'a>,
    fields: &'a [Field],
    sides: [Part<'a>; 2],
    index: &'a Index,
    pulse: Pulse<'a>,
    keys: Vec<u64>,
    /// What [`Self::look`] found: right place, and how much what is shared tells, in bits.
    pub votes: Vec<(u32, f32)>,
}

/// First and last day, where there is a window.
type Days = Option<(i64, i64)>;

impl<'a> Search<'a> {
    pub fn new(scope: &'a Scope<'a>, fields: &'a [Field], sides: [Part<'a>; 2], index: &'a Index) -> Self {
        Search { scope, fields, sides, index, pulse: Pulse::new(scope.watch), keys: vec![], votes: vec![] }
    }

    /// Candidates of a left record, in the order of places. Whether there are more or commoner ones than these.
    pub fn look(&mut self, place: u32) -> Result<bool, Cancelled> {
        let [left, right] = self.sides;
        let node = left.nodes[place as usize];
        keys_of(self.scope, self.fields, Side::Left, left, place, &mut self.keys);
        let plan = self.scope.plan;
        let date = i64::from(left.records.date(node));
        let window = plan.window.days.map(|days| (date - days, date + days));
        let currency = left.records.currency(node);
        let reach = plan.allowance.in_currency(currency).reach_in_file(left.records.amount(node));
        self.votes.clear();
        let (common, mut rare) = self.vote_by_rare_keys(window, reach)?;
        rare |= self.vote_for_near_amounts(node);
        let mut gave_up = common && !rare;
        // Without a window a common key leads to too many, whatever the amounts.
        if common && window.is_some() {
            self.pulse.beat(Pulse::TEXT * self.votes.len() as u32)?;
            if !self.votes.iter().any(|&(other, _)| self.is_half_alike(place, other)) {
                gave_up &= !self.vote_by_common_keys(place, window, reach)?;
            }
        }
        let mut votes = std::mem::take(&mut self.votes);
        votes.retain(|&(other, _)| self.may_be(node, right.nodes[other as usize]));
        add_up(&mut votes);
        gave_up |= keep_best(&mut votes, PAIRS_PER_RECORD_MAX, right);
        self.votes = votes;
        Ok(gave_up)
    }

    /// Whether there are common keys, and whether there are rare ones that others have.
    fn vote_by_rare_keys(
        &mut self,
        window: Days,
        (low, high): (i64, i64),
    ) -> Result<(bool, bool), Cancelled> {
        let (mut common, mut rare) = (false, false);
        let records = self.sides[1].nodes.len() as f32;
        for &key in &self.keys {
            let (near, of) = self.index.around(key, window);
            self.pulse.beat(8 + near.len().min(KEY_RECORDS_MAX) as u32)?;
            if near.len() > KEY_RECORDS_MAX {
                common = true;
                continue;
            }
            rare |= !near.is_empty();
            let bits = (records / of as f32).log2().max(0.1);
            let in_reach = near.iter().filter(|posting| (low..=high).contains(&posting.amount));
            self.votes.extend(in_reach.map(|posting| (posting.place, bits)));
        }
        Ok((common, rare))
    }

    /// Where nothing rare leads to a text that is half alike: who has a common key, an amount in reach, and such a text. In
    /// large files `SONS` or `TRADING` is often all that is left of a name with a misspelt beginning. `false` where even the
    /// rarest of these keys leads to too many.
    fn vote_by_common_keys(
        &mut self,
        place: u32,
        window: Days,
        reach: (i64, i64),
    ) -> Result<bool, Cancelled> {
        let index = self.index;
        let around = |&key: &u64| index.around(key, window);
        let mut common: Vec<_> =
            self.keys.iter().map(around).filter(|(near, _)| near.len() > KEY_RECORDS_MAX).collect();
        common.sort_by_key(|(near, _)| near.len());
        let (right, mut found) = (self.sides[1], vec![]);
        for (number, (near, of)) in common.into_iter().take(COMMON_KEYS_MAX).enumerate() {
            self.pulse.beat(8 * COMMON_DAYS_MAX as u32)?;
            let bits = (right.nodes.len() as f32 / of as f32).log2().max(0.1);
            match in_reach(near, reach) {
                Some(near) => found.extend(near.iter().map(|posting| (posting.place, bits))),
                None if number == 0 => return Ok(false),
                None => break,
            }
        }
        add_up(&mut found);
        let pairs: Vec<(u32, u32)> = found.iter().map(|&(other, _)| (place, other)).collect();
        self.fields.iter().for_each(|field| field.fetch(right, &pairs));
        self.pulse.beat(Pulse::TEXT * found.len() as u32)?;
        found.retain(|&(other, _)| self.is_half_alike(place, other));
        self.votes.append(&mut found);
        Ok(true)
    }

    fn is_half_alike(&self, left: u32, right: u32) -> bool {
        self.fields.iter().any(|field| field.is_half_alike(left as usize, right as usize))
    }

    /// A near amount alone makes a candidate where few records have one. Whether there were any.
    fn vote_for_near_amounts(&mut self, node: Node) -> bool {
        let Some(nearby) = &self.index.near else { return false };
        let (left, right) = (self.sides[0].records, self.sides[1]);
        let allowance = self.scope.plan.allowance.in_currency(left.currency(node));
        let before = self.votes.len();
        for span in nearby.around(left.currency(node), left.date(node), left.amount(node), &allowance) {
            for neighbour in span.neighbours {
                if self.may_be(node, neighbour.node) {
                    let Ok(at) = right.nodes.binary_search(&neighbour.node) else { continue };
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
}

/// Each place once, in order, with all that speaks for it.
fn add_up(votes: &mut Vec<(u32, f32)>) {
    votes.sort_by_key(|vote| vote.0);
    votes.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 += next.1;
        }
        same
    });
}
