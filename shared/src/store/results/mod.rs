//! Results of reconciliations: written once in bulk, read by range, deleted whole.

mod packed;
mod read;
mod search;
mod write;

pub(super) use packed::FOUND_COLUMNS;
pub(super) use read::{ExceptionRow, MatchRow};
pub use write::{
    EncodedRows, INSERT_ROWS_MAX, ResultRow, copy_encoded, write_exceptions, write_matches,
    write_rejected_lines,
};

use crate::ids::JobId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A record as it was read from its file, kept with the result so that the result stands by itself. The order of its
/// members is stored: see [`packed`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredRecord {
    /// Position within its side, from 0.
    pub row: u32,
    /// Line (CSV) or element (JSON) of the file, from 1.
    pub line: u64,
    pub id: String,
    /// ISO 8601 day.
    pub date: chrono::NaiveDate,
    /// Minor units of the row's currency, or of its own one.
    pub amount: i64,
    /// There when it was compared in another currency than its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foreign: Option<StoredForeign>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
    /// Of a record that was carried in, where it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<FirstSeen>,
}

/// The run of a chain whose file first had an open item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FirstSeen {
    /// Its place in the chain, from 1.
    pub run: i32,
    pub job_id: JobId,
    /// The UTC day on which it was submitted.
    pub on: chrono::NaiveDate,
}

/// A record's own currency, and what its amount was taken for in that of the row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredForeign {
    pub currency: String,
    /// Minor units of the row's currency.
    pub converted: i64,
}

/// Evidence for or against a pairing; see `matching::Reason`. The order of its members is stored, too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredReason {
    pub field: String,
    pub says: String,
    pub weight: f64,
}

/// A record (or group) that might belong to an exception's record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredCandidate {
    pub side: String,
    pub currency: String,
    pub records: Vec<StoredRecord>,
    /// 0 to 1.
    pub confidence: f64,
    pub reasons: Vec<StoredReason>,
}

/// Serialised with the names of the table's columns.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StoredMatch {
    /// Position by confidence, best first, from 0.
    pub ordinal: i32,
    /// Millionths.
    pub confidence: i32,
    /// `confirmed` or `suggested`.
    pub tier: String,
    pub pass: i16,
    pub currency: String,
    /// Minor units, left minus right.
    pub difference: i64,
    #[serde(rename = "left_packed", serialize_with = "packed::records_as_text")]
    pub left: Vec<StoredRecord>,
    #[serde(rename = "right_packed", serialize_with = "packed::records_as_text")]
    pub right: Vec<StoredRecord>,
    #[serde(rename = "reasons_packed", serialize_with = "packed::reasons_as_text")]
    pub reasons: Vec<StoredReason>,
    /// The side of which a part stays open after a part payment.
    pub open_side: Option<String>,
    /// That part, minor units with the sign of the side's file. There with `open_side`.
    pub open_amount: Option<i64>,
}

impl StoredMatch {
    /// The side and record of which a part stays open, and that part: of several records that with the largest
    /// amount, of equals the smallest id.
    pub fn open_record(&self) -> Option<(&str, &StoredRecord, i64)> {
        let (side, amount) = (self.open_side.as_deref()?, self.open_amount?);
        let records = if side == "left" { &self.left } else { &self.right };
        let order = |a: &&StoredRecord, b: &&StoredRecord| {
            b.amount.unsigned_abs().cmp(&a.amount.unsigned_abs()).then_with(|| a.id.cmp(&b.id))
        };
        Some((side, records.iter().min_by(order)?, amount))
    }
}

/// Serialised with the names of the table's columns.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StoredException {
    /// Position by kind, side and row, from 0.
    pub ordinal: i32,
    pub kind: String,
    pub side: String,
    pub currency: String,
    pub amount: i64,
    pub record: StoredRecord,
    pub says: String,
    pub candidates: Vec<StoredCandidate>,
    pub candidates_found: i32,
}

/// Serialised with the names of the table's columns.
#[derive(Debug, Clone, PartialEq, Serialize, sqlx::FromRow)]
pub struct StoredRejectedLine {
    pub ordinal: i32,
    pub side: String,
    pub line: i64,
    pub column_name: Option<String>,
    pub reason: String,
    pub excerpt: String,
}
