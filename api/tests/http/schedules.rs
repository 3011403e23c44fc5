//! Schedules: made, changed, paused, run, read; and every mistake in them named.

use crate::server::{Project, Server, id_of};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use shared::schedule::Timing;
use shared::store::projects::ProjectRole;

fn instant(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap_or_else(|| panic!("{value}")).parse().expect("an instant")
}

fn place(pointer: &str, code: &str) -> (String, String) {
    (pointer.to_owned(), code.to_owned())
}

#[tokio::test]
async fn a_project_schedule_is_made_shown_changed_paused_and_removed() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let jane = &project.client;
    let collection = format!("/api/projects/{}/schedules", project.id);
    let body = json!({
        "name": " Nightly ", "kind": "reconciliation", "cron": "30  2 * * *", "time_zone": "Europe/Berlin",
        "missed_runs": "skip", "priority": 7,
        "args": {"left_source_id": project.left, "right_source_id": project.right, "confidence_threshold": 0.75},
    });
    let answer = jane.post(&collection, &body).await.expect(201);
    let made = answer.json();
    let path = format!("/api/schedules/{}", id_of(&made));
    assert_eq!(answer.header("location"), path);
    assert_eq!(
        (&made["name"], &made["cron"], &made["version"]),
        (&json!("Nightly"), &json!("30 2 * * *"), &json!(1))
    );
    assert_eq!(
        (&made["missed_runs"], &made["paused"], &made["shipped"]),
        (&json!("skip"), &json!(false), &json!(false))
    );
    // What a submission leaves open is settled when the schedule is made.
    assert_eq!(made["args"]["name"], "bank.csv / ledger.csv");
    assert_eq!(made["args"]["rules"]["threshold"], 0.75);
    let next = Timing::parse("30 2 * * *", "Europe/Berlin").unwrap().next_after(Utc::now()).unwrap();
    assert_eq!(instant(&made["next_due_at"]), next);
    assert!(made["next_due_local"].as_str().unwrap().contains("T02:30:00+0"), "{made}");
    assert_eq!(jane.get(&path).await.expect(200).json(), made);

    let change = json!({"version": 1, "cron": "0 9 * * MON-FRI", "time_zone": "America/New_York", "missed_runs": "all"});
    let changed = jane.patch(&path, &change).await.expect(200).json();
    assert_eq!((&changed["version"], &changed["name"]), (&json!(2), &made["name"]));
    assert!(changed["next_due_local"].as_str().unwrap().contains("T09:00:00-0"), "{changed}");
    let problem = jane.patch(&path, &change).await.problem(409, "conflict");
    assert!(problem["detail"].as_str().unwrap().contains("version is 2"), "{problem}");
    // Shown args can be sent back.
    let back = json!({"version": 2, "args": changed["args"]});
    assert_eq!(jane.patch(&path, &back).await.expect(200).json()["args"], changed["args"]);

    let paused = jane.post(&format!("{path}/pause"), &json!({})).await.expect(200).json();
    assert_eq!((&paused["paused"], &paused["version"]), (&json!(true), &json!(4)));
    let again = jane.post(&format!("{path}/pause"), &json!({})).await.expect(200).json();
    assert_eq!(again, paused);
    let resumed = jane.post(&format!("{path}/resume"), &json!({})).await.expect(200).json();
    assert_eq!((&resumed["paused"], &resumed["paused_at"]), (&json!(false), &Value::Null));

    let list = jane.get(&collection).await.expect(200).json();
    assert_eq!((&list["items"][0]["id"], &list["items"][0]["last_outcome"]), (&made["id"], &Value::Null));
    jane.delete(&path).await.expect(204);
    jane.get(&path).await.problem(404, "not_found");
    jane.delete(&path).await.problem(404, "not_found");
}

#[tokio::test]
async fn every_mistake_is_named_with_its_place() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let collection = format!("/api/projects/{}/schedules", project.id);
    let post = async |body: Value| project.client.post(&collection, &body).await;
    let all = json!({
        "name": "", "kind": "clean_up", "cron": "0 24 * * *", "time_zone": "Europe/Berln", "missed_runs": "some",
        "priority": 10, "extra": 1, "paused": "no",
    });
    let answer = post(all.clone()).await.expect(422).json();
    let detail = |pointer: &str| -> String {
        let errors = answer["errors"].as_array().expect("errors");
        let found = errors
            .iter()
            .find(|error| error["pointer"] == pointer)
            .unwrap_or_else(|| panic!("{pointer}: {answer}"));
        found["detail"].as_str().expect("a sentence").to_owned()
    };
    assert_eq!(detail("#/cron"), "character 3: the hour must be 0 to 23, not `24`");
    assert_eq!(detail("#/time_zone"), "there is no such time zone; did you mean Europe/Berlin?");
    assert_eq!(detail("#/kind"), "what can be scheduled here: reconciliation");
    assert_eq!(
        post(all).await.mistakes(),
        [
            place("#/cron", "cron"),
            place("#/extra", "unknown_field"),
            place("#/kind", "unknown"),
            place("#/missed_runs", "choice"),
            place("#/name", "too_short"),
            place("#/paused", "type"),
            place("#/priority", "range"),
            place("#/time_zone", "time_zone"),
        ]
    );
    assert_eq!(
        post(json!({})).await.mistakes(),
        ["cron", "kind", "name", "time_zone"].map(|name| place(&format!("#/{name}"), "missing"))
    );
    let with_args = |args: Value, cron: &str| json!({"name": "x", "kind": "reconciliation", "cron": cron, "time_zone": "UTC", "args": args});
    assert_eq!(
        post(with_args(json!({"left_source_id": project.id, "right_source_id": 7}), "0 0 30 2 *"))
            .await
            .mistakes(),
        [
            place("#/args/left_source_id", "unknown"),
            place("#/args/right_source_id", "type"),
            place("#/cron", "never")
        ]
    );
    assert_eq!(
        post(with_args(json!({"priority": 1, "project_id": project.id}), "0 0 * * *")).await.mistakes(),
        [place("#/args/priority", "unknown_field"), place("#/args/project_id", "unknown_field")]
    );
    assert_eq!(post(with_args(json!([]), "0 0 * * *")).await.mistakes()[0], place("#/args", "type"));
    let id = project.schedule().await;
    let path = format!("/api/schedules/{id}");
    let taken = json!({"name": "NIGHTLY", "kind": "reconciliation", "cron": "0 2 * * *", "time_zone": "UTC",
        "args": {"left_source_id": project.left, "right_source_id": project.right}});
    assert_eq!(post(taken).await.mistakes(), [place("#/name", "taken")]);
    let wrong = json!({"cron": "0 0 30 2 *", "kind": "clean_up", "args": {"left_source_id": project.left}});
    assert_eq!(
        project.client.patch(&path, &wrong).await.mistakes(),
        [
            place("#/args/right_source_id", "missing"),
            place("#/cron", "never"),
            place("#/kind", "unknown_field"),
            place("#/version", "missing"),
        ]
    );
    assert_eq!(server.count("SELECT count(*) FROM schedules").await, 1, "nothing was stored");
}

#[tokio::test]
async fn a_run_now_and_a_due_time_make_reconciliations_and_are_in_the_history() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let id = project.schedule().await;
    let path = format!("/api/schedules/{id}");
    let woken = server.relay_wake.notified();
    let run = project.client.post(&format!("{path}/run"), &json!({})).await.expect(202);
    let job_id = run.json()["job_id"].as_str().expect("a job").to_owned();
    woken.await;
    let job = project.client.get(&format!("/api/reconciliation/jobs/{job_id}")).await.expect(200).json();
    assert_eq!((&job["name"], &job["state"]), (&json!("bank.csv / ledger.csv"), &json!("available")));
    let stored = server.store.job(job_id.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(stored.request_id.as_deref(), Some(run.header("x-request-id")));

    let schedule_id = id.parse().unwrap();
    let due = server.store.schedule(schedule_id).await.unwrap().unwrap().next_due_at.unwrap();
    for days in [0, 1] {
        server.store.tick_schedule(schedule_id, Some(due + TimeDelta::hours(25 * days))).await.unwrap();
    }
    let mut seen = vec![];
    let mut next = Some(format!("{path}/ticks?limit=2"));
    while let Some(page) = next {
        let page = project.client.get(&page).await.expect(200).json();
        seen.extend(page["items"].as_array().unwrap().clone());
        next = page["next"].as_str().map(str::to_owned);
    }
    let outcomes: Vec<_> = seen.iter().map(|tick| tick["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["fired", "fired", "run_now"]);
    assert_eq!((instant(&seen[1]["due_at"]), &seen[2]["job_id"]), (due, &json!(job_id)));
    assert_eq!(server.count("SELECT count(*) FROM reconciliations").await, 3);
    let list =
        project.client.get(&format!("/api/projects/{}/schedules", project.id)).await.expect(200).json();
    assert_eq!(list["items"][0]["last_outcome"], "fired");
    project.client.get(&format!("{path}/ticks?after=x")).await.expect(422);
}

#[tokio::test]
async fn next_times_are_shown_for_stored_and_unsaved_expressions() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let id = project.schedule().await;
    let now: DateTime<Utc> = "2026-03-27T12:00:00Z".parse().unwrap();
    server.clock.advance(now - server.clock.now());
    // Tokens are of their time too.
    let jane = server.log_in("jane").await;
    let next = jane.get(&format!("/api/schedules/{id}/next?count=3")).await.expect(200).json();
    let local: Vec<_> =
        next["items"].as_array().unwrap().iter().map(|time| time["local"].as_str().unwrap()).collect();
    assert_eq!(
        local,
        ["2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]
    );
    assert_eq!(next["names_times"], true);

    let preview = "/api/schedules/preview?cron=*%2F30%20*%20*%20*%20*&time_zone=Asia%2FKathmandu&count=2";
    let shown = jane.get(preview).await.expect(200).json();
    assert_eq!(shown["names_times"], false);
    assert_eq!(
        instant(&shown["items"][0]["due_at"]),
        "2026-03-27T12:15:00Z".parse::<DateTime<Utc>>().unwrap()
    );
    assert_eq!(shown["items"].as_array().unwrap().len(), 2);
    let never =
        jane.get("/api/schedules/preview?cron=0%200%2030%202%20*&time_zone=UTC").await.expect(200).json();
    assert_eq!(never["items"], json!([]));
    let wrong = jane.get("/api/schedules/preview?cron=x&time_zone=y&count=101").await;
    let mut expected = ["count", "cron", "time_zone"].map(|name| place(name, "value")).to_vec();
    expected.sort();
    assert_eq!(wrong.mistakes(), expected);
}

#[tokio::test]
async fn the_systems_schedules_are_its_administrators() {
    let server = Server::start().await;
    let root = server.log_in_as_platform_admin("root").await;
    let jane = server.log_in_as("jane").await;
    server.store.offer_shipped_schedules(false, None).await.unwrap();
    let page = root.get("/api/schedules").await.expect(200).json();
    let path = format!("/api/schedules/{}", id_of(&page["items"][0]));
    let shipped = root.get(&path).await.expect(200).json();
    assert_eq!(
        (&shipped["name"], &shipped["shipped"], &shipped["project_id"]),
        (&json!("Daily clean-up"), &json!(true), &Value::Null)
    );
    for below in ["", "/next", "/ticks"] {
        jane.get(&format!("{path}{below}")).await.problem(404, "not_found");
    }
    jane.get("/api/schedules").await.problem(404, "not_found");
    jane.post(&format!("{path}/run"), &json!({})).await.problem(404, "not_found");

    let body = json!({"name": "Twice", "kind": "clean_up", "cron": "0 4,16 * * *", "time_zone": "UTC", "paused": true});
    let made = root.post("/api/schedules", &body).await.expect(201).json();
    assert_eq!(
        (&made["paused"], &made["priority"], &made["missed_runs"]),
        (&json!(true), &json!(3), &json!("once"))
    );
    let mut wrong = body.clone();
    wrong["args"] = json!({"depth": 1});
    wrong["kind"] = json!("reconciliation");
    assert_eq!(root.post("/api/schedules", &wrong).await.mistakes(), [place("#/kind", "unknown")]);
    wrong["kind"] = json!("clean_up");
    assert_eq!(
        root.post("/api/schedules", &wrong).await.mistakes(),
        [place("#/args/depth", "unknown_field")]
    );
}

#[tokio::test]
async fn viewers_read_schedules_and_operators_change_them() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let path = format!("/api/schedules/{}", project.schedule().await);
    let john = server.register("john").await;
    let client = server.log_in("john").await;
    let project_id = project.id.parse().unwrap();
    server.store.set_project_member(project_id, john, ProjectRole::Viewer).await.unwrap();
    client.get(&path).await.expect(200);
    client.get(&format!("{path}/ticks")).await.expect(200);
    client.post(&format!("{path}/run"), &json!({})).await.problem(403, "forbidden");
    client.post(&format!("{path}/pause"), &json!({})).await.problem(403, "forbidden");
    client.patch(&path, &json!({"version": 1, "priority": 1})).await.problem(403, "forbidden");
    client.delete(&path).await.problem(403, "forbidden");
    server.store.set_project_member(project_id, john, ProjectRole::Operator).await.unwrap();
    client.patch(&path, &json!({"version": 1, "priority": 1})).await.expect(200);
    client.delete(&path).await.expect(204);
}
