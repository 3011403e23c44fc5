//! The fields of records that come from two runs.

use super::{CarriedSide, CarryError};
use crate::{Records, RecordsBuilder, RecordsError, Row};

/// The fields of a joined side: those of the new file, then those that only open items have.
pub(super) struct Columns {
    pub names: Vec<String>,
    /// For each name, which field it is there.
    in_open: Vec<Option<usize>>,
    in_new: Vec<Option<usize>>,
}

impl Columns {
    pub fn of(open: &Records, new: &Records) -> Result<Self, CarryError> {
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
    pub fn fit_open(&self) -> bool {
        self.in_open.iter().enumerate().all(|(at, field)| *field == Some(at))
    }

    pub fn push_open(&self, to: &mut RecordsBuilder, open: &Records, row: Row) -> Result<(), RecordsError> {
        push(to, open, row, &self.in_open)
    }

    pub fn push_new(&self, to: &mut RecordsBuilder, new: &Records, row: Row) -> Result<(), RecordsError> {
        push(to, new, row, &self.in_new)
    }

    /// The new record, with the texts that only the open item has.
    pub fn push_restated(
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

    pub fn are_same(&self, open: &Records, before: Row, new: &Records, now: Row) -> bool {
        open.amount(before) == new.amount(now)
            && open.currency(before) == new.currency(now)
            && open.date(before) == new.date(now)
            && self.changed_fields((open, before), (new, now)).next().is_none()
    }

    /// A field that the new file does not have says nothing about it.
    pub fn changed_fields<'a>(
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
