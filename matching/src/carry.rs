//! Carry-forward: the open items of an earlier run join the records of the next one.
//!
//! An *open item* is a record without a confirmed match: one that ended in an exception, or in a match that is
//! only suggested; and what stays open of a record after a part payment ([`crate::Match::remainder`]), with that
//! amount. A record is known by its side and its own id, so the ids of a source must mean the same in
//! every run. What becomes of a record of the new file:
//!
//! - its id is in a confirmed match of the chain: *held back*. It takes no part in matching and ends in an
//!   exception [`ExceptionKind::AlreadyMatched`].
//! - its id is an open item: one record, not two. Where the contents differ the new file counts, since it is the
//!   later word of the same source, and the item is *restated*: reported, and shown in the flow.
//! - else it is new.
//!
//! [`crate::reconcile`] knows nothing of this. It gets the joined sides, and [`CarriedSide::hold_back`] and
//! [`open_flow`] complete its answer.

mod columns;
mod flow;

pub use flow::{OpenFlow, Sum, open_flow, open_remainders};

use crate::proof::proof_of;
use crate::{
    Currency, Exception, ExceptionKind, Outcome, Records, RecordsBuilder, RecordsError, Row, Side, TextStore,
};
use columns::Columns;
use flow::Sums;
use std::collections::HashMap;

/// Open items of one side as an earlier run left them.
#[derive(Debug, Clone)]
pub struct OpenItems {
    pub records: Records,
    /// For each record, when it was first seen: the caller's number for it, any.
    pub first_seen: Vec<u32>,
}

/// Where a record of a joined side comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The file of this run.
    New,
    /// An earlier run, with the number that [`OpenItems::first_seen`] gave it.
    Carried(u32),
}

/// An open item whose record in the new file says something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restated {
    /// Row of the joined side.
    pub row: Row,
    pub amount_before: i64,
    pub currency_before: Currency,
    /// Days since 1970-01-01.
    pub date_before: i32,
    /// Names of the text fields that changed.
    pub fields: Vec<String>,
}

/// One side of a run that continues another: open items first, then new records.
#[derive(Debug, Clone)]
pub struct CarriedSide {
    pub records: Records,
    /// By row; rows beyond are new.
    origins: Vec<Origin>,
    /// New records that match nothing any more, with the number that the caller's `matched` gave.
    held_back: Option<(Records, Vec<u32>)>,
    /// Records of the new file that were open items already.
    pub repeated: u64,
    pub restated: u64,
    /// The first [`CarriedSide::LISTED_MAX`] of them.
    pub restated_first: Vec<Restated>,
    before: Sums,
    restated_by: Sums,
}

/// Why sides cannot be joined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CarryError {
    #[error("open items and new records together: {0}")]
    TooMuch(#[from] RecordsError),
    #[error("the records of the runs have more than {} different fields", CarriedSide::FIELDS_MAX)]
    TooManyFields,
}

impl CarriedSide {
    pub const FIELDS_MAX: usize = 256;
    pub const LISTED_MAX: usize = 1_000;

    /// Joins one side. `matched` says whether the chain has the id in a confirmed match, with a number of the
    /// caller's for [`Self::hold_back`].
    ///
    /// Costs a look at each id and a copy of the smaller part; a copy of all where a field or an item changed.
    pub fn join(
        open: OpenItems,
        new: Records,
        matched: impl Fn(&str) -> Option<u32>,
    ) -> Result<Self, CarryError> {
        Self::join_keeping(open, new, None, matched)
    }

    /// The same, with the texts of the joined side in a store instead of in memory.
    pub fn join_keeping(
        open: OpenItems,
        new: Records,
        store: Option<Box<dyn TextStore>>,
        matched: impl Fn(&str) -> Option<u32>,
    ) -> Result<Self, CarryError> {
        let mut before = Sums::default();
        for row in open.records.rows() {
            before.add(open.records.currency(row), 1, open.records.amount(row));
        }
        let mut side = CarriedSide {
            records: RecordsBuilder::new(vec![]).build(),
            origins: vec![],
            held_back: None,
            repeated: 0,
            restated: 0,
            restated_first: vec![],
            before,
            restated_by: Sums::default(),
        };
        let tags: Vec<Option<u32>> = new.rows().map(|row| matched(new.id(row))).collect();
        if open.records.is_empty() && tags.iter().all(Option::is_none) {
            side.records = new;
            return Ok(side);
        }
        let columns = Columns::of(&open.records, &new)?;
        let repeats = repeats(&open.records, &new, &tags);
        let changed =
            |&(of_open, of_new): &(Row, Row)| !columns.are_same(&open.records, of_open, &new, of_new);
        let restated: HashMap<Row, Row> = repeats.iter().copied().filter(changed).collect();
        side.repeated = repeats.len() as u64;

        let mut builder = if restated.is_empty() && columns.fit_open() {
            side.origins = open.first_seen.iter().map(|&seen| Origin::Carried(seen)).collect();
            RecordsBuilder::go_on(open.records).keeping(store)
        } else {
            let mut builder = RecordsBuilder::new(columns.names.clone()).keeping(store);
            for row in open.records.rows() {
                match restated.get(&row) {
                    None => columns.push_open(&mut builder, &open.records, row)?,
                    Some(&now) => {
                        let at = builder.so_far().len() as Row;
                        side.restate(&columns, at, (&open.records, row), (&new, now));
                        columns.push_restated(&mut builder, (&open.records, row), (&new, now))?;
                    }
                }
                side.origins.push(Origin::Carried(open.first_seen[row as usize]));
            }
            builder
        };
        let mut is_repeat = vec![false; new.len()];
        repeats.iter().for_each(|&(_, row)| is_repeat[row as usize] = true);
        let mut held = RecordsBuilder::new(columns.names.clone());
        let mut held_tags = vec![];
        for row in new.rows() {
            match tags[row as usize] {
                Some(tag) => {
                    columns.push_new(&mut held, &new, row)?;
                    held_tags.push(tag);
                }
                None if is_repeat[row as usize] => {}
                None => columns.push_new(&mut builder, &new, row)?,
            }
        }
        side.records = builder.build();
        side.held_back = (!held_tags.is_empty()).then(|| (held.build(), held_tags));
        Ok(side)
    }

    pub fn origin(&self, row: Row) -> Origin {
        self.origins.get(row as usize).copied().unwrap_or(Origin::New)
    }

    /// Rows of open items come before all others.
    pub fn carried_count(&self) -> usize {
        self.origins.len()
    }

    /// Puts the records held back behind the others, with an exception each, and into the proof. Call once, after
    /// [`crate::reconcile`], for the left side first. `says` makes the sentence from the number that `matched`
    /// gave.
    pub fn hold_back(
        &mut self,
        side: Side,
        outcome: &mut Outcome,
        says: impl Fn(u32) -> String,
    ) -> Result<(), CarryError> {
        let Some((held, tags)) = self.held_back.take() else { return Ok(()) };
        let mut builder =
            RecordsBuilder::go_on(std::mem::replace(&mut self.records, RecordsBuilder::new(vec![]).build()));
        let mut fields = vec![];
        for (row, tag) in held.rows().zip(tags) {
            let at = builder.so_far().len() as Row;
            fields.clear();
            fields.extend((0..held.field_names().len()).map(|field| held.field(field, row)));
            let (amount, currency) = (held.amount(row), held.currency(row));
            builder.push(held.id(row), held.line(row), amount, currency, held.date(row), &fields)?;
            outcome.exceptions.push(Exception {
                kind: ExceptionKind::AlreadyMatched,
                side,
                row: at,
                says: says(tag).into(),
                candidates: vec![],
                candidates_found: 0,
            });
            let proof = proof_of(&mut outcome.proof, currency);
            let (count, total, unmatched) = match side {
                Side::Left => (&mut proof.left_count, &mut proof.left_total, &mut proof.left_unmatched),
                Side::Right => (&mut proof.right_count, &mut proof.right_total, &mut proof.right_unmatched),
            };
            *count += 1;
            *total += i128::from(amount);
            *unmatched += i128::from(amount);
        }
        outcome.proof.sort_unstable_by_key(|proof| proof.currency);
        self.records = builder.build();
        Ok(())
    }

    fn restate(&mut self, columns: &Columns, at: Row, was: (&Records, Row), is: (&Records, Row)) {
        let (open, before) = was;
        let (new, now) = is;
        self.restated += 1;
        self.restated_by.add(open.currency(before), -1, -i128::from(open.amount(before)));
        self.restated_by.add(new.currency(now), 1, new.amount(now));
        if self.restated_first.len() < Self::LISTED_MAX {
            self.restated_first.push(Restated {
                row: at,
                amount_before: open.amount(before),
                currency_before: open.currency(before),
                date_before: open.date(before),
                fields: columns.changed_fields(was, is).map(str::to_owned).collect(),
            });
        }
    }
}

/// Pairs of rows of both with the same id, without those whose id is matched.
fn repeats(open: &Records, new: &Records, tags: &[Option<u32>]) -> Vec<(Row, Row)> {
    let free = |row: &Row| tags[*row as usize].is_none();
    if new.len() <= open.len() {
        let by_id: HashMap<&str, Row> = new.rows().filter(free).map(|row| (new.id(row), row)).collect();
        open.rows().filter_map(|row| by_id.get(open.id(row)).map(|&found| (row, found))).collect()
    } else {
        let by_id: HashMap<&str, Row> = open.rows().map(|row| (open.id(row), row)).collect();
        let rows = new.rows().filter(free);
        rows.filter_map(|row| by_id.get(new.id(row)).map(|&found| (found, row))).collect()
    }
}
