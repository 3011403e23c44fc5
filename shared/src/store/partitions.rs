//! The monthly partitions of results: made ahead, dropped whole.

use super::job_ledger::book_removed;
use super::{Store, StoreError};
use sqlx::PgConnection;
use std::time::Duration;

impl Store {
    /// Makes the partitions of this month and the next two. Meant to run often; does nothing when they exist.
    pub async fn ensure_result_partitions(&self) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        do_not_queue(&mut tx).await?;
        sqlx::query(
            "SELECT ensure_result_partitions(now() + m * interval '1 month') FROM generate_series(0, 2) AS m",
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Drops the oldest month of results if it ended more than `retention` ago and all its jobs finished more than
    /// `retention` ago, and those jobs with it. Returns the names of the dropped partitions; call until it is empty.
    ///
    /// Results are therefore kept for at least `retention` and at most a month longer.
    pub async fn drop_expired_results(&self, retention: Duration) -> Result<Vec<String>, StoreError> {
        let mut tx = self.begin().await?;
        do_not_queue(&mut tx).await?;
        // Pruners of several schedulers take turns; also against `ensure_result_partitions`.
        sqlx::query("SELECT pg_advisory_xact_lock(hashtext('ensure_result_partitions'))")
            .execute(&mut *tx)
            .await?;
        // Names carry the month (see the migration), so the bounds follow from them.
        let month: Option<String> = sqlx::query_scalar(
            "SELECT right(child.relname, 7) AS month
             FROM pg_inherits
             JOIN pg_class child ON child.oid = inhrelid
             WHERE inhparent = 'matches'::regclass AND child.relname ~ '^matches_[0-9]{4}_[0-9]{2}$'
               AND (to_date(right(child.relname, 7), 'YYYY_MM') + interval '1 month') AT TIME ZONE 'UTC'
                   < now() - $1 * interval '1 second'
               AND NOT EXISTS (
                   SELECT FROM jobs
                   WHERE id >= first_id_at(to_date(right(child.relname, 7), 'YYYY_MM')::timestamp AT TIME ZONE 'UTC')
                     AND id < first_id_at((to_date(right(child.relname, 7), 'YYYY_MM') + interval '1 month')
                                          AT TIME ZONE 'UTC')
                     AND (state IN ('scheduled', 'available', 'running')
                          OR finished_at > now() - $1 * interval '1 second'))
             ORDER BY child.relname LIMIT 1",
        )
        .bind(retention.as_secs_f64())
        .fetch_optional(&mut *tx)
        .await?;
        let Some(month) = month else { return Ok(vec![]) };
        // All locks before the first change, so that giving up on one undoes nothing.
        sqlx::query(
            "LOCK TABLE matches, exceptions, rejected_lines, matched_records IN ACCESS EXCLUSIVE MODE",
        )
        .execute(&mut *tx)
        .await?;
        let removed = sqlx::query(
            "DELETE FROM jobs
             WHERE id >= first_id_at(to_date($1, 'YYYY_MM')::timestamp AT TIME ZONE 'UTC')
               AND id < first_id_at((to_date($1, 'YYYY_MM') + interval '1 month') AT TIME ZONE 'UTC')",
        )
        .bind(&month)
        .execute(&mut *tx)
        .await?;
        book_removed(&mut tx, removed.rows_affected()).await?;
        let mut dropped = vec![];
        for parent in ["matches", "exceptions", "rejected_lines", "matched_records"] {
            let child = format!("{parent}_{month}");
            sqlx::query("SELECT drop_result_partition($1)").bind(&child).execute(&mut *tx).await?;
            dropped.push(child);
        }
        tx.commit().await?;
        Ok(dropped)
    }
}

/// Adding or dropping a partition locks the whole table: while it waits for a long read (a dump) to end, everybody
/// else would wait behind it. It gives up soon instead; the next round tries again.
async fn do_not_queue(conn: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query("SET LOCAL lock_timeout = '2s'").execute(conn).await?;
    Ok(())
}
