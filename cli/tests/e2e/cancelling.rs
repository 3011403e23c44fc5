//! Changing one's mind.

use crate::database::ResultTable;
use crate::deployment::{Deployment, Peaceful};
use crate::pair::{Pair, rules};
use crate::project::{Job, Project};
use crate::wait::until;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// For a machine that is busy with other tests.
const SOON: Duration = Duration::from_secs(10);

/// What is promised, from the request to the end by the database's clock. The best of a few tries keeps it.
const PROMISED: TimeDelta = TimeDelta::seconds(2);
const TRIES: usize = 4;

#[test]
fn a_big_reconciliation_is_cancelled_within_seconds_and_leaves_no_rows() {
    let place = Peaceful::shared();
    let project = Project::of_somebody(&place.api.url);
    let (left, right) = Pair::make(7, 60_000).bring_into(&project);
    // A thousand million comparisons: minutes of all cores, were it not cancelled.
    let texts = ["description", "counterparty"];
    let everything_against_everything = json!({
        "version": 1,
        "threshold": 1,
        "pass": [{
            "name": "everything against everything",
            "amount": { "percent": "100" },
            "date": { "window_days": 3660 },
            "text": { "left": texts, "right": texts, "min": 1 },
        }],
    });
    let took: Vec<TimeDelta> = (0..TRIES)
        .map(|_| {
            let job = project.submit(&left, &right, &everything_against_everything);
            until("it matches", || {
                let seen = job.show();
                assert!(seen["state"] == "available" || seen["state"] == "running", "{seen}");
                let phase = seen["progress"]["phase"].as_str();
                phase.is_some_and(|phase| phase.starts_with("pass 1")).then_some(())
            });
            job.get("results").expect_problem(409);
            cancel(&job);
            assert_eq!(place.deployment.database.result_rows(job.id), 0);
            let seen = project.client.get(&format!("/api/jobs/{}", job.id)).expect(200);
            let at = |member: &str| seen[member].as_str().and_then(|at| at.parse::<DateTime<Utc>>().ok());
            let took =
                at("finished_at").expect("it ended") - at("cancel_requested_at").expect("it was asked");
            project.client.delete(&job.url).expect(204);
            project.client.get(&job.url).expect_problem(404);
            took
        })
        .collect();
    println!("ended after {took:?}");
    assert!(took.iter().min().is_some_and(|best| *best <= PROMISED), "{took:?}");
}

#[test]
fn a_job_that_is_writing_its_results_is_cancelled_within_seconds_and_leaves_no_rows() {
    let deployment = Deployment::create("cancel");
    let api = deployment.api();
    let (_scheduler, _worker) = (deployment.scheduler(), deployment.worker("worker", 1));
    let pair = Pair::make(11, 200);
    let project = Project::of_somebody(&api.url);
    let (left, right) = pair.bring_into(&project);
    let hold = deployment.database.hold(ResultTable::Exceptions);
    let job = project.submit(&left, &right, &rules());
    hold.wait_until_a_job_waits();
    cancel(&job);
    drop(hold);
    // The worker is free for others, and what it wrote is gone.
    let next = project.submit(&left, &right, &rules());
    pair.check(&next.wait_until_completed().summary());
    assert_eq!(deployment.database.result_rows(job.id), 0);
}

/// Cancels a job that runs its first attempt, and sees it end.
fn cancel(job: &Job) {
    let asked_at = Instant::now();
    assert_eq!(job.cancel().expect(202)["state"], "running");
    let seen = job.wait_for_end();
    println!("cancelled after {:?}", asked_at.elapsed());
    assert!(asked_at.elapsed() < SOON, "it took {:?}", asked_at.elapsed());
    assert_eq!((&seen["state"], &seen["summary"]), (&"cancelled".into(), &Value::Null), "{seen}");
    let outcomes: Vec<_> =
        seen["attempts"].as_array().expect("attempts").iter().map(|a| &a["outcome"]).collect();
    assert_eq!(outcomes, ["cancelled"]);
    for below in ["results", "exceptions", "rejected-lines", "summary", "results.csv"] {
        job.get(below).expect_problem(409);
    }
    // Asking again does no harm.
    assert_eq!(job.cancel().expect(202)["state"], "cancelled");
}
