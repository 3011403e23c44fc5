//! One look at everything that decides whether a job may run; see [`crate::explain`].

use crate::explain::{
    COUNTED_MAX, Holder, Seen, SeenBatch, SeenCrew, SeenDoorbell, SeenJob, SeenLimit, SeenRelay,
};
use crate::ids::JobId;
use crate::job::JobState;
use crate::limits::LimitScope;
use crate::store::outbox::{LanesFrom, LanesMax, lanes, tenant_of};
use crate::store::workers::SILENT_AFTER;
use crate::store::{Store, StoreError};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Lanes looked at for the projects that take turns: their first key is enough.
const TENANTS: LanesMax = LanesMax { tenants: 256, keys: 1 };

#[derive(sqlx::FromRow)]
struct Row {
    state: JobState,
    kind: String,
    queue: String,
    attempt: i32,
    attempts_max: i32,
    due_at: DateTime<Utc>,
    rung_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
    cancel_requested_at: Option<DateTime<Utc>>,
    error: Option<String>,
    worker: Option<String>,
    lease_expires_at: Option<DateTime<Utc>>,
    worker_heartbeat_at: Option<DateTime<Utc>>,
    last_outcome: Option<String>,
    now: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct OutboxRow {
    id: i64,
    priority: i16,
    project_id: Uuid,
    concurrency_key: String,
    waiting_since: DateTime<Utc>,
}

impl Store {
    /// What there is to see of a job, in one snapshot. `None`: there is no such job, and no batch that it is to follow.
    /// Its cost is bounded whatever the backlog, but for the jobs that run, which are all counted.
    pub async fn look_at_job(&self, id: JobId) -> Result<Option<Seen>, StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY").execute(&mut *tx).await?;
        let row: Option<Row> = sqlx::query_as(
            "SELECT state, kind, queue, attempt, attempts_max, due_at, rung_at, finished_at, cancel_requested_at,
                    error, lease_worker AS worker, lease_expires_at,
                    (SELECT heartbeat_at FROM workers WHERE name = lease_worker) AS worker_heartbeat_at,
                    (SELECT outcome::text FROM attempts WHERE job_id = jobs.id ORDER BY fence DESC LIMIT 1)
                        AS last_outcome,
                    now() AS now
             FROM jobs WHERE id = $1",
        )
        .bind(id)
        .fetch_optional(&mut *tx)
        .await?;
        let seen = match row {
            Some(row) => Some(Seen::Job(Box::new(look_around(&mut tx, id, row).await?))),
            None => follows(&mut tx, id).await?.map(Seen::Follows),
        };
        tx.commit().await?;
        Ok(seen)
    }
}

async fn look_around(conn: &mut PgConnection, id: JobId, row: Row) -> Result<SeenJob, StoreError> {
    let waits = matches!(row.state, JobState::Scheduled | JobState::Available);
    let mut seen = SeenJob {
        now: row.now,
        state: row.state,
        attempt: row.attempt,
        attempts_max: row.attempts_max,
        due_at: row.due_at,
        rung_at: row.rung_at,
        finished_at: row.finished_at,
        cancel_requested_at: row.cancel_requested_at,
        error: row.error,
        worker: row.worker,
        lease_expires_at: row.lease_expires_at,
        worker_heartbeat_at: row.worker_heartbeat_at,
        last_outcome: row.last_outcome,
        pause: None,
        limits: vec![],
        crew: SeenCrew::default(),
        doorbell: None,
        relay: SeenRelay::default(),
        kind: row.kind,
        queue: row.queue,
    };
    if waits {
        seen.pause = sqlx::query_as("SELECT reason, paused_by, paused_at FROM queue_pauses WHERE queue = $1")
            .bind(&seen.queue)
            .fetch_optional(&mut *conn)
            .await?;
        seen.crew = crew(conn, &seen.kind, &seen.queue).await?;
    }
    if row.state == JobState::Available {
        seen.limits = limits(conn, id).await?;
        seen.doorbell = doorbell(conn, id, &seen.queue).await?;
        let relay =
            sqlx::query_as("SELECT looked_at, confirmed_at, trouble FROM dispatch_marks WHERE queue = $1");
        seen.relay = relay.bind(&seen.queue).fetch_optional(conn).await?.unwrap_or_default();
    }
    Ok(seen)
}

async fn follows(conn: &mut PgConnection, id: JobId) -> Result<Option<SeenBatch>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT id AS batch_id, name, jobs,
                (SELECT count(*) FROM jobs WHERE batch_id = batches.id
                 AND state IN ('scheduled', 'available', 'running')) AS unfinished
         FROM batches
         WHERE (completion ->> 'id')::uuid = $1 AND completion IS NOT NULL AND finished_at IS NULL",
    )
    .bind(id)
    .fetch_optional(conn)
    .await?)
}

async fn crew(conn: &mut PgConnection, kind: &str, queue: &str) -> Result<SeenCrew, StoreError> {
    Ok(sqlx::query_as(
        "SELECT count(*) FILTER (WHERE lives) AS workers,
                coalesce(sum(slots) FILTER (WHERE lives), 0)::bigint AS slots,
                coalesce(sum(jobs) FILTER (WHERE lives), 0)::bigint AS busy,
                max(heartbeat_at) AS last_heartbeat_at
         FROM (SELECT slots, heartbeat_at, running.jobs,
                      NOT is_draining AND heartbeat_at >= now() - $3 * interval '1 second' AS lives
               FROM workers
               LEFT JOIN (SELECT lease_worker, count(*) AS jobs FROM jobs
                          WHERE state = 'running' AND queue = $2 GROUP BY lease_worker) AS running
                      ON running.lease_worker = workers.name
               WHERE $1 = ANY (kinds)) AS crew",
    )
    .bind(kind)
    .bind(queue)
    .bind(SILENT_AFTER.as_secs_f64())
    .fetch_one(conn)
    .await?)
}

async fn limits(conn: &mut PgConnection, id: JobId) -> Result<Vec<SeenLimit>, StoreError> {
    let rows: Vec<(LimitScope, String, i32, i64)> = sqlx::query_as(
        "SELECT l.scope, l.subject, l.jobs_max, places_taken(l.scope, l.subject)
         FROM jobs, limits_on(jobs.kind, jobs.project_id, jobs.concurrency_key) AS l WHERE jobs.id = $1
         ORDER BY l.scope",
    )
    .bind(id)
    .fetch_all(&mut *conn)
    .await?;
    let mut limits = vec![];
    for (scope, subject, jobs_max, taken) in rows {
        let holders: Vec<Holder> = sqlx::query_as(
            "SELECT id AS job_id, project_id FROM jobs
             WHERE state = 'running' AND CASE $1::limit_scope
                 WHEN 'global' THEN true
                 WHEN 'kind' THEN kind = $2
                 WHEN 'project' THEN project_id::text = $2
                 WHEN 'key' THEN concurrency_key = $2 END
             ORDER BY id LIMIT 10",
        )
        .bind(scope)
        .bind(&subject)
        .fetch_all(&mut *conn)
        .await?;
        limits.push(SeenLimit { scope, subject, jobs_max, taken, holders });
    }
    Ok(limits)
}

async fn doorbell(
    conn: &mut PgConnection,
    id: JobId,
    queue: &str,
) -> Result<Option<SeenDoorbell>, StoreError> {
    let ours: Option<OutboxRow> = sqlx::query_as(
        "SELECT id, priority, project_id, concurrency_key, waiting_since FROM outbox
         WHERE job_id = $1 ORDER BY waiting_since, id LIMIT 1",
    )
    .bind(id)
    .fetch_optional(&mut *conn)
    .await?;
    let Some(ours) = ours else { return Ok(None) };
    let (ahead_in_lane, of_higher_priority): (i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM (
                     SELECT FROM outbox
                     WHERE queue = $1 AND priority = $2 AND project_id = $3 AND concurrency_key = $4
                       AND (waiting_since, id) < ($5, $6) LIMIT $7) AS before),
                (SELECT count(*) FROM (
                     SELECT FROM outbox WHERE queue = $1 AND priority > $2 LIMIT $7) AS higher)",
    )
    .bind(queue)
    .bind(ours.priority)
    .bind(ours.project_id)
    .bind(&ours.concurrency_key)
    .bind(ours.waiting_since)
    .bind(ours.id)
    .bind(COUNTED_MAX)
    .fetch_one(&mut *conn)
    .await?;
    let (heads, _) = lanes(conn, queue, &LanesFrom::default(), TENANTS).await?;
    let tenants: BTreeSet<Uuid> = heads.iter().map(|head| tenant_of(head.lane.project_id)).collect();
    let others = tenants.iter().filter(|tenant| **tenant != ours.project_id).count();
    Ok(Some(SeenDoorbell {
        waiting_since: ours.waiting_since,
        ahead_in_lane,
        of_higher_priority,
        other_projects: others as i64,
    }))
}
