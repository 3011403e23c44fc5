//! In which order exceptions are listed, and where a page of them ends.

use super::ReviewedException;
use chrono::{Datelike, NaiveDate};
use sqlx::{Postgres, QueryBuilder};

/// Largest and oldest first have an index for open ones, which knows their side and currency, too; the others are read in
/// their order within the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExceptionOrder {
    /// By kind, side and line, released records last.
    #[default]
    Found,
    /// Largest amount first, whatever its sign.
    Amount,
    /// Oldest day first.
    Day,
}

/// Where a page ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExceptionCursor {
    pub ordinal: i32,
    /// What it is ordered by: an amount without its sign, or the number of a day (1 is the first of the year 1). Nothing
    /// where they are listed as found.
    pub key: i64,
}

/// The day of a record as an index has it.
pub(super) const DAY: &str = "(record->>'date') COLLATE \"C\"";

pub(super) fn day_text(day: NaiveDate) -> String {
    day.format("%Y-%m-%d").to_string()
}

impl ExceptionCursor {
    pub fn of(item: &ReviewedException, order: ExceptionOrder) -> Self {
        let key = match order {
            ExceptionOrder::Found => 0,
            // Postgres has no absolute value of the smallest amount; nor has any file.
            ExceptionOrder::Amount => item.found.amount.checked_abs().unwrap_or(i64::MAX),
            ExceptionOrder::Day => i64::from(item.found.record.date.num_days_from_ce()),
        };
        Self { ordinal: item.found.ordinal, key }
    }
}

impl ExceptionOrder {
    /// The key of a cursor, as a column of a row of exceptions.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Found => "0::bigint",
            Self::Amount => "abs(amount)",
            Self::Day => "((record->>'date')::date - date '0001-01-01' + 1)::bigint",
        }
    }

    /// Appends where to begin, and the order itself.
    pub(super) fn push(self, query: &mut QueryBuilder<Postgres>, after: Option<ExceptionCursor>) {
        match self {
            Self::Found => {
                if let Some(after) = after {
                    query.push(" AND ordinal > ").push_bind(after.ordinal);
                }
                query.push(" ORDER BY ordinal");
            }
            Self::Amount => {
                if let Some(after) = after {
                    // The first condition bounds the range of the index, the second drops what was seen.
                    query.push(" AND abs(amount) <= ").push_bind(after.key);
                    query.push(" AND (abs(amount) < ").push_bind(after.key);
                    query.push(" OR ordinal > ").push_bind(after.ordinal).push(")");
                }
                query.push(" ORDER BY abs(amount) DESC, ordinal");
            }
            Self::Day => {
                let day = |after: ExceptionCursor| {
                    NaiveDate::from_num_days_from_ce_opt(i32::try_from(after.key).ok()?)
                };
                if let Some((after, day)) = after.and_then(|after| Some((after, day_text(day(after)?)))) {
                    query.push(format!(" AND {DAY} >= ")).push_bind(day.clone());
                    query.push(format!(" AND ({DAY} > ")).push_bind(day);
                    query.push(" OR ordinal > ").push_bind(after.ordinal).push(")");
                }
                query.push(format!(" ORDER BY {DAY}, ordinal"));
            }
        }
    }
}
