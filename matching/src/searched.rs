//! Candidates of sum passes without a key: one record against those of the other side that carry a like
//! text on near dates and of which some, and only one choice of them, add up to it.
//!
//! Sums of many amounts hit a target by chance. A search that chance alone would answer more than now and
//! then gives up, as does one with too many records in reach; both are counted.

use crate::candidates::Scope;
use crate::groups::Group;
use crate::plan::SearchPlan;
use crate::remainder::Rest;
use crate::select::{Chosen, Pair};
use crate::subsets::{ANSWERS_MAX, expected_by_chance, subsets};
use crate::text::Postings;
use crate::twins::Node;
use crate::{Cancelled, Confidence, Pulse, Row, Side};
use rayon::prelude::*;
use std::cmp::Reverse;
use std::collections::HashMap;

/// A search that finds more than this by chance proves nothing.
pub(crate) const BY_CHANCE_MAX: f64 = 0.05;

#[derive(Debug, Default)]
pub(crate) struct Searched {
    /// All answers of all searches.
    pub groups: Vec<Group>,
    /// Single records (left) and groups (right, an index) that have nobody else.
    pub chosen: Vec<Chosen>,
    /// Those between which nothing decides.
    pub open: Vec<Pair>,
    pub gave_up: u64,
}

/// The answers for one single record.
pub(crate) struct Search {
    pub node: Node,
    pub answers: Vec<Answer>,
    /// Not all answers are known, or the record has twins: it only competes.
    pub is_frozen: bool,
}

/// Records that add up to it.
pub(crate) struct Answer {
    pub group: Group,
    pub confidence: Confidence,
    /// See [`crate::evidence::KeyEvidence::spread`].
    pub spread: u32,
}

/// `one`: the side of the single record.
pub(crate) fn find(scope: &Scope<'_>, one: Side, search: &SearchPlan) -> Result<Searched, Cancelled> {
    let Some(texts) = scope.texts else { return Ok(Searched::default()) };
    let many = scope.remainder.side(one.other());
    let rows: Vec<Row> = many.free_rows().collect();
    let nodes = scope.remainder.side(one).free_nodes();
    let postings = texts.postings(one.other(), &rows, &nodes, many.records, scope.watch)?;
    let lists = nodes.par_chunks(256).map(|nodes| {
        let (mut found, mut gave_up, mut pulse) = (vec![], 0, Pulse::new(scope.watch));
        for &node in nodes {
            match answer(scope, one, search, &postings, node, &mut pulse)? {
                Some(search) if search.answers.is_empty() => {}
                Some(search) => found.push(search),
                None => gave_up += 1,
            }
        }
        Ok((found, gave_up))
    });
    let (mut searches, mut gave_up) = (vec![], 0);
    for (mut found, more) in lists.collect::<Result<Vec<_>, Cancelled>>()? {
        searches.append(&mut found);
        gave_up += more;
    }
    (scope.advance)(0.9);
    Ok(Searched { gave_up, ..settle(searches) })
}

/// `None` when it gave up.
fn answer(
    scope: &Scope<'_>,
    one: Side,
    search: &SearchPlan,
    postings: &Postings<'_>,
    node: Node,
    pulse: &mut Pulse<'_>,
) -> Result<Option<Search>, Cancelled> {
    let (single, many) = (scope.remainder.side(one), scope.remainder.side(one.other()));
    let nothing = Search { node, answers: vec![], is_frozen: false };
    let (amount, currency) = (single.records.amount(node), single.records.currency(node));
    let allowance = scope.plan.allowance.in_currency(currency);
    // What sums may be, in the signs of the many side's file.
    let target = allowance.sum_target(one, amount);
    let sign = (target.start() + target.end()).signum();
    let Some((min, window_days)) = scope.plan.text.as_ref().map(|t| t.min).zip(scope.plan.window.days) else {
        return Ok(Some(nothing));
    };
    pulse.beat(64)?;
    let date = i64::from(single.records.date(node));
    let largest = target.start().abs().max(target.end().abs()).min(i64::MAX.into()) as i64;
    let parts = match sign {
        1.. => 1..=largest,
        0 => 0..=0,
        _ => (-largest).saturating_sub(1)..=-1,
    };
    let Some(mut rows) = postings.around(node, date, window_days, parts) else { return Ok(None) };
    let pair = |row: Row| if one == Side::Left { (node, row) } else { (row, node) };
    rows.retain(|&row| {
        let (own, other) = (single.records.date(node), many.records.date(row));
        let (left, right) = if one == Side::Left { (own, other) } else { (other, own) };
        let days = scope.plan.window.distance(left, right);
        let part = i128::from(many.records.amount(row));
        let (l, r) = pair(row);
        many.records.currency(row) == currency
            && part.signum() == sign
            && part.abs() <= target.start().abs().max(target.end().abs())
            && scope.plan.window.admits(days)
            && scope.held.allows(scope.remainder.left.twins.node(l), scope.remainder.right.twins.node(r))
    });
    // Texts cost a hundred times more, and one record alone is no sum.
    if rows.len() < 2 {
        return Ok(Some(nothing));
    }
    pulse.beat(Pulse::TEXT * rows.len() as u32)?;
    scope.texts.iter().for_each(|texts| texts.fetch(one.other(), rows.iter().copied()));
    rows.retain(|&row| {
        let (l, r) = pair(row);
        scope.texts.is_some_and(|texts| texts.similarity_from(min, l, r) >= min)
    });
    if rows.len() < 2 {
        return Ok(Some(nothing));
    }
    if rows.len() > search.records_max {
        return Ok(None);
    }
    rows.sort_unstable_by(|&a, &b| {
        many.records.amount(a).cmp(&many.records.amount(b)).then_with(|| many.by_id(a, b))
    });
    let amounts: Vec<i64> = rows.iter().map(|&row| many.records.amount(row)).collect();
    if expected_by_chance(&amounts, target.end() - target.start() + 1) > BY_CHANCE_MAX {
        return Ok(None);
    }
    pulse.beat(16 << (rows.len() / 2))?;
    let answers = subsets(&amounts, &target);
    let is_frozen = answers.len() > ANSWERS_MAX || single.twins.count(node) > 1;
    let group = |bits: u32| {
        let of = rows.iter().enumerate().filter(|(i, _)| bits >> i & 1 == 1).map(|(_, &row)| row);
        let group = Group { in_reach: rows.len() as u32, ..Group::of(many.records, of.collect()) };
        let evidence = scope.group_evidence(one, node, &group, None);
        let confidence = evidence.confidence(scope.plan);
        let fits = evidence.fits(scope.plan) && confidence >= scope.threshold;
        fits.then_some(Answer { group, confidence, spread: 1 })
    };
    let answers = without_exchanges(many, answers.into_iter().filter_map(group).collect());
    Ok(Some(Search { node, answers, is_frozen }))
}

/// Chooses the answers that have no competition: the only one of their record, of records that no answer
/// of another single record wants. Each choice may end the competition of others.
pub(crate) fn settle(mut searches: Vec<Search>) -> Searched {
    let mut searched = Searched::default();
    loop {
        let mut wanted: HashMap<Row, (usize, bool)> = HashMap::new();
        for (i, search) in searches.iter().enumerate() {
            for &row in search.answers.iter().flat_map(|answer| &answer.group.rows) {
                let by = wanted.entry(row).or_insert((i, true));
                by.1 &= by.0 == i;
            }
        }
        let is_alone = |search: &Search| match &search.answers[..] {
            [Answer { group, .. }] => !search.is_frozen && group.rows.iter().all(|row| wanted[row].1),
            _ => false,
        };
        let (decided, rest): (Vec<Search>, Vec<Search>) = searches.into_iter().partition(is_alone);
        searches = rest;
        if decided.is_empty() {
            break;
        }
        for Search { node, answers, .. } in decided {
            for answer in answers {
                let pair = searched.add(node, answer);
                searched.chosen.push(Chosen { pair, count: 1 });
            }
        }
        let taken: std::collections::HashSet<Row> =
            searched.groups.iter().flat_map(|group| group.rows.iter().copied()).collect();
        for search in &mut searches {
            search.answers.retain(|answer| !answer.group.rows.iter().any(|row| taken.contains(row)));
        }
        searches.retain(|search| !search.answers.is_empty());
    }
    for Search { node, answers, .. } in searches {
        for answer in answers {
            let pair = searched.add(node, answer);
            searched.open.push(pair);
        }
    }
    searched
}

/// Answers that differ only in which of several identical records they take are one: that with the first
/// ids.
pub(crate) fn without_exchanges(rest: &Rest<'_>, answers: Vec<Answer>) -> Vec<Answer> {
    let ids = |answer: &Answer| {
        let mut rows = answer.group.rows.clone();
        rows.sort_by(|&a, &b| rest.by_id(a, b));
        rows.into_iter().map(|row| rest.records.id(row).to_owned()).collect::<Vec<_>>()
    };
    let nodes = |answer: &Answer| {
        let mut nodes: Vec<Node> = answer.group.rows.iter().map(|&row| rest.twins.node(row)).collect();
        nodes.sort_unstable();
        nodes
    };
    let mut keyed: Vec<(Vec<Node>, Vec<String>, Answer)> =
        answers.into_iter().map(|answer| (nodes(&answer), ids(&answer), answer)).collect();
    keyed.sort_by(|a, b| (&a.0, &a.1, Reverse(a.2.confidence)).cmp(&(&b.0, &b.1, Reverse(b.2.confidence))));
    keyed.dedup_by(|b, a| a.0 == b.0);
    keyed.into_iter().map(|(_, _, answer)| answer).collect()
}

impl Searched {
    fn add(&mut self, node: Node, Answer { group, confidence, spread }: Answer) -> Pair {
        self.groups.push(group);
        Pair { left: node, right: self.groups.len() as u32 - 1, confidence, spread }
    }
}
