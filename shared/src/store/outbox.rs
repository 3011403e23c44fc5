//! The outbox: doorbells the broker has not confirmed yet.

use super::{Store, StoreError};
use crate::ids::JobId;
use crate::queue::{Doorbell, QueueName};
use sqlx::{Postgres, Transaction};

/// Doorbells locked for publishing. Dropped without [`Self::confirm`], they are free for any relay again.
pub struct OutboxBatch {
    tx: Transaction<'static, Postgres>,
    pub doorbells: Vec<Doorbell>,
}

/// How far behind the relay is.
#[derive(Debug, Clone, Copy, PartialEq, sqlx::FromRow)]
pub struct OutboxLag {
    pub doorbells: i64,
    pub oldest_age_s: f64,
}

impl Store {
    /// Queues that have doorbells waiting.
    pub async fn outbox_queues(&self) -> Result<Vec<QueueName>, StoreError> {
        // A loose index scan: one probe per queue instead of one per row.
        let names: Vec<String> = sqlx::query_scalar(
            "WITH RECURSIVE q AS (
                 (SELECT queue FROM outbox ORDER BY queue LIMIT 1)
                 UNION ALL
                 SELECT (SELECT o.queue FROM outbox o WHERE o.queue > q.queue ORDER BY o.queue LIMIT 1)
                 FROM q WHERE q.queue IS NOT NULL
             )
             SELECT queue FROM q WHERE queue IS NOT NULL",
        )
        .fetch_all(self.pool())
        .await?;
        Ok(names.iter().filter_map(|name| QueueName::parse(name).ok()).collect())
    }

    /// Locks up to `limit` doorbells of one queue, highest priority first, then oldest. Rows that another relay
    /// holds are skipped, so any number of relays may run.
    pub async fn take_doorbells(&self, queue: &QueueName, limit: u32) -> Result<OutboxBatch, StoreError> {
        let mut tx = self.begin().await?;
        // A delete that a crash forgets only rings twice.
        sqlx::query("SET LOCAL synchronous_commit = off").execute(&mut *tx).await?;
        let rows: Vec<(i64, JobId, i16)> = sqlx::query_as(
            "SELECT id, job_id, priority FROM outbox WHERE queue = $1
             ORDER BY priority DESC, id LIMIT $2 FOR UPDATE SKIP LOCKED",
        )
        .bind(queue.as_str())
        .bind(i64::from(limit))
        .fetch_all(&mut *tx)
        .await?;
        let doorbells = rows
            .into_iter()
            .map(|(outbox_id, job_id, priority)| Doorbell {
                outbox_id,
                queue: queue.clone(),
                job_id,
                priority: priority as u8,
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

impl OutboxBatch {
    /// Forgets the doorbells that the broker has confirmed; the rest stays for the next round.
    pub async fn confirm(mut self, outbox_ids: &[i64]) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM outbox WHERE id = ANY($1)").bind(outbox_ids).execute(&mut *self.tx).await?;
        self.tx.commit().await?;
        Ok(())
    }
}
