//! Every route, every role, every tenant, as the table of policies says; and ten thousand tries across the border.
//!
//! What is asked comes from the OpenAPI document, which is made of the same table the guard works with: a new route is
//! in here without another word.

use crate::client::Client;
use crate::server::{Project, Server, id_of};
use crate::strangers::{Ids, ask, guarded, ids_of};
use serde_json::{Value, json};
use shared::ids::{ProjectId, UserId};
use shared::store::projects::ProjectRole;

/// Somebody who asks.
struct Actor {
    name: &'static str,
    client: Client,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Nobody,
    /// A person with this role in the project; `None`: in another project only.
    Person(Option<ProjectRole>),
    Machine(Option<ProjectRole>),
    PlatformAdmin,
}

const ROLES: [ProjectRole; 4] =
    [ProjectRole::Viewer, ProjectRole::Operator, ProjectRole::Approver, ProjectRole::Admin];

/// What the table says somebody gets: 401, 403, 404, or in (`None`).
fn expected(policy: &Value, kind: Kind) -> Option<u16> {
    let (is_person, role) = match kind {
        Kind::Nobody => return Some(401),
        Kind::PlatformAdmin => (true, Some(ProjectRole::Admin)),
        Kind::Person(role) => (true, role),
        Kind::Machine(role) => (false, role),
    };
    match policy["who"].as_str().expect("a policy") {
        "anybody" | "caller" => None,
        "person" => {
            if is_person {
                None
            } else {
                Some(403)
            }
        }
        "platform_admin" => {
            if kind == Kind::PlatformAdmin {
                None
            } else {
                Some(404)
            }
        }
        "member" => {
            let needs: ProjectRole = serde_json::from_value(policy["role"].clone()).expect("a role");
            match role {
                None => Some(404),
                Some(role) if role < needs => Some(403),
                Some(_) => None,
            }
        }
        other => panic!("a new kind of policy: {other}"),
    }
}

async fn actors(server: &Server, project: &Project) -> Vec<Actor> {
    let project_id: ProjectId = project.id.parse().expect("an id");
    let mut actors = vec![Actor { name: "nobody", client: server.client.clone(), kind: Kind::Nobody }];
    for (role, name) in ROLES.into_iter().zip(["viewer", "operator", "approver", "admin"]) {
        let client = server.log_in_as(name).await;
        server.store.set_project_member(project_id, user_of(&client).await, role).await.expect("a member");
        actors.push(Actor { name, client, kind: Kind::Person(Some(role)) });
    }
    let elsewhere = Project::make(server, "stranger").await;
    for (place, member) in [(project, true), (&elsewhere, false)] {
        for (role, name) in ROLES.into_iter().zip(["viewer", "operator", "approver"]) {
            let path = format!("/api/projects/{}/api-keys", place.id);
            let made =
                place.client.post(&path, &json!({"name": name, "role": name})).await.expect(201).json();
            let token = made["key"].as_str().map(str::to_owned);
            let client = Client { token, ..server.client.clone() };
            let name = if member { "key" } else { "foreign key" };
            actors.push(Actor { name, client, kind: Kind::Machine(member.then_some(role)) });
        }
    }
    actors.push(Actor { name: "stranger", client: elsewhere.client.clone(), kind: Kind::Person(None) });
    let root = server.log_in_as_platform_admin("root").await;
    actors.push(Actor { name: "platform admin", client: root, kind: Kind::PlatformAdmin });
    actors
}

async fn user_of(client: &Client) -> UserId {
    id_of(&client.get("/api/auth/me").await.expect(200).json()).parse().expect("an id")
}

/// Things that are there and finished, so that whoever is let in is answered at once.
async fn finished_things(server: &Server, project: &Project) -> Ids {
    let mut ids = ids_of(server, project).await;
    crate::review::write_books(server, ids.job.parse().expect("an id")).await;
    let decisions = format!("/api/reconciliation/jobs/{}/review/decisions", ids.job);
    let decided =
        project.client.post(&decisions, &json!({"action": "accept", "match": 2})).await.expect(201).json();
    ids.decision = id_of(&decided).to_owned();
    ids
}

#[tokio::test]
async fn every_route_lets_in_exactly_whom_its_policy_names() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let actors = actors(&server, &project).await;
    let mut ids = finished_things(&server, &project).await;
    let operations = guarded(&server).await;
    let (mut refused, mut let_in) = (0, 0);
    for (method, path, operation) in &operations {
        let policy = &operation["x-policy"];
        for actor in &actors {
            let what = format!("{method} {path} as {} ({:?})", actor.name, actor.kind);
            let Some(status) = expected(policy, actor.kind) else { continue };
            let answer = ask(&actor.client, method, path, operation, &ids).await;
            assert_eq!(answer.status, status, "{what}: {}", answer.text());
            refused += 1;
        }
    }
    let mut is_removed = false;
    for (method, path, operation) in &operations {
        // It would end the session that the rest is asked with.
        if path == "/api/auth/logout" {
            continue;
        }
        for actor in &actors {
            if expected(&operation["x-policy"], actor.kind).is_some() {
                continue;
            }
            let what = format!("{method} {path} as {} ({:?})", actor.name, actor.kind);
            // What is removed has to be there for the next one, too.
            if is_removed {
                ids = finished_things(&server, &fresh(&project).await).await;
            }
            is_removed = method == "DELETE";
            let answer = ask(&actor.client, method, path, operation, &ids).await;
            // Nobody is a member, key, session, invitation, account or worker of the id that is asked for there, and no
            // limit has the name.
            let names_nobody = [
                "{user_id}",
                "{key_id}",
                "{invitation_id}",
                "sessions/{id}",
                "{scope}",
                "{address}",
                "workers/{name}",
                "/api/users/{id}",
            ]
            .iter()
            .any(|p| path.contains(p));
            // Operators withdraw there what they proposed; the second word is refused by the decision itself, also to a
            // key of the person who proposed it.
            if path.ends_with("/verdict") && answer.text().contains("The second word ") {
                continue;
            }
            let refused = [401, 403].contains(&answer.status) || (answer.status == 404 && !names_nobody);
            assert!(!refused, "{what}: {} {}", answer.status, answer.text());
            let_in += 1;
        }
    }
    // Figures that a table of this size has to reach.
    assert!(refused > 400 && let_in > 300, "{refused} {let_in}");
}

/// The same project under a name of its own schedules: their names are unique.
async fn fresh(project: &Project) -> Project {
    let path = format!("/api/projects/{}/schedules", project.id);
    for schedule in project.client.get(&path).await.expect(200).json()["items"].as_array().expect("items") {
        project.client.delete(&format!("/api/schedules/{}", id_of(schedule))).await.expect(204);
    }
    Project {
        client: project.client.clone(),
        id: project.id.clone(),
        left: project.left.clone(),
        right: project.right.clone(),
    }
}

/// A small generator, so that a failure can be repeated: Marsaglia's xorshift64*.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n
    }
}

/// API, event streams, exports and jobs: whatever names a thing of another tenant finds nothing and changes nothing.
#[tokio::test]
async fn ten_thousand_tries_across_tenants_reach_nothing() {
    const TRIES: usize = 10_000;
    const AT_ONCE: usize = 16;
    let server = Server::start().await;
    let (jane, john) = (Project::make(&server, "jane").await, Project::make(&server, "john").await);
    let (of_jane, of_john) = (finished_things(&server, &jane).await, finished_things(&server, &john).await);
    let key = |project: &Project| {
        let (client, path) = (project.client.clone(), format!("/api/projects/{}/api-keys", project.id));
        async move {
            let made = client.post(&path, &json!({"name": "x", "role": "approver"})).await.expect(201).json();
            Client { token: made["key"].as_str().map(str::to_owned), ..client }
        }
    };
    let attackers = [
        (jane.client.clone(), of_jane.clone(), of_john.clone()),
        (key(&jane).await, of_jane.clone(), of_john.clone()),
        (john.client.clone(), of_john.clone(), of_jane.clone()),
        (key(&john).await, of_john, of_jane),
    ];
    let operations: Vec<_> = guarded(&server)
        .await
        .into_iter()
        .filter(|(_, _, operation)| operation["x-policy"]["who"] == "member")
        .collect();
    let state = "SELECT md5(string_agg(t::text, '' ORDER BY t)) FROM (
        SELECT (id, state, priority, cancel_requested_at)::text AS t FROM jobs
        UNION ALL SELECT id::text FROM files UNION ALL SELECT id::text FROM data_sources
        UNION ALL SELECT (id, version, paused_at)::text FROM schedules
        UNION ALL SELECT (project_id, user_id, role)::text FROM project_members
        UNION ALL SELECT (id, revoked_at)::text FROM api_keys UNION ALL SELECT id::text FROM invitations
        UNION ALL SELECT job_id::text FROM reconciliations) AS everything";
    let before: String = sqlx::query_scalar(state).fetch_one(server.store.pool()).await.expect("a digest");
    let mut dice = Dice(0x5eed_c0de);
    let mut tried = 0;
    while tried < TRIES {
        let batch: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let (client, own, theirs) = &attackers[dice.below(attackers.len())];
                let (method, path, operation) = &operations[dice.below(operations.len())];
                // The thing that is named is theirs; what else is in the request is anybody's.
                let mixed = |theirs: &String, own: &String, d: &mut Dice| {
                    if d.below(2) == 0 { theirs.clone() } else { own.clone() }
                };
                let by = operation["x-policy"]["project_by"].as_str().expect("how");
                let mut ids = Ids {
                    project: theirs.project.clone(),
                    job: theirs.job.clone(),
                    batch: theirs.batch.clone(),
                    source: mixed(&theirs.source, &own.source, &mut dice),
                    right_source: mixed(&theirs.right_source, &own.right_source, &mut dice),
                    file: mixed(&theirs.file, &own.file, &mut dice),
                    schedule: theirs.schedule.clone(),
                    decision: theirs.decision.clone(),
                    webhook: theirs.webhook.clone(),
                    alert: theirs.alert.clone(),
                    backup: theirs.backup.clone(),
                    backup_alert: theirs.backup_alert.clone(),
                    restore: theirs.restore.clone(),
                };
                match by {
                    "file" => ids.file = theirs.file.clone(),
                    "data_source" => ids.source = theirs.source.clone(),
                    _ => {}
                }
                async move { (method, path, ask(client, method, path, operation, &ids).await) }
            })
            .collect();
        for (method, path, answer) in futures_util::future::join_all(batch).await {
            assert_eq!(answer.status, 404, "{method} {path}: {}", answer.text());
            tried += 1;
        }
    }
    let after: String = sqlx::query_scalar(state).fetch_one(server.store.pool()).await.expect("a digest");
    assert_eq!(before, after);

    // One's own project with things of another: a mistake in the request, and nothing is made of it.
    let stolen = json!({"project_id": jane.id, "left_source_id": jane.left, "right_source_id": john.right});
    let submitted = jane.client.post("/api/reconciliation/jobs", &stolen).await;
    assert!(submitted.mistakes().iter().any(|(place, _)| place == "#/right_source_id"));
}
