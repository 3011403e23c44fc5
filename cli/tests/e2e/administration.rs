//! An operator at a shell: queues, limits and accounts change under running processes.

use crate::client::Client;
use crate::deployment::Deployment;
use crate::pair::{Pair, rules};
use crate::process::run;
use crate::project::Project;
use crate::wait::until;
use serde_json::json;

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

#[test]
fn an_account_is_shut_opened_and_given_a_new_password_from_a_shell() {
    let deployment = Deployment::create("accounts");
    let api = deployment.api();
    let client = Client::registered(&api.url);
    let me = client.get("/api/auth/me").expect(200);
    let email = me["email"].as_str().expect("an address");
    let listed = || deployment.shell(&["users", "list", "--text", &email.to_uppercase()]);
    assert!(listed().lines().count() == 2 && !listed().contains("shut"), "{}", listed());
    deployment.shell(&["users", "disable", email]);
    assert!(listed().lines().any(|line| line.ends_with("shut")), "{}", listed());
    // The API hears of it from the database.
    until("the end of the session", || (client.get("/api/auth/me").status == 401).then_some(()));
    deployment.shell(&["users", "enable", email]);
    deployment.shell(&["users", "require-password-change", email]);
    let token = deployment.shell(&["users", "reset-password", email]);
    let new = "another long password";
    let reset = json!({"token": token.trim(), "new_password": new});
    client.post("/api/auth/password-reset", &reset).expect(204);
    Client::new(&api.url).logged_in(email, new).get("/api/auth/me").expect(200);

    // Whoever administers the platform alone cannot be shut out.
    let mut add = deployment.command(&["users", "add", "--email", "root@example.com", "--name", "Root"]);
    add.args(["--platform-admin", "--random-password"]);
    run(add);
    let refused = deployment.command(&["users", "disable", "root@example.com"]).output().expect("it runs");
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("the last who can administer"), "{refused:?}");
    let limit =
        deployment.command(&["limits", "set", "kind", "reconciliaton", "1"]).output().expect("it runs");
    assert!(String::from_utf8_lossy(&limit.stderr).contains("there is no such kind of jobs"), "{limit:?}");
}
