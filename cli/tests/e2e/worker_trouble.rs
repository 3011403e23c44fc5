//! Workers that freeze, come back, and leave. The moment is held still by a lock on the tables that they write.

use crate::database::{Attempt, ResultTable};
use crate::deployment::{Api, Deployment};
use crate::pair::{Pair, rules};
use crate::process::Process;
use crate::project::{Job, Project, number};
use std::time::Duration;

/// A lease of 5 s, a period of the rescuer, and the job itself: seconds on an idle machine.
const TAKE_OVER_MAX: Duration = Duration::from_secs(90);

struct Place {
    _scheduler: Process,
    project: Project,
    pair: Pair,
    sources: (String, String),
}

impl Place {
    fn in_front_of(deployment: &Deployment, api: &Api) -> Self {
        let (project, pair) = (Project::of_somebody(&api.url), Pair::make(5, 200));
        let sources = pair.bring_into(&project);
        Self { _scheduler: deployment.scheduler(), project, pair, sources }
    }

    fn submit(&self) -> Job {
        self.project.submit(&self.sources.0, &self.sources.1, &rules())
    }

    #[track_caller]
    fn check_completed(&self, job: &Job) {
        let seen = job.wait_for_end_within(TAKE_OVER_MAX);
        assert_eq!(seen["state"], "completed", "{seen}");
        self.pair.check(&job.summary());
    }
}

/// The attempts' outcomes and workers: `lease_expired` by the worker with the first of the process ids, …
#[track_caller]
fn check_attempts(attempts: &[Attempt], expected: &[(&str, &Process)]) {
    let outcomes: Vec<_> =
        attempts.iter().map(|attempt| attempt.outcome.as_deref().unwrap_or("running")).collect();
    assert_eq!(outcomes, expected.iter().map(|(outcome, _)| *outcome).collect::<Vec<_>>());
    for (attempt, (_, process)) in attempts.iter().zip(expected) {
        assert!(attempt.worker.contains(&format!("-{}-", process.pid())), "{attempts:?}");
    }
}

#[test]
fn a_worker_that_freezes_loses_its_job_and_later_its_results() {
    let deployment = Deployment::create("freeze");
    let api = deployment.api();
    let place = Place::in_front_of(&deployment, &api);
    let mut frozen = deployment.worker("worker-frozen", 1);
    let database = &deployment.database;

    let hold = database.hold(ResultTable::Matches);
    let job = place.submit();
    hold.wait_until_a_job_waits();
    frozen.signal(libc::SIGSTOP);
    drop(hold);
    let mut other = deployment.worker("worker-other", 1);
    place.check_completed(&job);
    let attempts = database.attempts(job.id);
    check_attempts(&attempts, &[("lease_expired", &frozen), ("completed", &other)]);
    let rows = database.result_rows(job.id);

    frozen.signal(libc::SIGCONT);
    frozen.wait_for_log("the lease is lost; nothing of this attempt was kept");
    assert_eq!(database.attempts(job.id), attempts);
    assert_eq!(database.result_rows(job.id), rows);
    let summary = job.summary();
    place.pair.check(&summary);
    assert_eq!(rows, number(&summary, "matches") + number(&summary, "exceptions"));

    // It is none the worse for it.
    assert!(other.stop(libc::SIGTERM).success());
    let next = place.submit();
    place.check_completed(&next);
    check_attempts(&database.attempts(next.id), &[("completed", &frozen)]);
}

#[test]
fn a_worker_that_freezes_while_it_writes_does_not_hold_up_the_next_one() {
    let deployment = Deployment::create("freeze-writing");
    let api = deployment.api();
    let place = Place::in_front_of(&deployment, &api);
    let frozen = deployment.worker("worker-frozen", 1);
    let database = &deployment.database;

    // Its matches are in the table by then, and not committed.
    let hold = database.hold(ResultTable::Exceptions);
    let job = place.submit();
    hold.wait_until_a_job_waits();
    frozen.signal(libc::SIGSTOP);
    drop(hold);
    let other = deployment.worker("worker-other", 1);
    place.check_completed(&job);
    check_attempts(&database.attempts(job.id), &[("lease_expired", &frozen), ("completed", &other)]);
}

#[test]
fn a_worker_that_is_told_to_stop_finishes_what_it_runs() {
    let deployment = Deployment::create("drain");
    let api = deployment.api();
    let place = Place::in_front_of(&deployment, &api);
    let mut worker = deployment.worker("worker", 1);
    let database = &deployment.database;

    let hold = database.hold(ResultTable::Matches);
    let job = place.submit();
    hold.wait_until_a_job_waits();
    worker.signal(libc::SIGTERM);
    worker.wait_for_log("stopping; once more to stop at once");
    // Nobody is left to take this one.
    let next = place.submit();
    assert_eq!(job.state(), "running");
    drop(hold);

    assert!(worker.wait_for_end().success());
    place.check_completed(&job);
    check_attempts(&database.attempts(job.id), &[("completed", &worker)]);
    assert_eq!((next.state().as_str(), database.attempts(next.id)), ("available", vec![]));

    let successor = deployment.worker("successor", 1);
    place.check_completed(&next);
    check_attempts(&database.attempts(next.id), &[("completed", &successor)]);
}
