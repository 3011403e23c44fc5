//! Which records of both sides are searched together.

use super::Block;
use crate::blocks;
use crate::candidates::Scope;
use crate::evidence::KeyEvidence;
use crate::open::Between;
use crate::summed::Ends;
use crate::twins::Node;
use crate::{Cancelled, Pulse, Row, Side};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// The free records of each key and currency that both sides have, and how many keys too common to look at.
pub(super) fn by_key(scope: &Scope<'_>) -> Result<(Vec<Block>, u64), Cancelled> {
    let Some(Ends { between: Between::Groups { left, right }, first, second }) = Ends::of(scope)? else {
        return Ok((vec![], 0));
    };
    let tokens = scope.plan.keys.has_tokens();
    let visit = |block: blocks::Block<'_>, list: &mut Vec<Block>| {
        let spread = block.left.len().saturating_mul(block.right.len());
        if tokens && spread > KeyEvidence::SPREAD_MAX {
            return Ok(());
        }
        let rows = |side: Side, groups: &[crate::groups::Group], of: &[u32]| {
            let rows = of.iter().flat_map(|&group| groups[group as usize].rows.iter().copied());
            searchable(scope, side, rows.collect())
        };
        let block = Block {
            left: rows(Side::Left, &left, block.left),
            right: rows(Side::Right, &right, block.right),
            spread: Some(if tokens { spread as u32 } else { 1 }),
        };
        if !block.left.is_empty() && !block.right.is_empty() {
            list.push(block);
        }
        Ok(())
    };
    let mut blocks = blocks::join(first, second, scope.watch, scope.advance, visit)?;
    blocks.sort_by(|a, b| (&a.left, &a.right).cmp(&(&b.left, &b.right)));
    // Two tokens may have led to the same records.
    blocks.dedup_by(|b, a| {
        let same = (&a.left, &a.right) == (&b.left, &b.right);
        a.spread = if same { a.spread.min(b.spread) } else { a.spread };
        same
    });
    Ok((blocks, 0))
}

/// The free records that like texts join inside the window, one currency each; and how many left records have only
/// words too common to look at.
pub(super) fn by_text(scope: &Scope<'_>) -> Result<(Vec<Block>, u64), Cancelled> {
    let (Some(texts), Some(rule), Some(days)) =
        (scope.texts, scope.plan.text.as_ref(), scope.plan.window.days)
    else {
        return Ok((vec![], 0));
    };
    let (left, right) = (&scope.remainder.left, &scope.remainder.right);
    let rows: Vec<Row> = right.free_rows().collect();
    let nodes = left.free_nodes();
    let postings = texts.postings(Side::Right, &rows, &nodes, right.records, scope.watch)?;
    let lists = nodes.par_chunks(256).map(|nodes| {
        let (mut edges, mut gave_up, mut pulse) = (vec![], 0, Pulse::new(scope.watch));
        for &node in nodes {
            pulse.beat(64)?;
            let (date, currency) = (left.records.date(node), left.records.currency(node));
            let Some(mut near) = postings.around(node, date.into(), days, i64::MIN..=i64::MAX) else {
                gave_up += 1;
                continue;
            };
            near.retain(|&row| {
                right.records.currency(row) == currency
                    && scope.plan.window.admits(scope.plan.window.distance(date, right.records.date(row)))
            });
            for row in near {
                pulse.beat(Pulse::TEXT)?;
                if texts.similarity_from(rule.min, node, row) >= rule.min {
                    edges.push((node, row));
                }
            }
        }
        Ok((edges, gave_up))
    });
    let (mut pieces, mut gave_up) = (Pieces::default(), 0);
    for (edges, more) in lists.collect::<Result<Vec<_>, Cancelled>>()? {
        scope.watch.check()?;
        edges.into_iter().for_each(|(node, row)| pieces.join(node, row));
        gave_up += more;
    }
    let blocks = pieces.into_blocks(scope)?;
    Ok((blocks, gave_up))
}

/// Not those that an earlier pass left tied, by id.
fn searchable(scope: &Scope<'_>, side: Side, mut rows: Vec<Row>) -> Vec<Row> {
    let rest = scope.remainder.side(side);
    rows.retain(|&row| !scope.held.holds(side, rest.twins.node(row)));
    rows.sort_by(|&a, &b| rest.by_id(a, b));
    rows.dedup();
    rows
}

/// Connected left nodes and right records, by union and find.
#[derive(Default)]
struct Pieces {
    parent: BTreeMap<(Side, Row), (Side, Row)>,
}

impl Pieces {
    fn join(&mut self, left: Node, right: Row) {
        let (a, b) = (self.root((Side::Left, left)), self.root((Side::Right, right)));
        // The smaller one stands for both, so that no order of joining matters.
        let (small, large) = if a < b { (a, b) } else { (b, a) };
        self.parent.insert(large, small);
        self.parent.entry(small).or_insert(small);
    }

    fn root(&mut self, of: (Side, Row)) -> (Side, Row) {
        let mut root = of;
        while let Some(&above) = self.parent.get(&root).filter(|&&above| above != root) {
            root = above;
        }
        // The way is made short for those who come after.
        let mut at = of;
        while at != root {
            at = self.parent.insert(at, root).unwrap_or(root);
        }
        root
    }

    fn into_blocks(mut self, scope: &Scope<'_>) -> Result<Vec<Block>, Cancelled> {
        let members: Vec<(Side, Row)> = self.parent.keys().copied().collect();
        let mut pieces: BTreeMap<(Side, Row), [Vec<Row>; 2]> = BTreeMap::new();
        let mut pulse = Pulse::new(scope.watch);
        for (side, place) in members {
            pulse.beat(64)?;
            let rest = scope.remainder.side(side);
            let rows = if side == Side::Left { rest.free_of_node(place) } else { vec![place] };
            pieces.entry(self.root((side, place))).or_default()[side as usize].extend(rows);
        }
        let block = |[left, right]: [Vec<Row>; 2]| {
            let (left, right) = (searchable(scope, Side::Left, left), searchable(scope, Side::Right, right));
            (!left.is_empty() && !right.is_empty()).then_some(Block { left, right, spread: None })
        };
        Ok(pieces.into_values().filter_map(block).collect())
    }
}
