//! The connections that stay warm, as the server and the pool's figures show them.

use super::*;
use shared::config;
use shared::store::PoolLimits;
use shared::testing::TestDatabase;
use sqlx::PgPool;
use std::time::Instant;
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(60);

/// Sessions whose last statement asked for the limits, over a warm connection as the relay does.
async fn asking_sessions(server: &PgPool) -> i64 {
    let counted = sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'counterfoil' AND query LIKE 'SELECT scope, name, jobs_max%'",
    );
    counted.fetch_one(server).await.unwrap()
}

async fn sessions_become(server: &PgPool, wanted: i64) {
    let until = Instant::now() + PATIENCE;
    loop {
        let found: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND application_name = 'counterfoil'",
        )
        .fetch_one(server)
        .await
        .unwrap();
        if found == wanted {
            return;
        }
        assert!(Instant::now() < until, "{found} sessions instead of {wanted}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// As the process has it: ten of each pool are kept at rest.
fn configured(db: &TestDatabase) -> Store {
    Store::new(db.options(), &PoolLimits::of(&config::Database::default()))
}

/// So many callers, each over a warm connection if one rests.
async fn ask_at_once(store: &Store, callers: usize) {
    let limits = (0..callers).map(|_| store.limits());
    for answer in futures_util::future::join_all(limits).await {
        answer.unwrap();
    }
}

#[tokio::test]
async fn one_statement_after_the_other_uses_one_of_the_connections_at_rest() {
    let db = TestDatabase::create().await;
    let server = db.pool();
    let store = configured(&db);
    let stop = CancellationToken::new();
    let keeping = tokio::spawn(store.clone().keep_idle(stop.clone()));
    sessions_become(&server, 20).await;
    for _ in 0..20 {
        store.limits().await.unwrap();
    }
    // In turn it would be ten. Trouble that another test of this process meets replaces one.
    let used = asking_sessions(&server).await;
    assert!((1..=3).contains(&used), "{used}");
    // At rest, wherever it rests.
    let [_, (_, system)] = store.pool_figures();
    assert_eq!(system.idle, system.size, "{system:?}");
    stop.cancel();
    keeping.await.unwrap();
    // Waits for nothing that rests.
    tokio::time::timeout(PATIENCE, store.close()).await.expect("closed");
    sessions_become(&server, 0).await;
    assert!(store.limits().await.is_err());
}

#[tokio::test]
async fn warm_connections_are_replaced_after_the_server_has_ended_them() {
    let db = TestDatabase::create().await;
    let server = db.pool();
    // Without a minimum: for each connection that a pool with one closes it opens another at some later moment, and one opened
    // after the server has ended the sessions would stay.
    let store = Store::new(db.options(), &PoolLimits::default());
    // Several rest.
    ask_at_once(&store, 8).await;
    for _ in 0..3 {
        sqlx::query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND application_name = 'counterfoil'",
        )
        .execute(&server)
        .await
        .unwrap();
        sessions_become(&server, 0).await;
        // Whoever meets the first dead one hears of it, unless another test of this process has met trouble since; nobody
        // meets a second.
        if let Err(error) = store.limits().await {
            assert!(error.is_unavailable(), "{error:?}");
        }
        for _ in 0..20 {
            store.limits().await.unwrap();
        }
    }
    let [_, (_, system)] = store.pool_figures();
    assert!(system.size <= 50 && system.idle <= system.size, "{system:?}");
}

#[tokio::test]
async fn a_connection_whose_caller_has_given_up_is_closed_and_its_place_in_the_pool_is_free() {
    let db = TestDatabase::create().await;
    let server = db.pool();
    let limits =
        PoolLimits { connections_max: 4, acquire_timeout: Duration::from_secs(5), ..PoolLimits::default() };
    let store = Store::new(db.options(), &limits);
    for _ in 0..8 {
        let mut held_up = server.begin().await.unwrap();
        sqlx::query("LOCK TABLE concurrency_limits IN ACCESS EXCLUSIVE MODE")
            .execute(&mut *held_up)
            .await
            .unwrap();
        let waited = tokio::time::timeout(Duration::from_millis(50), store.limits()).await;
        assert!(waited.is_err(), "it waits for the lock");
        held_up.rollback().await.unwrap();
        store.limits().await.unwrap();
    }
    let [_, (_, system)] = store.pool_figures();
    assert!(system.size <= 4, "{system:?}");
}

#[tokio::test]
async fn what_rests_leaves_most_of_a_pool_to_others() {
    let db = TestDatabase::create().await;
    for (connections_max, left) in [(1, 1), (3, 3), (4, 3), (8, 6), (20, 16)] {
        let limits =
            PoolLimits { connections_max, acquire_timeout: Duration::from_secs(5), ..PoolLimits::default() };
        let store = Store::new(db.options(), &limits);
        ask_at_once(&store, 40).await;
        let mut others = vec![];
        for _ in 0..left {
            others.push(store.begin().await.expect("not all of them rest"));
        }
        drop(others);
        store.close().await;
    }
}

/// The relay takes doorbells and the worker takes leases over the same few.
#[tokio::test]
async fn a_lease_is_not_part_of_the_transaction_that_holds_its_doorbell() {
    let db = TestDatabase::create().await;
    let store = configured(&db);
    let job = new_job();
    enqueue(&mut store.pool().acquire().await.unwrap(), &job).await.unwrap();
    let taken = store.take_few_doorbells(16, [].iter(), PATIENCE).await.unwrap();
    assert_eq!(taken.waiting.len(), 1);
    assert_eq!(store.acquire_free(&[job.id], "here", PATIENCE).await.unwrap().len(), 1);
    // Undoes what the relay has done, and nothing else.
    drop(taken);
    let state: JobState = sqlx::query_scalar("SELECT state FROM jobs WHERE id = $1")
        .bind(job.id)
        .fetch_one(store.pool())
        .await
        .unwrap();
    assert_eq!(state, JobState::Running);
}
