//! What is said about a job while the services it needs come and go.

use crate::database::ResultTable;
use crate::deployment::Deployment;
use crate::pair::{Pair, rules};
use crate::project::Project;
use crate::wait::until;
use serde_json::Value;
use shared::testing::{PrivateRabbitMq, test_dir};

#[test]
fn a_job_says_at_each_moment_what_it_waits_for() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut broker = runtime.block_on(PrivateRabbitMq::start(test_dir("explaining")));
    let deployment = Deployment::with_broker("explaining", &broker.url());
    let api = deployment.api();
    let project = Project::of_somebody(&api.url);
    let (left, right) = Pair::make(3, 20).bring_into(&project);
    let job = project.submit(&left, &right, &rules());
    let explained = || project.client.get(&format!("/api/jobs/{}/explain", job.id)).expect(200);
    let words = |explained: &Value| -> Vec<String> {
        let reasons = explained["reasons"].as_array().expect("reasons");
        reasons.iter().map(|reason| reason["reason"].as_str().expect("a word").to_owned()).collect()
    };
    let until_words = |expected: &[&str]| {
        let mut seen = Value::Null;
        until(&format!("it says {expected:?}"), || {
            seen = explained();
            (words(&seen) == expected).then_some(())
        });
        seen
    };
    until_words(&["no_worker", "waits_its_turn"]);

    broker.kill_9();
    let _scheduler = deployment.scheduler();
    let away = until_words(&["no_worker", "broker_away"]);
    assert!(away["reasons"][1]["detail"].is_string(), "{away}");

    runtime.block_on(broker.restart());
    until_words(&["no_worker", "doorbell_unanswered"]);

    let hold = deployment.database.hold(ResultTable::Exceptions);
    let mut worker = deployment.worker("worker", 1);
    hold.wait_until_a_job_waits();
    let leased = until_words(&["leased"]);
    let name = leased["reasons"][0]["worker"].as_str().expect("a name").to_owned();
    assert!(name.contains(&format!("-{}-", worker.pid())), "{name}");
    let live = "SELECT count(*) FROM workers WHERE heartbeat_at > now() - interval '16 seconds'";
    assert_eq!(deployment.database.count(live), 1);

    worker.signal(libc::SIGSTOP);
    // Its lease is taken back, and nobody is there to take it on.
    until("the lease has run out", || (words(&explained()) != ["leased"]).then_some(()));
    worker.signal(libc::SIGCONT);
    drop(hold);
    job.wait_for_end();
    until_words(&["completed"]);
    assert!(worker.stop(libc::SIGTERM).success());
    assert_eq!(deployment.database.count("SELECT count(*) FROM workers"), 0, "it said goodbye");
}
