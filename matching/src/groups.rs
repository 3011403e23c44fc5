//! Records of one side taken together: gathered by key, or found by their sum.

use crate::candidates::Scope;
use crate::evidence::{Evidence, KeyEvidence};
use crate::keys::Fingerprint;
use crate::sums::{Sums, Total};
use crate::twins::Node;
use crate::{Cancelled, Currency, Records, Row, Side};
use rayon::prelude::*;

/// Free records of one side with the same key and currency.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// Sorted.
    pub rows: Vec<Row>,
    pub currency: Currency,
    pub total: Total,
    /// Of a searched group, how many records it was chosen from; else 0.
    pub in_reach: u32,
}

impl Group {
    /// `rows`: not empty, all of one currency.
    pub fn of(records: &Records, mut rows: Vec<Row>) -> Self {
        rows.sort_unstable();
        Group { currency: records.currency(rows[0]), total: Total::of(records, &rows), rows, in_reach: 0 }
    }

    /// Next to a single record of side `one`.
    pub fn against(&self, one: Side, single: Total) -> Sums {
        let (left, right) = if one == Side::Left { (single, self.total) } else { (self.total, single) };
        Sums { currency: self.currency, left, right }
    }
}

/// The free records that have all of the plan's key, by key (tokens taken as whole texts) and currency.
pub(crate) fn gather(scope: &Scope<'_>, many: Side) -> Result<Vec<Group>, Cancelled> {
    let rest = scope.remainder.side(many);
    let records = rest.records;
    let rows: Vec<Row> = rest.free_rows().collect();
    let keys = rows.par_chunks(4096).map(|rows| {
        scope.watch.check()?;
        let key = |&row: &Row| {
            let key = scope.plan.keys.whole(records, many, row, Some(records.currency(row)))?;
            Some((key, row))
        };
        Ok(rows.iter().filter_map(key).collect::<Vec<_>>())
    });
    let mut keys: Vec<(Fingerprint, Row)> = keys.collect::<Result<Vec<_>, Cancelled>>()?.concat();
    keys.par_sort_unstable();
    scope.watch.check()?;
    let groups = keys.chunk_by(|a, b| a.0 == b.0);
    Ok(groups.map(|same| Group::of(records, same.iter().map(|&(_, row)| row).collect())).collect())
}

impl Scope<'_> {
    /// `one`: the side of the single record.
    pub fn group_evidence(&self, one: Side, node: Node, group: &Group, key: Option<KeyEvidence>) -> Evidence {
        let sums = group.against(one, Total::of_one(self.remainder.side(one).records, node));
        let text = self.texts.filter(|_| self.plan.keys.is_empty()).map(|texts| {
            let of = |&row: &Row| if one == Side::Left { (node, row) } else { (row, node) };
            group.rows.iter().map(of).map(|(l, r)| texts.similarity(l, r)).fold(1.0, f64::min)
        });
        Evidence { text, in_reach: group.in_reach, ..self.sums_evidence(&sums, group.in_reach > 0, key) }
    }

    /// Of two groups, of the left and of the right side.
    pub fn groups_evidence(&self, left: &Group, right: &Group, key: Option<KeyEvidence>) -> Evidence {
        let sums = Sums { currency: left.currency, left: left.total, right: right.total };
        self.sums_evidence(&sums, false, key)
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
