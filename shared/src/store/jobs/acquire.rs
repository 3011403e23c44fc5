//! Asking for a lease: pauses and limits are decided here, exactly, in the transaction that leases.

use crate::ids::{JobId, ProjectId};
use crate::job::{JobKind, Lease};
use crate::store::{Store, StoreError};
use sqlx::PgConnection;
use std::collections::HashMap;
use std::time::Duration;

/// What became of the question for a lease.
#[derive(Debug, Clone, PartialEq)]
pub enum LeaseAnswer {
    /// Ours, and the attempt is counted.
    Leased(Box<Lease>),
    /// Nothing to take: the doorbell was a duplicate, or the job is cancelled, not due or leased already.
    Gone,
    /// The job may not run now. It is back in the outbox as it was, and the relay rings again when it may.
    Hindered(Hindrance),
}

/// Why an available job may not run now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hindrance {
    QueuePaused,
    /// As many run as a limit allows.
    NoPlace,
}

impl Hindrance {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::QueuePaused => "queue_paused",
            Self::NoPlace => "no_place",
        }
    }
}

#[derive(sqlx::FromRow)]
struct LeaseRow {
    id: JobId,
    kind: String,
    project_id: Option<ProjectId>,
    fence: i64,
    attempt: i32,
    attempts_max: i32,
    args: serde_json::Value,
    request_id: Option<String>,
    traceparent: Option<String>,
    waited_s: f64,
}

/// An available job, whether it is hindered, and the lease when it is not.
#[derive(sqlx::FromRow)]
struct Asked {
    paused: bool,
    limited: bool,
    #[sqlx(flatten)]
    taken: Taken,
}

/// All null when nothing was taken.
#[derive(sqlx::FromRow)]
struct Taken {
    id: Option<JobId>,
    kind: Option<String>,
    project_id: Option<ProjectId>,
    fence: Option<i64>,
    attempt: Option<i32>,
    attempts_max: Option<i32>,
    args: Option<serde_json::Value>,
    request_id: Option<String>,
    traceparent: Option<String>,
    waited_s: Option<f64>,
}

impl Store {
    /// Asks for the lease of a job. Of any number of workers asking at once, one gets it.
    ///
    /// One statement for a job under no limit. A job under one takes three in a transaction, of which the first
    /// waits for its turn: whoever leases under the same limit does so one after the other, so that no number of
    /// workers runs more than `jobs_max`.
    pub async fn ask_for_lease(
        &self,
        id: JobId,
        worker: &str,
        lease_duration: Duration,
    ) -> Result<LeaseAnswer, StoreError> {
        let asked: Option<Asked> = sqlx::query_as(
            "WITH asked AS (
                 SELECT id,
                        EXISTS (SELECT FROM queue_pauses WHERE queue_pauses.queue = jobs.queue) AS paused,
                        EXISTS (SELECT FROM limits_on(kind, project_id, concurrency_key)) AS limited
                 FROM jobs WHERE id = $1 AND state = 'available'
             ), answered AS (
                 DELETE FROM doorbells_out WHERE job_id = $1
             ), taken AS (
                 UPDATE jobs SET state = 'running', attempt = attempt + 1, fence = fence + 1, progress = NULL,
                     lease_worker = $2, lease_expires_at = now() + $3 * interval '1 second'
                 FROM asked
                 WHERE jobs.id = asked.id AND state = 'available' AND NOT paused AND NOT limited
                 RETURNING jobs.*
             ), noted AS (
                 INSERT INTO attempts (job_id, fence, attempt, worker)
                 SELECT id, fence, attempt, lease_worker FROM taken
             )
             SELECT paused, limited, taken.id, kind, project_id, fence, attempt, attempts_max, args, request_id, traceparent,
                    greatest(0, extract(epoch FROM now() - due_at))::float8 AS waited_s
             FROM asked LEFT JOIN taken ON taken.id = asked.id",
        )
        .bind(id)
        .bind(worker)
        .bind(lease_duration.as_secs_f64())
        .fetch_optional(self.pool())
        .await?;
        match asked {
            None => Ok(LeaseAnswer::Gone),
            Some(Asked { paused: true, .. }) => {
                put_back(&mut *self.pool().acquire().await?, id).await?;
                Ok(LeaseAnswer::Hindered(Hindrance::QueuePaused))
            }
            Some(Asked { limited: true, .. }) => self.ask_for_place(id, worker, lease_duration).await,
            Some(Asked { taken, .. }) => match taken.into_row() {
                Some(row) => row.into_lease(),
                // Somebody else was quicker.
                None => Ok(LeaseAnswer::Gone),
            },
        }
    }

    /// Leases of those of `ids` that nothing hinders and nobody else is at: one statement for all, which waits for
    /// nobody. About the others it says nothing; [`Self::ask_for_lease`] does.
    pub async fn acquire_free(
        &self,
        ids: &[JobId],
        worker: &str,
        lease_duration: Duration,
    ) -> Result<HashMap<JobId, Lease>, StoreError> {
        let mut connection = self.warm_connection().await?;
        let rows: Vec<LeaseRow> = sqlx::query_as(
            "WITH free AS (
                 SELECT id FROM jobs
                 WHERE id = ANY($1) AND state = 'available'
                   AND NOT EXISTS (SELECT FROM queue_pauses WHERE queue_pauses.queue = jobs.queue)
                   AND NOT EXISTS (SELECT FROM limits_on(kind, project_id, concurrency_key))
                 FOR UPDATE SKIP LOCKED
             ), taken AS (
                 UPDATE jobs SET state = 'running', attempt = attempt + 1, fence = fence + 1, progress = NULL,
                     lease_worker = $2, lease_expires_at = now() + $3 * interval '1 second'
                 FROM free WHERE jobs.id = free.id
                 RETURNING jobs.*
             ), noted AS (
                 INSERT INTO attempts (job_id, fence, attempt, worker)
                 SELECT id, fence, attempt, lease_worker FROM taken
             )
             SELECT id, kind, project_id, fence, attempt, attempts_max, args, request_id, traceparent,
                    greatest(0, extract(epoch FROM now() - due_at))::float8 AS waited_s
             FROM taken",
        )
        .bind(ids.iter().map(|id| id.0).collect::<Vec<_>>())
        .bind(worker)
        .bind(lease_duration.as_secs_f64())
        .fetch_all(&mut *connection)
        .await?;
        connection.give_back();
        rows.into_iter().map(|row| Ok((row.id, row.read()?))).collect()
    }

    /// [`Self::ask_for_lease`], for callers who do not care why they got none.
    pub async fn acquire(
        &self,
        id: JobId,
        worker: &str,
        lease_duration: Duration,
    ) -> Result<Option<Lease>, StoreError> {
        Ok(match self.ask_for_lease(id, worker, lease_duration).await? {
            LeaseAnswer::Leased(lease) => Some(*lease),
            LeaseAnswer::Gone | LeaseAnswer::Hindered(_) => None,
        })
    }

    async fn ask_for_place(
        &self,
        id: JobId,
        worker: &str,
        lease_duration: Duration,
    ) -> Result<LeaseAnswer, StoreError> {
        let mut tx = self.begin().await?;
        // Broad to narrow, always in this order: two of us cannot wait for each other.
        sqlx::query(
            "SELECT pg_advisory_xact_lock(hashtextextended('limit ' || scope || ' ' || subject, 0))
             FROM (SELECT l.scope::text AS scope, l.subject
                   FROM jobs, limits_on(jobs.kind, jobs.project_id, jobs.concurrency_key) AS l
                   WHERE jobs.id = $1 ORDER BY l.scope OFFSET 0) AS ordered",
        )
        .bind(id)
        .execute(&mut *tx)
        .await?;
        // A statement of its own, hence with a snapshot that sees what those before us have committed.
        let row: Option<LeaseRow> = sqlx::query_as(
            "WITH taken AS (
                 UPDATE jobs SET state = 'running', attempt = attempt + 1, fence = fence + 1, progress = NULL,
                     lease_worker = $2, lease_expires_at = now() + $3 * interval '1 second'
                 WHERE id = $1 AND state = 'available'
                   AND NOT EXISTS (SELECT FROM limits_on(kind, project_id, concurrency_key) AS l
                                   WHERE places_taken(l.scope, l.subject) >= l.jobs_max)
                   AND NOT EXISTS (SELECT FROM queue_pauses WHERE queue_pauses.queue = jobs.queue)
                 RETURNING *
             ), noted AS (
                 INSERT INTO attempts (job_id, fence, attempt, worker)
                 SELECT id, fence, attempt, lease_worker FROM taken
             )
             SELECT id, kind, project_id, fence, attempt, attempts_max, args, request_id, traceparent,
                    greatest(0, extract(epoch FROM now() - due_at))::float8 AS waited_s
             FROM taken",
        )
        .bind(id)
        .bind(worker)
        .bind(lease_duration.as_secs_f64())
        .fetch_optional(&mut *tx)
        .await?;
        let answer = match row {
            Some(row) => row.into_lease()?,
            None if put_back(&mut tx, id).await? => LeaseAnswer::Hindered(Hindrance::NoPlace),
            None => LeaseAnswer::Gone,
        };
        tx.commit().await?;
        Ok(answer)
    }
}

/// Puts a job's doorbell back into the outbox, unless one waits there already. `false`: nobody needs it any more.
async fn put_back(conn: &mut PgConnection, id: JobId) -> Result<bool, StoreError> {
    let waits: Option<bool> = sqlx::query_scalar(
        "WITH waiting AS (
             SELECT id, queue, priority, project_id, concurrency_key, due_at, created_at
             FROM jobs WHERE id = $1 AND state = 'available' FOR SHARE
         ), rung AS (
             INSERT INTO outbox (job_id, queue, priority, project_id, concurrency_key, waiting_since)
             SELECT id, queue, priority, tenant_of(project_id), coalesce(concurrency_key, ''),
                    greatest(due_at, created_at)
             FROM waiting WHERE NOT EXISTS (SELECT FROM outbox WHERE outbox.job_id = waiting.id)
         )
         SELECT true FROM waiting",
    )
    .bind(id)
    .fetch_optional(conn)
    .await?;
    Ok(waits.is_some())
}

impl Taken {
    fn into_row(self) -> Option<LeaseRow> {
        Some(LeaseRow {
            id: self.id?,
            kind: self.kind?,
            project_id: self.project_id,
            fence: self.fence?,
            attempt: self.attempt?,
            attempts_max: self.attempts_max?,
            args: self.args?,
            request_id: self.request_id,
            traceparent: self.traceparent,
            waited_s: self.waited_s?,
        })
    }
}

impl LeaseRow {
    fn into_lease(self) -> Result<LeaseAnswer, StoreError> {
        Ok(LeaseAnswer::Leased(Box::new(self.read()?)))
    }

    fn read(self) -> Result<Lease, StoreError> {
        let kind = JobKind::parse(&self.kind).ok_or_else(|| {
            StoreError::Broken(sqlx::Error::Decode(
                format!("jobs.kind of {}: {:?}", self.id, self.kind).into(),
            ))
        })?;
        Ok(Lease {
            job_id: self.id,
            kind,
            project_id: self.project_id,
            fence: self.fence,
            attempt: self.attempt as u16,
            attempts_max: self.attempts_max as u16,
            args: self.args,
            request_id: self.request_id,
            trace: self.traceparent.and_then(|text| text.parse().ok()),
            waited: Duration::from_secs_f64(self.waited_s),
        })
    }
}
