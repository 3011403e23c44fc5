//! Open items: records without a confirmed match, which the next run of a chain carries in.
//!
//! They are the open exceptions of a run, the records of its suggested matches that nobody has decided about, and what
//! part payments left open; nothing is stored twice. Review counts: see [`super::review`].

use super::results::{FOUND_COLUMNS, FirstSeen, MatchRow, StoredMatch, StoredRecord};
use super::{Store, StoreError};
use crate::ids::JobId;
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use sqlx::types::Json;

/// How the open items of a run changed, and what the next one needs to know.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct OpenItemsSummary {
    /// Carried in from the run before.
    pub carried_in: i64,
    /// Of those, now in confirmed matches.
    pub resolved: i64,
    /// Of those, still open.
    pub persisting: i64,
    /// Records of this run's files that stay open.
    pub new: i64,
    /// Of records in confirmed matches, those of which a part stays open.
    #[serde(default)]
    pub remainders: i64,
    /// Records of this run's files that the chain had matched already.
    pub already_matched: i64,
    /// Records of this run's files that were open items already.
    pub repeated: i64,
    /// Of those, the ones whose contents changed.
    pub restated: i64,
    /// By side and currency.
    pub flow: Vec<OpenItemsFlow>,
    /// Items that stay open by the run that first had them, oldest first. At most 100: newer runs are together in
    /// the last one.
    pub ages: Vec<OpenItemsAge>,
    /// The text fields that records of either side may have.
    pub left_fields: Vec<String>,
    pub right_fields: Vec<String>,
}

/// `before + restated + new - matched + remainder = after`, in counts and amounts (decimal strings in major units).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpenItemsFlow {
    pub side: String,
    pub currency: String,
    pub before: CountAndAmount,
    pub restated: CountAndAmount,
    pub new: CountAndAmount,
    pub matched: CountAndAmount,
    /// Of `matched`, what stays open after part payments.
    #[serde(default)]
    pub remainder: CountAndAmount,
    pub after: CountAndAmount,
    /// The part of `matched` that was carried in.
    pub resolved: CountAndAmount,
    /// The part of `after` that was carried in.
    pub persisting: CountAndAmount,
    /// In none of the others.
    pub already_matched: CountAndAmount,
    /// What nothing explains: 0, or an item is unaccounted for.
    pub residual: CountAndAmount,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CountAndAmount {
    pub count: i64,
    pub amount: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpenItemsAge {
    pub first_seen: FirstSeen,
    pub left: i64,
    pub right: i64,
}

/// One open item as the run left it.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenItem {
    pub side: String,
    pub currency: String,
    pub record: StoredRecord,
}

/// Sets it, in the transaction that completes the job.
pub async fn complete(
    conn: &mut PgConnection,
    job_id: JobId,
    summary: &OpenItemsSummary,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE reconciliations SET open_items = $2 WHERE job_id = $1")
        .bind(job_id)
        .bind(Json(summary))
        .execute(conn)
        .await?;
    Ok(())
}

/// What ended the reading of open items.
#[derive(Debug, thiserror::Error)]
pub enum VisitError<E> {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The visitor did.
    #[error("{0}")]
    Visitor(E),
}

impl Store {
    /// Shows every open item of a completed run to `visit`: exceptions in their order, then suggested matches in
    /// theirs, then the open parts of confirmed ones. Streams; holds one row at a time.
    pub async fn visit_open_items<E>(
        &self,
        job_id: JobId,
        mut visit: impl FnMut(OpenItem) -> Result<(), E>,
    ) -> Result<(), VisitError<E>> {
        let mut conn = self.pool().acquire().await.map_err(StoreError::from)?;
        {
            let mut rows = sqlx::query_as::<_, (String, String, Json<StoredRecord>)>(
                "SELECT side::text, currency, record FROM exceptions
                 WHERE job_id = $1 AND state = 'open' AND kind <> 'already_matched' ORDER BY ordinal",
            )
            .bind(job_id)
            .fetch(&mut *conn);
            while let Some((side, currency, Json(record))) =
                rows.try_next().await.map_err(StoreError::from)?
            {
                visit(OpenItem { side, currency, record }).map_err(VisitError::Visitor)?;
            }
        }
        let mut rows = sqlx::query_as::<_, (String, Json<Vec<StoredRecord>>, Json<Vec<StoredRecord>>)>(
            "SELECT currency, coalesce(left_packed::json, left_records::json),
                    coalesce(right_packed::json, right_records::json) FROM matches
             WHERE job_id = $1 AND tier = 'suggested' AND state = 'as_found' ORDER BY ordinal",
        )
        .bind(job_id)
        .fetch(&mut *conn);
        while let Some((currency, Json(left), Json(right))) =
            rows.try_next().await.map_err(StoreError::from)?
        {
            for (side, records) in [("left", left), ("right", right)] {
                for record in records {
                    // Of a record that was compared in another currency, its own.
                    let own = record.foreign.as_ref().map_or(&currency, |foreign| &foreign.currency);
                    let item = OpenItem { side: side.into(), currency: own.clone(), record };
                    visit(item).map_err(VisitError::Visitor)?;
                }
            }
        }
        drop(rows);
        let statement = format!(
            "SELECT {FOUND_COLUMNS} FROM matches
             WHERE job_id = $1 AND open_side IS NOT NULL
               AND (state = 'accepted' OR (tier = 'confirmed' AND state = 'as_found'))
             ORDER BY ordinal"
        );
        let mut rows =
            sqlx::query_as::<_, MatchRow>(sqlx::AssertSqlSafe(statement)).bind(job_id).fetch(&mut *conn);
        while let Some(row) = rows.try_next().await.map_err(StoreError::from)? {
            let found = StoredMatch::from(row);
            if let Some((side, record, amount)) = found.open_record() {
                let record = StoredRecord { amount, ..record.clone() };
                let item = OpenItem { side: side.into(), currency: found.currency.clone(), record };
                visit(item).map_err(VisitError::Visitor)?;
            }
        }
        Ok(())
    }
}
