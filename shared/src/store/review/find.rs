//! Open records of one side, found by how their id or reference begins: wherever they are in a run, through an index.

use super::lists::{EXCEPTION_COLUMNS, ReviewedExceptionRow};
use super::{ExceptionState, ReviewedException};
use crate::ids::JobId;
use crate::store::{Store, StoreError};

/// Letters of an id or a reference that are in the index. What is asked for beyond them is compared as well.
const INDEXED_CHARS: usize = 100;

/// Behind every text that begins with what stands before it.
const LAST: char = char::MAX;

impl Store {
    /// Open exceptions of `side` whose id or reference begins with `begins`, in any letter case: those by their ids first, in
    /// the order of those, at most `limit` of either. Reads as much as it gives.
    pub async fn open_records_beginning(
        &self,
        job_id: JobId,
        side: &'static str,
        begins: &str,
        limit: u32,
    ) -> Result<Vec<ReviewedException>, StoreError> {
        let Some(pool) = self.pool_for_run(job_id).await? else { return Ok(vec![]) };
        let indexed: String = begins.chars().take(INDEXED_CHARS).collect();
        let mut found: Vec<ReviewedException> = vec![];
        for (value, there) in
            [("record->>'id'", ""), ("record->'fields'->>'reference'", " AND record->'fields' ? 'reference'")]
        {
            let key = format!("lower(left({value}, {INDEXED_CHARS})) COLLATE \"C\"");
            let statement = format!(
                "SELECT {EXCEPTION_COLUMNS} FROM exceptions
                 WHERE job_id = $1 AND state = '{}' AND side = '{side}'{there}
                   AND {key} >= lower($2) AND {key} < lower($2) || '{LAST}' AND starts_with(lower({value}), lower($3))
                 ORDER BY {key}, ordinal LIMIT $4",
                ExceptionState::Open.as_str()
            );
            let rows: Vec<ReviewedExceptionRow> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
                .bind(job_id)
                .bind(&indexed)
                .bind(begins)
                .bind(i64::from(limit))
                .fetch_all(pool)
                .await?;
            for item in rows.into_iter().map(ReviewedException::from) {
                if found.iter().all(|known| known.found.ordinal != item.found.ordinal) {
                    found.push(item);
                }
            }
        }
        Ok(found)
    }
}
