//! What can happen to a broker while jobs run. No message of it is precious.

use crate::crowd::Crowd;
use crate::database::Database;
use crate::deployment::Deployment;
use crate::pair::Pair;
use crate::wait::until;
use shared::testing::{PrivateRabbitMq, test_dir};

const JOBS_EACH: usize = 100;

#[test]
fn no_job_is_lost_with_connections_messages_or_the_whole_broker() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut broker = runtime.block_on(PrivateRabbitMq::start(test_dir("broker")));
    let deployment = Deployment::with_broker("broker-trouble", &broker.url());
    let api = deployment.api();
    let _scheduler = deployment.scheduler();
    let _workers = ["worker-1", "worker-2"].map(|name| deployment.worker(name, 1));
    let crowd = Crowd::over(&api, [(1, 20), (2, 200), (3, 600)].map(|(seed, rows)| Pair::make(seed, rows)));
    let database = &deployment.database;

    let mut submitted = 0;
    let mut during = |trouble: &mut dyn FnMut()| {
        let jobs = submitted..submitted + JOBS_EACH;
        submitted = jobs.end;
        std::thread::scope(|scope| {
            scope.spawn(|| crowd.submit(jobs.clone(), |number| [0, 1, 2][number % 3]));
            until("jobs run and their doorbells are with the broker", || {
                let done = database.completed() >= jobs.start as i64 + 5;
                (done && doorbells_in_broker(database) >= 10).then_some(())
            });
            trouble();
        });
        // So that the next trouble finds doorbells of its own.
        until("the jobs are done", || (database.completed() == jobs.end as i64).then_some(()));
    };
    during(&mut || runtime.block_on(broker.close_all_connections()));
    during(&mut || runtime.block_on(broker.restart()));
    during(&mut || {
        broker.kill_9();
        assert!(doorbells_in_broker(database) > 0, "doorbells are lost with the disk");
        broker.wipe();
        runtime.block_on(broker.restart());
    });
    crowd.check(3 * JOBS_EACH, database);
}

/// Of jobs that wait and whose doorbell has left the outbox: the broker alone knows of those.
fn doorbells_in_broker(database: &Database) -> i64 {
    database.count(
        "SELECT count(*) FROM jobs WHERE state = 'available'
           AND NOT EXISTS (SELECT FROM outbox WHERE outbox.job_id = jobs.id)",
    )
}
