//! The law of conservation: what was accepted is there in some state, or was removed on purpose.
//!
//! `job_ledger` books every insertion (by a trigger, whoever inserts) and every removal by retention or request, in
//! the transaction that makes it. `accepted - removed` must be the number of rows in `jobs`. A job that went any
//! other way, through an operator's `DELETE`, a restore that forgot rows or a bug, is missed here.

use super::{Store, StoreError};
use sqlx::PgConnection;

/// One look at the books, of one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct JobBalance {
    /// Ever.
    pub accepted: i64,
    /// By retention or on request.
    pub removed: i64,
    pub scheduled: i64,
    pub available: i64,
    pub running: i64,
    pub completed: i64,
    pub cancelled: i64,
    pub dead: i64,
}

impl JobBalance {
    /// Jobs that should be there and are not. Negative: more are there than were accepted, which only happens when
    /// rows come back past the trigger.
    pub fn unaccounted(&self) -> i64 {
        let there =
            self.scheduled + self.available + self.running + self.completed + self.cancelled + self.dead;
        self.accepted - self.removed - there
    }
}

impl Store {
    /// Compares the books with the jobs, in one statement and hence of one moment: never wrong by work under way.
    /// Counts an index: below a second per million jobs kept, on a busy machine too.
    pub async fn job_balance(&self) -> Result<JobBalance, StoreError> {
        Ok(sqlx::query_as(
            "WITH counted AS MATERIALIZED (SELECT state, count(*) AS jobs FROM jobs GROUP BY state)
             SELECT coalesce(sum(accepted), 0)::bigint AS accepted, coalesce(sum(removed), 0)::bigint AS removed,
                    coalesce((SELECT jobs FROM counted WHERE state = 'scheduled'), 0) AS scheduled,
                    coalesce((SELECT jobs FROM counted WHERE state = 'available'), 0) AS available,
                    coalesce((SELECT jobs FROM counted WHERE state = 'running'), 0) AS running,
                    coalesce((SELECT jobs FROM counted WHERE state = 'completed'), 0) AS completed,
                    coalesce((SELECT jobs FROM counted WHERE state = 'cancelled'), 0) AS cancelled,
                    coalesce((SELECT jobs FROM counted WHERE state = 'dead'), 0) AS dead
             FROM job_ledger",
        )
        .fetch_one(self.pool())
        .await?)
    }

    /// Folds the lines of the ledger into one, so that adding it up stays cheap. Any number may fold at once: each
    /// line is folded by one. Returns how many lines there were.
    pub async fn fold_job_ledger(&self) -> Result<u64, StoreError> {
        let lines: i64 = sqlx::query_scalar(
            "WITH folded AS (DELETE FROM job_ledger RETURNING accepted, removed),
             sums AS (
                 INSERT INTO job_ledger (accepted, removed)
                 SELECT sum(accepted), sum(removed) FROM folded HAVING count(*) > 0
             )
             SELECT count(*) FROM folded",
        )
        .fetch_one(self.pool())
        .await?;
        Ok(lines.max(0) as u64)
    }
}

/// Books `jobs` as removed on purpose. Belongs in the transaction that deletes them.
pub async fn book_removed(conn: &mut PgConnection, jobs: u64) -> Result<(), StoreError> {
    if jobs > 0 {
        sqlx::query("INSERT INTO job_ledger (accepted, removed) VALUES (0, $1)")
            .bind(jobs as i64)
            .execute(conn)
            .await?;
    }
    Ok(())
}
