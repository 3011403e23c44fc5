//! Connections that are kept ready, as the server counts them.

use shared::store::{PoolLimits, Store};
use shared::testing::TestDatabase;
use sqlx::PgPool;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// For what takes a moment on an idle machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sessions at rest: those of tenants can be told by their role, which is in force from the start.
async fn at_rest(server: &PgPool) -> i64 {
    let counted = sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'counterfoil' AND state = 'idle'",
    );
    counted.fetch_one(server).await.expect("a number")
}

async fn at_rest_become(server: &PgPool, at_least: i64) {
    let until = Instant::now() + PATIENCE;
    loop {
        let found = at_rest(server).await;
        if found >= at_least {
            return;
        }
        assert!(Instant::now() < until, "{found} are at rest instead of {at_least}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn ten_connections_of_each_pool_are_ready_whatever_happens() {
    let db = TestDatabase::create().await;
    let server = db.pool();
    let limits = PoolLimits::of(&shared::config::Database::default());
    assert_eq!((limits.connections_max, limits.idle_min), (50, 10), "as the requirement says");
    let store = Store::new(db.options(), &limits);
    assert_eq!(at_rest(&server).await, 0, "connects on first use");
    let stop = CancellationToken::new();
    let keeping = tokio::spawn(store.clone().keep_idle(stop.clone()));
    at_rest_become(&server, 20).await;

    // Those in use do not count.
    let mut used = vec![];
    for _ in 0..10 {
        used.push(store.begin().await.expect("a connection"));
    }
    at_rest_become(&server, 20).await;
    drop(used);

    // An outage takes them all.
    sqlx::query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'counterfoil'",
    )
    .execute(&server)
    .await
    .expect("ended");
    let until = Instant::now() + PATIENCE;
    while store.ping().await.is_err() {
        assert!(Instant::now() < until, "the server answers");
    }
    at_rest_become(&server, 20).await;
    let [(_, tenants), (_, system)] = store.pool_figures();
    assert!(tenants.size <= 50 && system.size <= 50, "{tenants:?}, {system:?}");
    stop.cancel();
    keeping.await.expect("it ends when it is told to");
    store.close().await;
}

#[tokio::test]
async fn nothing_is_kept_that_was_not_asked_for_and_a_full_pool_stays_as_it_is() {
    let db = TestDatabase::create().await;
    let server = db.pool();
    let limits = PoolLimits { connections_max: 2, idle_min: 2, ..PoolLimits::default() };
    let store = Store::new(db.options(), &limits);
    let used = [store.begin().await.expect("a connection"), store.begin().await.expect("another")];
    let stop = CancellationToken::new();
    let keeping = tokio::spawn(store.clone().keep_idle(stop.clone()));
    at_rest_become(&server, 2).await;
    let [(_, tenants), (_, system)] = store.pool_figures();
    assert_eq!((tenants.size, system.size, system.idle), (2, 2, 0));
    drop(used);
    stop.cancel();
    keeping.await.expect("it ends when it is told to");
    store.close().await;
}
