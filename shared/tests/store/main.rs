//! The store against a real PostgreSQL: every statement runs here at least once.

mod audit;
mod batches;
mod conservation;
mod cost;
mod examination;
mod explain;
mod few_doorbells;
mod history;
mod idempotency;
mod jobs;
mod limits;
mod lists;
mod maintenance;
mod migrations;
mod operate;
mod outbox;
mod packed;
mod pool;
mod results;
mod review;
mod row_security;
mod schedules;
mod unique;
mod volume;
mod warm;
mod workers;

use shared::ids::JobId;
use shared::job::{JobKind, JobState, Lease, NewJob};
use shared::store::Store;
use shared::store::jobs::{Finish, ReleaseError, enqueue, release};
use std::time::Duration;

const LEASE: Duration = Duration::from_secs(30);

fn new_job() -> NewJob {
    NewJob {
        id: JobId::new(),
        kind: JobKind::RECONCILIATION,
        project_id: None,
        priority: 5,
        concurrency_key: None,
        args: serde_json::json!({ "v": 1 }),
        due_at: None,
        attempts_max: 3,
        created_by: None,
        request_id: Some("request-1".into()),
    }
}

async fn accept(store: &Store, job: &NewJob) -> JobId {
    let mut tx = store.begin().await.unwrap();
    enqueue(&mut tx, job).await.unwrap();
    tx.commit().await.unwrap();
    job.id
}

async fn acquire(store: &Store, id: JobId) -> Lease {
    store.acquire(id, "worker-a", LEASE).await.unwrap().expect("the job is available")
}

async fn finish(store: &Store, lease: &Lease, finish: Finish) -> Result<JobState, ReleaseError> {
    let mut tx = store.begin().await.unwrap();
    let state = release(&mut tx, lease, &finish).await?;
    tx.commit().await.unwrap();
    Ok(state)
}

async fn state(store: &Store, id: JobId) -> JobState {
    store.job(id).await.unwrap().expect("the job exists").state
}

/// Doorbells in the outbox for this job.
async fn doorbells(store: &Store, id: JobId) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM outbox WHERE job_id = $1")
        .bind(id)
        .fetch_one(store.pool())
        .await
        .unwrap()
}

/// Moves a job's times into the past, as if that long had gone by.
async fn let_pass(store: &Store, id: JobId, time: Duration) {
    sqlx::query(
        "UPDATE jobs SET due_at = due_at - d, rung_at = rung_at - d, lease_expires_at = lease_expires_at - d,
                finished_at = finished_at - d
         FROM (SELECT $2 * interval '1 second' AS d) AS passed WHERE id = $1",
    )
    .bind(id)
    .bind(time.as_secs_f64())
    .execute(store.pool())
    .await
    .unwrap();
}

fn retry_after(wait: Duration) -> Finish {
    Finish::Retry { wait, error: "the other side hung up".into() }
}
