//! Each thing that can be in a job's way, as the database shows it.

use super::*;
use shared::explain::{Reason, explain};
use shared::ids::{BatchId, ProjectId, UserId};
use shared::limits::{ConcurrencyKey, LimitName, LimitScope};
use shared::store::batches::{Completion, NewBatch, enqueue_batch};
use shared::store::queues::DispatchMark;
use shared::store::users::NewUser;
use shared::store::workers::NewWorker;
use shared::testing::TestDatabase;

const RING_AGAIN: Duration = Duration::from_secs(60);

async fn reasons(store: &Store, id: JobId) -> Vec<Reason> {
    explain(&store.look_at_job(id).await.unwrap().expect("the job is known"), RING_AGAIN)
}

#[track_caller]
fn assert_words(reasons: &[Reason], expected: &[&str]) {
    let words: Vec<&str> = reasons.iter().map(Reason::as_str).collect();
    assert_eq!(words, expected, "{reasons:?}");
}

fn worker(name: &str) -> NewWorker {
    NewWorker { name: name.into(), version: "1", kinds: vec![JobKind::RECONCILIATION], slots: 2 }
}

async fn send_doorbells(store: &Store) {
    sqlx::query("DELETE FROM outbox").execute(store.pool()).await.unwrap();
}

async fn silence(store: &Store, name: &str) {
    sqlx::query("UPDATE workers SET heartbeat_at = heartbeat_at - interval '1 minute' WHERE name = $1")
        .bind(name)
        .execute(store.pool())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_life_from_the_outbox_to_the_end_is_explained_step_by_step() {
    let db = TestDatabase::create().await;
    let store = db.store();
    assert!(store.look_at_job(JobId::new()).await.unwrap().is_none());
    let id = accept(&store, &new_job()).await;
    assert_words(&reasons(&store, id).await, &["no_worker", "waits_its_turn"]);

    store.heartbeat(&worker("worker-a"), false).await.unwrap();
    assert_words(&reasons(&store, id).await, &["waits_its_turn"]);
    send_doorbells(&store).await;
    assert_words(&reasons(&store, id).await, &["doorbell_unanswered"]);

    let lease = acquire(&store, id).await;
    let seen = reasons(&store, id).await;
    let Reason::Leased { worker, worker_heartbeat_at: Some(_), .. } = &seen[0] else { panic!("{seen:?}") };
    assert_eq!(worker, "worker-a");
    store.request_cancel(id).await.unwrap();
    assert_words(&reasons(&store, id).await, &["cancel_requested", "leased"]);
    finish(&store, &lease, Finish::Cancelled).await.unwrap();
    assert_words(&reasons(&store, id).await, &["cancelled"]);
}

#[tokio::test]
async fn jobs_that_wait_for_a_time_say_which_and_why() {
    let db = TestDatabase::create().await;
    let store = db.store();
    store.heartbeat(&worker("worker-a"), false).await.unwrap();
    let due_at = Some(chrono::Utc::now() + chrono::TimeDelta::hours(1));
    let later = accept(&store, &NewJob { due_at, ..new_job() }).await;
    assert_words(&reasons(&store, later).await, &["not_due"]);
    let_pass(&store, later, Duration::from_secs(7200)).await;
    assert_words(&reasons(&store, later).await, &["not_staged"]);

    let failed = accept(&store, &new_job()).await;
    let lease = acquire(&store, failed).await;
    finish(&store, &lease, retry_after(LEASE)).await.unwrap();
    let seen = reasons(&store, failed).await;
    assert_words(&seen, &["between_attempts"]);
    assert!(seen[0].to_string().contains("the other side hung up"), "{}", seen[0]);

    let snoozes = accept(&store, &new_job()).await;
    let lease = acquire(&store, snoozes).await;
    finish(&store, &lease, Finish::Snooze { wait: LEASE, reason: "no data yet".into() }).await.unwrap();
    assert_words(&reasons(&store, snoozes).await, &["snoozed"]);

    let dead = accept(&store, &new_job()).await;
    let lease = acquire(&store, dead).await;
    finish(&store, &lease, Finish::Dead { error: "no such file".into() }).await.unwrap();
    let seen = reasons(&store, dead).await;
    assert!(
        matches!(&seen[..], [Reason::Dead { error: Some(error), .. }] if error == "no such file"),
        "{seen:?}"
    );
}

#[tokio::test]
async fn a_silent_worker_is_none_and_its_lease_runs_out() {
    let db = TestDatabase::create().await;
    let store = db.store();
    store.heartbeat(&worker("worker-a"), false).await.unwrap();
    let running = accept(&store, &new_job()).await;
    acquire(&store, running).await;
    let waiting = accept(&store, &new_job()).await;
    send_doorbells(&store).await;
    silence(&store, "worker-a").await;
    let_pass(&store, running, LEASE * 2).await;
    let seen = reasons(&store, waiting).await;
    assert_words(&seen, &["no_worker", "doorbell_unanswered"]);
    assert!(matches!(seen[0], Reason::NoWorker { last_heartbeat_at: Some(_), .. }));
    assert_words(&reasons(&store, running).await, &["lease_expired"]);

    // Neither is one that drains, and one with another kind.
    store.heartbeat(&worker("worker-b"), true).await.unwrap();
    let other = NewWorker { kinds: vec![JobKind::CLEAN_UP], ..worker("worker-c") };
    store.heartbeat(&other, false).await.unwrap();
    assert_words(&reasons(&store, waiting).await, &["no_worker", "doorbell_unanswered"]);
    store.heartbeat(&worker("worker-d"), false).await.unwrap();
    assert_words(&reasons(&store, waiting).await, &["doorbell_unanswered"]);
}

#[tokio::test]
async fn pauses_limits_and_full_workers_are_named() {
    let db = TestDatabase::create().await;
    let store = db.store();
    store.heartbeat(&worker("worker-a"), false).await.unwrap();
    let key = ConcurrencyKey::parse("backup:main").unwrap();
    let keyed = || NewJob { concurrency_key: Some(key.clone()), ..new_job() };
    let holds = accept(&store, &keyed()).await;
    acquire(&store, holds).await;
    let waits = accept(&store, &keyed()).await;
    let seen = reasons(&store, waits).await;
    let Reason::LimitReached(limit) = &seen[0] else { panic!("{seen:?}") };
    assert_eq!(
        (limit.scope, limit.subject.as_str(), limit.jobs_max, limit.taken),
        (LimitScope::Key, "backup:main", 1, 1)
    );
    assert_eq!(limit.holders.iter().map(|holder| holder.job_id).collect::<Vec<_>>(), [holds]);

    let all = LimitName::parse(LimitScope::Global, "*").unwrap();
    store.set_limit(LimitScope::Global, &all, 1, "test").await.unwrap();
    assert_words(&reasons(&store, waits).await[..2], &["limit_reached", "limit_reached"]);
    store.remove_limit(LimitScope::Global, &all).await.unwrap();

    store.pause_queue(&JobKind::RECONCILIATION.queue(), "the bank is closed", "ada").await.unwrap();
    assert_words(&reasons(&store, waits).await[..2], &["queue_paused", "limit_reached"]);
    store.resume_queue(&JobKind::RECONCILIATION.queue()).await.unwrap();

    let free = accept(&store, &new_job()).await;
    let second = accept(&store, &new_job()).await;
    acquire(&store, second).await;
    assert_words(&reasons(&store, free).await, &["workers_busy", "waits_its_turn"]);
}

#[tokio::test]
async fn what_goes_before_a_doorbell_is_counted() {
    let db = TestDatabase::create().await;
    let store = db.store();
    store.heartbeat(&worker("worker-a"), false).await.unwrap();
    let new = NewUser {
        id: UserId::new(),
        email: "ada@example.org".into(),
        name: "Ada".into(),
        password_hash: "x".into(),
        is_platform_admin: false,
    };
    let user = store.insert_user(&new).await.unwrap();
    for n in 0..3 {
        let project = store.create_project(ProjectId::new(), &format!("p{n}"), user.id).await.unwrap();
        accept(&store, &NewJob { project_id: Some(project.id), ..new_job() }).await;
    }
    for _ in 0..4 {
        accept(&store, &new_job()).await;
    }
    accept(&store, &NewJob { priority: 8, ..new_job() }).await;
    let last = accept(&store, &new_job()).await;
    let seen = reasons(&store, last).await;
    let [Reason::WaitsItsTurn(turn)] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!((turn.ahead_in_lane, turn.of_higher_priority, turn.other_projects), (4, 1, 3));
}

#[tokio::test]
async fn a_silent_relay_and_a_broker_that_is_away_differ() {
    let db = TestDatabase::create().await;
    let store = db.store();
    store.heartbeat(&worker("worker-a"), false).await.unwrap();
    let id = accept(&store, &new_job()).await;
    let_pass(&store, id, Duration::from_secs(300)).await;
    assert_words(&reasons(&store, id).await, &["relay_silent"]);

    let mark = |has_confirmed, trouble: Option<&str>| DispatchMark {
        queue: JobKind::RECONCILIATION.queue(),
        is_caught_up: false,
        has_confirmed,
        trouble: trouble.map(Into::into),
    };
    store.mark_dispatch(&[mark(true, None)]).await.unwrap();
    assert_words(&reasons(&store, id).await, &["waits_its_turn"]);
    store.mark_dispatch(&[mark(false, Some("connection refused"))]).await.unwrap();
    let seen = reasons(&store, id).await;
    let [Reason::BrokerAway { says, last_confirmed_at: Some(_) }] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!(says, "connection refused");
    // A queue without doorbells has no trouble.
    send_doorbells(&store).await;
    store.mark_dispatch(&[]).await.unwrap();
    let trouble: Option<String> =
        sqlx::query_scalar("SELECT trouble FROM dispatch_marks").fetch_one(store.pool()).await.unwrap();
    assert_eq!(trouble, None);
}

#[tokio::test]
async fn a_job_that_is_to_follow_a_batch_says_what_it_waits_for() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let completion = Completion {
        id: JobId::new(),
        kind: JobKind::RECONCILIATION,
        priority: 5,
        args: serde_json::json!({}),
        attempts_max: 3,
        reconciliation: None,
    };
    let batch = NewBatch {
        id: BatchId::new(),
        project_id: None,
        name: "March".into(),
        completion: Some(completion.clone()),
        created_by: None,
        request_id: None,
    };
    let jobs = [new_job(), new_job()];
    let mut tx = store.begin().await.unwrap();
    enqueue_batch(&mut tx, &batch, &jobs).await.unwrap();
    tx.commit().await.unwrap();
    store.request_cancel(jobs[0].id).await.unwrap();
    let seen = reasons(&store, completion.id).await;
    let [Reason::FollowsBatch(waits_for)] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!((waits_for.batch_id, waits_for.jobs, waits_for.unfinished), (batch.id, 2, 1));
    store.request_cancel(jobs[1].id).await.unwrap();
    store.finish_batches(10).await.unwrap();
    assert_words(&reasons(&store, completion.id).await, &["no_worker", "waits_its_turn"]);
}
