//! Schedules from a shell: made, shown, run, and fired by a scheduler process.

use crate::database::Database;
use crate::deployment::Deployment;
use crate::process::counterfoil;
use crate::wait::until;
use std::process::Output;

fn schedules(database: &Database, args: &[&str]) -> Output {
    let mut command = counterfoil();
    command.env("COUNTERFOIL_DATABASE__URL", database.url()).arg("schedules").args(args);
    command.output().expect("the executable runs")
}

/// What it prints when it succeeds.
#[track_caller]
fn told(database: &Database, args: &[&str]) -> String {
    let output = schedules(database, args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// What it says when it fails.
#[track_caller]
fn refused(database: &Database, args: &[&str]) -> String {
    let output = schedules(database, args);
    assert_eq!(output.status.code(), Some(1), "{args:?}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).expect("UTF-8")
}

#[test]
fn schedules_are_managed_from_a_shell_and_fire() {
    let deployment = Deployment::create("schedules");
    let database = &deployment.database;
    let told = |args: &[&str]| told(database, args);
    let refused = |args: &[&str]| refused(database, args);

    let next = ["next", "--cron", "30 2 * * *", "--time-zone", "Europe/Berlin", "--count", "400"];
    let times = told(&next);
    assert_eq!(times.lines().count(), 400);
    assert!(times.contains("T03:00:00+02:00"), "the day that has no half past two");

    let all = ["add", "--name", "x", "--kind", "y", "--cron", "0 24 * * *", "--time-zone", "Europe/Berln"];
    let says = refused(&all);
    for part in [
        "cron: character 3: the hour",
        "did you mean Europe/Berlin?",
        "kind: what can be scheduled here: clean_up",
    ] {
        assert!(says.contains(part), "{says}");
    }
    assert!(told(&["list"]).lines().count() == 1, "a heading alone");

    let add = [
        "add",
        "--name",
        "Often",
        "--kind",
        "clean_up",
        "--cron",
        "* * * * * *",
        "--missed-runs",
        "skip",
        "--paused",
    ];
    let made = told(&add);
    let id = made.split_whitespace().next().expect("an id").to_owned();
    assert!(refused(&add).contains("there is a schedule of this name"));
    assert!(told(&["list"]).contains("paused"));
    let job = told(&["run", "often"]);
    assert!(told(&["show", &id]).contains(job.trim()), "the run is in the history");
    assert!(refused(&["show", "never"]).contains("the system has no schedule \"never\""));

    let _scheduler = deployment.scheduler();
    let _worker = deployment.worker_of("worker", "clean_up", 2);
    until("the scheduler notes that it is paused", || {
        told(&["show", "Often"]).contains("skipped_paused").then_some(())
    });
    until("the scheduler stores what is shipped", || {
        told(&["list"]).contains("Daily clean-up").then_some(())
    });
    assert!(told(&["resume", "Often"]).contains("is not paused"));
    let completed = "SELECT count(*) FROM jobs JOIN schedule_ticks ON job_id = id
                     WHERE kind = 'clean_up' AND state = 'completed' AND outcome = 'fired'";
    until("two runs are done", || (database.count(completed) >= 2).then_some(()));
    assert!(told(&["pause", "Often"]).contains("is paused"));
    told(&["remove", "Often"]);
    assert!(refused(&["remove", "Often"]).contains("no schedule"));
}
