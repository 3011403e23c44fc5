//! A thousand jobs and the death of a worker.

use crate::crowd::Crowd;
use crate::deployment::Deployment;
use crate::pair::Pair;
use crate::wait::until;

const JOBS: usize = 1_000;

#[test]
fn a_thousand_jobs_of_mixed_size_end_once_although_a_worker_is_killed() {
    let deployment = Deployment::create("many-jobs");
    let api = deployment.api();
    let _scheduler = deployment.scheduler();
    let mut killed = deployment.worker("worker-1", 2);
    let _second = deployment.worker("worker-2", 2);
    let sizes = [(1, 20), (2, 20), (3, 200), (4, 2_000)];
    let crowd = Crowd::over(&api, sizes.map(|(seed, rows)| Pair::make(seed, rows)));
    let database = &deployment.database;

    let (held, _third) = std::thread::scope(|scope| {
        // Of twenty jobs one is large and five are of medium size.
        scope.spawn(|| {
            crowd.submit(0..JOBS, |number| match number % 20 {
                0 => 3,
                1 | 5 | 9 | 13 | 17 => 2,
                other => other % 2,
            });
        });
        until("a third is done", || (database.completed() >= JOBS as i64 / 3).then_some(()));
        let held = until("worker-1 runs something", || {
            let pid = killed.pid();
            let held = database.while_leases_are_held(pid, |held| {
                if !held.is_empty() {
                    killed.kill_9();
                }
            });
            (!held.is_empty()).then_some(held)
        });
        until("half is done", || (database.completed() >= JOBS as i64 / 2).then_some(()));
        (held, deployment.worker("worker-3", 2))
    });

    crowd.check(JOBS, database);
    let of_killed = format!("-{}-", killed.pid());
    for job in held {
        let attempts = database.attempts(job);
        let ended =
            |nth: usize| (attempts[nth].worker.contains(&of_killed), attempts[nth].outcome.as_deref());
        assert_eq!(ended(0), (true, Some("lease_expired")), "{attempts:?}");
        assert_eq!(ended(attempts.len() - 1), (false, Some("completed")), "{attempts:?}");
    }
}
