//! The outbox, as the relay sees it while little is in it.

use super::*;
use shared::job::JobKind;
use shared::queue::QueueName;
use shared::store::outbox::FewDoorbells;
use shared::testing::TestDatabase;
use sqlx::Row;

const HELD_MAX: Duration = Duration::from_secs(60);

async fn take(store: &Store, few: u32, besides: &[QueueName]) -> FewDoorbells {
    store.take_few_doorbells(few, besides.iter(), HELD_MAX).await.unwrap()
}

fn jobs(taken: &FewDoorbells) -> Vec<(String, JobId)> {
    let mut jobs: Vec<_> = taken.waiting.iter().map(|w| (w.queue.to_string(), w.job_id)).collect();
    jobs.sort();
    jobs
}

async fn accept_in(store: &Store, kind: &str, n: usize) -> Vec<(String, JobId)> {
    let mut accepted = vec![];
    for _ in 0..n {
        let job = NewJob { kind: JobKind::parse(kind).unwrap(), ..new_job() };
        accepted.push((kind.to_owned(), accept(store, &job).await));
    }
    accepted
}

#[tokio::test]
async fn few_doorbells_come_of_all_queues_at_once_and_go_when_confirmed() {
    let db = TestDatabase::create().await;
    let store = db.store();
    assert!(take(&store, 4, &[]).await.waiting.is_empty());
    let mut all = accept_in(&store, "alpha", 2).await;
    all.extend(accept_in(&store, "beta", 1).await);
    all.extend(accept_in(&store, "gamma", 9).await);
    accept_in(&store, "paused", 1).await;
    store.pause_queue(&QueueName::parse("paused").unwrap(), "the bank is down", "jane").await.unwrap();
    accept_in(&store, "left", 1).await;
    let besides = [QueueName::parse("left").unwrap(), QueueName::parse("of_nobody").unwrap()];

    let taken = take(&store, 4, &besides).await;
    let found = jobs(&taken);
    assert_eq!(found.len(), 2 + 1 + 5, "of a queue that has more, one more: {found:?}");
    assert!(found.iter().all(|job| all.contains(job)), "{found:?}");
    assert!(taken.waiting.iter().all(|w| w.lane().priority == 5 && w.head.waiting_since <= taken.now));

    // What one relay holds, the others do not get, and do not wait for.
    let other = take(&store, 9, &besides).await;
    assert_eq!(jobs(&other).len(), 4, "the rest of gamma");
    other.confirm(&[]).await.unwrap();

    let confirmed: Vec<i64> = taken.waiting.iter().map(|w| w.outbox_id).take(3).collect();
    taken.confirm(&confirmed).await.unwrap();
    assert_eq!(store.outbox_lag().await.unwrap().doorbells, 14 - 3);
    let rest = take(&store, 20, &[]).await;
    assert_eq!(rest.waiting.len(), 14 - 3 - 1, "all but the paused one");
    assert!(rest.waiting.iter().all(|w| !confirmed.contains(&w.outbox_id)));
}

#[tokio::test]
async fn few_doorbells_that_are_dropped_are_free_again_and_their_connection_is_not_used_further() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let accepted = accept_in(&store, "alpha", 3).await;
    drop(take(&store, 4, &[]).await);
    for _ in 0..1000 {
        let taken = take(&store, 4, &[]).await;
        if jobs(&taken).len() == accepted.len() {
            return taken.confirm(&[]).await.unwrap();
        }
        taken.confirm(&[]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("dropped doorbells stay locked");
}

/// Planned when the outbox was empty, and run when it is not: the usual way to a plan that reads everything.
#[tokio::test]
async fn few_doorbells_cost_the_same_beside_a_flood() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let mut conn = store.pool().acquire().await.unwrap();
    let mut blocks = async |besides: &str| {
        let mut tx = sqlx::Connection::begin(&mut *conn).await.unwrap();
        let plan: serde_json::Value = sqlx::query(sqlx::AssertSqlSafe(format!(
            "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM few_doorbells(16, '{besides}')"
        )))
        .fetch_one(&mut *tx)
        .await
        .unwrap()
        .get(0);
        tx.rollback().await.unwrap();
        let plan = &plan[0]["Plan"];
        let of = |what: &str| plan[what].as_u64().unwrap();
        (of("Actual Rows"), of("Shared Hit Blocks") + of("Shared Read Blocks"))
    };
    assert_eq!(blocks("{}").await.0, 0);
    sqlx::query(
        "INSERT INTO outbox (job_id, queue, priority, project_id)
         SELECT gen_random_uuid(), CASE WHEN n = 1 THEN 'zeta' ELSE 'flood' END, n % 10, gen_random_uuid()
         FROM generate_series(1, 50000) AS n",
    )
    .execute(store.pool())
    .await
    .unwrap();
    blocks("{}").await;
    // The flood has some thousand blocks.
    let (rows, read) = blocks("{}").await;
    assert_eq!(rows, 17 + 1);
    assert!(read < 300, "{read} blocks");
    let (rows, read) = blocks("{flood}").await;
    assert_eq!(rows, 1);
    assert!(read < 100, "{read} blocks");
}
