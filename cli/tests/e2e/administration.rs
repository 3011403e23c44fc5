//! An operator at a shell: queues and limits change under running processes.

use crate::deployment::Deployment;
use crate::pair::{Pair, rules};
use crate::project::Project;

#[test]
fn a_queue_is_paused_and_limited_from_a_shell_while_everything_runs() {
    let deployment = Deployment::create("administration");
    let api = deployment.api();
    let (_scheduler, _worker) = (deployment.scheduler(), deployment.worker("worker", 2));
    let pair = Pair::make(5, 50);
    let project = Project::of_somebody(&api.url);
    let (left, right) = pair.bring_into(&project);
    project.submit(&left, &right, &rules()).wait_until_completed();

    deployment.shell(&["queues", "pause", "reconciliation", "--reason", "the bank is down"]);
    let waiting = project.submit(&left, &right, &rules());
    let shown = deployment.shell(&["queues", "list"]);
    let line = shown.lines().find(|line| line.starts_with("reconciliation")).expect("the queue");
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words[1..4], ["1", "0", "0"], "{shown}");
    assert!(line.ends_with(": the bank is down"), "{shown}");

    // Still nothing starts when it is resumed, as long as there is no place.
    deployment.shell(&["limits", "set", "kind", "reconciliation", "0"]);
    deployment.shell(&["queues", "resume", "reconciliation"]);
    assert_eq!(waiting.state(), "available");
    let limits = deployment.shell(&["limits", "list"]);
    assert!(
        limits.lines().any(|l| l.split_whitespace().take(3).eq(["kind", "reconciliation", "0"])),
        "{limits}"
    );
    deployment.shell(&["limits", "remove", "kind", "reconciliation"]);
    pair.check(&waiting.wait_until_completed().summary());
    let scaling = project.client.get("/api/queues/reconciliation/scaling").expect(200);
    assert_eq!((&scaling["depth"], &scaling["desired_replicas"]), (&0.into(), &0.into()), "{scaling}");
}
