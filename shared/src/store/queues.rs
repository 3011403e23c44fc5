//! Queues: pauses, how deep they are, and how far behind the relay is.

use super::audit::{Note, Tenant};
use super::{Store, StoreError};
use crate::queue::QueueName;
use chrono::{DateTime, Utc};
use serde_json::json;

/// Why nothing of a queue starts.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct QueuePause {
    pub queue: String,
    pub reason: String,
    /// The address of a user, or who else it was.
    pub paused_by: String,
    pub paused_at: DateTime<Utc>,
}

/// What an autoscaler wants to know of one queue.
#[derive(Debug, Clone, Copy, PartialEq, sqlx::FromRow)]
pub struct QueueLoad {
    /// May start now.
    pub available: i64,
    /// Wait for a time that has come, or will within a minute.
    pub due: i64,
    pub running: i64,
    /// Since the oldest available job could have started; 0 without one.
    pub oldest_age_s: f64,
    pub is_paused: bool,
}

/// What a relay came across in one queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DispatchMark {
    pub queue: QueueName,
    /// Nothing was left behind that could have gone out.
    pub is_caught_up: bool,
    /// The broker has confirmed doorbells since the last mark.
    pub has_confirmed: bool,
    /// Why the look failed.
    pub trouble: Option<String>,
}

impl Store {
    pub async fn queue_pauses(&self) -> Result<Vec<QueuePause>, StoreError> {
        Ok(sqlx::query_as("SELECT queue, reason, paused_by, paused_at FROM queue_pauses ORDER BY queue")
            .fetch_all(self.pool())
            .await?)
    }

    /// From now on no job of the queue is dispatched or leased. What runs goes on; what fails meanwhile waits. A
    /// queue that is paused already keeps its first reason.
    pub async fn pause_queue(
        &self,
        queue: &QueueName,
        reason: &str,
        paused_by: &str,
    ) -> Result<QueuePause, StoreError> {
        let mut tx = self.begin().await?;
        let pause: QueuePause = sqlx::query_as(
            "INSERT INTO queue_pauses (queue, reason, paused_by) VALUES ($1, $2, $3)
             ON CONFLICT (queue) DO UPDATE SET queue = excluded.queue
             RETURNING queue, reason, paused_by, paused_at",
        )
        .bind(queue.as_str())
        .bind(reason)
        .bind(paused_by)
        .fetch_one(&mut *tx)
        .await?;
        let shown = json!({"reason": pause.reason, "paused_at": pause.paused_at});
        Note::of(Tenant::SYSTEM, "queue", queue).after(shown).commit(tx).await?;
        Ok(pause)
    }

    /// `false`: it was not paused.
    pub async fn resume_queue(&self, queue: &QueueName) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        // The mark moves along: what waited for the pause has not waited for the relay.
        let resumed: Option<bool> = sqlx::query_scalar(
            "WITH resumed AS (DELETE FROM queue_pauses WHERE queue = $1 RETURNING queue), marked AS (
                 UPDATE dispatch_marks SET caught_up_at = now() FROM resumed
                 WHERE dispatch_marks.queue = resumed.queue
             )
             SELECT true FROM resumed",
        )
        .bind(queue.as_str())
        .fetch_optional(&mut *tx)
        .await?;
        let shown = json!({"was_paused": resumed.is_some()});
        Note::of(Tenant::SYSTEM, "queue", queue).before(shown).commit(tx).await?;
        Ok(resumed.is_some())
    }

    /// Zeros for a queue that nobody has heard of. Its cost follows the backlog of this queue.
    pub async fn queue_load(&self, queue: &QueueName) -> Result<QueueLoad, StoreError> {
        Ok(sqlx::query_as(
            "SELECT available.jobs AS available, available.oldest_age_s, scheduled.jobs AS due,
                    running.jobs AS running,
                    EXISTS (SELECT FROM queue_pauses WHERE queue = $1) AS is_paused
             FROM (SELECT count(*) AS jobs,
                          coalesce(greatest(0, extract(epoch FROM now() - min(due_at))), 0)::float8 AS oldest_age_s
                   FROM jobs WHERE state = 'available' AND queue = $1) AS available,
                  (SELECT count(*) AS jobs FROM jobs
                   WHERE state = 'scheduled' AND queue = $1 AND due_at <= now() + interval '1 minute') AS scheduled,
                  (SELECT count(*) AS jobs FROM jobs WHERE state = 'running' AND queue = $1) AS running",
        )
        .bind(queue.as_str())
        .fetch_one(self.pool())
        .await?)
    }

    /// Notes what a relay came across in these queues, and that it found nothing in those it knew and that have no
    /// doorbells at all.
    pub async fn mark_dispatch(&self, marks: &[DispatchMark]) -> Result<(), StoreError> {
        sqlx::query(
            "WITH seen AS (
                 SELECT * FROM unnest($1::text[], $2::boolean[], $3::boolean[], $4::text[])
                     AS seen (queue, is_caught_up, has_confirmed, trouble)
             ), idle AS (
                 UPDATE dispatch_marks SET caught_up_at = now(), looked_at = now(), trouble = NULL
                 WHERE NOT EXISTS (SELECT FROM outbox WHERE outbox.queue = dispatch_marks.queue)
                   AND queue <> ALL ($1) AND caught_up_at < now()
             )
             INSERT INTO dispatch_marks (queue, caught_up_at, looked_at, confirmed_at, trouble)
             SELECT queue, CASE WHEN is_caught_up THEN now() ELSE '-infinity' END, now(),
                    CASE WHEN has_confirmed THEN now() END, trouble
             FROM seen
             ON CONFLICT (queue) DO UPDATE SET
                 caught_up_at = greatest(dispatch_marks.caught_up_at, excluded.caught_up_at),
                 looked_at = greatest(dispatch_marks.looked_at, excluded.looked_at),
                 confirmed_at = greatest(dispatch_marks.confirmed_at, excluded.confirmed_at),
                 trouble = excluded.trouble",
        )
        .bind(marks.iter().map(|mark| mark.queue.as_str()).collect::<Vec<_>>())
        .bind(marks.iter().map(|mark| mark.is_caught_up).collect::<Vec<_>>())
        .bind(marks.iter().map(|mark| mark.has_confirmed).collect::<Vec<_>>())
        .bind(marks.iter().map(|mark| mark.trouble.as_deref()).collect::<Vec<_>>())
        .execute(self.pool())
        .await?;
        Ok(())
    }

    /// Seconds that doorbells have waited for the relay itself: for no scheduler, a broker that is away, or a relay
    /// that cannot keep up. What waits on purpose (full window, pause, limit) is no lag. One probe per queue.
    pub async fn dispatch_lag_s(&self) -> Result<f64, StoreError> {
        Ok(sqlx::query_scalar(
            "WITH RECURSIVE q AS (
                 (SELECT queue FROM outbox ORDER BY queue LIMIT 1)
                 UNION ALL
                 SELECT (SELECT o.queue FROM outbox o WHERE o.queue > q.queue ORDER BY o.queue LIMIT 1)
                 FROM q WHERE q.queue IS NOT NULL
             ), oldest AS (
                 -- Of any queue: too early for some, but their marks are later then.
                 SELECT created_at FROM outbox ORDER BY id LIMIT 1
             )
             SELECT coalesce(max(greatest(0, extract(epoch FROM
                        now() - greatest(oldest.created_at, dispatch_marks.caught_up_at)))), 0)::float8
             FROM q CROSS JOIN oldest LEFT JOIN dispatch_marks ON dispatch_marks.queue = q.queue
             WHERE q.queue IS NOT NULL
               AND NOT EXISTS (SELECT FROM queue_pauses WHERE queue_pauses.queue = q.queue)",
        )
        .fetch_one(self.pool())
        .await?)
    }
}
