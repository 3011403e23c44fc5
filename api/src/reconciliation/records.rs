//! Records and reasons inside results.

use chrono::NaiveDate;
use matching::{Currency, Side, format_minor};
use serde::{Deserialize, Serialize};
use shared::store::results::{FirstSeen, StoredReason, StoredRecord};
use std::collections::BTreeMap;
use utoipa::ToSchema;
use uuid::Uuid;

/// A record as it was read from its file.
#[derive(Serialize, ToSchema)]
#[schema(as = Record)]
pub(crate) struct RecordAnswer {
    id: String,
    /// Line (CSV) or element (JSON) of the file, from 1.
    line: u64,
    date: NaiveDate,
    /// Decimal of major units, in text so that no reader rounds it.
    amount: String,
    /// There when it was compared in another currency than its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    foreign: Option<ForeignAnswer>,
    fields: BTreeMap<String, String>,
    /// Where it was first an open item; absent unless it was carried in from an earlier run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    first_seen: Option<FirstSeenAnswer>,
}

/// The run of a chain whose file first had an open item.
#[derive(Serialize, ToSchema)]
#[schema(as = FirstSeen)]
pub(crate) struct FirstSeenAnswer {
    /// Its place in the chain, from 1.
    run: i32,
    job_id: Uuid,
    /// The day on which it was submitted.
    on: NaiveDate,
}

impl From<FirstSeen> for FirstSeenAnswer {
    fn from(seen: FirstSeen) -> Self {
        Self { run: seen.run, job_id: seen.job_id.0, on: seen.on }
    }
}

/// The currency of a record's amount, and what it was taken for in the currency of the match.
#[derive(Serialize, ToSchema)]
#[schema(as = Foreign)]
struct ForeignAnswer {
    currency: String,
    converted: String,
}

impl RecordAnswer {
    pub fn new(record: StoredRecord, exponent: u32) -> Self {
        Self {
            id: record.id,
            line: record.line,
            date: record.date,
            amount: format_minor(
                record.amount.into(),
                record.foreign.as_ref().map_or(exponent, |foreign| self::exponent(&foreign.currency)),
            ),
            foreign: record.foreign.map(|foreign| ForeignAnswer {
                converted: format_minor(foreign.converted.into(), exponent),
                currency: foreign.currency,
            }),
            fields: record.fields,
            first_seen: record.first_seen.map(Into::into),
        }
    }

    pub fn all(records: Vec<StoredRecord>, exponent: u32) -> Vec<Self> {
        records.into_iter().map(|record| Self::new(record, exponent)).collect()
    }
}

/// Evidence in words.
#[derive(Serialize, ToSchema)]
#[schema(as = Reason)]
pub(crate) struct ReasonAnswer {
    field: String,
    says: String,
    /// Contribution to the confidence: its part of the sum, or in a learned pass its bits (the sum of all is
    /// log2 of the odds).
    weight: f64,
}

impl From<StoredReason> for ReasonAnswer {
    fn from(reason: StoredReason) -> Self {
        Self { field: reason.field, says: reason.says, weight: reason.weight }
    }
}

impl ReasonAnswer {
    pub fn all(reasons: Vec<StoredReason>) -> Vec<Self> {
        reasons.into_iter().map(Into::into).collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ExceptionKind)]
pub(crate) enum Kind {
    /// A right record without any plausible left record.
    MissingLeft,
    /// A left record without any plausible right record.
    MissingRight,
    /// The counterpart is there, with another amount.
    AmountDiffers,
    /// The counterpart is there, on another day.
    DateDiffers,
    /// The counterpart is there, in another currency.
    CurrencyDiffers,
    /// Looks like another record of its own side.
    Duplicate,
    /// Several counterparts are equally good; none was chosen.
    Ambiguous,
    /// The chain that this run continues has it in a confirmed match.
    AlreadyMatched,
    /// A record of a match that a reviewer rejected or took apart.
    Released,
}

impl Kind {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        use matching::ExceptionKind;
        match self {
            Kind::MissingLeft => ExceptionKind::MissingLeft.as_str(),
            Kind::MissingRight => ExceptionKind::MissingRight.as_str(),
            Kind::AmountDiffers => ExceptionKind::AmountDiffers.as_str(),
            Kind::DateDiffers => ExceptionKind::DateDiffers.as_str(),
            Kind::CurrencyDiffers => ExceptionKind::CurrencyDiffers.as_str(),
            Kind::Duplicate => ExceptionKind::Duplicate.as_str(),
            Kind::Ambiguous => ExceptionKind::Ambiguous.as_str(),
            Kind::AlreadyMatched => ExceptionKind::AlreadyMatched.as_str(),
            // The core never finds one.
            Kind::Released => "released",
        }
    }
}

/// As stored.
pub(crate) fn side(name: &str) -> Side {
    if name == "right" { Side::Right } else { Side::Left }
}

/// Digits behind the point; two for a currency that a later version of the standard dropped.
pub(crate) fn exponent(currency: &str) -> u32 {
    Currency::parse(currency).map_or(2, |currency| currency.exponent())
}
