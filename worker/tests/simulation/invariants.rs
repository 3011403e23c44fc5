//! What must be true after every step, and in the end.

use crate::workers::Worker;
use crate::world::{LEASE, RING_AGAIN, World};
use rand::rngs::SmallRng;
use shared::ids::JobId;
use shared::job::JobState;
use std::collections::BTreeMap;
use std::time::Duration;
use uuid::Uuid;

/// Rounds until nothing is open any more: a job may fail and wait a few times.
const ROUNDS_MAX: usize = 400;

#[derive(sqlx::FromRow)]
struct Seen {
    id: Uuid,
    state: JobState,
    attempt: i32,
    attempts_max: i32,
    fence: i64,
    /// Rows in `attempts`, and those without an end.
    leases: i64,
    open_leases: i64,
    newest_fence: i64,
    doorbells: i64,
    effects: i64,
    effect_of: Option<i64>,
    concurrency_key: Option<String>,
}

impl World {
    pub async fn check_invariants(&mut self, seed: u64) {
        let jobs: Vec<Seen> = sqlx::query_as(
            "SELECT job.id, job.state, job.attempt, job.attempts_max, job.fence, job.concurrency_key,
                    (SELECT count(*) FROM attempts WHERE job_id = job.id) AS leases,
                    (SELECT count(*) FROM attempts WHERE job_id = job.id AND finished_at IS NULL) AS open_leases,
                    (SELECT coalesce(max(fence), 0) FROM attempts WHERE job_id = job.id) AS newest_fence,
                    (SELECT count(*) FROM outbox WHERE job_id = job.id) AS doorbells,
                    (SELECT count(*) FROM effects WHERE job_id = job.id) AS effects,
                    (SELECT max(fence) FROM effects WHERE job_id = job.id) AS effect_of
             FROM jobs job",
        )
        .fetch_all(&self.pool)
        .await
        .expect("looking");
        let with_key =
            jobs.iter().filter(|job| job.state == JobState::Running && job.concurrency_key.is_some());
        assert!(with_key.count() <= 1, "seed {seed}: two jobs of one key run");
        let mut now: BTreeMap<JobId, Option<JobState>> = self.seen.keys().map(|id| (*id, None)).collect();
        for job in jobs {
            let says = |what: &str| format!("seed {seed}, job {} ({}): {what}", job.id, job.state);
            let id = JobId(job.id);
            let Some(before) = now.insert(id, Some(job.state)).map(|_| self.seen[&id]) else {
                panic!("{}", says("was never accepted"))
            };
            let before = before.unwrap_or_else(|| panic!("{}", says("came back after it was pruned")));
            assert!(
                before == job.state || before.may_become(job.state),
                "{}",
                says(&format!("was {before}"))
            );
            assert_eq!(job.leases, job.fence, "{}", says("each fence is one lease that is kept"));
            assert_eq!(job.newest_fence, job.fence, "{}", says("the newest lease has the fence"));
            let open = i64::from(job.state == JobState::Running);
            assert_eq!(job.open_leases, open, "{}", says("a lease is open while it runs, and only one"));
            assert!(job.attempt <= job.attempts_max, "{}", says("too many attempts"));
            let done = i64::from(job.state == JobState::Completed);
            assert_eq!(job.effects, done, "{}", says("its effect is there when it is completed, and once"));
            if done == 1 {
                assert_eq!(
                    job.effect_of,
                    Some(job.fence),
                    "{}",
                    says("the effect is that of the last lease")
                );
            }
            // Extra ones are harmless; an attempt that ends leaves at most one more.
            assert!(job.doorbells <= job.leases + 4, "{}", says("doorbells pile up"));
        }
        // What was accepted is in one of the states, or it has ended and was pruned.
        for (id, state) in &now {
            if state.is_none() {
                let before = self.seen[id];
                assert!(
                    before.is_none_or(JobState::is_final),
                    "seed {seed}, job {id}: gone while {before:?}"
                );
            }
        }
        self.seen = now;
    }

    /// Everybody is well again and time passes: whatever was lost must be found.
    pub async fn settle(&mut self, dice: &mut SmallRng, seed: u64) {
        for round in 0.. {
            assert!(round < ROUNDS_MAX, "seed {seed}: still open: {:?}", self.seen);
            // Those that sleep with an open transaction never wake: others must get past them.
            if round == 0 {
                self.workers.extend((10..12).map(Worker::new));
            }
            self.turn_clock(if round % 8 == 0 { RING_AGAIN + LEASE } else { Duration::from_secs(1) }).await;
            self.stage().await;
            self.check_invariants(seed).await;
            self.rescue().await;
            self.check_invariants(seed).await;
            self.ring_again().await;
            self.relay(dice).await;
            for _ in 0..4 {
                self.deliver(dice).await;
                self.check_invariants(seed).await;
                self.work(dice).await;
                self.check_invariants(seed).await;
            }
            if self.seen.values().flatten().all(|state| state.is_final()) {
                return;
            }
        }
    }

    /// Frozen workers come back last of all, with their old leases and their open transactions.
    pub async fn check_the_end(&mut self, seed: u64) {
        let mut dice = <SmallRng as rand::SeedableRng>::seed_from_u64(seed);
        self.workers.iter_mut().for_each(|worker| worker.frozen = false);
        for _ in 0..20 {
            self.work(&mut dice).await;
            self.check_invariants(seed).await;
        }
    }
}
