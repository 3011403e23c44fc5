//! The outbox: doorbells the broker has not confirmed yet, in lanes.

mod few;

pub use few::{FewDoorbells, Waiting};

use super::{Store, StoreError};
use crate::ids::{JobId, ProjectId};
use crate::queue::{Doorbell, QueueName};
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Postgres, Transaction};
use uuid::Uuid;

/// Doorbells of one queue, priority, project and concurrency key: nothing but age decides between them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lane {
    pub priority: u8,
    /// `None`: jobs of the system.
    pub project_id: Option<ProjectId>,
    pub key: Option<String>,
}

/// A lane with doorbells, and since when its oldest waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneHead {
    pub lane: Lane,
    pub waiting_since: DateTime<Utc>,
}

/// Where to begin looking for lanes, so that more of them than one look shows get their turn one after the other.
#[derive(Debug, Clone, Default)]
pub struct LanesFrom {
    /// Of each priority the first tenant to look at; absent: the first there is.
    pub tenants: Vec<(u8, Uuid)>,
    /// Of a priority and tenant the first key; absent: jobs without a key, then the first key there is.
    pub keys: Vec<(u8, Uuid, String)>,
}

/// Most lanes that one look at a queue shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LanesMax {
    /// Tenants of one priority.
    pub tenants: u32,
    /// Lanes of one tenant and priority.
    pub keys: u32,
}

/// Doorbells locked for publishing. Dropped without [`Self::confirm`], they are free for any relay again.
pub struct OutboxBatch {
    tx: Transaction<'static, Postgres>,
    /// With the index of the request that asked for it; of one request the oldest first.
    pub doorbells: Vec<(usize, Doorbell)>,
}

/// How many doorbells there are, and how old.
#[derive(Debug, Clone, Copy, PartialEq, sqlx::FromRow)]
pub struct OutboxLag {
    pub doorbells: i64,
    pub oldest_age_s: f64,
}

#[derive(sqlx::FromRow)]
struct LaneRow {
    priority: i16,
    project_id: Uuid,
    concurrency_key: String,
    waiting_since: DateTime<Utc>,
    now: DateTime<Utc>,
}

impl LaneRow {
    fn into_head(self) -> LaneHead {
        let lane = Lane {
            priority: self.priority as u8,
            project_id: (!self.project_id.is_nil()).then_some(ProjectId(self.project_id)),
            key: (!self.concurrency_key.is_empty()).then_some(self.concurrency_key),
        };
        LaneHead { lane, waiting_since: self.waiting_since }
    }
}

/// A project's id as lanes store it: the nil UUID is the system.
pub fn tenant_of(project_id: Option<ProjectId>) -> Uuid {
    project_id.map_or(Uuid::nil(), |id| id.0)
}

impl Store {
    /// Queues that have doorbells waiting and are not paused.
    pub async fn outbox_queues(&self) -> Result<Vec<QueueName>, StoreError> {
        // A loose index scan: one probe per queue instead of one per row.
        let names: Vec<String> = sqlx::query_scalar(
            "WITH RECURSIVE q AS (
                 (SELECT queue FROM outbox ORDER BY queue LIMIT 1)
                 UNION ALL
                 SELECT (SELECT o.queue FROM outbox o WHERE o.queue > q.queue ORDER BY o.queue LIMIT 1)
                 FROM q WHERE q.queue IS NOT NULL
             )
             SELECT queue FROM q WHERE queue IS NOT NULL
                AND NOT EXISTS (SELECT FROM queue_pauses WHERE queue_pauses.queue = q.queue)",
        )
        .fetch_all(self.pool())
        .await?;
        Ok(names.iter().filter_map(|name| QueueName::parse(name).ok()).collect())
    }

    /// The lanes of one queue with what waits longest in each, in the order of their index. One probe per lane,
    /// however long the lanes are. With the database's time, the one that waiting is measured by.
    pub async fn lanes(
        &self,
        queue: &QueueName,
        from: &LanesFrom,
        max: LanesMax,
    ) -> Result<(Vec<LaneHead>, DateTime<Utc>), StoreError> {
        lanes(&mut *self.pool().acquire().await?, queue.as_str(), from, max).await
    }

    /// Locks up to so many doorbells of each lane, the longest waiting first. Rows that another relay holds are
    /// skipped, so any number of relays may run.
    pub async fn take_doorbells(
        &self,
        queue: &QueueName,
        wanted: &[(Lane, u32)],
    ) -> Result<OutboxBatch, StoreError> {
        // A delete that a crash forgets only rings twice.
        let mut tx = self.pool().begin_with("BEGIN; SET LOCAL synchronous_commit = off").await?;
        let rows: Vec<(i64, i64, JobId)> = sqlx::query_as(TAKE)
            .bind(queue.as_str())
            .bind(wanted.iter().map(|(lane, _)| i16::from(lane.priority)).collect::<Vec<_>>())
            .bind(wanted.iter().map(|(lane, _)| tenant_of(lane.project_id)).collect::<Vec<_>>())
            .bind(wanted.iter().map(|(lane, _)| lane.key.as_deref().unwrap_or("")).collect::<Vec<_>>())
            .bind(wanted.iter().map(|(_, n)| i32::try_from(*n).unwrap_or(i32::MAX)).collect::<Vec<_>>())
            .fetch_all(&mut *tx)
            .await?;
        let doorbells = rows
            .into_iter()
            .map(|(place, outbox_id, job_id)| {
                let request = place as usize - 1;
                let priority = wanted[request].0.priority;
                (request, Doorbell { outbox_id, queue: queue.clone(), job_id, priority, trace: None })
            })
            .collect();
        Ok(OutboxBatch { tx, doorbells })
    }

    pub async fn outbox_lag(&self) -> Result<OutboxLag, StoreError> {
        Ok(sqlx::query_as(
            "SELECT count(*) AS doorbells,
                    coalesce(greatest(0, extract(epoch FROM now() - min(created_at))), 0)::float8 AS oldest_age_s
             FROM outbox",
        )
        .fetch_one(self.pool())
        .await?)
    }
}

/// See [`Store::lanes`].
pub(super) async fn lanes(
    conn: &mut PgConnection,
    queue: &str,
    from: &LanesFrom,
    max: LanesMax,
) -> Result<(Vec<LaneHead>, DateTime<Utc>), StoreError> {
    let tenant_of_priority = |priority: u8| {
        from.tenants.iter().find(|(p, _)| *p == priority).map_or(Uuid::nil(), |(_, tenant)| *tenant)
    };
    let rows: Vec<LaneRow> = sqlx::query_as(LANES)
        .bind(queue)
        .bind((0..=9_i16).collect::<Vec<_>>())
        .bind((0..=9).map(tenant_of_priority).collect::<Vec<_>>())
        .bind(i32::try_from(max.tenants).unwrap_or(i32::MAX))
        .bind(i32::try_from(max.keys).unwrap_or(i32::MAX))
        .bind(from.keys.iter().map(|(priority, _, _)| i16::from(*priority)).collect::<Vec<_>>())
        .bind(from.keys.iter().map(|(_, tenant, _)| *tenant).collect::<Vec<_>>())
        .bind(from.keys.iter().map(|(_, _, key)| key.as_str()).collect::<Vec<_>>())
        .fetch_all(conn)
        .await?;
    // Without a lane nobody asks for the time.
    let now = rows.first().map_or_else(Utc::now, |row| row.now);
    Ok((rows.into_iter().map(LaneRow::into_head).collect(), now))
}

impl OutboxBatch {
    /// Forgets the doorbells that the broker has confirmed; the rest stays for the next round.
    pub async fn confirm(mut self, outbox_ids: &[i64]) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM outbox WHERE id = ANY($1)").bind(outbox_ids).execute(&mut *self.tx).await?;
        self.tx.commit().await?;
        Ok(())
    }
}

/// Loose index scans, one inside the other: tenants of each priority, and of each tenant its keys.
const LANES: &str = "
WITH RECURSIVE tenants AS (
    SELECT p.priority, 1 AS n,
           (SELECT o.project_id FROM outbox o
            WHERE o.queue = $1 AND o.priority = p.priority AND o.project_id >= p.from_tenant
            ORDER BY o.project_id LIMIT 1) AS project_id
    FROM unnest($2::smallint[], $3::uuid[]) AS p (priority, from_tenant)
    UNION ALL
    SELECT t.priority, t.n + 1,
           (SELECT o.project_id FROM outbox o
            WHERE o.queue = $1 AND o.priority = t.priority AND o.project_id > t.project_id
            ORDER BY o.project_id LIMIT 1)
    FROM tenants t WHERE t.project_id IS NOT NULL AND t.n < $4
)
SELECT t.priority, t.project_id, lane.concurrency_key, lane.waiting_since, now() AS now
FROM tenants t
LEFT JOIN unnest($6::smallint[], $7::uuid[], $8::text[]) AS k (priority, project_id, from_key)
       ON k.priority = t.priority AND k.project_id = t.project_id
CROSS JOIN LATERAL (
    WITH RECURSIVE lanes AS (
        (SELECT o.concurrency_key, o.waiting_since, 1 AS n FROM outbox o
         WHERE o.queue = $1 AND o.priority = t.priority AND o.project_id = t.project_id
           AND o.concurrency_key >= coalesce(k.from_key, '')
         ORDER BY o.concurrency_key, o.waiting_since, o.id LIMIT 1)
        UNION ALL
        SELECT next.* FROM lanes CROSS JOIN LATERAL (
            SELECT o.concurrency_key, o.waiting_since, lanes.n + 1 FROM outbox o
            WHERE o.queue = $1 AND o.priority = t.priority AND o.project_id = t.project_id
              AND o.concurrency_key > lanes.concurrency_key
            ORDER BY o.concurrency_key, o.waiting_since, o.id LIMIT 1
        ) AS next
        WHERE lanes.n < $5
    )
    SELECT * FROM lanes
) AS lane
WHERE t.project_id IS NOT NULL";

const TAKE: &str = "
SELECT wanted.place, o.id, o.job_id
FROM unnest($2::smallint[], $3::uuid[], $4::text[], $5::integer[])
     WITH ORDINALITY AS wanted (priority, project_id, concurrency_key, n, place)
CROSS JOIN LATERAL (
    SELECT id, job_id FROM outbox
    WHERE queue = $1 AND priority = wanted.priority AND project_id = wanted.project_id
      AND concurrency_key = wanted.concurrency_key
    ORDER BY waiting_since, id LIMIT wanted.n FOR UPDATE SKIP LOCKED
) AS o";

#[cfg(test)]
mod tests;
