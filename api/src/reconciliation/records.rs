//! Records and reasons inside results.

use chrono::NaiveDate;
use matching::{Currency, format_minor};
use serde::{Deserialize, Serialize};
use shared::store::results::{StoredReason, StoredRecord};
use std::collections::BTreeMap;
use utoipa::ToSchema;

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
    /// Contribution to the confidence, -1 to 1.
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
}

impl From<Kind> for matching::ExceptionKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::MissingLeft => Self::MissingLeft,
            Kind::MissingRight => Self::MissingRight,
            Kind::AmountDiffers => Self::AmountDiffers,
            Kind::DateDiffers => Self::DateDiffers,
            Kind::CurrencyDiffers => Self::CurrencyDiffers,
            Kind::Duplicate => Self::Duplicate,
            Kind::Ambiguous => Self::Ambiguous,
        }
    }
}

/// Digits behind the point; two for a currency that a later version of the standard dropped.
pub(crate) fn exponent(currency: &str) -> u32 {
    Currency::parse(currency).map_or(2, |currency| currency.exponent())
}
