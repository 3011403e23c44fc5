//! `counterfoil jobs`: what an operator does at a shell on the server.

use crate::deployment::Deployment;
use crate::pair::{Pair, rules};
use crate::project::Project;
use crate::wait::until;

/// The cell of that column in the first row whose first cell begins so.
fn cell<'t>(table: &'t str, row: &str, column: usize) -> Option<&'t str> {
    table.lines().find(|line| line.starts_with(row))?.split_whitespace().nth(column)
}

#[test]
fn an_operator_finds_dead_jobs_and_has_them_start_over() {
    let deployment = Deployment::create("jobs").set("COUNTERFOIL_KINDS__RECONCILIATION__RETRY_BASE_MS", "1");
    let api = deployment.api();
    let _scheduler = deployment.scheduler();
    let project = Project::of_somebody(&api.url);
    let pair = Pair::make(3, 20);
    let (left, right) = pair.bring_into(&project);
    let jobs = |args: &[&str]| deployment.shell(&[&["jobs"], args].concat());

    // Nobody runs anything yet.
    let waiting = project.submit(&left, &right, &rules());
    let id = waiting.id.to_string();
    let why = jobs(&["explain", &id]);
    assert!(why.contains("no_worker") && why.contains("No worker that knows reconciliation"), "{why}");
    assert_eq!(cell(&jobs(&["list", "--state", "available"]), &id, 2), Some("available"));
    assert_eq!(cell(&jobs(&["cancel", &id]), &id, 1), Some("cancelled"));
    assert_eq!(cell(&jobs(&["balance"]), "unaccounted", 1), Some("0"));
    let shown = jobs(&["show", &id]);
    assert!(shown.contains("cancel_requested") && shown.contains("a shell"), "{shown}");

    // What its files say is gone.
    let dying = [project.submit(&left, &right, &rules()), project.submit(&left, &right, &rules())];
    let hidden = deployment.hide_objects();
    let _worker = deployment.worker("worker", 2);
    until("both are dead", || dying.iter().all(|job| job.state() == "dead").then_some(()));
    let groups = jobs(&["dead"]);
    let group = groups.lines().nth(1).expect("a group").to_owned();
    assert!(groups.lines().count() == 2 && group.split_whitespace().nth(1) == Some("2"), "{groups}");
    let fingerprint = group.split_whitespace().next().expect("a fingerprint").to_owned();

    hidden.put_back();
    let fit = jobs(&["redrive", "--fingerprint", &fingerprint]);
    assert!(fit.starts_with("2 jobs fit"), "{fit}");
    assert_eq!(dying[0].state(), "dead", "only counted");
    let done = jobs(&["redrive", "--fingerprint", &fingerprint, "--yes"]);
    assert!(done.starts_with("2 of 2 jobs changed"), "{done}");
    for job in &dying {
        pair.check(&job.wait_until_completed().summary());
    }
    let why = jobs(&["explain", &dying[0].id.to_string()]);
    assert!(why.contains("It completed at"), "{why}");
    let shown = jobs(&["show", &dying[0].id.to_string()]);
    assert!(shown.contains("re_driven"), "{shown}");
    assert_eq!(jobs(&["dead"]).lines().count(), 1, "the head of an empty table");
    assert_eq!(cell(&jobs(&["balance"]), "completed", 1), Some("2"));
}
