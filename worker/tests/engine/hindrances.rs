//! What keeps a job from running: pauses, limits, a kind nobody here knows, and too little time.

use super::*;
use shared::limits::{LimitName, LimitScope};

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_queue_waits_and_goes_on_where_it_was() {
    let world = World::new().await;
    let _worker = world.start(world.engine("a"));
    let running = world.accept("holds").await;
    world.probe.until_running(1).await;
    world.store.pause_queue(&KIND.queue(), "a test", "test").await.unwrap();
    let waiting = world.accept("succeeds").await;
    world.probe.let_go(1);
    world.until(running, JobState::Completed).await;
    assert_eq!(world.state(waiting).await, JobState::Available);
    assert!(world.outcomes(waiting).await.is_empty());
    world.store.resume_queue(&KIND.queue()).await.unwrap();
    world.until(waiting, JobState::Completed).await;
    assert_eq!(world.outcomes(waiting).await, ["completed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_together_keep_to_a_limit_and_use_all_of_it() {
    let world = World::new().await;
    let name = LimitName::parse(LimitScope::Kind, KIND.as_str()).unwrap();
    world.store.set_limit(LimitScope::Kind, &name, 3, "test").await.unwrap();
    let mut ids = vec![];
    for _ in 0..12 {
        ids.push(world.accept("holds").await);
    }
    let workers: Vec<_> = (0..4).map(|n| world.start(world.engine(&format!("w{n}")))).collect();
    world.probe.until_running(3).await;
    // Each that goes makes room for one: all come through, never more than three at once.
    world.probe.let_go(12);
    for &id in &ids {
        world.until(id, JobState::Completed).await;
        assert_eq!(world.outcomes(id).await, ["completed"], "nothing was counted for waiting");
    }
    assert_eq!(world.probe.running_max(), 3);
    for (stop, worker) in workers {
        stop.cancel();
        worker.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_that_this_worker_does_not_know_is_given_back_for_a_while() {
    let world = World::new().await;
    let id = world.accept("succeeds").await;
    // As a newer version would have put it here.
    sqlx::query("UPDATE jobs SET kind = 'newer' WHERE id = $1")
        .bind(id)
        .execute(world.store.pool())
        .await
        .unwrap();
    let (stop, worker) = world.start(world.engine("old"));
    world.until(id, JobState::Scheduled).await;
    let job = world.store.job(id).await.unwrap().unwrap();
    assert_eq!(job.attempt, 0, "not counted");
    assert!(job.due_at > chrono::Utc::now() + chrono::TimeDelta::seconds(10), "and not at once again");
    assert_eq!(world.outcomes(id).await, ["snoozed"]);
    assert!(world.error(id).await.contains("newer"), "{}", world.error(id).await);
    stop.cancel();
    worker.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_told_of_its_time_limit_before_it_is_dropped() {
    let world = World::new().await;
    let _worker = world.start(world.engine_with_limit("a", Duration::from_millis(300)));
    // It listens, so it ends by itself.
    let listens = world.accept("holds").await;
    world.until(listens, JobState::Dead).await;
    assert_eq!(world.outcomes(listens).await, ["retried", "retried", "dead"]);
    assert_eq!(world.probe.dropped_midway(), 0);
    assert_eq!(world.error(listens).await, "took longer than its time limit of 300ms");
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_cannot_be_ended_ends_the_worker_after_its_neighbours() {
    let world = World::new().await;
    let (_stop, worker) = world.start(world.engine("a"));
    let deaf = world.accept("loops deaf").await;
    let neighbour = world.accept("holds").await;
    world.probe.until_running(2).await;
    world.store.request_cancel(deaf).await.unwrap();
    // The attempt is over for everybody else.
    world.until(deaf, JobState::Cancelled).await;
    let tell = world.probe.clone();
    let store = world.store.clone();
    let ended = async {
        // Told to drain, it still finishes what runs.
        while store.job(neighbour).await.unwrap().unwrap().state == JobState::Running {
            tell.let_go(1);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        worker.await.unwrap()
    };
    let ended = tokio::time::timeout(PATIENCE, ended).await.expect("the worker gives itself up");
    world.probe.free_the_loops();
    assert!(matches!(ended, Err(EngineError::Stuck)), "{ended:?}");
    assert_eq!(world.state(neighbour).await, JobState::Completed);
}
