//! Jobs of any kind, as their owners and operators see them.

use crate::client::Client;
use crate::server::{Project, Server, id_of};
use serde_json::{Value, json};
use shared::ids::JobId;
use shared::job::JobState;
use shared::store::Store;
use shared::store::jobs::{Finish, release};
use std::time::Duration;

async fn end(store: &Store, id: JobId, finish: Finish) {
    let lease =
        store.acquire(id, "worker-a", Duration::from_secs(30)).await.expect("asked").expect("available");
    let mut tx = store.begin().await.expect("begun");
    release(&mut tx, &lease, &finish).await.expect("released");
    tx.commit().await.expect("committed");
}

async fn dead(server: &Server, project: &Project, error: &str) -> JobId {
    let id = project.submit().await;
    end(&server.store, id, Finish::Dead { error: error.into() }).await;
    id
}

async fn ids(client: &Client, path: &str) -> Vec<String> {
    let page = client.get(path).await.expect(200).json();
    page["items"].as_array().expect("items").iter().map(|item| id_of(item).to_owned()).collect()
}

#[tokio::test]
async fn a_job_tells_its_history() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let id = dead(&server, &project, "no").await;
    let path = format!("/api/jobs/{id}");
    let again = project.client.post(&format!("{path}/redrive"), &Value::Null).await.expect(202).json();
    assert_eq!(again["state"], "available");
    let retry = Finish::Retry { wait: Duration::from_secs(3600), error: "the other side hung up".into() };
    end(&server.store, id, retry).await;
    let now = project.client.post(&format!("{path}/retry-now"), &Value::Null).await.expect(202).json();
    assert_eq!(now["state"], "available");
    project.client.post(&format!("{path}/cancel"), &Value::Null).await.expect(202);
    let job = project.client.get(&path).await.expect(200).json();
    assert_eq!((&job["state"], &job["kind"]), (&json!("cancelled"), &json!("reconciliation")));
    let events: Vec<_> = job["history"]
        .as_array()
        .expect("events")
        .iter()
        .map(|e| e["event"].as_str().expect("a word"))
        .collect();
    let expected = [
        "accepted",
        "leased",
        "dead",
        "re_driven",
        "leased",
        "retried",
        "made_due",
        "cancel_requested",
        "cancelled",
    ];
    assert_eq!(events, expected);
    let me = project.client.get("/api/auth/me").await.expect(200).json();
    assert_eq!(job["history"][3]["by_user_id"], me["id"]);
    assert_eq!(job["history"][5]["detail"], "the other side hung up");
    assert_eq!(job["attempts"].as_array().expect("attempts").len(), 2);
}

#[tokio::test]
async fn what_does_not_fit_the_state_is_a_conflict() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let post = async |id: JobId, what: &str| {
        project.client.post(&format!("/api/jobs/{id}/{what}"), &Value::Null).await
    };
    let waiting = project.submit().await;
    post(waiting, "redrive").await.problem(409, "not_finished");
    post(waiting, "retry-now").await.expect(202);
    let done = project.submit().await;
    end(&server.store, done, Finish::Completed { result: json!({}) }).await;
    for what in ["cancel", "redrive", "retry-now"] {
        post(done, what).await.problem(409, "already_finished");
    }
}

#[tokio::test]
async fn lists_filter_and_lead_on() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let waiting = [project.submit().await, project.submit().await, project.submit().await];
    let broken = dead(&server, &project, "could not read \"a b&c.csv\"").await;
    let list = |filter: &str| format!("/api/jobs?project_id={}&{filter}", project.id);
    assert_eq!(ids(&project.client, &list("limit=10")).await.len(), 4);
    assert_eq!(ids(&project.client, &list("state=dead")).await, [broken.to_string()]);
    assert_eq!(ids(&project.client, &list("text=a%20b%26C&limit=1")).await, [broken.to_string()]);
    assert_eq!(ids(&project.client, &list("kind=mail")).await.len(), 0);
    assert_eq!(ids(&project.client, &list("queue=reconciliation&state=available")).await.len(), 3);
    assert_eq!(ids(&project.client, &list("created_before=2020-01-01T00:00:00Z")).await.len(), 0);
    assert_eq!(ids(&project.client, &list("created_from=2020-01-01T01:00:00%2B01:00")).await.len(), 4);
    // Page by page, with every filter kept.
    let mut next = Some(list("state=available&created_from=2020-01-01T00:00:00.5Z&text=recon&limit=1"));
    let mut seen = vec![];
    while let Some(path) = next {
        let page = project.client.get(&path).await.expect(200).json();
        seen.extend(page["items"].as_array().expect("items").iter().map(|i| id_of(i).to_owned()));
        next = page["next"].as_str().map(str::to_owned);
    }
    assert!(seen.is_empty(), "no text of a job says so: {seen:?}");
    let mut next =
        Some(list("state=available&created_from=2020-01-01T00:00:00.5Z&text=bank.csv%20/&limit=1"));
    while let Some(path) = next {
        let page = project.client.get(&path).await.expect(200).json();
        seen.extend(page["items"].as_array().expect("items").iter().map(|i| id_of(i).to_owned()));
        next = page["next"].as_str().map(str::to_owned);
    }
    assert_eq!(seen, waiting.map(|id| id.to_string()).into_iter().rev().collect::<Vec<_>>());
    let wrong = project
        .client
        .get(&list("state=late&kind=A&queue=A!&created_from=x&fingerprint=1&text=&limit=0&colour=red"))
        .await
        .mistakes();
    assert_eq!(wrong.len(), 8, "{wrong:?}");
}

#[tokio::test]
async fn dead_jobs_are_grouped_previewed_and_re_driven() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let other = Project::make(&server, "john").await;
    for line in [7, 1204, 33] {
        dead(&server, &project, &format!("line {line} is broken")).await;
    }
    let full = dead(&server, &project, "the disk is full").await;
    dead(&server, &other, "line 1 is broken").await;
    let groups = project
        .client
        .get(&format!("/api/jobs/dead/groups?project_id={}", project.id))
        .await
        .expect(200)
        .json();
    let groups = groups["items"].as_array().expect("groups");
    assert_eq!((&groups[0]["jobs"], &groups[1]["jobs"], groups.len()), (&json!(3), &json!(1), 2));
    assert_eq!(groups[1]["newest_id"], full.to_string());
    let bulk = |preview: bool, jobs_max: u32| {
        json!({"action": "redrive", "project_id": project.id, "fingerprint": groups[0]["fingerprint"],
               "preview": preview, "jobs_max": jobs_max})
    };
    let told = async |body: &Value| {
        let answer = project.client.post("/api/jobs/bulk", body).await.expect(200).json();
        (answer["matched"].clone(), answer["changed"].clone(), answer["is_complete"].clone())
    };
    assert_eq!(told(&bulk(true, 100)).await, (json!(3), json!(0), json!(true)));
    assert_eq!(told(&bulk(true, 2)).await, (json!(2), json!(0), json!(false)));
    assert_eq!(told(&bulk(false, 2)).await, (json!(2), json!(2), json!(false)));
    assert_eq!(told(&bulk(false, 2)).await, (json!(1), json!(1), json!(true)));
    assert_eq!(server.store.job(full).await.expect("asked").expect("there").state, JobState::Dead);
    assert_eq!(server.count("SELECT count(*) FROM jobs WHERE state = 'dead'").await, 2, "john's stays too");
    let wrong = json!({"project_id": project.id, "action": "explode", "jobs_max": 0, "kind": "A", "created_from": 7, "colour": "red"});
    assert_eq!(project.client.post("/api/jobs/bulk", &wrong).await.mistakes().len(), 5);
}

#[tokio::test]
async fn all_projects_are_for_platform_administrators() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let id = dead(&server, &project, "no").await;
    let root = server.log_in_as_admin().await;
    for path in ["/api/jobs", "/api/jobs/dead/groups"] {
        project.client.get(path).await.problem(403, "forbidden");
        assert_eq!(root.get(path).await.expect(200).json()["items"].as_array().expect("items").len(), 1);
    }
    let all = json!({"action": "redrive"});
    project.client.post("/api/jobs/bulk", &all).await.problem(403, "forbidden");
    assert_eq!(root.post("/api/jobs/bulk", &all).await.expect(200).json()["changed"], 1);
    assert_eq!(root.get(&format!("/api/jobs/{id}")).await.expect(200).json()["state"], "available");
}

#[tokio::test]
async fn viewers_see_and_do_not_act() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let id = project.submit().await;
    let viewer = server.log_in_as("vera").await;
    let me = viewer.get("/api/auth/me").await.expect(200).json();
    let project_id = project.id.parse().expect("an id");
    let role = shared::store::projects::ProjectRole::Viewer;
    server
        .store
        .set_project_member(project_id, id_of(&me).parse().expect("an id"), role)
        .await
        .expect("a member");
    viewer.get(&format!("/api/jobs/{id}")).await.expect(200);
    viewer.get(&format!("/api/jobs?project_id={}", project.id)).await.expect(200);
    for what in ["cancel", "redrive", "retry-now"] {
        viewer.post(&format!("/api/jobs/{id}/{what}"), &Value::Null).await.problem(403, "forbidden");
    }
    let bulk = json!({"action": "cancel", "project_id": project.id});
    viewer.post("/api/jobs/bulk", &bulk).await.problem(403, "forbidden");
}

#[tokio::test]
async fn dead_letters_are_for_platform_administrators() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let root = server.log_in_as_admin().await;
    let shared::queue::Queue::InProcess(queue) = &server.queue else { panic!("tests run in process") };
    let name = shared::job::JobKind::RECONCILIATION.queue();
    queue.inject(&name, b"no doorbell").expect("there is such a queue");
    let slots = std::sync::Arc::new(tokio::sync::Semaphore::new(1));
    let _deliveries = server.queue.consume(name, slots, server.stop.clone());
    let seen = async || root.get("/api/dead-letters").await.expect(200).json();
    crate::server::eventually("it is dead", async || seen().await["total"] == 1).await;
    let letter = &seen().await["items"][0];
    assert_eq!((&letter["queue"], &letter["reason"]), (&json!("reconciliation"), &json!("rejected")));
    assert_eq!((&letter["body"], &letter["size_bytes"]), (&json!("no doorbell"), &json!(11)));
    for (path, member) in [("/api/dead-letters/redrive", "redriven"), ("/api/dead-letters/purge", "purged")] {
        project.client.post(path, &Value::Null).await.problem(404, "not_found");
        crate::server::eventually("it died again", async || seen().await["total"] == 1).await;
        assert_eq!(root.post(path, &Value::Null).await.expect(200).json()[member], 1);
    }
    assert_eq!(seen().await["total"], 0);
}
