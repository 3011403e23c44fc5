//! Limits and pauses, exact whoever asks.

use super::*;
use shared::ids::ProjectId;
use shared::limits::{ConcurrencyKey, LimitName, LimitScope, Places, Subject};
use shared::queue::QueueName;
use shared::store::jobs::{Hindrance, LeaseAnswer};
use shared::store::limits::LimitSet;
use shared::testing::TestDatabase;

async fn limit(store: &Store, scope: LimitScope, name: &str, jobs_max: u32) {
    let name = LimitName::parse(scope, name).unwrap();
    let set = store.set_limit(scope, &name, jobs_max, "test").await.unwrap();
    assert!(matches!(set, LimitSet::Stored(_)), "{set:?}");
}

async fn ask(store: &Store, id: JobId) -> LeaseAnswer {
    store.ask_for_lease(id, "worker-a", LEASE).await.unwrap()
}

fn queue() -> QueueName {
    JobKind::RECONCILIATION.queue()
}

#[tokio::test]
async fn jobs_of_one_key_run_one_after_the_other() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let keyed = |key| NewJob { concurrency_key: ConcurrencyKey::parse(key), ..new_job() };
    let first = accept(&store, &keyed("backup:main")).await;
    let second = accept(&store, &keyed("backup:main")).await;
    let other = accept(&store, &keyed("backup:other")).await;
    let running = acquire(&store, first).await;
    sqlx::query("DELETE FROM outbox").execute(store.pool()).await.unwrap();

    assert_eq!(ask(&store, second).await, LeaseAnswer::Hindered(Hindrance::NoPlace));
    assert_eq!(ask(&store, second).await, LeaseAnswer::Hindered(Hindrance::NoPlace));
    assert_eq!(doorbells(&store, second).await, 1, "back in the outbox, once");
    let waiting = store.job(second).await.unwrap().unwrap();
    assert_eq!((waiting.state, waiting.attempt), (JobState::Available, 0), "as it was");
    assert!(store.attempts(second).await.unwrap().is_empty());
    assert!(matches!(ask(&store, other).await, LeaseAnswer::Leased(_)));

    finish(&store, &running, Finish::Completed { result: serde_json::json!(1) }).await.unwrap();
    assert!(matches!(ask(&store, second).await, LeaseAnswer::Leased(_)));
    assert_eq!(ask(&store, second).await, LeaseAnswer::Gone);
}

#[tokio::test]
async fn a_doorbell_that_comes_back_keeps_its_place_in_its_lane() {
    let db = TestDatabase::create().await;
    let store = db.store();
    limit(&store, LimitScope::Kind, "reconciliation", 0).await;
    let old = accept(&store, &new_job()).await;
    let since: chrono::DateTime<chrono::Utc> =
        sqlx::query_scalar("SELECT created_at FROM jobs WHERE id = $1")
            .bind(old)
            .fetch_one(store.pool())
            .await
            .unwrap();
    sqlx::query("DELETE FROM outbox").execute(store.pool()).await.unwrap();
    accept(&store, &new_job()).await;
    assert_eq!(ask(&store, old).await, LeaseAnswer::Hindered(Hindrance::NoPlace));
    let (heads, _) = store
        .lanes(&queue(), &Default::default(), shared::store::outbox::LanesMax { tenants: 9, keys: 9 })
        .await
        .unwrap();
    assert_eq!(heads.len(), 1);
    assert_eq!(heads[0].waiting_since, since);
}

/// Sums of what runs, looked at from outside while eight workers lease and finish as fast as they can.
#[tokio::test(flavor = "multi_thread")]
async fn no_number_of_workers_runs_more_than_a_limit_allows() {
    let db = TestDatabase::create().await;
    let store = db.store();
    limit(&store, LimitScope::Global, "*", 6).await;
    limit(&store, LimitScope::Project, "*", 4).await;
    limit(&store, LimitScope::Key, "pair:*", 2).await;
    let user = shared::store::users::NewUser {
        id: shared::ids::UserId::new(),
        email: "a@example.org".into(),
        name: "a".into(),
        password_hash: "x".into(),
        is_platform_admin: false,
    };
    store.insert_user(&user).await.unwrap();
    let mut projects = vec![];
    for _ in 0..3 {
        projects.push(store.create_project(ProjectId::new(), "p", user.id).await.unwrap().id);
    }
    let mut jobs = vec![];
    for n in 0..240 {
        let key = ["pair:a", "pair:b", "single", ""][n % 4];
        let job = NewJob {
            project_id: Some(projects[n % 3]),
            concurrency_key: ConcurrencyKey::parse(key),
            ..new_job()
        };
        jobs.push(accept(&store, &job).await);
    }
    let jobs = std::sync::Arc::new(std::sync::Mutex::new(jobs));
    let working = (0..8).map(|n| {
        let (jobs, store) = (jobs.clone(), store.clone());
        tokio::spawn(async move {
            let mut hindered = 0;
            let mut held = std::collections::VecDeque::new();
            loop {
                let Some(id) = jobs.lock().unwrap().pop() else { break };
                match store.ask_for_lease(id, &format!("worker-{n}"), LEASE).await.unwrap() {
                    // Two at a time per worker, so that limits are reached.
                    LeaseAnswer::Leased(lease) => held.push_back(lease),
                    LeaseAnswer::Hindered(_) => {
                        hindered += 1;
                        jobs.lock().unwrap().insert(0, id);
                    }
                    LeaseAnswer::Gone => panic!("{id} is nobody else's"),
                }
                if (held.len() > 1 || hindered % 4 == 3)
                    && let Some(lease) = held.pop_front()
                {
                    finish(&store, &lease, Finish::Cancelled).await.unwrap();
                }
            }
            for lease in held {
                finish(&store, &lease, Finish::Cancelled).await.unwrap();
            }
            hindered
        })
    });
    let mut working = futures_util::future::join_all(working);
    let (mut looks, mut most) = (0, 0);
    let hindered: i64 = loop {
        tokio::select! {
            done = &mut working => break done.into_iter().map(Result::unwrap).sum(),
            over = over_the_limit(&store) => {
                let (running, over) = over;
                assert_eq!(over, Vec::<String>::new());
                (looks, most) = (looks + 1, running.max(most));
            }
        }
    };
    assert!(jobs.lock().unwrap().is_empty());
    let done: i64 = sqlx::query_scalar("SELECT count(*) FROM jobs WHERE state = 'cancelled' AND attempt = 1")
        .fetch_one(store.pool())
        .await
        .unwrap();
    println!("{looks} looks, at most {most} at once, {hindered} refusals");
    assert_eq!(done, 240, "each ran once");
    assert!(
        hindered > 0 && looks > 10 && most > 2,
        "{hindered} {looks} {most}: the limits were never reached"
    );
}

async fn over_the_limit(store: &Store) -> (i64, Vec<String>) {
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(
        "WITH running AS (SELECT project_id::text AS p, concurrency_key AS k FROM jobs WHERE state = 'running')
         SELECT 'all', count(*), 6::bigint FROM running
         UNION ALL SELECT p, count(*), 4 FROM running GROUP BY p
         UNION ALL SELECT k, count(*), CASE WHEN k LIKE 'pair:%' THEN 2 ELSE 1 END FROM running
                   WHERE k IS NOT NULL GROUP BY k",
    )
    .fetch_all(store.pool())
    .await
    .unwrap();
    let over = rows.iter().filter(|(_, n, max)| n > max).map(|(what, n, max)| format!("{what}: {n} > {max}"));
    (rows[0].1, over.collect())
}

#[tokio::test]
async fn a_paused_queue_leases_nothing_and_forgets_nothing() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let running = acquire(&store, accept(&store, &new_job()).await).await;
    let waiting = accept(&store, &new_job()).await;
    sqlx::query("DELETE FROM outbox").execute(store.pool()).await.unwrap();
    let pause = store.pause_queue(&queue(), "the bank is down", "jane@example.org").await.unwrap();
    let again = store.pause_queue(&queue(), "another reason", "john@example.org").await.unwrap();
    assert_eq!(pause, again, "the first reason stays");

    assert_eq!(ask(&store, waiting).await, LeaseAnswer::Hindered(Hindrance::QueuePaused));
    assert_eq!(doorbells(&store, waiting).await, 1);
    assert!(store.outbox_queues().await.unwrap().is_empty(), "nothing is dispatched");
    assert!(store.queue_load(&queue()).await.unwrap().is_paused);
    // What runs goes on.
    finish(&store, &running, Finish::Completed { result: serde_json::json!(1) }).await.unwrap();

    assert!(store.resume_queue(&queue()).await.unwrap());
    assert!(!store.resume_queue(&queue()).await.unwrap());
    assert_eq!(store.outbox_queues().await.unwrap(), [queue()]);
    assert!(matches!(ask(&store, waiting).await, LeaseAnswer::Leased(_)));
}

#[tokio::test]
async fn places_are_those_of_what_runs_and_of_what_was_rung_for() {
    let db = TestDatabase::create().await;
    let store = db.store();
    limit(&store, LimitScope::Kind, "reconciliation", 2).await;
    let subject = Subject { kind: "reconciliation", project_id: None, key: None };
    let lane = shared::store::outbox::Lane { priority: 5, project_id: None, key: None };
    let answered_within = Duration::from_secs(60);
    let places = async || -> Places {
        let mut places = store.places().await.unwrap();
        store.take_places(&mut places, answered_within).await.unwrap();
        places
    };
    let (first, second) = (accept(&store, &new_job()).await, accept(&store, &new_job()).await);
    let lease = acquire(&store, first).await;
    assert!(places().await.are_free(subject), "one is left");
    store.note_doorbells_out(&queue(), &[(second, &lane)]).await.unwrap();
    assert!(!places().await.are_free(subject), "somebody is about to ask for it");
    // Whatever the answer is, the place is no longer spoken for.
    let other = acquire(&store, second).await;
    assert!(!places().await.are_free(subject));
    finish(&store, &lease, Finish::Cancelled).await.unwrap();
    finish(&store, &other, Finish::Cancelled).await.unwrap();
    assert!(places().await.are_free(subject));
    assert_eq!(ask(&store, second).await, LeaseAnswer::Gone);
}

#[tokio::test]
async fn limits_are_kept_bounded_and_can_go() {
    let db = TestDatabase::create().await;
    let store = db.store();
    limit(&store, LimitScope::Kind, "mail", 3).await;
    limit(&store, LimitScope::Kind, "mail", 4).await;
    let stored = store.limits().await.unwrap();
    let seen: Vec<_> = stored.iter().map(|l| (l.scope, l.name.as_str(), l.jobs_max)).collect();
    assert_eq!(seen, [(LimitScope::Kind, "mail", 4), (LimitScope::Key, "*", 1)]);
    sqlx::query(
        "INSERT INTO concurrency_limits (scope, name, jobs_max, updated_by)
         SELECT 'key', 'k' || n, 1, 'test' FROM generate_series(1, 998) AS n",
    )
    .execute(store.pool())
    .await
    .unwrap();
    let one_more = LimitName::parse(LimitScope::Key, "one-more").unwrap();
    assert_eq!(store.set_limit(LimitScope::Key, &one_more, 1, "test").await.unwrap(), LimitSet::TooMany);
    limit(&store, LimitScope::Kind, "mail", 5).await;
    let mail = LimitName::parse(LimitScope::Kind, "mail").unwrap();
    assert!(store.remove_limit(LimitScope::Kind, &mail).await.unwrap());
    assert!(!store.remove_limit(LimitScope::Kind, &mail).await.unwrap());
}
