//! What people ask of jobs: which they change, and which they leave alone.

use super::*;
use shared::ids::UserId;
use shared::store::jobs::{Asker, BulkAction, HistoryEvent, JobFilter, Unique, UniqueWhile};
use shared::testing::TestDatabase;

async fn dead(store: &Store, error: &str) -> JobId {
    let id = accept(store, &new_job()).await;
    let lease = acquire(store, id).await;
    finish(store, &lease, Finish::Dead { error: error.into() }).await.unwrap();
    id
}

#[tokio::test]
async fn a_re_driven_job_starts_over_with_all_its_attempts() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let id = dead(&store, "no").await;
    store.request_cancel(id).await.unwrap();
    let by = UserId::new();
    assert_eq!(store.redrive_job(id, &Asker::User(by)).await.unwrap(), Some(JobState::Available));
    assert_eq!(doorbells(&store, id).await, 2, "that of its acceptance and a new one");
    let lease = acquire(&store, id).await;
    assert_eq!((lease.attempt, lease.fence), (1, 2));
    finish(&store, &lease, Finish::Completed { result: serde_json::json!(1) }).await.unwrap();
    assert_eq!(
        store.redrive_job(id, &Asker::System).await.unwrap(),
        Some(JobState::Completed),
        "only dead ones"
    );
    assert_eq!(store.redrive_job(JobId::new(), &Asker::System).await.unwrap(), None);
    let (_, _, history) = store.job_with_history(id).await.unwrap().unwrap();
    let seen: Vec<_> = history.iter().map(|h| h.event).collect();
    use HistoryEvent::*;
    assert_eq!(seen, [Accepted, Leased, Dead, ReDriven, Leased, Completed]);
    assert_eq!(history[3].by_user, Some(by));
}

#[tokio::test]
async fn a_job_made_due_does_not_wait_for_its_time() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let id = accept(&store, &new_job()).await;
    let lease = acquire(&store, id).await;
    finish(&store, &lease, retry_after(Duration::from_secs(3600))).await.unwrap();
    assert_eq!(store.make_job_due(id, &Asker::System).await.unwrap(), Some(JobState::Available));
    assert_eq!(acquire(&store, id).await.attempt, 2, "the failed attempt counts still");
    assert_eq!(store.make_job_due(id, &Asker::System).await.unwrap(), Some(JobState::Running));
}

#[tokio::test]
async fn bulk_actions_are_bounded_and_say_whether_more_is_left() {
    let db = TestDatabase::create().await;
    let store = db.store();
    for _ in 0..7 {
        dead(&store, "row 17 of \"a.csv\" is broken").await;
    }
    dead(&store, "the disk is full").await;
    let running = accept(&store, &new_job()).await;
    acquire(&store, running).await;
    let groups = store.dead_groups(None, 10).await.unwrap();
    assert_eq!(groups.iter().map(|g| g.jobs).collect::<Vec<_>>(), [7, 1]);
    let filter = JobFilter { error_fingerprint: Some(groups[0].fingerprint.clone()), ..Default::default() };
    assert_eq!(store.count_jobs(&filter, 100).await.unwrap(), 7);
    let first = store.act_on_jobs(BulkAction::Redrive, &filter, 5, &Asker::System).await.unwrap();
    assert_eq!((first.matched, first.changed, first.is_complete), (5, 5, false));
    let rest = store.act_on_jobs(BulkAction::Redrive, &filter, 5, &Asker::System).await.unwrap();
    assert_eq!((rest.matched, rest.changed, rest.is_complete), (2, 2, true));
    assert_eq!(store.dead_groups(None, 10).await.unwrap().len(), 1, "the other cause is left alone");

    // Cancelling takes the states it can take: available at once, running by a wish.
    let all = JobFilter::default();
    let done = store.act_on_jobs(BulkAction::Cancel, &all, 1000, &Asker::System).await.unwrap();
    assert_eq!((done.matched, done.changed, done.is_complete), (8, 8, true));
    assert_eq!(state(&store, running).await, JobState::Running);
    assert!(store.job(running).await.unwrap().unwrap().cancel_requested_at.is_some());
    let again = store.act_on_jobs(BulkAction::Cancel, &all, 1000, &Asker::System).await.unwrap();
    assert_eq!((again.matched, again.changed), (1, 0), "asked already");
    assert_eq!(store.job_balance().await.unwrap().unaccounted(), 0);
}

#[tokio::test]
async fn more_than_one_step_is_done_whole() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let jobs: Vec<NewJob> = (0..1203).map(|_| new_job()).collect();
    let mut tx = store.begin().await.unwrap();
    shared::store::jobs::enqueue_many(&mut tx, &jobs, None).await.unwrap();
    tx.commit().await.unwrap();
    let done =
        store.act_on_jobs(BulkAction::Cancel, &JobFilter::default(), 10_000, &Asker::System).await.unwrap();
    assert_eq!((done.matched, done.changed, done.is_complete), (1203, 1203, true));
    let done =
        store.act_on_jobs(BulkAction::Cancel, &JobFilter::default(), 10_000, &Asker::System).await.unwrap();
    assert_eq!((done.matched, done.is_complete), (0, true));
}

#[tokio::test]
async fn two_bulk_actions_at_once_change_each_job_once() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let mut ids = vec![];
    for _ in 0..40 {
        ids.push(dead(&store, "no").await);
    }
    let filter = JobFilter::default();
    let all = (0..4).map(|_| store.act_on_jobs(BulkAction::Redrive, &filter, 1000, &Asker::System));
    let done = futures_util::future::join_all(all).await;
    assert_eq!(done.into_iter().map(|d| d.unwrap().changed).sum::<u64>(), 40);
    for id in ids {
        assert_eq!(doorbells(&store, id).await, 2);
    }
}

#[tokio::test]
async fn of_dead_twins_one_is_re_driven() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let unique = Unique { key: "k".into(), period: None, holds: UniqueWhile::Unfinished };
    for _ in 0..3 {
        let job = store.enqueue_unique(&new_job(), &unique).await.unwrap();
        assert!(job.is_new);
        let lease = acquire(&store, job.id).await;
        finish(&store, &lease, Finish::Dead { error: "no".into() }).await.unwrap();
    }
    let done =
        store.act_on_jobs(BulkAction::Redrive, &JobFilter::default(), 1000, &Asker::System).await.unwrap();
    assert_eq!((done.matched, done.changed), (3, 1));
    let done =
        store.act_on_jobs(BulkAction::Redrive, &JobFilter::default(), 1000, &Asker::System).await.unwrap();
    assert_eq!((done.matched, done.changed), (2, 0), "while the first is unfinished");
}

#[tokio::test]
async fn a_dead_run_whose_open_items_another_has_stays_dead() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let run = async |continues: Option<JobId>| {
        let id = super::results::accept_reconciliation(&store).await;
        sqlx::query("UPDATE reconciliations SET continues = $2 WHERE job_id = $1")
            .bind(id)
            .bind(continues)
            .execute(store.pool())
            .await
            .unwrap();
        id
    };
    let die = async |id: JobId| {
        let lease = acquire(&store, id).await;
        finish(&store, &lease, Finish::Dead { error: "no".into() }).await.unwrap();
    };
    let first = run(None).await;
    let (b, c) = (run(Some(first)).await, run(Some(first)).await);
    die(b).await;
    assert_eq!(store.redrive_job(b, &Asker::System).await.unwrap(), Some(JobState::Dead), "{c} continues it");
    die(c).await;
    let all =
        store.act_on_jobs(BulkAction::Redrive, &JobFilter::default(), 10, &Asker::System).await.unwrap();
    assert_eq!(all.changed, 1, "a chain does not branch");
    assert_eq!(store.redrive_job(b, &Asker::System).await.unwrap(), Some(JobState::Dead));
    assert_eq!(store.redrive_job(c, &Asker::System).await.unwrap(), Some(JobState::Available));
}

#[tokio::test]
async fn failures_are_grouped_by_what_they_have_in_common() {
    let db = TestDatabase::create().await;
    let store = db.store();
    for error in [
        "worker alpha-12-9fe0 stopped renewing its lease",
        "worker beta-7-00aa stopped renewing its lease",
        "could not read 'a.csv': line 7",
        "could not read 'b, c.csv': line 1204",
        "could not read 'b, c.csv': page 1204",
    ] {
        dead(&store, error).await;
    }
    let groups = store.dead_groups(None, 10).await.unwrap();
    assert_eq!(groups.iter().map(|g| g.jobs).collect::<Vec<_>>(), [2, 2, 1]);
    assert_eq!(store.dead_groups(None, 2).await.unwrap().len(), 2);
}
