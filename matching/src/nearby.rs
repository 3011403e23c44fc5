//! Candidates one to one without a key: amounts and dates near each other, in one currency.

mod reach;

pub(crate) use reach::{AmountsInReach, FEW_AGAINST_MANY};

use crate::candidates::{Candidates, PAIRS_MAX, Scope};
use crate::converted;
use crate::select::Pair;
use crate::sorted;
use crate::tolerance::CurrencyAllowance;
use crate::twins::Node;
use crate::{Cancelled, Currency, Pulse, Records, Side, Watch};
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

/// Comparisons one left record may take before it is given up on.
const COMPARISONS_MAX: usize = 20_000;
/// Candidates one left record may have before it is given up on.
const CANDIDATES_MAX: usize = 256;
/// Right records whose texts are read together before they are compared, see [`crate::text::Texts::fetch`].
const AHEAD: usize = 32;
/// Pieces of the left side; between them progress is told.
const WAVES: usize = 8;

pub(crate) fn find(scope: &Scope<'_>) -> Result<Candidates, Cancelled> {
    let (left, right) = (&scope.remainder.left, &scope.remainder.right);
    // Checked rules give a window to every pass without keys.
    let window_days = scope.plan.window.days.unwrap_or(0);
    let (nodes, mut others) = (left.free_nodes(), right.free_nodes());
    if others.len() >= FEW_AGAINST_MANY * nodes.len() {
        let targets = nodes.iter().flat_map(|&node| converted::targets(scope, node));
        let reach = AmountsInReach::of(targets, scope.watch)?;
        others = in_reach(right.records, others, &reach, scope.watch)?;
    }
    let index = Nearby::of(right.records, &others, window_days, scope.watch)?;
    let mut candidates = Candidates::default();
    let mut unseen = vec![];
    for (i, wave) in nodes.chunks(nodes.len().div_ceil(WAVES).max(1)).enumerate() {
        let lists = wave.par_chunks(1024).map(|nodes| {
            let (mut pairs, mut unseen, mut pulse) = (vec![], vec![], Pulse::new(scope.watch));
            let mut gave_up = 0;
            for &node in nodes {
                if !search(scope, &index, node, &mut pairs, &mut pulse)? {
                    gave_up += 1;
                    for (currency, amount, allowance) in converted::targets(scope, node) {
                        unseen.extend(index.around(currency, left.records.date(node), amount, &allowance));
                    }
                }
            }
            Ok((pairs, unseen, gave_up))
        });
        for (mut pairs, mut spans, gave_up) in lists.collect::<Result<Vec<_>, Cancelled>>()? {
            candidates.pairs.append(&mut pairs);
            candidates.gave_up += gave_up;
            unseen.append(&mut spans);
        }
        if candidates.pairs.len() > PAIRS_MAX {
            return Ok(Candidates { gave_up: 1, ..Candidates::default() });
        }
        (scope.advance)((i + 1) as f64 / WAVES as f64);
    }
    candidates.right_frozen = index.nodes_of(unseen);
    Ok(candidates)
}

/// Those of the nodes whose amounts are in reach, in their order.
pub(crate) fn in_reach(
    records: &Records,
    nodes: Vec<Node>,
    reach: &AmountsInReach,
    watch: Watch<'_>,
) -> Result<Vec<Node>, Cancelled> {
    let lists = nodes.par_chunks(1 << 14).map(|nodes| {
        watch.check()?;
        let near = |node: &&Node| reach.has(records.currency(**node), records.amount(**node));
        Ok(nodes.iter().filter(near).copied().collect::<Vec<_>>())
    });
    Ok(lists.collect::<Result<Vec<_>, Cancelled>>()?.concat())
}

/// Adds the candidates of one left node. `false`, and nothing added, when there are too many.
fn search(
    scope: &Scope<'_>,
    index: &Nearby,
    node: Node,
    pairs: &mut Vec<Pair>,
    pulse: &mut Pulse<'_>,
) -> Result<bool, Cancelled> {
    let date = scope.remainder.left.records.date(node);
    let window = &scope.plan.window;
    let (before, mut comparisons) = (pairs.len(), 0);
    let mut near: Vec<Neighbour> = Vec::with_capacity(AHEAD);
    pulse.beat(16)?;
    for (currency, amount, allowance) in converted::targets(scope, node) {
        for span in index.around(currency, date, amount, &allowance) {
            comparisons += span.neighbours.len();
            if comparisons > COMPARISONS_MAX {
                pairs.truncate(before);
                return Ok(false);
            }
            for neighbours in span.neighbours.chunks(AHEAD) {
                pulse.beat(neighbours.len() as u32)?;
                near.clear();
                near.extend(neighbours.iter().filter(|n| window.admits(window.distance(date, n.day))));
                scope.texts.iter().for_each(|t| t.fetch(Side::Right, near.iter().map(|n| n.node)));
                for neighbour in &near {
                    let distance = allowance.distance(amount.into(), neighbour.amount.into());
                    pairs.extend(scope.candidate_of(distance, node, neighbour.node, None, pulse)?);
                    if pairs.len() - before > CANDIDATES_MAX {
                        pairs.truncate(before);
                        return Ok(false);
                    }
                }
            }
        }
    }
    Ok(true)
}

/// Right nodes by currency, stretch of days, and amount.
pub(crate) struct Nearby {
    /// A stretch is one day longer than the window, so that only neighbouring ones are in reach.
    stretch_days: i64,
    /// Sorted.
    stretches: Vec<(Stretch, Vec<Neighbour>)>,
}

type Stretch = (Currency, i64);

/// A right node, with what tells most of them apart: looking it up elsewhere would cost more than the rest of the search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Neighbour {
    /// As the file has it.
    pub amount: i64,
    pub node: Node,
    pub day: i32,
}

/// Neighbours by amount inside one stretch.
pub(crate) struct Span<'n> {
    /// Number of the stretch, and where in it.
    stretch: usize,
    places: Range<usize>,
    pub neighbours: &'n [Neighbour],
}

impl Nearby {
    pub fn of(
        right: &Records,
        nodes: &[Node],
        window_days: i64,
        watch: Watch<'_>,
    ) -> Result<Self, Cancelled> {
        let stretch_days = window_days + 1;
        let mut stretches: HashMap<Stretch, Vec<_>> = HashMap::new();
        for chunk in nodes.chunks(1 << 16) {
            watch.check()?;
            for &node in chunk {
                let (amount, day) = (right.amount(node), right.date(node));
                let stretch = i64::from(day).div_euclid(stretch_days);
                let neighbour = Neighbour { amount, node, day };
                stretches.entry((right.currency(node), stretch)).or_default().push(neighbour);
            }
        }
        stretches.par_iter_mut().try_for_each(|(_, stretch)| sorted::sort(stretch, watch))?;
        let mut stretches: Vec<_> = stretches.into_iter().collect();
        stretches.sort_unstable_by_key(|&(stretch, _)| stretch);
        Ok(Nearby { stretch_days, stretches })
    }

    /// Spans that hold every right node within the window of `date` whose amount is in reach of `amount`,
    /// and some that are not.
    pub fn around(
        &self,
        currency: Currency,
        date: i32,
        amount: i64,
        allowance: &CurrencyAllowance<'_>,
    ) -> impl Iterator<Item = Span<'_>> + use<'_> {
        let middle = i64::from(date).div_euclid(self.stretch_days);
        let (low, high) = allowance.reach_in_file(amount);
        let first = self.stretches.partition_point(|&(stretch, _)| stretch < (currency, middle - 1));
        let near = self.stretches[first..].iter().take_while(move |(s, _)| *s <= (currency, middle + 1));
        near.zip(first..).filter_map(move |((_, nodes), stretch)| {
            let start = nodes.partition_point(|neighbour| neighbour.amount < low);
            let len = nodes[start..].partition_point(|neighbour| neighbour.amount <= high);
            let places = start..start + len;
            (len > 0).then(|| Span { stretch, neighbours: &nodes[places.clone()], places })
        })
    }

    /// All nodes in any of the spans, sorted. The spans may overlap as much as they like.
    fn nodes_of(&self, spans: Vec<Span<'_>>) -> Vec<Node> {
        let mut by_stretch: BTreeMap<usize, Vec<Range<usize>>> = BTreeMap::new();
        for span in spans {
            by_stretch.entry(span.stretch).or_default().push(span.places);
        }
        let mut nodes = vec![];
        for (stretch, mut ranges) in by_stretch {
            ranges.sort_unstable_by_key(|r| (r.start, r.end));
            let (all, mut next) = (&self.stretches[stretch].1, 0);
            for range in ranges {
                nodes.extend(all[range.start.max(next)..range.end.max(next)].iter().map(|n| n.node));
                next = next.max(range.end);
            }
        }
        nodes.sort_unstable();
        nodes
    }
}
