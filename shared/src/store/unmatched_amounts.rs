//! How much money lately found no counterpart: a figure for dashboards.

use super::{Store, StoreError};

/// Reconciliations looked at, the newest first: bounds the work on a busy system.
const RECONCILIATIONS_MAX: i64 = 10_000;
/// The rest has the smallest amounts.
const CURRENCIES_MAX: i64 = 30;

/// Sums over reconciliations, in major units. Rounded, for people; the exact ones are in the results.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct UnmatchedAmount {
    pub currency: String,
    pub left: f64,
    pub right: f64,
}

impl Store {
    /// Of the reconciliations submitted in the last 24 hours. Reads one range of the primary key, and the balance of
    /// each row in it: some 0.1 s for the most it looks at.
    pub async fn unmatched_amounts(&self) -> Result<Vec<UnmatchedAmount>, StoreError> {
        Ok(sqlx::query_as(
            "WITH newest AS (
                 SELECT balance FROM reconciliations
                 WHERE job_id >= first_id_at(now() - interval '24 hours') AND completed_at IS NOT NULL
                 ORDER BY job_id DESC LIMIT $1
             ),
             sums AS (
                 SELECT proof ->> 'currency' AS currency, sum((proof ->> 'left_unmatched')::numeric) AS left_sum,
                        sum((proof ->> 'right_unmatched')::numeric) AS right_sum
                 FROM newest, jsonb_array_elements(balance) AS proof GROUP BY 1
             )
             SELECT currency, left_sum::float8 AS left, right_sum::float8 AS right FROM sums
             ORDER BY abs(left_sum) + abs(right_sum) DESC, currency LIMIT $2",
        )
        .bind(RECONCILIATIONS_MAX)
        .bind(CURRENCIES_MAX)
        .fetch_all(self.pool())
        .await?)
    }
}
