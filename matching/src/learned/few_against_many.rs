//! Which records take part in a learned pass where few of one side are left against many of the other, as new ones
//! against a year of open items.
//!
//! Of the many those are needed to which one of the few may belong, by currency, amount and date. The others only
//! show how common names and amounts are; so many of them as show it well are taken, told by their ids, and the rest
//! is left in peace.

use crate::candidates::Scope;
use crate::keys::KeyHasher;
use crate::nearby::{AmountsInReach, FEW_AGAINST_MANY};
use crate::remainder::Rest;
use crate::twins::Node;
use crate::{Cancelled, Side};
use rayon::prelude::*;

/// Records that show how common names and amounts are: what one of ten thousand has is seen about six times.
const SHOWN: usize = 1 << 16;

/// The left and the right nodes of a learned pass, sorted.
pub(super) fn taking_part(scope: &Scope<'_>) -> Result<(Vec<Node>, Vec<Node>), Cancelled> {
    let (left, right) = (scope.remainder.left.free_nodes(), scope.remainder.right.free_nodes());
    let is_few = |few: &[Node], many: &[Node]| {
        !few.is_empty() && many.len() > SHOWN && many.len() >= FEW_AGAINST_MANY * few.len()
    };
    if is_few(&left, &right) {
        let right = in_reach_or_shown(scope, Side::Left, &left, &right)?;
        return Ok((left, right));
    }
    if is_few(&right, &left) {
        let left = in_reach_or_shown(scope, Side::Right, &right, &left)?;
        return Ok((left, right));
    }
    Ok((left, right))
}

fn in_reach_or_shown(
    scope: &Scope<'_>,
    few_side: Side,
    few: &[Node],
    many: &[Node],
) -> Result<Vec<Node>, Cancelled> {
    let (own, rest) = (scope.remainder.side(few_side), scope.remainder.side(few_side.other()));
    let allowance = &scope.plan.allowance;
    let target = |&node: &Node| {
        let currency = own.records.currency(node);
        (currency, own.records.amount(node), allowance.in_currency(currency))
    };
    // The allowance is the same from either side, but for the side of a named difference, which its reach leaves out.
    let amounts = AmountsInReach::of(few.iter().map(target), scope.watch)?;
    let dates = Dates::of(own, few, scope.plan.window.days);
    let every = (many.len() / SHOWN + 1) as u64;
    let lists = many.par_chunks(1 << 14).map(|nodes| {
        scope.watch.check()?;
        let takes_part = |node: &&Node| {
            let (records, node) = (rest.records, **node);
            let in_reach =
                dates.has(records.date(node)) && amounts.has(records.currency(node), records.amount(node));
            in_reach || id_hash(rest, node).is_multiple_of(every)
        };
        Ok(nodes.iter().filter(takes_part).copied().collect::<Vec<_>>())
    });
    Ok(lists.collect::<Result<Vec<_>, Cancelled>>()?.concat())
}

fn id_hash(rest: &Rest<'_>, node: Node) -> u64 {
    let mut hasher = KeyHasher::new();
    hasher.part(rest.records.id(node));
    hasher.finish_u64()
}

/// Days on which one of the few may find its counterpart.
struct Dates(Option<(i64, i64)>);

impl Dates {
    fn of(own: &Rest<'_>, few: &[Node], window_days: Option<i64>) -> Self {
        let dates = || few.iter().map(|&node| i64::from(own.records.date(node)));
        let ends = dates().min().zip(dates().max()).zip(window_days);
        Dates(ends.map(|((first, last), days)| (first.saturating_sub(days), last.saturating_add(days))))
    }

    fn has(&self, date: i32) -> bool {
        self.0.is_none_or(|(first, last)| (first..=last).contains(&i64::from(date)))
    }
}
