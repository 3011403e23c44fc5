//! Taking all the doorbells there are, while they are few: one round trip from a wake-up to what there is to send.

use super::{Lane, LaneHead, LaneRow};
use crate::ids::JobId;
use crate::queue::QueueName;
use crate::store::warm::WarmConnection;
use crate::store::{Store, StoreError};
use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, FromRow, Row};
use std::time::Duration;

/// Doorbells locked for publishing, of the queues that have few. Dropped without [`Self::confirm`], its connection is
/// closed and they are free for any relay again.
pub struct FewDoorbells {
    conn: WarmConnection,
    pub waiting: Vec<Waiting>,
    /// The database's time, the one that waiting is measured by.
    pub now: DateTime<Utc>,
}

/// A doorbell in the outbox, alone in its look: the head of its lane is itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    pub outbox_id: i64,
    pub job_id: JobId,
    pub queue: QueueName,
    pub head: LaneHead,
}

impl Store {
    /// Locks the doorbells of all queues that are not paused, except `besides`: at most `few` and one more of each. Rows that
    /// another relay holds are skipped. They are free again when nothing was heard of us for `held_max`. Costs a probe per
    /// queue and a row per doorbell, however long a queue is.
    pub async fn take_few_doorbells(
        &self,
        few: u32,
        besides: impl Iterator<Item = &QueueName>,
        held_max: Duration,
    ) -> Result<FewDoorbells, StoreError> {
        // Names of queues need no escaping, and one message needs no parameters. A delete that a crash forgets only
        // rings twice.
        let besides = besides.map(QueueName::as_str).collect::<Vec<_>>().join(",");
        let text = format!(
            "BEGIN; SET LOCAL synchronous_commit = off; SET LOCAL idle_in_transaction_session_timeout = {}; \
             SELECT * FROM few_doorbells({few}, '{{{besides}}}')",
            held_max.as_millis()
        );
        let mut taken =
            FewDoorbells { conn: self.warm_connection().await?, waiting: vec![], now: DateTime::UNIX_EPOCH };
        let rows = sqlx::raw_sql(AssertSqlSafe(text)).fetch_all(&mut *taken.conn).await?;
        for row in rows {
            let lane = LaneRow::from_row(&row)?;
            let Ok(queue) = QueueName::parse(row.try_get("queue")?) else { continue };
            taken.now = lane.now;
            taken.waiting.push(Waiting {
                outbox_id: row.try_get("id")?,
                job_id: row.try_get("job_id")?,
                queue,
                head: lane.into_head(),
            });
        }
        Ok(taken)
    }
}

impl FewDoorbells {
    /// Forgets the doorbells that the broker has confirmed; the rest is free again.
    pub async fn confirm(mut self, outbox_ids: &[i64]) -> Result<(), StoreError> {
        let text = if outbox_ids.is_empty() {
            "COMMIT".to_owned()
        } else {
            let ids = outbox_ids.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
            format!("DELETE FROM outbox WHERE id = ANY ('{{{ids}}}'); COMMIT")
        };
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut *self.conn).await?;
        self.conn.give_back();
        Ok(())
    }
}

impl Waiting {
    pub fn lane(&self) -> &Lane {
        &self.head.lane
    }
}
