//! Keeping leases. How one is had: [`super::acquire`].

use super::history::PHASES_MAX;
use crate::ids::JobId;
use crate::job::JobProgress;
use crate::store::{Store, StoreError};
use sqlx::pool::PoolConnection;
use sqlx::types::Json;
use sqlx::{PgPool, Postgres};
use std::ops::{Deref, DerefMut};
use std::time::Duration;
use uuid::Uuid;

/// A lease that a worker holds and wants to keep, with what it has to report.
#[derive(Debug, Clone)]
pub struct Held {
    pub job_id: JobId,
    pub fence: i64,
    pub progress: Option<JobProgress>,
}

/// The answer to one [`Held`]. A lease without an answer is lost: another worker has the job, or it is
/// finished. Stop at once in that case; nothing computed from here on can be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renewal {
    pub job_id: JobId,
    pub fence: i64,
    /// Somebody asked for the job to stop.
    pub cancel_requested: bool,
}

impl Store {
    /// Extends every lease in `held` that is still ours and publishes progress, in one statement. A new phase becomes
    /// an event of the job's history.
    pub async fn renew(&self, held: &[Held], lease_duration: Duration) -> Result<Vec<Renewal>, StoreError> {
        let ids: Vec<Uuid> = held.iter().map(|h| h.job_id.0).collect();
        let fences: Vec<i64> = held.iter().map(|h| h.fence).collect();
        let progress: Vec<Option<Json<&JobProgress>>> =
            held.iter().map(|h| h.progress.as_ref().map(Json)).collect();
        let mut connection = Lent::from(&self.renewals).await?;
        let rows: Vec<(JobId, i64, bool)> = sqlx::query_as(
            "WITH held AS (
                 SELECT * FROM UNNEST($1::uuid[], $2::bigint[], $3::jsonb[]) AS held (id, fence, progress)
             ), before AS (
                 SELECT jobs.id, jobs.progress->>'phase' AS phase FROM jobs JOIN held USING (id)
                 WHERE held.progress IS NOT NULL
             ), renewed AS (
                 UPDATE jobs SET lease_expires_at = now() + $4 * interval '1 second',
                     progress = coalesce(held.progress, jobs.progress)
                 FROM held WHERE jobs.id = held.id AND jobs.fence = held.fence AND state = 'running'
                 RETURNING jobs.id, jobs.fence, cancel_requested_at IS NOT NULL AS cancelled,
                           jobs.progress->>'phase' AS phase
             ), noted AS (
                 INSERT INTO job_events (job_id, event, fence, detail)
                 SELECT id, 'phase', fence, left(renewed.phase, 200) FROM renewed JOIN before USING (id)
                 WHERE renewed.phase IS DISTINCT FROM before.phase
                   AND (SELECT count(*) FROM job_events WHERE job_id = renewed.id) < $5
             )
             SELECT id, fence, cancelled FROM renewed",
        )
        .bind(ids)
        .bind(fences)
        .bind(progress)
        .bind(lease_duration.as_secs_f64())
        .bind(PHASES_MAX)
        .fetch_all(&mut **connection)
        .await?;
        connection.give_back();
        Ok(rows
            .into_iter()
            .map(|(job_id, fence, cancel_requested)| Renewal { job_id, fence, cancel_requested })
            .collect())
    }
}

/// A connection that is closed unless it is given back. A pool asks a connection that comes back whether it is well, and
/// waits for its answer without a limit: one over which nothing comes any more (its caller has given up) would keep its
/// place in the pool of renewals, which has one, until the kernel notices, and every lease of the process would run out.
struct Lent(Option<PoolConnection<Postgres>>);

impl Lent {
    async fn from(pool: &PgPool) -> Result<Self, sqlx::Error> {
        Ok(Self(Some(pool.acquire().await?)))
    }

    fn give_back(mut self) {
        self.0.take();
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        drop(self.0.take().map(PoolConnection::detach));
    }
}

impl Deref for Lent {
    type Target = PoolConnection<Postgres>;

    fn deref(&self) -> &Self::Target {
        self.0.as_ref().expect("there until it is given back")
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.0.as_mut().expect("there until it is given back")
    }
}
