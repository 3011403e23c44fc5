//! Records of one side taken together: gathered by key, or found by their sum.

use crate::candidates::Scope;
use crate::evidence::{Evidence, KeyEvidence};
use crate::keys::Fingerprint;
use crate::sorted;
use crate::sums::{Sums, Total};
use crate::twins::Node;
use crate::{Cancelled, Currency, Pulse, Records, Row, Side};
use rayon::prelude::*;

/// Free records of one side with the same key, and the same currency unless the pass converts them.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// Sorted.
    pub rows: Vec<Row>,
    /// Of all records; of one of them where there are several.
    pub currency: Currency,
    /// Records of several currencies: the total means nothing until it is converted.
    pub is_mixed: bool,
    pub total: Total,
    /// Of a searched group, how many records it was chosen from; else 0.
    pub in_reach: u32,
}

impl Group {
    /// `rows`: not empty.
    pub fn of(records: &Records, mut rows: Vec<Row>) -> Self {
        rows.sort_unstable();
        let currency = records.currency(rows[0]);
        let is_mixed = rows.iter().any(|&row| records.currency(row) != currency);
        Group { currency, is_mixed, total: Total::of(records, &rows), rows, in_reach: 0 }
    }
}

/// The free records that have all of the plan's key, by key (tokens taken as whole texts) and, unless this side is
/// converted, by currency.
pub(crate) fn gather(scope: &Scope<'_>, many: Side) -> Result<Vec<Group>, Cancelled> {
    let is_converted = scope.plan.exchange.is_some() && scope.plan.shape().converted() == many;
    let rest = scope.remainder.side(many);
    let records = rest.records;
    let rows: Vec<Row> = rest.free_rows().collect();
    let keys = rows.par_chunks(4096).map(|rows| {
        scope.watch.check()?;
        let key = |&row: &Row| {
            let currency = (!is_converted).then(|| records.currency(row));
            let key = scope.plan.keys.whole(records, many, row, currency)?;
            Some((key, row))
        };
        Ok(rows.iter().filter_map(key).collect::<Vec<_>>())
    });
    let mut keys: Vec<(Fingerprint, Row)> = keys.collect::<Result<Vec<_>, Cancelled>>()?.concat();
    sorted::sort(&mut keys, scope.watch)?;
    let (mut groups, mut pulse) = (vec![], Pulse::new(scope.watch));
    for same in keys.chunk_by(|a, b| a.0 == b.0) {
        pulse.beat(16 * same.len() as u32)?;
        groups.push(Group::of(records, same.iter().map(|&(_, row)| row).collect()));
    }
    Ok(groups)
}

impl Scope<'_> {
    /// A single record of side `one` and a group, in the record's currency. `None` where a rate is missing.
    pub fn sums_of_one(&self, one: Side, node: Node, group: &Group) -> Option<Sums> {
        let records = self.remainder.side(one).records;
        let (single, currency) = (Total::of_one(records, node), records.currency(node));
        let (total, is_converted) = self.total_in(currency, one.other(), group)?;
        let (left, right) = if one == Side::Left { (single, total) } else { (total, single) };
        Some(Sums { currency, left, right, is_converted })
    }

    /// Two groups, in the right one's currency. `None` where a rate is missing.
    pub fn sums_of_groups(&self, left: &Group, right: &Group) -> Option<Sums> {
        let currency = right.currency;
        let (left, is_converted) = self.total_in(currency, Side::Left, left)?;
        Some(Sums { currency, left, right: right.total, is_converted })
    }

    /// And whether some of the records are in another currency.
    fn total_in(&self, currency: Currency, side: Side, group: &Group) -> Option<(Total, bool)> {
        if !group.is_mixed && group.currency == currency {
            return Some((group.total, false));
        }
        let (exchange, records) = (self.plan.exchange.as_ref()?, self.remainder.side(side).records);
        Some((Total::converted(&exchange.rates, records, &group.rows, currency)?, true))
    }

    /// `one`: the side of the single record. Amounts that cannot be compared are taken as they stand.
    pub fn group_evidence(&self, one: Side, node: Node, group: &Group, key: Option<KeyEvidence>) -> Evidence {
        let sums = self.sums_of_one(one, node, group).unwrap_or_else(|| {
            let single = Total::of_one(self.remainder.side(one).records, node);
            let (left, right) = if one == Side::Left { (single, group.total) } else { (group.total, single) };
            Sums { currency: group.currency, left, right, is_converted: false }
        });
        let text = self.texts.filter(|_| self.plan.keys.is_empty()).map(|texts| {
            let of = |&row: &Row| if one == Side::Left { (node, row) } else { (row, node) };
            group.rows.iter().map(of).map(|(l, r)| texts.similarity(l, r)).fold(1.0, f64::min)
        });
        Evidence { text, in_reach: group.in_reach, ..self.sums_evidence(&sums, group.in_reach > 0, key) }
    }

    /// Of two groups, of the left and of the right side. Amounts that cannot be compared are taken as they stand.
    pub fn groups_evidence(&self, left: &Group, right: &Group, key: Option<KeyEvidence>) -> Evidence {
        let sums = self.sums_of_groups(left, right).unwrap_or(Sums {
            currency: right.currency,
            left: left.total,
            right: right.total,
            is_converted: false,
        });
        let text = self.texts.filter(|_| self.plan.keys.is_empty()).map(|texts| {
            let pairs = left.rows.iter().flat_map(|&l| right.rows.iter().map(move |&r| (l, r)));
            pairs.map(|(l, r)| texts.similarity(l, r)).fold(1.0, f64::min)
        });
        let in_reach = left.in_reach + right.in_reach;
        Evidence { text, in_reach, ..self.sums_evidence(&sums, in_reach > 0, key) }
    }

    /// With the fee that explains a difference, unless the records were chosen for their sum.
    pub fn sums_evidence(&self, sums: &Sums, is_searched: bool, key: Option<KeyEvidence>) -> Evidence {
        let evidence = sums.evidence(self.plan, key);
        let fee = if evidence.amount.fits() || is_searched {
            None
        } else {
            self.fees.explaining(sums.currency, &sums.deposit(self.plan))
        };
        // A fee explains all of it: nothing stays open.
        let settled = evidence.settled.filter(|_| fee.is_none() && !is_searched);
        Evidence { fee, settled, ..evidence }
    }
}

/// The record whose key text stands for the whole group: the smallest id, whatever the order of the file.
pub(crate) fn representative(scope: &Scope<'_>, many: Side, group: &Group) -> Row {
    let rest = scope.remainder.side(many);
    group.rows.iter().copied().min_by(|&a, &b| rest.by_id(a, b)).unwrap_or_default()
}
