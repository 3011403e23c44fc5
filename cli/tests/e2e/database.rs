//! What the database says, past the API.

use crate::wait::until;
use shared::testing::TestDatabase;
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgPool;
use std::collections::BTreeMap;
use tokio::runtime::Runtime;
use uuid::Uuid;

/// One lease that a job had.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Attempt {
    pub worker: String,
    /// `None` while it runs.
    pub outcome: Option<String>,
}

/// Sums of one side of one job in one currency, minor units.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct UnmatchedSum {
    pub job_id: Uuid,
    pub side: String,
    pub currency: String,
    pub records: i64,
    pub amount: i64,
}

/// What a job's rows add up to.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct MatchRows {
    pub job_id: Uuid,
    pub matches: i64,
    pub left_records: i64,
    pub right_records: i64,
}

/// Where results go, in the order in which a job writes them.
#[derive(Debug, Clone, Copy)]
pub enum ResultTable {
    Matches,
    Exceptions,
}

/// See [`Database::hold`].
pub struct Hold<'d> {
    /// `None` once it has been let go.
    tx: Option<sqlx::Transaction<'static, sqlx::Postgres>>,
    database: &'d Database,
}

impl Hold<'_> {
    /// Returns when a job wants to write and waits.
    pub fn wait_until_a_job_waits(&self) {
        until("a job waits to write", || {
            let waiting = self.database.count(
                "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event_type = 'Lock'
                   AND query ~ '^(COPY|INSERT INTO) (matches|exceptions) '",
            );
            (waiting > 0).then_some(())
        });
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        if let Some(tx) = self.tx.take() {
            // An error means that the database is gone, and the lock with it.
            let _ = self.database.runtime.block_on(tx.rollback());
        }
    }
}

pub struct Database {
    // Before the database itself: its connections end first.
    pool: PgPool,
    runtime: Runtime,
    database: TestDatabase,
}

impl Database {
    /// Without any table.
    pub fn create() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let (database, pool) = runtime.block_on(async {
            let database = TestDatabase::create_empty().await;
            let pool = database.pool();
            (database, pool)
        });
        Self { pool, runtime, database }
    }

    pub fn url(&self) -> String {
        self.database.url()
    }

    pub fn run(&self, sql: &str) {
        self.runtime.block_on(sqlx::raw_sql(AssertSqlSafe(sql)).execute(&self.pool)).expect(sql);
    }

    /// The answer to a question for one number.
    pub fn count(&self, sql: &'static str) -> i64 {
        self.runtime.block_on(sqlx::query_scalar(sql).fetch_one(&self.pool)).expect(sql)
    }

    /// As [`count`](Self::count), of one job.
    pub fn count_of(&self, job: Uuid, sql: &'static str) -> i64 {
        self.runtime.block_on(sqlx::query_scalar(sql).bind(job).fetch_one(&self.pool)).expect(sql)
    }

    /// Jobs by state.
    pub fn states(&self) -> BTreeMap<String, i64> {
        let sql = "SELECT state::text, count(*) FROM jobs GROUP BY state";
        let rows: Vec<(String, i64)> =
            self.runtime.block_on(sqlx::query_as(sql).fetch_all(&self.pool)).expect(sql);
        rows.into_iter().collect()
    }

    pub fn completed(&self) -> i64 {
        self.count("SELECT count(*) FROM jobs WHERE state = 'completed'")
    }

    /// Oldest first.
    pub fn attempts(&self, job: Uuid) -> Vec<Attempt> {
        let sql = "SELECT worker, outcome::text FROM attempts WHERE job_id = $1 ORDER BY fence";
        self.runtime.block_on(sqlx::query_as(sql).bind(job).fetch_all(&self.pool)).expect(sql)
    }

    /// Runs `strike` while the outcome of the jobs that the worker runs cannot be recorded, and returns those jobs:
    /// whatever it killed, it killed holding their leases. A commit under way is waited for first.
    pub fn while_leases_are_held(&self, pid: i32, strike: impl FnOnce(&[Uuid])) -> Vec<Uuid> {
        let sql = "SELECT id FROM jobs WHERE state = 'running' AND lease_worker LIKE $1 FOR UPDATE";
        let worker = format!("%-{pid}-%");
        let mut tx = self.runtime.block_on(self.pool.begin()).expect("a transaction");
        let held: Vec<Uuid> =
            self.runtime.block_on(sqlx::query_scalar(sql).bind(worker).fetch_all(&mut *tx)).expect(sql);
        strike(&held);
        self.runtime.block_on(tx.rollback()).expect("the end of a transaction");
        held
    }

    /// Keeps workers from writing rows into `table` until the value is dropped: a job that comes there runs on
    /// and waits, however fast the machine is.
    pub fn hold(&self, table: ResultTable) -> Hold<'_> {
        let sql = match table {
            ResultTable::Matches => "LOCK TABLE matches IN SHARE MODE",
            ResultTable::Exceptions => "LOCK TABLE exceptions IN SHARE MODE",
        };
        let mut tx = self.runtime.block_on(self.pool.begin()).expect("a transaction");
        self.runtime.block_on(sqlx::query(sql).execute(&mut *tx)).expect(sql);
        Hold { tx: Some(tx), database: self }
    }

    /// Rows of `matches`, of every job that has some.
    pub fn match_rows(&self) -> Vec<MatchRows> {
        let sql = "SELECT job_id, count(*) AS matches,
                          sum(jsonb_array_length(records_of(left_records, left_packed)))::bigint AS left_records,
                          sum(jsonb_array_length(records_of(right_records, right_packed)))::bigint AS right_records
                   FROM matches GROUP BY job_id";
        self.runtime.block_on(sqlx::query_as(sql).fetch_all(&self.pool)).expect(sql)
    }

    /// Rows of `exceptions`, added up.
    pub fn unmatched_sums(&self) -> Vec<UnmatchedSum> {
        let sql = "SELECT job_id, side::text, currency, count(*) AS records, sum(amount)::bigint AS amount
                   FROM exceptions GROUP BY job_id, side, currency";
        self.runtime.block_on(sqlx::query_as(sql).fetch_all(&self.pool)).expect(sql)
    }

    /// Rows of all results of one job.
    pub fn result_rows(&self, job: Uuid) -> i64 {
        self.count_of(
            job,
            "SELECT (SELECT count(*) FROM matches WHERE job_id = $1)
                  + (SELECT count(*) FROM exceptions WHERE job_id = $1)
                  + (SELECT count(*) FROM rejected_lines WHERE job_id = $1)",
        )
    }
}
