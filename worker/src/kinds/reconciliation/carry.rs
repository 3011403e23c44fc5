//! What a run takes over from the runs it continues.

use super::read::{BothRead, SideRead, text_store};
use crate::body::JobError;
use matching::{
    CarriedSide, CarryError, Currency, MatchId, OpenItems, Origin, Outcome, Records, RecordsBuilder,
    RecordsError, Row, Side, format_minor,
};
use shared::ids::JobId;
use shared::store::Store;
use shared::store::matched_records::{MatchedIn, SettledBy, hash_of};
use shared::store::open_items::{OpenItem, VisitError};
use shared::store::reconciliations::Reconciliation;
use shared::store::results::FirstSeen;
use sources::{MemoryLimit, ReadLimits, RejectedLine};
use std::collections::HashMap;

/// The open items of the run before, and what the chain has matched. Nothing at all for a run that continues none.
#[derive(Default)]
pub(super) struct Takeover {
    left: Option<OpenItems>,
    right: Option<OpenItems>,
    seen: Vec<FirstSeen>,
    left_matched: Matched,
    right_matched: Matched,
}

/// Records of the new file that the chain has matched, by id, and where.
#[derive(Default)]
struct Matched {
    number_of: HashMap<String, u32>,
    places: Vec<MatchedIn>,
}

/// One side, ready for matching.
pub(super) struct JoinedSide {
    pub carried: CarriedSide,
    pub rejected: Vec<RejectedLine>,
    matched: Matched,
}

/// Both sides, and when their carried records were first seen, by the number in [`Origin::Carried`].
pub(super) struct Joined {
    pub left: JoinedSide,
    pub right: JoinedSide,
    pub seen: Vec<FirstSeen>,
}

impl Takeover {
    /// Reads it from the database: nothing of the earlier files is needed.
    pub async fn load(store: &Store, run: &Reconciliation, read: &BothRead) -> Result<Self, JobError> {
        let Some(before) = run.continues else {
            if run.chain_position > 1 {
                let says = "the reconciliation that this one continues is gone".to_owned();
                return Err(JobError::Discard { says });
            }
            return Ok(Self::default());
        };
        let before = store.reconciliation(before).await?.ok_or_else(|| super::gone("the run before"))?;
        let Some(kept) = &before.open_items else {
            return Err(super::gone("the open items of the run before"));
        };
        let here = FirstSeen {
            run: before.chain_position,
            job_id: before.job_id,
            on: before.created_at.date_naive(),
        };
        let mut seen = Seen { all: vec![], number_of: HashMap::new(), here };
        let (mut left, mut right) = (Items::new(&kept.left_fields), Items::new(&kept.right_fields));
        let visited = store.visit_open_items(before.job_id, |item| {
            let side = if item.side == "left" { &mut left } else { &mut right };
            side.push(item, &mut seen)
        });
        visited.await.map_err(|error| match error {
            VisitError::Store(error) => JobError::from(error),
            VisitError::Visitor(says) => JobError::Discard { says },
        })?;
        let matched = async |side: &str, records: &Records| {
            let mut ids: HashMap<u64, Vec<&str>> = HashMap::with_capacity(records.len());
            for row in records.rows() {
                ids.entry(hash_of(records.id(row))).or_default().push(records.id(row));
            }
            store.matched_in_chain(run.chain_id, run.chain_position, side, &ids).await
        };
        Ok(Takeover {
            left: Some(left.finish()),
            right: Some(right.finish()),
            seen: seen.all,
            left_matched: Matched::of(matched("left", &read.left.records).await?),
            right_matched: Matched::of(matched("right", &read.right.records).await?),
        })
    }

    /// Puts open items and new records together.
    pub fn join(self, read: BothRead, memory: &MemoryLimit) -> Result<Joined, JobError> {
        let side = |items: Option<OpenItems>, read: SideRead, matched: Matched| -> Result<_, JobError> {
            let items = items.unwrap_or_else(nothing);
            let store = text_store(memory)?;
            let number_of = |id: &str| matched.number_of.get(id).copied();
            let carried =
                CarriedSide::join_keeping(items, read.records, store, number_of).map_err(refused)?;
            let mut rejected = read.rejected;
            rejected.extend(restated_lines(&carried));
            Ok(JoinedSide { carried, rejected, matched })
        };
        let (left, right) = rayon::join(
            || side(self.left, read.left, self.left_matched),
            || side(self.right, read.right, self.right_matched),
        );
        Ok(Joined { left: left?, right: right?, seen: self.seen })
    }
}

impl Joined {
    pub fn side(&self, side: Side) -> &JoinedSide {
        match side {
            Side::Left => &self.left,
            Side::Right => &self.right,
        }
    }

    /// Completes an outcome with the records that were matched before.
    pub fn hold_back(&mut self, outcome: &mut Outcome) -> Result<(), JobError> {
        for (name, side) in [(Side::Left, &mut self.left), (Side::Right, &mut self.right)] {
            let places = &side.matched.places;
            let held =
                side.carried.hold_back(name, outcome, |number| already_matched(&places[number as usize]));
            held.map_err(refused)?;
        }
        Ok(())
    }

    /// Of a record that was carried in.
    pub fn first_seen(&self, side: Side, row: Row) -> Option<FirstSeen> {
        match self.side(side).carried.origin(row) {
            Origin::New => None,
            Origin::Carried(number) => self.seen.get(number as usize).copied(),
        }
    }
}

impl Matched {
    fn of(found: HashMap<String, MatchedIn>) -> Self {
        let mut matched = Matched::default();
        for (id, place) in found {
            matched.number_of.insert(id, matched.places.len() as u32);
            matched.places.push(place);
        }
        matched
    }
}

fn already_matched(place: &MatchedIn) -> String {
    let ids = |ids: &[String]| ids.to_vec();
    let (left, right) = (ids(&place.left_ids), ids(&place.right_ids));
    let id = MatchId::of_ids(left.iter().map(String::as_str), right.iter().map(String::as_str));
    let (number, job) = (place.ordinal + 1, place.job_id);
    match place.by {
        SettledBy::Match => format!("already matched as {id} (number {number}) in the reconciliation {job}"),
        SettledBy::HandMatch => {
            format!("already matched by hand as {id} (number {number}) in the reconciliation {job}")
        }
        SettledBy::WriteOff => {
            format!("already written off as exception number {number} in the reconciliation {job}")
        }
    }
}

/// Numbers for what is the same for many items.
struct Seen {
    all: Vec<FirstSeen>,
    number_of: HashMap<JobId, u32>,
    /// Of items that the run before did not carry in itself.
    here: FirstSeen,
}

impl Seen {
    fn number(&mut self, seen: Option<FirstSeen>) -> u32 {
        let seen = seen.unwrap_or(self.here);
        *self.number_of.entry(seen.job_id).or_insert_with(|| {
            self.all.push(seen);
            self.all.len() as u32 - 1
        })
    }
}

struct Items {
    builder: RecordsBuilder,
    names: Vec<String>,
    first_seen: Vec<u32>,
    currency: Option<(String, Currency)>,
}

impl Items {
    fn new(names: &[String]) -> Self {
        Items {
            builder: RecordsBuilder::new(names.to_vec()),
            names: names.to_vec(),
            first_seen: vec![],
            currency: None,
        }
    }

    fn push(&mut self, item: OpenItem, seen: &mut Seen) -> Result<(), String> {
        let OpenItem { currency: code, record, .. } = item;
        let damaged = |what: &str| format!("the open item {:?} of the run before has {what}", record.id);
        let currency = match &self.currency {
            Some((known, currency)) if *known == code => *currency,
            _ => {
                let currency = Currency::parse(&code).map_err(|error| damaged(&error.to_string()))?;
                self.currency = Some((code, currency));
                currency
            }
        };
        if record.fields.keys().any(|name| !self.names.contains(name)) {
            return Err(damaged("a field that its run did not have"));
        }
        let limit = ReadLimits::default().records_max;
        if self.first_seen.len() >= limit as usize {
            return Err(format!("the run before left more than {limit} open items on one side"));
        }
        let fields: Vec<&str> =
            self.names.iter().map(|name| record.fields.get(name).map_or("", String::as_str)).collect();
        let date = record.date.to_epoch_days();
        let pushed = self.builder.push(&record.id, record.line, record.amount, currency, date, &fields);
        pushed.map_err(|error| error.to_string())?;
        self.first_seen.push(seen.number(record.first_seen));
        Ok(())
    }

    fn finish(self) -> OpenItems {
        OpenItems { records: self.builder.build(), first_seen: self.first_seen }
    }
}

fn nothing() -> OpenItems {
    OpenItems { records: RecordsBuilder::new(vec![]).build(), first_seen: vec![] }
}

fn refused(error: CarryError) -> JobError {
    let says = shared::chain(&error).to_string();
    match error {
        // The disk is full, or gone.
        CarryError::TooMuch(RecordsError::NotKept(_)) => JobError::Retry { says },
        _ => JobError::Discard { says },
    }
}

/// Open items that the new file changed, for the list of everything a person should look at.
fn restated_lines(side: &CarriedSide) -> Vec<RejectedLine> {
    let line = |restated: &matching::Restated| {
        let (records, row) = (&side.records, restated.row);
        let money = |amount: i64, currency: Currency| {
            format!("{} {currency}", format_minor(amount.into(), currency.exponent()))
        };
        let day = |days| chrono::NaiveDate::from_epoch_days(days).unwrap_or_default();
        let before = money(restated.amount_before, restated.currency_before);
        let fields = match restated.fields.is_empty() {
            true => String::new(),
            false => format!(", another {}", restated.fields.join(" and ")),
        };
        RejectedLine {
            line: records.line(row),
            column: None,
            reason: format!(
                "the open item {:?} came in as {before} of {} and is restated here{fields}; this line counts",
                records.id(row),
                day(restated.date_before)
            ),
            excerpt: format!(
                "{} {} {}",
                records.id(row),
                money(records.amount(row), records.currency(row)),
                day(records.date(row))
            ),
        }
    };
    side.restated_first.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_tried_again_and_too_many_fields_are_not() {
        let full = CarryError::TooMuch(RecordsError::NotKept("no space left on device".into()));
        assert!(
            matches!(refused(full), JobError::Retry { says } if says.contains("no space left on device"))
        );
        assert!(matches!(refused(CarryError::TooManyFields), JobError::Discard { .. }));
    }
}
