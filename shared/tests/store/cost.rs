//! What dispatch costs. On demand, since figures of a busy machine prove nothing:
//! `sh ops/test.sh -p shared --test store cost -- --ignored --nocapture --test-threads 1`

use super::*;
use shared::limits::{ConcurrencyKey, LimitName, LimitScope};
use shared::queue::QueueName;
use shared::store::outbox::{LanesFrom, LanesMax};
use shared::testing::TestDatabase;
use std::time::Instant;

const WORKERS: usize = 8;
const JOBS: usize = 2000;

/// Leases per second of eight workers that do nothing else, by what limits there are.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn cost_of_limits_when_leasing() {
    for (what, limit, keys) in [
        ("no limit", None, 0),
        ("a limit on all", Some(LimitScope::Global), 0),
        ("a key for each job", None, usize::MAX),
        ("100 running already, a limit on all", Some(LimitScope::Global), 0),
    ] {
        let db = TestDatabase::create().await;
        let store = db.store();
        if let Some(scope) = limit {
            let name = LimitName::parse(scope, "*").unwrap();
            store.set_limit(scope, &name, 100_000, "test").await.unwrap();
        }
        if what.starts_with("100") {
            for _ in 0..100 {
                acquire(&store, accept(&store, &new_job()).await).await;
            }
        }
        let mut tx = store.begin().await.unwrap();
        let mut ids = vec![];
        for n in 0..JOBS {
            let key = (keys > 0).then(|| ConcurrencyKey::parse(&format!("key-{n}")).unwrap());
            let job = NewJob { concurrency_key: key, ..new_job() };
            enqueue(&mut tx, &job).await.unwrap();
            ids.push(job.id);
        }
        tx.commit().await.unwrap();
        let started_at = Instant::now();
        let working = ids.chunks(JOBS / WORKERS).map(|ids| {
            let (store, ids) = (store.clone(), ids.to_vec());
            tokio::spawn(async move {
                for id in ids {
                    let lease = store.acquire(id, "worker", LEASE).await.unwrap().expect("free");
                    finish(&store, &lease, Finish::Completed { result: serde_json::json!(1) }).await.unwrap();
                }
            })
        });
        futures_util::future::join_all(working).await.into_iter().for_each(Result::unwrap);
        let seconds = started_at.elapsed().as_secs_f64();
        println!("{what}: {:.0} leased and finished per second", JOBS as f64 / seconds);
    }
}

/// One look and one batch of the relay, at a million doorbells of 50 tenants.
#[tokio::test]
#[ignore = "a measurement"]
async fn cost_of_a_relays_round_at_a_million_doorbells() {
    let db = TestDatabase::create().await;
    let store = db.store();
    sqlx::query(
        "INSERT INTO outbox (job_id, queue, priority, project_id)
         SELECT gen_random_uuid(), 'test', n % 10, lpad((n % 50 + 1)::text, 32, '0')::uuid
         FROM generate_series(1, 1000000) AS n",
    )
    .execute(store.pool())
    .await
    .unwrap();
    let queue = QueueName::parse("test").unwrap();
    let (mut looks, mut takes) = (vec![], vec![]);
    for _ in 0..50 {
        let started_at = Instant::now();
        let (heads, _) =
            store.lanes(&queue, &LanesFrom::default(), LanesMax { tenants: 256, keys: 32 }).await.unwrap();
        looks.push(started_at.elapsed());
        assert_eq!(heads.len(), 50, "lanes");
        let wanted: Vec<_> = heads.into_iter().map(|head| (head.lane, 10)).collect();
        let started_at = Instant::now();
        let batch = store.take_doorbells(&queue, &wanted).await.unwrap();
        let ids: Vec<i64> = batch.doorbells.iter().map(|(_, d)| d.outbox_id).collect();
        batch.confirm(&ids).await.unwrap();
        takes.push(started_at.elapsed());
        assert_eq!(ids.len(), 500);
    }
    looks.sort();
    takes.sort();
    println!("look at 50 lanes: p50 {:?}, p95 {:?}", looks[25], looks[47]);
    println!("take and forget 500: p50 {:?}, p95 {:?}", takes[25], takes[47]);
}
