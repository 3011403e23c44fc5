//! What was accepted is there in some state, or was removed on purpose.

use super::*;
use shared::store::batches::{NewBatch, enqueue_batch};
use shared::store::job_ledger::JobBalance;
use shared::testing::TestDatabase;

async fn balance(store: &Store) -> JobBalance {
    store.job_balance().await.unwrap()
}

#[tokio::test]
async fn the_books_balance_whatever_becomes_of_the_jobs() {
    let db = TestDatabase::create().await;
    let store = db.store();
    assert_eq!(balance(&store).await.accepted, 0);
    let mut ids = vec![];
    for _ in 0..6 {
        ids.push(accept(&store, &new_job()).await);
    }
    let batch = NewBatch {
        id: Default::default(),
        project_id: None,
        name: "b".into(),
        completion: None,
        created_by: None,
        request_id: None,
    };
    let mut tx = store.begin().await.unwrap();
    enqueue_batch(&mut tx, &batch, &[new_job(), new_job()]).await.unwrap();
    assert_eq!(balance(&store).await.accepted, 6, "not accepted before it is committed");
    tx.commit().await.unwrap();
    // One that was taken back is in no book.
    let mut tx = store.begin().await.unwrap();
    enqueue(&mut tx, &new_job()).await.unwrap();
    drop(tx);

    let endings = [
        Finish::Completed { result: serde_json::json!(1) },
        Finish::Dead { error: "no".into() },
        Finish::Cancelled,
        retry_after(Duration::from_secs(60)),
    ];
    for (id, ending) in ids.iter().zip(endings) {
        let lease = acquire(&store, *id).await;
        finish(&store, &lease, ending).await.unwrap();
    }
    acquire(&store, ids[4]).await;
    let seen = balance(&store).await;
    let states = (seen.scheduled, seen.available, seen.running, seen.completed, seen.cancelled, seen.dead);
    assert_eq!(states, (1, 3, 1, 1, 1, 1));
    assert_eq!((seen.accepted, seen.removed, seen.unaccounted()), (8, 0, 0));
}

#[tokio::test]
async fn a_job_that_vanished_is_missed() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let id = accept(&store, &new_job()).await;
    accept(&store, &new_job()).await;
    sqlx::query("DELETE FROM jobs WHERE id = $1").bind(id).execute(store.pool()).await.unwrap();
    assert_eq!(balance(&store).await.unaccounted(), 1);
}

#[tokio::test]
async fn folding_changes_no_sum_however_many_fold_while_jobs_are_accepted() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let accepting = async {
        for _ in 0..200 {
            accept(&store, &new_job()).await;
        }
    };
    let folding = async {
        for _ in 0..50 {
            let (a, b, c) =
                tokio::join!(store.fold_job_ledger(), store.fold_job_ledger(), store.fold_job_ledger());
            a.unwrap();
            b.unwrap();
            c.unwrap();
            assert_eq!(balance(&store).await.unaccounted(), 0, "at every moment");
        }
    };
    tokio::join!(accepting, folding);
    store.fold_job_ledger().await.unwrap();
    assert_eq!(store.fold_job_ledger().await.unwrap(), 1, "one line is left");
    assert_eq!((balance(&store).await.accepted, balance(&store).await.unaccounted()), (200, 0));
}
