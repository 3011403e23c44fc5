//! Jobs of which there is one.

use super::*;
use shared::ids::ProjectId;
use shared::ids::UserId;
use shared::store::jobs::{Enqueued, Unique, UniqueWhile};
use shared::store::users::NewUser;
use shared::testing::TestDatabase;

fn unique(holds: UniqueWhile) -> Unique {
    Unique { key: "nightly".into(), period: None, holds }
}

#[tokio::test]
async fn of_many_callers_at_once_one_makes_the_job_and_all_get_it() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let asking = (0..20).map(|_| {
        let store = store.clone();
        async move { store.enqueue_unique(&new_job(), &unique(UniqueWhile::Unfinished)).await.unwrap() }
    });
    let got: Vec<Enqueued> = futures_util::future::join_all(asking).await;
    assert_eq!(got.iter().filter(|e| e.is_new).count(), 1);
    assert!(got.iter().all(|e| e.id == got[0].id));
    assert_eq!(doorbells(&store, got[0].id).await, 1);
}

#[tokio::test]
async fn a_finished_job_makes_room_as_it_was_asked_to() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let done = || Finish::Completed { result: serde_json::json!(1) };
    let dead = || Finish::Dead { error: "no".into() };
    for (holds, ending, room) in [
        (UniqueWhile::Unfinished, done(), true),
        (UniqueWhile::Unfinished, dead(), true),
        (UniqueWhile::UnfinishedOrCompleted, done(), false),
        (UniqueWhile::UnfinishedOrCompleted, dead(), true),
        (UniqueWhile::Kept, dead(), false),
    ] {
        let key = Unique { key: JobId::new().to_string(), ..unique(holds) };
        let first = store.enqueue_unique(&new_job(), &key).await.unwrap();
        let lease = acquire(&store, first.id).await;
        assert!(!store.enqueue_unique(&new_job(), &key).await.unwrap().is_new, "while it runs");
        finish(&store, &lease, ending.clone()).await.unwrap();
        let again = store.enqueue_unique(&new_job(), &key).await.unwrap();
        assert_eq!(again.is_new, room, "{holds:?} {ending:?}");
        assert_eq!(again.id == first.id, !room);
    }
}

#[tokio::test]
async fn kinds_projects_and_periods_do_not_meet() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let user = UserId::new();
    let new_user = NewUser {
        id: user,
        email: "a@b.c".into(),
        name: "Ada".into(),
        password_hash: "none".into(),
        is_platform_admin: false,
    };
    store.insert_user(&new_user).await.unwrap();
    let (one, two) = (ProjectId::new(), ProjectId::new());
    for project in [one, two] {
        store.create_project(project, "Books", user).await.unwrap();
    }
    let plain = unique(UniqueWhile::Unfinished);
    // Thousands of years: no test run meets its end.
    let periodic = Unique { period: Some(Duration::from_secs(1 << 40)), ..plain.clone() };
    let other_kind = JobKind::from_static("other");
    for (job, unique) in [
        (new_job(), &plain),
        (NewJob { kind: other_kind, ..new_job() }, &plain),
        (NewJob { project_id: Some(one), ..new_job() }, &plain),
        (NewJob { project_id: Some(two), ..new_job() }, &plain),
        (new_job(), &periodic),
    ] {
        assert!(store.enqueue_unique(&job, unique).await.unwrap().is_new, "{job:?} {unique:?}");
        let again = NewJob { id: JobId::new(), ..job };
        assert!(!store.enqueue_unique(&again, unique).await.unwrap().is_new);
    }
    // The next period has room.
    let second = Unique { period: Some(Duration::from_secs(1)), ..plain };
    let first = store.enqueue_unique(&new_job(), &second).await.unwrap();
    let next = async {
        loop {
            let got = store.enqueue_unique(&new_job(), &second).await.unwrap();
            if got.is_new {
                return got;
            }
        }
    };
    let next = tokio::time::timeout(Duration::from_secs(30), next).await.expect("a second passes");
    assert_ne!(first.id, next.id);
}
