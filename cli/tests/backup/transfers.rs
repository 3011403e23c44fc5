//! Writes that go on whatever happens: transfers between accounts, whose sum never changes.

use crate::place::Place;
use crate::ruin::Dice;
use backup::postgres::{Account, Programs, RestoredServer};
use shared::testing::PrivatePostgres;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// All accounts together, always.
pub const SUM: i64 = 100_000;
const PATIENCE: Duration = Duration::from_secs(120);

/// Accounts with [`SUM`] between them, and a table that says which transfers are in.
pub fn tables() -> String {
    format!(
        "CREATE TABLE accounts (id integer PRIMARY KEY, balance bigint NOT NULL CHECK (balance >= 0));
         INSERT INTO accounts SELECT n, {SUM} / 100 FROM generate_series(1, 100) AS n;
         CREATE TABLE transfers (id bigint PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(),
                                 filler text NOT NULL DEFAULT md5(random()::text))"
    )
}

/// Several segments go their way while writes go on; then waits for the middle of a period: neither just after a segment
/// went nor just before.
pub async fn in_the_middle_of_a_period(place: &Place) {
    place.execute("ALTER SYSTEM SET archive_timeout = '5s'").await;
    place.execute("SELECT pg_reload_conf()").await;
    let began = Instant::now();
    let before: i64 = place.value("SELECT archived_count FROM pg_stat_archiver").await;
    let is_there = format!(
        "SELECT archived_count >= {before} + 3
                AND extract(epoch FROM clock_timestamp() - last_archived_time) BETWEEN 2 AND 4
         FROM pg_stat_archiver"
    );
    while !place.value::<bool>(&is_there).await {
        assert!(began.elapsed() < PATIENCE, "nothing is archived");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Transfers between accounts, one after the other, until told to stop or the server is gone.
pub struct Transfers {
    state: Arc<State>,
    working: tokio::task::JoinHandle<chrono::DateTime<chrono::Utc>>,
}

#[derive(Default)]
struct State {
    stop: AtomicBool,
    pause: AtomicBool,
    is_still: AtomicBool,
    /// The server said that it was committed.
    acknowledged: AtomicI64,
}

impl Transfers {
    pub async fn start(place: &Place) -> Self {
        let state = Arc::new(State::default());
        let url = place.postgres.url().replace("/postgres", "/live").replace("//live@", "//postgres@");
        let working = tokio::spawn(transfer(url, state.clone()));
        Self { state, working }
    }

    pub fn acknowledged(&self) -> i64 {
        self.state.acknowledged.load(Ordering::SeqCst)
    }

    pub fn pause(&self, pause: bool) {
        self.state.is_still.store(false, Ordering::SeqCst);
        self.state.pause.store(pause, Ordering::SeqCst);
    }

    pub async fn wait_until_still(&self) {
        wait(|| self.state.is_still.load(Ordering::SeqCst)).await;
    }

    pub async fn wait_for_more(&self) {
        let before = self.acknowledged();
        wait(|| self.acknowledged() > before + 20).await;
    }

    /// The last one that was acknowledged, and when.
    pub async fn stop(self) -> (i64, chrono::DateTime<chrono::Utc>) {
        self.state.stop.store(true, Ordering::SeqCst);
        let at = self.working.await.expect("transfers");
        (self.state.acknowledged.load(Ordering::SeqCst), at)
    }
}

async fn wait(is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "transfers do not go on");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn transfer(url: String, state: Arc<State>) -> chrono::DateTime<chrono::Utc> {
    let mut last_at = chrono::Utc::now();
    let Ok(mut session) = PgConnection::connect(&url).await else { return last_at };
    let mut dice = Dice::new(7);
    for id in 1.. {
        while state.pause.load(Ordering::SeqCst) && !state.stop.load(Ordering::SeqCst) {
            state.is_still.store(true, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if state.stop.load(Ordering::SeqCst) {
            break;
        }
        let (from, to, amount) = (1 + dice.below(100), 1 + dice.below(100), dice.below(50));
        let statement = format!(
            "BEGIN; UPDATE accounts SET balance = balance - least(balance, {amount}) WHERE id = {from};
             UPDATE accounts SET balance = {SUM} - (SELECT sum(balance) FROM accounts WHERE id <> {to}) WHERE id = {to};
             INSERT INTO transfers (id) VALUES ({id}); COMMIT"
        );
        if session.execute(AssertSqlSafe(statement)).await.is_err() {
            break;
        }
        last_at = chrono::Utc::now();
        state.acknowledged.store(id, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    last_at
}

pub async fn live(postgres: &PrivatePostgres, statements: &str) {
    let mut session = session(postgres, "live").await;
    session.execute(AssertSqlSafe(statements.to_owned())).await.expect("executing");
}

pub async fn session(postgres: &PrivatePostgres, database: &str) -> PgConnection {
    let options: sqlx::postgres::PgConnectOptions = postgres.url().parse().expect("a url");
    PgConnection::connect_with(&options.database(database)).await.expect("connecting")
}

pub async fn sum(postgres: &PrivatePostgres, database: &str) -> i64 {
    let mut session = session(postgres, database).await;
    sqlx::query_scalar("SELECT sum(balance)::bigint FROM accounts")
        .fetch_one(&mut session)
        .await
        .expect("a sum")
}

pub async fn sum_of_live(postgres: &PrivatePostgres) -> i64 {
    sum(postgres, "live").await
}

/// A server on a cluster that was restored into `data`, and the folder of its socket.
pub async fn started(data: &Path) -> (RestoredServer, tempfile::TempDir) {
    // Near the root: a socket's path is short.
    let run_dir = tempfile::tempdir().expect("a folder");
    let programs = Programs::for_server(15).expect("programs");
    let account = Account::owner_of(data).expect("an owner");
    // SAFETY: has no preconditions and cannot fail.
    let account = (unsafe { libc::geteuid() } == 0).then_some(account);
    let mut server =
        RestoredServer::start(&programs, data, run_dir.path(), account, "postgres").expect("a server");
    server.wait_until_recovered(&CancellationToken::new()).await.expect("it starts");
    (server, run_dir)
}

/// Of a cluster that was restored into `data`: the sum, the last transfer, and when that was.
pub async fn recovered(data: &Path) -> (i64, i64, Option<chrono::DateTime<chrono::Utc>>) {
    let (server, _run_dir) = started(data).await;
    let mut session = server.target.with_database("live").connect().await.expect("connecting");
    let found = sqlx::query_as(
        "SELECT (SELECT sum(balance)::bigint FROM accounts), (SELECT coalesce(max(id), 0) FROM transfers),
                (SELECT max(at) FROM transfers)",
    )
    .fetch_one(&mut session)
    .await
    .expect("figures");
    drop(session);
    server.stop().await.expect("it stops");
    found
}
