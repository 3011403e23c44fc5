//! How attempts end, and what that does to their jobs.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_job_runs_once_and_completes() {
    let world = World::new().await;
    let (stop, worker) = world.start(world.engine("a"));
    let id = world.accept("succeeds").await;
    world.until(id, JobState::Completed).await;
    assert_eq!(world.outcomes(id).await, ["completed"]);
    stop.cancel();
    worker.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passing_failure_is_tried_again() {
    let world = World::new().await;
    let _worker = world.start(world.engine("a"));
    let id = world.accept("fails once").await;
    world.until(id, JobState::Completed).await;
    assert_eq!(world.outcomes(id).await, ["retried", "completed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_last_attempt_the_job_is_dead_with_its_reason() {
    let world = World::new().await;
    let _worker = world.start(world.engine("a"));
    let id = world.accept("fails always").await;
    world.until(id, JobState::Dead).await;
    assert_eq!(world.outcomes(id).await, ["retried", "retried", "dead"]);
    assert_eq!(world.error(id).await, "fails always");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permanent_failure_is_dead_at_once() {
    let world = World::new().await;
    let _worker = world.start(world.engine("a"));
    let id = world.accept("hopeless").await;
    world.until(id, JobState::Dead).await;
    assert_eq!(world.outcomes(id).await, ["dead"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snooze_is_not_counted() {
    let world = World::new().await;
    let _worker = world.start(world.engine("a"));
    let id = world.accept("snoozes once").await;
    world.until(id, JobState::Completed).await;
    assert_eq!(world.outcomes(id).await, ["snoozed", "completed"]);
    assert_eq!(world.store.job(id).await.unwrap().unwrap().attempt, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_ends_one_attempt_and_nothing_else() {
    let world = World::new().await;
    let (stop, worker) = world.start(world.engine("a"));
    let neighbour = world.accept("holds").await;
    world.probe.until_running(1).await;
    let id = world.accept("panics once").await;
    world.until(id, JobState::Completed).await;
    assert_eq!(world.outcomes(id).await, ["retried", "completed"]);
    assert!(
        world.store.attempts(id).await.unwrap()[0].error.as_deref().unwrap().contains("a bug of attempt 1")
    );
    world.probe.let_go(1);
    world.until(neighbour, JobState::Completed).await;
    assert_eq!(world.outcomes(neighbour).await, ["completed"]);
    stop.cancel();
    worker.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_past_its_time_limit_is_dropped_before_its_retry() {
    let world = World::new().await;
    let _worker = world.start(world.engine_with_limit("a", Duration::from_millis(500)));
    let id = world.accept("hangs once").await;
    world.until(id, JobState::Completed).await;
    assert_eq!(world.outcomes(id).await, ["retried", "completed"]);
    assert_eq!(world.probe.dropped_midway(), 1, "the hanging body is gone");
    assert_eq!(world.probe.running_max(), 1, "and was before the second began");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_postgres_refuses_makes_the_job_dead_and_not_stuck() {
    let world = World::new().await;
    let _worker = world.start(world.engine("a"));
    let id = world.accept("unstorable").await;
    world.until(id, JobState::Dead).await;
    assert!(world.error(id).await.contains("could not be recorded"), "{}", world.error(id).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn doubled_doorbells_run_a_job_once() {
    let world = World::new().await;
    let id = world.accept("holds").await;
    for _ in 0..20 {
        sqlx::query("INSERT INTO outbox (job_id, queue, priority) VALUES ($1, 'test', 5)")
            .bind(id)
            .execute(world.store.pool())
            .await
            .unwrap();
    }
    let (one, two) = (world.start(world.engine("a")), world.start(world.engine("b")));
    world.probe.until_running(1).await;
    let drained = async {
        while world.queue.depth(&KIND.queue()).await.unwrap() > 0
            || world.store.outbox_lag().await.unwrap().doorbells > 0
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, drained).await.expect("all doorbells are answered");
    world.probe.let_go(1);
    world.until(id, JobState::Completed).await;
    assert_eq!((world.outcomes(id).await, world.probe.running_max()), (vec!["completed".to_owned()], 1));
    for (stop, worker) in [one, two] {
        stop.cancel();
        worker.await.unwrap().unwrap();
    }
}
