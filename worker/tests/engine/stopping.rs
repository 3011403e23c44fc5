//! Cancelling, losing a lease, and leaving.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_running_job_is_cancelled_within_seconds() {
    let world = World::new().await;
    let mut engine = world.engine("a");
    engine.lease_duration = Duration::from_secs(30);
    let _worker = world.start(engine);
    let id = world.accept("holds").await;
    world.probe.until_running(1).await;
    let asked_at = std::time::Instant::now();
    world.store.request_cancel(id).await.unwrap();
    world.until(id, JobState::Cancelled).await;
    assert!(asked_at.elapsed() < Duration::from_secs(10), "{:?}", asked_at.elapsed());
    assert_eq!(world.outcomes(id).await, ["cancelled"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_listen_is_dropped_when_cancelled() {
    let world = World::new().await;
    let mut engine = world.engine("a");
    engine.lease_duration = Duration::from_secs(30);
    let _worker = world.start(engine);
    let id = world.accept("writes").await;
    sqlx::query("CREATE TABLE written (job_id uuid, fence bigint)")
        .execute(world.store.pool())
        .await
        .unwrap();
    world.until(id, JobState::Running).await;
    world.store.request_cancel(id).await.unwrap();
    // Either the body had no table yet and failed, or it holds at the gate and is dropped: cancelled both ways.
    world.until(id, JobState::Cancelled).await;
    let written: i64 =
        sqlx::query_scalar("SELECT count(*) FROM written").fetch_one(world.store.pool()).await.unwrap();
    assert_eq!(written, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_body_wrote_dies_with_its_lease() {
    let world = World::new().await;
    sqlx::query("CREATE TABLE written (job_id uuid, fence bigint)")
        .execute(world.store.pool())
        .await
        .unwrap();
    let _one = world.start(world.engine("a"));
    let id = world.accept("writes").await;
    world.probe.until_running(1).await;
    // As if the worker had slept: somebody else is given the job while the first one still holds its transaction.
    sqlx::query("UPDATE jobs SET fence = fence + 1, lease_worker = 'b' WHERE id = $1")
        .bind(id)
        .execute(world.store.pool())
        .await
        .unwrap();
    world.probe.let_go(1);
    let gone = async {
        while world.probe.running() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("the body ends");
    let written = || async {
        let rows: Vec<i64> = sqlx::query_scalar("SELECT fence FROM written ORDER BY fence")
            .fetch_all(world.store.pool())
            .await
            .unwrap();
        rows
    };
    assert_eq!(written().await, Vec::<i64>::new(), "refused");
    // "b" never renews; the rescuer gives the job back, and the attempt after that is the one that counts.
    world.probe.let_go(1);
    world.until(id, JobState::Completed).await;
    assert_eq!(written().await, [3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_worker_finishes_what_it_runs_and_takes_nothing_new() {
    let world = World::new().await;
    let (stop, worker) = world.start(world.engine("a"));
    let running = world.accept("holds").await;
    world.probe.until_running(1).await;
    stop.cancel();
    let late = world.accept("succeeds").await;
    world.probe.let_go(1);
    worker.await.unwrap().unwrap();
    assert_eq!(world.outcomes(running).await, ["completed"]);
    assert_eq!(world.state(late).await, JobState::Available);
    // The next one finds it.
    let _next = world.start(world.engine("b"));
    world.until(late, JobState::Completed).await;
}

/// Until the worker of that name says whether it drains.
async fn until_draining(world: &World, name: &str, is_draining: bool) {
    let said = async {
        loop {
            let seen = world.store.workers(10).await.unwrap();
            if seen.iter().any(|worker| worker.name == name && worker.is_draining == is_draining) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, said).await.expect("the worker hears of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_asked_to_drain_finishes_takes_nothing_new_and_takes_jobs_again() {
    let world = World::new().await;
    let (stop, worker) = world.start(world.engine("a"));
    let running = world.accept("holds").await;
    world.probe.until_running(1).await;
    assert!(world.store.drain_worker("a", "somebody").await.unwrap());
    until_draining(&world, "a", true).await;
    // It has three free slots, and the queue has a doorbell.
    let late = world.accept("succeeds").await;
    world.probe.let_go(1);
    world.until(running, JobState::Completed).await;
    // Another worker is there at once for what this one left: so it was there to be taken.
    let after = world.start(world.engine("b"));
    world.until(late, JobState::Completed).await;
    let by: Vec<String> = sqlx::query_scalar("SELECT worker FROM attempts WHERE job_id = $1")
        .bind(late)
        .fetch_all(world.store.pool())
        .await
        .unwrap();
    assert_eq!(by, ["b"]);
    after.0.cancel();
    after.1.await.unwrap().unwrap();
    assert!(world.store.let_worker_take_jobs("a").await.unwrap());
    let again = world.accept("succeeds").await;
    world.until(again, JobState::Completed).await;
    until_draining(&world, "a", false).await;
    stop.cancel();
    worker.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_worker_can_still_be_stopped() {
    let world = World::new().await;
    let (stop, worker) = world.start(world.engine("a"));
    until_draining(&world, "a", false).await;
    assert!(world.store.drain_worker("a", "somebody").await.unwrap());
    until_draining(&world, "a", true).await;
    stop.cancel();
    worker.await.unwrap().unwrap();
    assert!(world.store.workers(10).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_finish_in_time_is_handed_back_uncounted() {
    let world = World::new().await;
    let mut engine = world.engine("a");
    engine.drain = Duration::from_millis(10);
    let (stop, worker) = world.start(engine);
    let id = world.accept("holds").await;
    world.probe.until_running(1).await;
    stop.cancel();
    worker.await.unwrap().unwrap();
    assert_eq!(world.outcomes(id).await, ["handed_back"]);
    world.probe.let_go(1);
    let _next = world.start(world.engine("b"));
    world.until(id, JobState::Completed).await;
    assert_eq!(world.store.job(id).await.unwrap().unwrap().attempt, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_share_and_each_keeps_to_its_slots() {
    let world = World::new().await;
    let mut ids = vec![];
    for _ in 0..12 {
        ids.push(world.accept("holds").await);
    }
    let one = world.start(world.engine("a"));
    let two = world.start(world.engine("b"));
    world.probe.until_running(8).await;
    assert_eq!(world.probe.running(), 8, "four each");
    world.probe.let_go(12);
    for &id in &ids {
        world.until(id, JobState::Completed).await;
    }
    let mut workers = vec![];
    for id in ids {
        workers.extend(world.store.attempts(id).await.unwrap().into_iter().map(|a| a.worker));
    }
    workers.sort();
    workers.dedup();
    assert_eq!(workers, ["a", "b"]);
    for (stop, worker) in [one, two] {
        stop.cancel();
        worker.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_refuses_kinds_it_has_no_body_for() {
    let world = World::new().await;
    let engine = world.engine("a");
    let other = JobKind::from_static("other");
    let refused = engine.run(&[other], CancellationToken::new()).await;
    assert!(matches!(refused, Err(EngineError::UnknownKind(_))));
}
