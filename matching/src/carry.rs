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

use crate::proof::proof_of;
use crate::{
    Currency, Exception, ExceptionKind, Outcome, Records, RecordsBuilder, RecordsError, Row, Side, TextStore,
    Tier,
};
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

/// Records and what they add up to, in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    /// Below 0 only in differences.
    pub count: i64,
    pub amount: i128,
}

/// How one currency's open items of one side changed: `before + restated + new - matched + remainder == after`,
/// in count and amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenFlow {
    pub side: Side,
    pub currency: Currency,
    /// Carried in, as the earlier run left them.
    pub before: Sum,
    /// What the new file changed about them. Of a changed currency, minus in the one and plus in the other.
    pub restated: Sum,
    /// Records of this run's file, without repeated and held back ones.
    pub new: Sum,
    /// Inside confirmed matches.
    pub matched: Sum,
    /// Of `matched`, what stays open after part payments.
    pub remainder: Sum,
    /// What the next run carries in.
    pub after: Sum,
    /// The part of `matched` that was carried in.
    pub resolved: Sum,
    /// The part of `after` that was carried in.
    pub persisting: Sum,
    /// Held back; in none of the others.
    pub already_matched: Sum,
}

impl OpenFlow {
    /// What of `after` nothing explains. Zero, or an item was lost on the way.
    pub fn residual(&self) -> Sum {
        Sum {
            count: self.after.count + self.matched.count
                - self.remainder.count
                - self.before.count
                - self.restated.count
                - self.new.count,
            amount: self.after.amount + self.matched.amount
                - self.remainder.amount
                - self.before.amount
                - self.restated.amount
                - self.new.amount,
        }
    }
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
                says: says(tag),
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

/// The flow of open items of one side, by currency. After [`CarriedSide::hold_back`].
///
/// Every figure is added up on its own: `before` from the items as they were loaded, `matched` from the matches,
/// `after` from exceptions and suggestions.
pub fn open_flow(side: Side, carried: &CarriedSide, outcome: &Outcome) -> Vec<OpenFlow> {
    let records = &carried.records;
    let mut flow = Flow { side, by_currency: vec![] };
    let mut is_held_back = vec![];
    for exception in outcome.exceptions.iter().filter(|e| e.side == side) {
        let row = exception.row;
        let of = flow.of(records.currency(row));
        if exception.kind == ExceptionKind::AlreadyMatched {
            of.already_matched.add(records.amount(row));
            is_held_back.push(row);
            continue;
        }
        of.after.add(records.amount(row));
        if carried.origin(row) != Origin::New {
            of.persisting.add(records.amount(row));
        }
    }
    for found in &outcome.matches {
        let rows = if side == Side::Left { &found.left } else { &found.right };
        for &row in rows {
            let (amount, is_carried) = (records.amount(row), carried.origin(row) != Origin::New);
            let of = flow.of(records.currency(row));
            let (whole, part) = match found.tier {
                Tier::Confirmed => (&mut of.matched, &mut of.resolved),
                Tier::Suggested => (&mut of.after, &mut of.persisting),
            };
            whole.add(amount);
            if is_carried {
                part.add(amount);
            }
        }
    }
    for (row, amount) in open_remainders(side, records, outcome) {
        let of = flow.of(records.currency(row));
        of.remainder.add(amount);
        of.after.add(amount);
    }
    // Held back records were put behind all others.
    let last_new = is_held_back.iter().min().map_or(records.len(), |&row| row as usize);
    for row in carried.carried_count()..last_new {
        flow.of(records.currency(row as Row)).new.add(records.amount(row as Row));
    }
    for (currency, sum) in &carried.before.0 {
        flow.of(*currency).before = *sum;
    }
    for (currency, sum) in &carried.restated_by.0 {
        flow.of(*currency).restated = *sum;
    }
    flow.by_currency.sort_unstable_by_key(|of| of.currency);
    flow.by_currency
}

/// What stays open of confirmed matches: the record, and the amount that is left of it. Of an overpayment by several
/// records, the one with the largest amount stands for it, of equals the one with the smallest id.
pub fn open_remainders(side: Side, records: &Records, outcome: &Outcome) -> impl Iterator<Item = (Row, i64)> {
    outcome.matches.iter().filter(|found| found.tier == Tier::Confirmed).filter_map(move |found| {
        let remainder = found.remainder().filter(|remainder| remainder.side == side)?;
        let rows = if side == Side::Left { &found.left } else { &found.right };
        let order = |&a: &Row, &b: &Row| {
            let size = |row| records.amount(row).unsigned_abs();
            size(b).cmp(&size(a)).then_with(|| records.id(a).cmp(records.id(b)))
        };
        Some((rows.iter().copied().min_by(order)?, remainder.amount))
    })
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

/// The fields of a joined side: those of the new file, then those that only open items have.
struct Columns {
    names: Vec<String>,
    /// For each name, which field it is there.
    in_open: Vec<Option<usize>>,
    in_new: Vec<Option<usize>>,
}

impl Columns {
    fn of(open: &Records, new: &Records) -> Result<Self, CarryError> {
        let mut names = new.field_names().to_vec();
        names.extend(open.field_names().iter().filter(|name| new.field_index(name).is_none()).cloned());
        if names.len() > CarriedSide::FIELDS_MAX {
            return Err(CarryError::TooManyFields);
        }
        Ok(Columns {
            in_open: names.iter().map(|name| open.field_index(name)).collect(),
            in_new: names.iter().map(|name| new.field_index(name)).collect(),
            names,
        })
    }

    /// Open items have these very fields, in this order.
    fn fit_open(&self) -> bool {
        self.in_open.iter().enumerate().all(|(at, field)| *field == Some(at))
    }

    fn push_open(&self, to: &mut RecordsBuilder, open: &Records, row: Row) -> Result<(), RecordsError> {
        push(to, open, row, &self.in_open)
    }

    fn push_new(&self, to: &mut RecordsBuilder, new: &Records, row: Row) -> Result<(), RecordsError> {
        push(to, new, row, &self.in_new)
    }

    /// The new record, with the texts that only the open item has.
    fn push_restated(
        &self,
        to: &mut RecordsBuilder,
        (open, before): (&Records, Row),
        (new, now): (&Records, Row),
    ) -> Result<(), RecordsError> {
        let text = |(in_open, in_new): (&Option<usize>, &Option<usize>)| match (in_new, in_open) {
            (Some(field), _) => new.field(*field, now),
            (None, Some(field)) => open.field(*field, before),
            (None, None) => "",
        };
        let fields: Vec<&str> = self.in_open.iter().zip(&self.in_new).map(text).collect();
        to.push(new.id(now), new.line(now), new.amount(now), new.currency(now), new.date(now), &fields)
    }

    fn are_same(&self, open: &Records, before: Row, new: &Records, now: Row) -> bool {
        open.amount(before) == new.amount(now)
            && open.currency(before) == new.currency(now)
            && open.date(before) == new.date(now)
            && self.changed_fields((open, before), (new, now)).next().is_none()
    }

    /// A field that the new file does not have says nothing about it.
    fn changed_fields<'a>(
        &'a self,
        (open, before): (&'a Records, Row),
        (new, now): (&'a Records, Row),
    ) -> impl Iterator<Item = &'a str> {
        let places = self.names.iter().zip(&self.in_open).zip(&self.in_new);
        places.filter_map(move |((name, in_open), in_new)| {
            let was = in_open.map_or("", |field| open.field(field, before));
            let is = new.field((*in_new)?, now);
            (was != is).then_some(name.as_str())
        })
    }
}

fn push(
    to: &mut RecordsBuilder,
    from: &Records,
    row: Row,
    places: &[Option<usize>],
) -> Result<(), RecordsError> {
    let fields: Vec<&str> =
        places.iter().map(|place| place.map_or("", |field| from.field(field, row))).collect();
    to.push(from.id(row), from.line(row), from.amount(row), from.currency(row), from.date(row), &fields)
}

impl Sum {
    fn add(&mut self, amount: i64) {
        self.count += 1;
        self.amount += i128::from(amount);
    }
}

/// By currency. A run has few, and neighbours mostly share theirs.
#[derive(Debug, Clone, Default)]
struct Sums(Vec<(Currency, Sum)>);

impl Sums {
    fn add(&mut self, currency: Currency, count: i64, amount: impl Into<i128>) {
        let at = self.0.iter().position(|(of, _)| *of == currency).unwrap_or_else(|| {
            self.0.push((currency, Sum::default()));
            self.0.len() - 1
        });
        let sum = &mut self.0[at].1;
        sum.count += count;
        sum.amount += amount.into();
    }
}

struct Flow {
    side: Side,
    by_currency: Vec<OpenFlow>,
}

impl Flow {
    fn of(&mut self, currency: Currency) -> &mut OpenFlow {
        let at = self.by_currency.iter().position(|of| of.currency == currency).unwrap_or_else(|| {
            let nothing = Sum::default();
            self.by_currency.push(OpenFlow {
                side: self.side,
                currency,
                before: nothing,
                restated: nothing,
                new: nothing,
                matched: nothing,
                remainder: nothing,
                after: nothing,
                resolved: nothing,
                persisting: nothing,
                already_matched: nothing,
            });
            self.by_currency.len() - 1
        });
        &mut self.by_currency[at]
    }
}
