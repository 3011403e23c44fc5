//! The database, which is real, and the broker and the clock, which are played.

use crate::workers::{KIND, Worker};
use rand::RngExt;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use shared::ids::JobId;
use shared::job::{JobState, NewJob};
use shared::limits::ConcurrencyKey;
use shared::store::jobs::enqueue;
use shared::store::outbox::{LanesFrom, LanesMax};
use shared::store::{Store, StoreError};
use shared::testing::TestDatabase;
use sqlx::PgPool;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Seconds of simulated time: a lease, and the silence after which an available job is rung for again.
pub const LEASE: Duration = Duration::from_secs(30);
pub const RING_AGAIN: Duration = Duration::from_secs(60);
const RETENTION: Duration = Duration::from_secs(3600);
/// A job that has so many leases in a row run out is dead.
const EXPIRIES_MAX: u16 = 3;
const LANES_MAX: LanesMax = LanesMax { tenants: 10, keys: 10 };
const JOBS_MAX: usize = 12;
const WORKERS: usize = 3;

pub struct World {
    pub store: Store,
    /// Past the store: for looking, and for turning the clock.
    pub pool: PgPool,
    /// What the relay has published and nobody has taken.
    pub broker: VecDeque<JobId>,
    pub workers: Vec<Worker>,
    /// The state in which each accepted job was last seen; none once it was pruned.
    pub seen: BTreeMap<JobId, Option<JobState>>,
    _database: TestDatabase,
}

impl World {
    pub async fn new() -> Self {
        let database = TestDatabase::create().await;
        let pool = database.pool();
        // What the jobs are for: money that moves once.
        sqlx::raw_sql(
            "CREATE TABLE effects (job_id uuid NOT NULL, fence bigint NOT NULL, amount bigint NOT NULL)",
        )
        .execute(&pool)
        .await
        .expect("a table for effects");
        Self {
            store: database.store(),
            pool,
            broker: VecDeque::new(),
            workers: vec![],
            seen: BTreeMap::new(),
            _database: database,
        }
    }

    /// As new, on the same database.
    pub async fn begin_again(&mut self) {
        self.workers = (0..WORKERS).map(Worker::new).collect();
        self.broker.clear();
        self.seen.clear();
        sqlx::raw_sql("TRUNCATE effects, jobs, attempts, outbox CASCADE")
            .execute(&self.pool)
            .await
            .expect("an empty database");
    }

    pub async fn enqueue(&mut self, dice: &mut SmallRng) {
        if self.seen.len() >= JOBS_MAX {
            return;
        }
        let later = Duration::from_secs(dice.random_range(1..120));
        let job = NewJob {
            id: JobId::new(),
            kind: KIND,
            project_id: None,
            priority: dice.random_range(0..=9),
            concurrency_key: dice.random_bool(0.3).then(|| ConcurrencyKey::parse("vault").expect("a key")),
            args: serde_json::json!({ "amount": dice.random_range(1..1_000_000_i64) }),
            due_at: dice.random_bool(0.2).then(|| chrono::Utc::now() + later),
            attempts_max: dice.random_range(2..=6),
            created_by: None,
            request_id: None,
        };
        let mut tx = self.store.begin().await.expect("a transaction");
        enqueue(&mut tx, &job).await.expect("accepting");
        if dice.random_bool(0.1) {
            // The change that caused the job did not happen: neither did the job.
            return tx.rollback().await.expect("rolling back");
        }
        tx.commit().await.expect("committing");
        self.seen.insert(
            job.id,
            Some(if job.due_at.is_some() { JobState::Scheduled } else { JobState::Available }),
        );
    }

    /// The relay publishes; now and then it dies before it can forget what it has published.
    pub async fn relay(&mut self, dice: &mut SmallRng) {
        for queue in self.store.outbox_queues().await.expect("queues") {
            let (heads, _) = self.store.lanes(&queue, &LanesFrom::default(), LANES_MAX).await.expect("lanes");
            let wanted: Vec<_> = heads.into_iter().map(|head| (head.lane, dice.random_range(0..4))).collect();
            let batch = self.store.take_doorbells(&queue, &wanted).await.expect("doorbells");
            self.broker.extend(batch.doorbells.iter().map(|(_, doorbell)| doorbell.job_id));
            if dice.random_bool(0.85) {
                let confirmed: Vec<i64> =
                    batch.doorbells.iter().map(|(_, doorbell)| doorbell.outbox_id).collect();
                batch.confirm(&confirmed).await.expect("forgetting");
            }
        }
    }

    pub fn duplicate_a_message(&mut self, dice: &mut SmallRng) {
        if !self.broker.is_empty() {
            let which = dice.random_range(0..self.broker.len());
            self.broker.push_back(self.broker[which]);
        }
    }

    pub fn drop_a_message(&mut self, dice: &mut SmallRng) {
        if !self.broker.is_empty() {
            self.broker.remove(dice.random_range(0..self.broker.len()));
        }
    }

    pub fn reorder_messages(&mut self, dice: &mut SmallRng) {
        self.broker.make_contiguous().shuffle(dice);
    }

    pub fn wipe_the_broker(&mut self) {
        self.broker.clear();
    }

    pub async fn stage(&self) {
        self.store.stage(100).await.expect("staging");
    }

    pub async fn rescue(&self) {
        self.store.rescue(100, EXPIRIES_MAX).await.expect("rescuing");
    }

    pub async fn ring_again(&self) {
        self.store.ring_again(RING_AGAIN, 100).await.expect("ringing again");
    }

    pub async fn prune(&mut self) {
        self.store.prune_jobs(RETENTION, 100).await.expect("pruning");
    }

    pub async fn cancel(&self, dice: &mut SmallRng) {
        let jobs: Vec<JobId> = self.seen.keys().copied().collect();
        if !jobs.is_empty() {
            self.store.request_cancel(jobs[dice.random_range(0..jobs.len())]).await.expect("cancelling");
        }
    }

    /// Now and then longer than a lease, seldom longer than finished jobs are kept.
    pub async fn pass_time(&self, dice: &mut SmallRng) {
        let seconds = match dice.random_range(0..20) {
            0 => dice.random_range(3000..9000),
            1..5 => dice.random_range(30..200),
            _ => dice.random_range(1..30),
        };
        self.turn_clock(Duration::from_secs(seconds)).await;
    }

    /// Time passes by moving everything that was into the past: the database's own clock cannot be set.
    pub async fn turn_clock(&self, by: Duration) {
        sqlx::query(
            "UPDATE jobs SET due_at = due_at - $1, rung_at = rung_at - $1, created_at = created_at - $1,
                 lease_expires_at = lease_expires_at - $1, finished_at = finished_at - $1,
                 cancel_requested_at = cancel_requested_at - $1",
        )
        .bind(by)
        .execute(&self.pool)
        .await
        .expect("turning the clock");
    }

    /// The database throws everybody out: open transactions are gone, connections in the pool are dead.
    pub async fn end_all_sessions(&mut self) {
        sqlx::query(
            // Waits for the end of each: one that ends a little later would answer a ping still.
            "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .execute(&self.pool)
        .await
        .expect("ending sessions");
        // Each dead connection is noticed once, and one that was on its way back to the pool comes late: after more
        // answers in a row than the pool has connections, none is left.
        let mut answers = 0;
        for _ in 0..200 {
            match self.store.ping().await {
                Ok(()) if answers == 20 => return,
                Ok(()) => answers += 1,
                Err(StoreError::Unavailable(_)) => answers = 0,
                Err(error) => panic!("after a restart: {error}"),
            }
        }
        panic!("the store does not come back");
    }
}
