//! The monthly partitions of results: made ahead, dropped whole. What a clock far off has put beside them goes row by row.

use super::job_ledger::book_removed;
use super::{Store, StoreError};
use sqlx::PgConnection;
use std::time::Duration;
use uuid::Uuid;

/// What [`Store::drop_expired_results`] has removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExpiredResults {
    /// Reconciliations, with their attempts, history and review.
    pub jobs: u64,
    /// By name.
    pub partitions: Vec<String>,
}

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

    /// Removes at most `limit` reconciliations of the oldest month of results, if it ended more than `retention` ago and
    /// all its reconciliations finished more than `retention` ago; once none is left, drops the month. Call until
    /// nothing is removed.
    ///
    /// Results are therefore kept for at least `retention` and at most a month longer. They are out of reach with
    /// their job already: all tables of results are locked for no longer than dropping takes.
    pub async fn drop_expired_results(
        &self,
        retention: Duration,
        limit: u32,
    ) -> Result<ExpiredResults, StoreError> {
        let mut expired = ExpiredResults::default();
        let Some(month) = self.expired_month(retention).await? else { return Ok(expired) };
        let mut tx = self.begin().await?;
        let removed = sqlx::query(
            "DELETE FROM jobs WHERE id IN (
                 SELECT j.id FROM reconciliations r JOIN jobs j ON j.id = r.job_id
                 WHERE r.job_id >= first_id_at(to_date($1, 'YYYY_MM')::timestamp AT TIME ZONE 'UTC')
                   AND r.job_id < first_id_at((to_date($1, 'YYYY_MM') + interval '1 month') AT TIME ZONE 'UTC')
                   AND j.state IN ('completed', 'cancelled', 'dead')
                   AND j.finished_at < now() - $2 * interval '1 second'
                 ORDER BY j.id LIMIT $3 FOR UPDATE OF j)",
        )
        .bind(&month)
        .bind(retention.as_secs_f64())
        .bind(i64::from(limit))
        .execute(&mut *tx)
        .await?;
        expired.jobs = removed.rows_affected();
        book_removed(&mut tx, expired.jobs).await?;
        tx.commit().await?;
        if expired.jobs < u64::from(limit) {
            expired.partitions = self.drop_month(&month).await?;
        }
        Ok(expired)
    }

    /// How long the oldest month of results that is still there is past its end and `retention`; zero when none is. A
    /// reconciliation that was accepted late in it and started over, or takes long, keeps it that much longer; so does
    /// whoever reads results for long (a dump), for dropping it must wait.
    pub async fn results_overdue(&self, retention: Duration) -> Result<Duration, StoreError> {
        let seconds: Option<f64> = sqlx::query_scalar(
            "SELECT extract(epoch FROM now() - $1 * interval '1 second'
                            - min((to_date(right(child.relname, 7), 'YYYY_MM') + interval '1 month')
                                  AT TIME ZONE 'UTC'))::float8
             FROM pg_inherits
             JOIN pg_class child ON child.oid = inhrelid
             WHERE inhparent = 'matches'::regclass AND child.relname ~ '^matches_[0-9]{4}_[0-9]{2}$'",
        )
        .bind(retention.as_secs_f64())
        .fetch_one(self.pool())
        .await?;
        Ok(Duration::try_from_secs_f64(seconds.unwrap_or(0.0)).unwrap_or_default())
    }

    /// The oldest month whose reconciliations may all go. Names carry the month (see the migration), so the bounds
    /// follow from them.
    async fn expired_month(&self, retention: Duration) -> Result<Option<String>, StoreError> {
        Ok(sqlx::query_scalar(
            "SELECT right(child.relname, 7) AS month
             FROM pg_inherits
             JOIN pg_class child ON child.oid = inhrelid
             WHERE inhparent = 'matches'::regclass AND child.relname ~ '^matches_[0-9]{4}_[0-9]{2}$'
               AND (to_date(right(child.relname, 7), 'YYYY_MM') + interval '1 month') AT TIME ZONE 'UTC'
                   < now() - $1 * interval '1 second'
               AND NOT EXISTS (
                   SELECT FROM reconciliations r JOIN jobs j ON j.id = r.job_id
                   WHERE r.job_id >= first_id_at(to_date(right(child.relname, 7), 'YYYY_MM')::timestamp AT TIME ZONE 'UTC')
                     AND r.job_id < first_id_at((to_date(right(child.relname, 7), 'YYYY_MM') + interval '1 month')
                                                AT TIME ZONE 'UTC')
                     AND (j.state IN ('scheduled', 'available', 'running')
                          OR j.finished_at > now() - $1 * interval '1 second'))
             ORDER BY child.relname LIMIT 1",
        )
        .bind(retention.as_secs_f64())
        .fetch_optional(self.pool())
        .await?)
    }

    /// Unless a reconciliation of the month is left, which somebody has had start over meanwhile.
    async fn drop_month(&self, month: &str) -> Result<Vec<String>, StoreError> {
        let mut tx = self.begin().await?;
        do_not_queue(&mut tx).await?;
        // Pruners of several schedulers take turns; also against `ensure_result_partitions`.
        sqlx::query("SELECT pg_advisory_xact_lock(hashtext('ensure_result_partitions'))")
            .execute(&mut *tx)
            .await?;
        // All locks before the first change, so that giving up on one undoes nothing.
        sqlx::query(
            "LOCK TABLE matches, exceptions, rejected_lines, matched_records IN ACCESS EXCLUSIVE MODE",
        )
        .execute(&mut *tx)
        .await?;
        let is_needed: bool = sqlx::query_scalar(
            "SELECT EXISTS (
                 SELECT FROM reconciliations
                 WHERE job_id >= first_id_at(to_date($1, 'YYYY_MM')::timestamp AT TIME ZONE 'UTC')
                   AND job_id < first_id_at((to_date($1, 'YYYY_MM') + interval '1 month') AT TIME ZONE 'UTC'))",
        )
        .bind(month)
        .fetch_one(&mut *tx)
        .await?;
        if is_needed {
            return Ok(vec![]);
        }
        let mut dropped = vec![];
        for parent in ["matches", "exceptions", "rejected_lines", "matched_records"] {
            let child = format!("{parent}_{month}");
            sqlx::query("SELECT drop_result_partition($1)").bind(&child).execute(&mut *tx).await?;
            dropped.push(child);
            // What came before its month's partition was made (a clock far ahead) is in the default one.
            let rest = format!(
                "DELETE FROM {parent}
                 WHERE job_id >= first_id_at(to_date($1, 'YYYY_MM')::timestamp AT TIME ZONE 'UTC')
                   AND job_id < first_id_at((to_date($1, 'YYYY_MM') + interval '1 month') AT TIME ZONE 'UTC')"
            );
            sqlx::query(sqlx::AssertSqlSafe(rest)).bind(month).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(dropped)
    }
}

impl Store {
    /// Removes at most `limit` jobs that finished more than `retention` ago and whose month has no partition, with
    /// their results from the default one: jobs accepted by a process whose clock was months off. Returns how many;
    /// call until it is 0. One probe of an index per month that has jobs when there are none.
    pub(super) async fn remove_stray_results(
        &self,
        retention: Duration,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let ids: Vec<Uuid> = sqlx::query_scalar(STRAYS)
            .bind(retention.as_secs_f64())
            .bind(i64::from(limit))
            .fetch_all(&mut *tx)
            .await?;
        if ids.is_empty() {
            return Ok(0);
        }
        for statement in [
            "DELETE FROM matches WHERE job_id = ANY($1)",
            "DELETE FROM exceptions WHERE job_id = ANY($1)",
            "DELETE FROM rejected_lines WHERE job_id = ANY($1)",
            "DELETE FROM matched_records WHERE job_id = ANY($1)",
        ] {
            sqlx::query(statement).bind(&ids).execute(&mut *tx).await?;
        }
        let removed = sqlx::query("DELETE FROM jobs WHERE id = ANY($1)").bind(&ids).execute(&mut *tx).await?;
        book_removed(&mut tx, removed.rows_affected()).await?;
        tx.commit().await?;
        Ok(removed.rows_affected())
    }
}

/// A loose scan of the months that have jobs (the first 48 bits of an id are milliseconds), then the finished jobs of
/// those without a partition.
const STRAYS: &str = "
WITH RECURSIVE months AS (
    (SELECT date_trunc('month', to_timestamp(milliseconds / 1000.0) AT TIME ZONE 'UTC') AS month
     FROM jobs, LATERAL (SELECT ('x' || translate(left(id::text, 13), '-', ''))::bit(48)::bigint) AS t (milliseconds)
     ORDER BY id LIMIT 1)
    UNION ALL
    SELECT (SELECT date_trunc('month', to_timestamp(milliseconds / 1000.0) AT TIME ZONE 'UTC')
            FROM jobs,
                 LATERAL (SELECT ('x' || translate(left(id::text, 13), '-', ''))::bit(48)::bigint) AS t (milliseconds)
            WHERE id >= first_id_at((m.month + interval '1 month') AT TIME ZONE 'UTC') ORDER BY id LIMIT 1)
    FROM months m WHERE m.month IS NOT NULL
)
SELECT stray.id
FROM months m
CROSS JOIN LATERAL (
    SELECT id FROM jobs
    WHERE id >= first_id_at(m.month AT TIME ZONE 'UTC')
      AND id < first_id_at((m.month + interval '1 month') AT TIME ZONE 'UTC')
      AND state IN ('completed', 'cancelled', 'dead') AND finished_at < now() - $1 * interval '1 second'
    ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED
) AS stray
WHERE m.month IS NOT NULL AND to_regclass('matches_' || to_char(m.month, 'YYYY_MM')) IS NULL
LIMIT $2";

/// Adding or dropping a partition locks the whole table: while it waits for a long read (a dump) to end, everybody
/// else would wait behind it. It gives up soon instead; the next round tries again.
async fn do_not_queue(conn: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query("SET LOCAL lock_timeout = '2s'").execute(conn).await?;
    Ok(())
}
