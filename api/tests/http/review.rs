//! Deciding about results over HTTP.

use crate::client::Client;
use crate::outcome::{acquire, record};
use crate::server::{Project, Server, job_path};
use serde_json::{Value, json};
use shared::ids::{JobId, UserId};
use shared::store::jobs::{Finish, release};
use shared::store::projects::ProjectRole;
use shared::store::reconciliations::{self, CurrencyBalance, Summary};
use shared::store::results::{StoredCandidate, StoredException, StoredMatch, StoredReason, StoredRecord};
use shared::store::results::{write_exceptions, write_matches};

fn row(side: &str, row: u32, amount: i64) -> StoredRecord {
    StoredRecord { row, ..record(&format!("{side}{row}"), amount) }
}

/// A confirmed match of 100.00, a suggested one of 50.00, and six exceptions.
pub async fn write_books(server: &Server, id: JobId) {
    let found = |ordinal: i32, tier: &str, left: Vec<StoredRecord>, right: Vec<StoredRecord>| StoredMatch {
        ordinal,
        confidence: 900_000 - ordinal,
        tier: tier.into(),
        pass: 0,
        currency: "EUR".into(),
        difference: 0,
        left,
        right,
        reasons: vec![],
        open_side: None,
        open_amount: None,
    };
    let matches = vec![
        found(0, "confirmed", vec![row("L", 0, 10_000)], vec![row("R", 0, 10_000)]),
        found(1, "suggested", vec![row("L", 1, 5_000)], vec![row("R", 1, 3_000), row("R", 2, 2_000)]),
    ];
    let left_over = [
        ("left", 2, 7_000),
        ("left", 3, -1_234),
        ("right", 3, 4_000),
        ("right", 4, 2_950),
        ("right", 5, 90_000),
        ("right", 6, 7_000),
    ];
    let exceptions: Vec<StoredException> = (0..)
        .zip(left_over)
        .map(|(ordinal, (side, number, amount))| StoredException {
            ordinal,
            kind: if side == "left" { "missing_right" } else { "missing_left" }.into(),
            side: side.into(),
            currency: "EUR".into(),
            amount,
            record: row(if side == "left" { "L" } else { "R" }, number, amount),
            says: "nothing like it".into(),
            candidates: match ordinal {
                0 => vec![StoredCandidate {
                    side: "right".into(),
                    currency: "EUR".into(),
                    records: vec![row("R", 3, 4_000), row("R", 0, 10_000)],
                    confidence: 0.4,
                    reasons: vec![StoredReason {
                        field: "amount".into(),
                        says: "far off".into(),
                        weight: -0.2,
                    }],
                }],
                _ => vec![],
            },
            candidates_found: 1,
        })
        .collect();
    let money = |minor: i64| matching::format_minor(minor.into(), 2);
    let zero = || "0.00".to_owned();
    let balance = CurrencyBalance {
        currency: "EUR".into(),
        left_count: 4,
        right_count: 7,
        left_total: money(20_766),
        right_total: money(118_950),
        left_matched: money(15_000),
        right_matched: money(15_000),
        left_unmatched: money(5_766),
        right_unmatched: money(103_950),
        matched_difference: zero(),
        right_flipped: zero(),
        open_remainder_left: zero(),
        open_remainder_right: zero(),
        converted_out: zero(),
        converted_in: zero(),
        converted_difference: zero(),
        difference: money(20_766 - 118_950),
        residual: zero(),
    };
    let summary = Summary {
        left_records: 4,
        right_records: 7,
        left_matched: 2,
        right_matched: 3,
        matches: 2,
        suggested: 1,
        exceptions: 6,
        left_rejected: 0,
        right_rejected: 0,
        balance: vec![balance],
        exceptions_by_kind: [("missing_left".to_owned(), 4), ("missing_right".to_owned(), 2)].into(),
        passes: vec![],
    };
    let lease = acquire(&server.store, id).await;
    let mut tx = server.store.begin().await.expect("a transaction");
    write_matches(&mut tx, id, matches.into_iter()).await.expect("matches");
    write_exceptions(&mut tx, id, exceptions.into_iter()).await.expect("exceptions");
    reconciliations::complete(&mut tx, id, &summary).await.expect("a summary");
    release(&mut tx, &lease, &Finish::Completed { result: json!({}) }).await.expect("the lease is ours");
    tx.commit().await.expect("committed");
}

struct Desk {
    server: Server,
    project: Project,
    id: JobId,
}

impl Desk {
    async fn open() -> Self {
        let server = Server::start().await;
        let project = Project::make(&server, "jane").await;
        let id = project.submit().await;
        write_books(&server, id).await;
        Self { server, project, id }
    }

    fn path(&self, below: &str) -> String {
        job_path(self.id, &format!("/review{below}"))
    }

    async fn get(&self, below: &str) -> Value {
        self.project.client.get(&self.path(below)).await.expect(200).json()
    }

    async fn decide(&self, body: Value) -> Value {
        self.project.client.post(&self.path("/decisions"), &body).await.expect(201).json()
    }

    async fn refused(&self, body: Value, status: u16, code: &str) -> Value {
        self.project.client.post(&self.path("/decisions"), &body).await.problem(status, code)
    }

    /// Another member.
    async fn member(&self, name: &str, role: ProjectRole) -> (Client, UserId) {
        let client = self.server.log_in_as(name).await;
        let me = client.get("/api/auth/me").await.expect(200).json();
        let user: UserId = me["id"].as_str().expect("an id").parse().expect("an id");
        let project = self.project.id.parse().expect("an id");
        self.server.store.set_project_member(project, user, role).await.expect("a member");
        (client, user)
    }

    /// The sums of a side, and that the proof is closed.
    async fn balance(&self, side: &str) -> (String, String, String, String) {
        let review = self.get("").await;
        let rows = review["balance"].as_array().expect("rows");
        for row in rows {
            assert_eq!(row["residual"], "0.00", "{row}");
        }
        let row = rows.iter().find(|row| row["side"] == side).expect("the side");
        let text = |name: &str| row[name].as_str().expect("an amount").to_owned();
        (text("matched"), text("matched_by_hand"), text("written_off"), text("open"))
    }
}

fn sums(of: [&str; 4]) -> (String, String, String, String) {
    let [a, b, c, d] = of.map(str::to_owned);
    (a, b, c, d)
}

#[tokio::test]
async fn a_desk_is_cleared_step_by_step_and_the_proof_stays_closed() {
    let desk = Desk::open().await;
    assert_eq!(desk.balance("left").await, sums(["150.00", "0.00", "0.00", "57.66"]));

    // The one that fits exactly, by hand.
    let made = desk
        .decide(json!({"action": "match", "left": [{"number": 1, "version": 0}], "right": [{"number": 6}]}));
    let made = made.await;
    assert_eq!((&made["status"], &made["hand_match"]), (&json!("effective"), &json!(1)));
    assert_eq!(desk.balance("left").await, sums(["150.00", "70.00", "0.00", "-12.34"]));
    // What nobody can match.
    desk.decide(
        json!({"action": "write_off", "exception": 2, "reason_code": "fee", "comment": "bank charge"}),
    )
    .await;
    assert_eq!(desk.balance("left").await, sums(["150.00", "70.00", "-12.34", "0.00"]));
    // A suggestion that is wrong: its records are open, and can be matched otherwise, with a reason.
    let rejected = desk.decide(json!({"action": "reject", "match": 2})).await;
    assert_eq!(desk.balance("left").await, sums(["100.00", "70.00", "-12.34", "50.00"]));
    assert_eq!(desk.get("/matches?state=rejected").await["items"][0]["number"], 2);
    let released = desk.get("/exceptions?kind=released&side=left").await;
    let number = released["items"][0]["number"].as_i64().expect("a number");
    assert_eq!(released["items"][0]["released_from"], 2);
    let body = json!({"action": "match", "left": [{"number": number}], "right": [{"number": 3}]});
    let problem = desk.refused(body, 422, "invalid").await;
    assert_eq!(problem["errors"][0]["pointer"], "#/reason_code");
    let body = json!({"action": "match", "left": [{"number": number}], "right": [{"number": 3}], "reason_code": "fee"});
    let second = desk.decide(body).await;
    desk.refused(json!({"action": "undo", "undoes": rejected["id"]}), 409, "conflict").await;
    let hand = desk.get("/hand-matches").await;
    assert_eq!(hand["items"][1]["difference"], "10.00");
    desk.decide(json!({"action": "undo", "undoes": second["id"]})).await;
    desk.decide(json!({"action": "undo", "undoes": rejected["id"]})).await;
    assert_eq!(desk.balance("left").await, sums(["150.00", "70.00", "-12.34", "0.00"]));
    assert_eq!(desk.balance("right").await, sums(["150.00", "70.00", "0.00", "969.50"]));

    let history = desk.get("/decisions?subject=exception&number=2").await;
    assert_eq!(history["items"][0]["action"], "write_off");
    let id = history["items"][0]["id"].as_str().expect("an id").to_owned();
    let one = desk.get(&format!("/decisions/{id}")).await;
    assert_eq!(one["changes"][0]["before"]["state"], "open");
    assert_eq!(one["changes"][0]["after"], json!({"state": "written_off", "reason_code": "fee"}));
    assert_eq!(desk.get("/decisions").await["items"].as_array().expect("items").len(), 6);
}

#[tokio::test]
async fn the_queue_is_filtered_ordered_and_walked() {
    let desk = Desk::open().await;
    let (_, ann) = desk.member("ann", ProjectRole::Operator).await;
    desk.decide(json!({"action": "assign", "exception": 5, "assignee": ann.to_string()})).await;
    desk.decide(json!({"action": "set_due", "exception": 5, "due_on": "2026-02-01"})).await;
    desk.decide(json!({"action": "comment", "exception": 5, "comment": "Asked the bank"})).await;
    let numbers = async |query: &str| {
        let (mut found, mut next) = (vec![], Some(desk.path(&format!("/exceptions?limit=2&{query}"))));
        while let Some(path) = next {
            let page = desk.project.client.get(&path).await.expect(200).json();
            found.extend(
                page["items"].as_array().expect("items").iter().map(|i| i["number"].as_i64().unwrap()),
            );
            next = page["next"].as_str().map(str::to_owned);
        }
        found
    };
    assert_eq!(numbers("").await, [1, 2, 3, 4, 5, 6]);
    assert_eq!(numbers("state=open&order=amount").await, [5, 1, 6, 3, 4, 2]);
    assert_eq!(numbers("side=right&currency=EUR&min_amount=40&max_amount=70.00").await, [3, 6]);
    assert_eq!(numbers(&format!("assignee={ann}")).await, [5]);
    assert_eq!(numbers("assignee=me").await, [] as [i64; 0]);
    assert_eq!(numbers("assignee=nobody&kind=missing_left").await, [3, 4, 6]);
    assert_eq!(numbers("due_before=2026-02-02").await, [5]);
    let item = desk.get("/exceptions/5").await["item"].clone();
    assert_eq!(
        (&item["comments"], &item["due_on"], &item["version"]),
        (&json!(1), &json!("2026-02-01"), &json!(2))
    );

    // One by one, as they are settled.
    let first = desk.get("/exceptions/next?order=amount").await;
    assert_eq!(first["item"]["number"], 5);
    let cursor = first["cursor"].as_str().expect("a cursor").to_owned();
    assert_eq!(desk.get(&format!("/exceptions/next?order=amount&after={cursor}")).await["item"]["number"], 1);
    desk.decide(json!({"action": "write_off", "exception": 5, "reason_code": "other"})).await;
    assert_eq!(desk.get("/exceptions/next?order=amount").await["item"]["number"], 1);

    // Where the candidates' records are now.
    let detail = desk.get("/exceptions/1").await;
    assert_eq!(detail["item"]["exception"]["candidates"][0]["reasons"][0]["weight"], -0.2);
    let expected = json!([
        {"candidate": 0, "record": 0, "number": 3, "state": "open", "version": 0},
        {"candidate": 0, "record": 1, "number": null, "state": null, "version": null},
    ]);
    assert_eq!(detail["places"], expected);

    let review = desk.get("").await;
    let counts = |name: &str| review[name].as_array().expect("counts").clone();
    assert_eq!(counts("by_assignee").iter().map(|c| c["count"].as_i64().unwrap()).sum::<i64>(), 5);
    assert_eq!(counts("by_age").iter().map(|c| c["count"].as_i64().unwrap()).sum::<i64>(), 5);
    assert!(counts("by_kind").iter().any(|c| c["state"] == "written_off" && c["amount"] == "900.00"));

    let refused = desk.project.client.get(&desk.path("/exceptions?min_amount=1&assignee=x&kind=y")).await;
    assert_eq!(refused.mistakes().len(), 2);
    desk.project.client.get(&desk.path("/exceptions?min_amount=1")).await.problem(422, "invalid");
    desk.project.client.get(&desk.path("/exceptions/0")).await.problem(404, "not_found");
    desk.project.client.get(&desk.path("/exceptions/99")).await.problem(404, "not_found");
}

#[tokio::test]
async fn above_the_limit_two_people_are_needed() {
    let desk = Desk::open().await;
    let limits = format!("/api/projects/{}/review/limits", desk.project.id);
    desk.project.client.put(&format!("{limits}/EUR"), &json!({"amount": "500"})).await.expect(200);
    let listed = desk.project.client.get(&limits).await.expect(200).json();
    assert_eq!(listed["items"], json!([{"currency": "EUR", "amount": "500.00"}]));
    let proposed = desk.decide(json!({"action": "write_off", "exception": 5, "reason_code": "other"})).await;
    assert_eq!(proposed["status"], "proposed");
    let id = proposed["id"].as_str().expect("an id").to_owned();
    assert_eq!(desk.get("/exceptions/5").await["item"]["state"], "open");
    assert_eq!(desk.get("").await["waiting"], 1);
    desk.refused(json!({"action": "write_off", "exception": 5, "reason_code": "fee"}), 409, "conflict").await;

    let verdict = desk.path(&format!("/decisions/{id}/verdict"));
    let waiting = format!("/api/projects/{}/review/waiting?waiting_for=me", desk.project.id);
    let approve = json!({"verdict": "approved"});
    // Not by oneself, whatever one's role; not by an operator.
    desk.project.client.post(&verdict, &approve).await.problem(403, "forbidden");
    assert_eq!(desk.project.client.get(&waiting).await.expect(200).json()["items"], json!([]));
    let (operator, _) = desk.member("otto", ProjectRole::Operator).await;
    operator.post(&verdict, &approve).await.problem(403, "forbidden");
    let (ann, _) = desk.member("ann", ProjectRole::Approver).await;
    assert_eq!(ann.get(&waiting).await.expect(200).json()["items"][0]["id"], id);
    ann.post(&verdict, &json!({"verdict": "withdrawn"})).await.problem(403, "forbidden");
    assert_eq!(ann.post(&verdict, &json!({"verdict": "refused"})).await.mistakes().len(), 1);
    ann.post(&verdict, &approve).await.expect(200);
    assert_eq!(desk.get("/exceptions/5").await["item"]["state"], "written_off");
    assert_eq!(ann.get(&waiting).await.expect(200).json()["items"], json!([]));
    ann.post(&verdict, &approve).await.problem(409, "conflict");
    let decision = &desk.get("/decisions").await["items"][0];
    assert_eq!(
        (&decision["status"], &decision["judged"]["by"]["name"]),
        (&json!("effective"), &json!("ann"))
    );
    // Undoing moves the same money, and waits too.
    let undo = desk.decide(json!({"action": "undo", "undoes": id})).await;
    assert_eq!(undo["status"], "proposed");
    let verdict = desk.path(&format!("/decisions/{}/verdict", undo["id"].as_str().unwrap()));
    ann.post(&verdict, &json!({"verdict": "refused", "reason": "It was right"})).await.expect(200);
    assert_eq!(desk.get("/exceptions/5").await["item"]["state"], "written_off");
}

#[tokio::test]
async fn what_changed_meanwhile_is_refused_and_repetition_does_no_harm() {
    let desk = Desk::open().await;
    desk.decide(json!({"action": "accept", "match": 2, "version": 0})).await;
    desk.refused(json!({"action": "unmatch", "match": 2, "version": 0}), 412, "stale").await;
    desk.refused(json!({"action": "accept", "match": 1}), 409, "conflict").await;
    desk.refused(json!({"action": "accept", "match": 99}), 404, "not_found").await;
    for (body, errors) in [
        (json!({}), 1),
        (json!({"action": "accept"}), 1),
        (json!({"action": "accept", "exception": 1}), 1),
        (json!({"action": "accept", "match": 2, "exception": 1}), 1),
        (json!({"action": "write_off", "exception": 1}), 1),
        (json!({"action": "write_off", "exception": 1, "reason_code": "no such"}), 2),
        (json!({"action": "write_off", "exception": 1, "reason_code": "unheard_of"}), 1),
        (json!({"action": "undo"}), 1),
        (json!({"action": "assign", "exception": 1, "assignee": "00000000-0000-0000-0000-000000000001"}), 1),
        (json!({"action": "match", "left": [{"number": 0}], "right": [{"number": 1, "x": 1}]}), 2),
    ] {
        let problem = desk.refused(body.clone(), 422, "invalid").await;
        assert_eq!(problem["errors"].as_array().expect("errors").len(), errors, "{body}: {problem}");
    }
    assert_eq!(
        desk.server.count("SELECT count(*) FROM review_decisions").await,
        1,
        "nothing else was stored"
    );
    // The viewer looks on.
    let (viewer, _) = desk.member("vera", ProjectRole::Viewer).await;
    viewer.get(&desk.path("/exceptions")).await.expect(200);
    let body = json!({"action": "write_off", "exception": 1, "reason_code": "other"});
    viewer.post(&desk.path("/decisions"), &body).await.problem(403, "forbidden");
}

#[tokio::test]
async fn a_filter_is_looked_at_and_then_decided_as_one() {
    let desk = Desk::open().await;
    let client = &desk.project.client;
    let filter =
        json!({"exceptions": {"state": "open", "side": "right", "currency": "EUR", "max_amount": "100"}});
    let preview = client.post(&desk.path("/bulk/preview"), &filter).await.expect(200).json();
    assert_eq!((&preview["count"], &preview["sums"][0]["amount"]), (&json!(3), &json!("139.50")));
    assert_eq!(preview["exceptions"].as_array().expect("items").len(), 3);
    let body = json!({
        "action": "write_off", "filter": filter, "token": preview["token"], "reason_code": "timing",
    });
    // Somebody is faster.
    let one = desk.decide(json!({"action": "assign", "exception": 3})).await;
    client.post(&desk.path("/bulk"), &body).await.problem(412, "stale");
    let preview = client.post(&desk.path("/bulk/preview"), &filter).await.expect(200).json();
    let body = json!({
        "action": "write_off", "filter": filter, "token": preview["token"], "reason_code": "timing",
    });
    let done = client.post(&desk.path("/bulk"), &body).await.expect(201).json();
    assert_eq!((&done["items"], &done["status"]), (&json!(3), &json!("effective")));
    assert_eq!(desk.balance("right").await, sums(["150.00", "0.00", "139.50", "900.00"]));
    desk.decide(json!({"action": "undo", "undoes": done["id"]})).await;
    assert_eq!(desk.balance("right").await, sums(["150.00", "0.00", "0.00", "1039.50"]));
    assert!(one["id"].is_string());
    let wrong = json!({"action": "accept", "filter": filter, "token": preview["token"]});
    assert_eq!(client.post(&desk.path("/bulk"), &wrong).await.mistakes().len(), 1);
    let both = json!({"exceptions": {}, "matches": {}});
    assert_eq!(client.post(&desk.path("/bulk/preview"), &both).await.mistakes().len(), 1);
}

#[tokio::test]
async fn a_run_that_another_continues_is_decided_no_more() {
    let desk = Desk::open().await;
    sqlx::query("UPDATE reconciliations SET open_items = '{\"carried_in\":0,\"resolved\":0,\"persisting\":0,\"new\":0,
        \"already_matched\":0,\"repeated\":0,\"restated\":0,\"flow\":[],\"ages\":[],\"left_fields\":[],
        \"right_fields\":[]}'")
        .execute(desk.server.store.pool())
        .await
        .expect("open items");
    let mut next = desk.project.submission();
    next["continues"] = json!(desk.id.to_string());
    let next = desk.project.client.post("/api/reconciliation/jobs", &next).await.expect(202).json();
    let body = json!({"action": "accept", "match": 2});
    desk.refused(body.clone(), 409, "conflict").await;
    desk.decide(json!({"action": "comment", "match": 2, "comment": "Too late"})).await;
    let cancel = format!("/api/reconciliation/jobs/{}/cancel", next["id"].as_str().expect("an id"));
    desk.project.client.post(&cancel, &json!({})).await.expect(202);
    desk.decide(body).await;
}
