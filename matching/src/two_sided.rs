//! Groups of both sides that a search finds: inside a block and a window, the fewest records of each side that have
//! the same sum.
//!
//! A *block* is the records of a key, or without keys those that like texts join inside the window. It is searched
//! window by window, smallest choices first. A choice is a match where no other of its size wants any of its records,
//! and where chance alone would not have given one; choices that share records are tied, all of them. Both are then
//! taken out and the rest is searched again.
//!
//! Bounds: a window has at most `records_max` records (20), and costs one [`crate::balanced`] search; of the larger
//! ones of a key, up to [`RECORDS_MAX`], all but one or two records are looked at. A block has at most
//! [`SEARCHES_MAX`] searches. What is beyond is counted in `gave_up`.

mod blocks;
mod window;

use crate::candidates::Scope;
use crate::evidence::KeyEvidence;
use crate::groups::Group;
use crate::plan::SearchPlan;
use crate::select::{Chosen, Pair};
use crate::twins::Node;
use crate::{Cancelled, Confidence, Pulse, Row, Side};
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap, HashSet};
use window::{Members, Searched};

/// A larger block is not searched at all.
const RECORDS_MAX: usize = 1_000;
/// Searches of windows in one block: a second at most.
const SEARCHES_MAX: usize = 1_000;

/// Groups of the left and of the right side by their number, and which belong together.
#[derive(Debug, Default)]
pub(crate) struct TwoSided {
    pub left: Vec<Group>,
    pub right: Vec<Group>,
    pub chosen: Vec<Chosen>,
    /// Those between which nothing decides.
    pub open: Vec<Pair>,
    pub gave_up: u64,
}

/// Records that may belong together; each list by id.
struct Block {
    left: Vec<Row>,
    right: Vec<Row>,
    /// Of its key; `None` without one.
    spread: Option<u32>,
}

/// Records of both sides with the same sum.
#[derive(Debug, Clone)]
struct Answer {
    left: Group,
    right: Group,
    confidence: Confidence,
    spread: u32,
    /// Others want its records.
    is_tied: bool,
}

impl Answer {
    fn rows(&self) -> impl Iterator<Item = (Side, Row)> + '_ {
        let left = self.left.rows.iter().map(|&row| (Side::Left, row));
        left.chain(self.right.rows.iter().map(|&row| (Side::Right, row)))
    }

    fn len(&self) -> usize {
        self.left.rows.len() + self.right.rows.len()
    }
}

pub(crate) fn find(scope: &Scope<'_>, search: &SearchPlan) -> Result<TwoSided, Cancelled> {
    let (blocks, mut gave_up) =
        if scope.plan.keys.is_empty() { blocks::by_text(scope)? } else { blocks::by_key(scope)? };
    let found = blocks.par_iter().map(|block| {
        scope.watch.check()?;
        search_block(scope, search, block)
    });
    let mut answers = vec![];
    for (mut found, more) in found.collect::<Result<Vec<_>, Cancelled>>()? {
        answers.append(&mut found);
        gave_up += more;
    }
    (scope.advance)(0.9);
    Ok(TwoSided { gave_up, ..settle(answers) })
}

/// Answers of different blocks may want the same records, where a text names several keys: those are tied.
fn settle(mut answers: Vec<Answer>) -> TwoSided {
    answers.sort_by(|a, b| {
        (&a.left.rows, &a.right.rows)
            .cmp(&(&b.left.rows, &b.right.rows))
            .then(b.confidence.cmp(&a.confidence))
    });
    answers.dedup_by(|b, a| {
        let same = (&a.left.rows, &a.right.rows) == (&b.left.rows, &b.right.rows);
        a.is_tied |= same && b.is_tied;
        same
    });
    tie_overlapping(&mut answers);
    let mut found = TwoSided::default();
    for (i, answer) in answers.into_iter().enumerate() {
        let (confidence, spread) = (answer.confidence, answer.spread);
        let pair = Pair { left: i as u32, right: i as u32, confidence, spread };
        found.left.push(answer.left);
        found.right.push(answer.right);
        if answer.is_tied {
            found.open.push(pair);
        } else {
            found.chosen.push(Chosen { pair, count: 1 });
        }
    }
    found
}

fn tie_overlapping(answers: &mut [Answer]) {
    let mut wanted: HashMap<(Side, Row), u32> = HashMap::new();
    answers.iter().flat_map(Answer::rows).for_each(|row| *wanted.entry(row).or_default() += 1);
    for answer in answers {
        let is_wanted_twice = answer.rows().any(|row| wanted[&row] > 1);
        answer.is_tied |= is_wanted_twice;
    }
}

/// And how many windows it gave up.
fn search_block(
    scope: &Scope<'_>,
    search: &SearchPlan,
    block: &Block,
) -> Result<(Vec<Answer>, u64), Cancelled> {
    if block.left.len() + block.right.len() > RECORDS_MAX {
        return Ok((vec![], 1));
    }
    let mut pulse = Pulse::new(scope.watch);
    let mut pool = Members::of(scope, block);
    let (mut answers, mut gave_up) = (vec![], 0);
    // Of windows that are as they were, the answers are too.
    let mut known: BTreeMap<Members, Searched> = BTreeMap::new();
    loop {
        let windows = pool.windows(scope);
        for window in &windows {
            if known.contains_key(window) {
                continue;
            }
            if known.len() >= SEARCHES_MAX {
                return Ok((answers, gave_up + 1));
            }
            let searched = window::search(scope, search, block.spread, window, &mut pulse)?;
            gave_up += u64::from(matches!(searched, Searched::GaveUp));
            known.insert(window.clone(), searched);
        }
        let found = |window: &Members| match known.get(window) {
            Some(Searched::Found(answers)) => Some(answers.clone()),
            _ => None,
        };
        let all: Vec<Answer> = windows.iter().filter_map(found).flatten().collect();
        let Some(fewest) = all.iter().map(Answer::len).min() else { return Ok((answers, gave_up)) };
        let mut fewest: Vec<Answer> = all.into_iter().filter(|answer| answer.len() == fewest).collect();
        without_exchanges(scope, &mut fewest);
        tie_overlapping(&mut fewest);
        let gone: HashSet<(Side, Row)> = fewest.iter().flat_map(Answer::rows).collect();
        pool.remove(&gone);
        answers.append(&mut fewest);
    }
}

/// Answers that differ only in which of several identical records they take are one: that with the first ids.
fn without_exchanges(scope: &Scope<'_>, answers: &mut Vec<Answer>) {
    let nodes = |answer: &Answer| {
        let mut nodes: Vec<(Side, Node)> =
            answer.rows().map(|(side, row)| (side, scope.remainder.side(side).twins.node(row))).collect();
        nodes.sort_unstable();
        nodes
    };
    let ids = |answer: &Answer| {
        let id = |(side, row): (Side, Row)| (side, scope.remainder.side(side).records.id(row).to_owned());
        let mut ids: Vec<_> = answer.rows().map(id).collect();
        ids.sort_unstable();
        ids
    };
    answers.sort_by_cached_key(|answer| (nodes(answer), ids(answer)));
    answers.dedup_by(|b, a| {
        let same = nodes(a) == nodes(b);
        a.is_tied |= same && b.is_tied;
        same
    });
}

impl Block {
    fn key(spread: Option<u32>) -> Option<KeyEvidence> {
        spread.map(|spread| KeyEvidence { spread })
    }
}
