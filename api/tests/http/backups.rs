//! `/api/backups` and `/api/restores`: what is shown, planned, asked for.

use crate::server::{Project, Server};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use shared::ids::{BackupId, RestoreId};
use shared::store::Store;
use shared::store::backups::{
    AlertSeverity, BackupKind, BackupRecord, BackupState, BackupStoreRecord, CopyState, NewBackupAlert,
    RestoreMode, RestoreRecord, RestoreState,
};
use uuid::Uuid;

/// A backup, an alert and a restore, in the records.
pub struct Recorded {
    pub backup: String,
    pub alert: String,
    pub restore: String,
}

pub async fn record(store: &Store) -> Recorded {
    let backup = committed(store, BackupKind::Full, Utc::now()).await;
    let alert = NewBackupAlert {
        kind: "backup_store_down",
        subject: Uuid::new_v4().to_string(),
        severity: AlertSeverity::Warning,
        message: "near: it does not answer".into(),
        event: None,
    };
    let alert = store.note_backup_alerts(&[alert]).await.expect("noted").remove(0).id;
    let restore = RestoreId::new();
    let record = RestoreRecord {
        id: restore,
        backup_id: backup,
        mode: RestoreMode::Drill,
        is_dry_run: false,
        state: RestoreState::Succeeded,
        target: None,
        tenants: vec![],
        asked_by: "a test".into(),
        started_at: Utc::now(),
        finished_at: Some(Utc::now()),
        report: Some(json!({"rows": 1})),
        error: None,
    };
    store.record_restore(&record).await.expect("recorded");
    Recorded { backup: backup.to_string(), alert: alert.to_string(), restore: restore.to_string() }
}

async fn committed(store: &Store, class: BackupKind, at: DateTime<Utc>) -> BackupId {
    let id = BackupId(Uuid::now_v7());
    let record = BackupRecord {
        id,
        class,
        state: BackupState::Committed,
        project_id: None,
        group_id: None,
        note: None,
        started_at: at - TimeDelta::seconds(9),
        taken_at: Some(at),
        finished_at: at,
        rows: Some(10),
        plain_bytes: Some(2000),
        sealed_bytes: Some(1000),
        counts: Some(true),
        manifest: Some(json!({"of": {"database": "live"}, "wal": null})),
        error: None,
        is_protected: false,
        verified_at: None,
        verification: None,
        is_good: None,
        removed_at: None,
    };
    let copies = [("far".to_owned(), CopyState::Owed), ("near".to_owned(), CopyState::Held)];
    store.record_backup(&record, &copies).await.expect("recorded");
    id
}

#[tokio::test]
async fn backups_are_listed_shown_and_protected() {
    let server = Server::start().await;
    let root = server.log_in_as_platform_admin("root").await;
    let mut ids = vec![];
    for days in [3, 2, 1] {
        let at = Utc::now() - TimeDelta::days(days);
        ids.push(committed(&server.store, BackupKind::Full, at).await.to_string());
    }
    committed(&server.store, BackupKind::Base, Utc::now()).await;
    let page = root.get("/api/backups?kind=full&state=committed&limit=2").await.expect(200).json();
    assert_eq!((&page["items"][0]["id"], &page["items"][1]["id"]), (&json!(ids[2]), &json!(ids[1])));
    let copies = json!([page["items"][0]["copies"][0]["state"], page["items"][0]["copies"][1]["store"]]);
    assert_eq!(copies, json!(["owed", "near"]));
    let rest = root.get(page["next"].as_str().expect("a next page")).await.expect(200).json();
    assert_eq!((rest["items"].as_array().map(Vec::len), &rest["next"]), (Some(1), &Value::Null));
    let shown = root.get(&format!("/api/backups/{}", ids[0])).await.expect(200).json();
    assert_eq!((&shown["manifest"]["of"]["database"], &shown["rows"]), (&json!("live"), &json!(10)));

    let path = format!("/api/backups/{}/protection", ids[0]);
    let kept = root.put(&path, &json!({"is_protected": true})).await.expect(200).json();
    assert_eq!(kept["is_protected"], true);
    root.put(&format!("/api/backups/{}/protection", Uuid::new_v4()), &json!({"is_protected": true}))
        .await
        .problem(404, "not_found");
    root.get("/api/backups?kind=some").await.problem(422, "invalid");

    // The plan: two days are kept, the oldest goes unless it is protected, the last of each line stays.
    let plan = async |body: Value| root.post("/api/backups/retention/plan", &body).await.expect(200).json();
    let nothing = json!({"days": 1, "daily": 0, "weekly": 0, "monthly": 0, "yearly": 0});
    let found = plan(nothing.clone()).await;
    let removed: Vec<&str> = found["removed"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|b| b["id"].as_str().expect("an id"))
        .collect();
    assert_eq!(removed, [ids[1].as_str()], "{found}");
    assert_eq!((&found["removed_bytes"], &found["kept_bytes"]), (&json!(1000), &json!(3000)));
    let reasons_of = |id: &str| {
        let kept = found["kept"].as_array().expect("a list").iter().find(|b| b["id"] == id);
        kept.expect("it is kept")["reasons"].clone()
    };
    assert_eq!(reasons_of(&ids[0]), json!(["protected"]));
    assert!(reasons_of(&ids[2]).as_array().expect("reasons").contains(&json!("last_good")));
    assert_eq!((&found["policy"]["days"], &found["configured"]["days"]), (&json!(1), &json!(90)));
    let configured = plan(json!({})).await;
    assert_eq!(configured["removed"], json!([]), "the configured policy keeps all");
    assert_eq!(configured["policy"], configured["configured"]);
    root.post("/api/backups/retention/plan", &json!({"days": 0})).await.problem(422, "invalid");
    assert_eq!(server.count("SELECT count(*) FROM backups WHERE state = 'removed'").await, 0);
}

#[tokio::test]
async fn a_backup_is_asked_for_once_and_for_later() {
    let server = Server::start().await;
    let root = server.log_in_as_platform_admin("root").await;
    let project = Project::make(&server, "jane").await;
    let at = "2099-01-01T02:00:00Z";
    let body = json!({"kind": "tenant", "project_ids": [project.id], "note": "before the audit", "at": at});
    let asked = root.post("/api/backups", &body).await.expect(202).json();
    let job = root.get(asked["status_url"].as_str().expect("an address")).await.expect(200).json();
    assert_eq!(
        (&job["state"], &job["kind"], &job["priority"]),
        (&json!("scheduled"), &json!("backup"), &json!(9))
    );
    assert_eq!(job["args"], json!({"kind": "tenant", "tenants": [project.id], "note": "before the audit"}));
    let now = root.post("/api/backups", &json!({"kind": "configuration"})).await.expect(202).json();
    let job = root.get(now["status_url"].as_str().expect("an address")).await.expect(200).json();
    assert_eq!((&job["state"], &job["kind"]), (&json!("available"), &json!("config_backup")));
    let mistakes = root.post("/api/backups", &json!({"kind": "tenant", "at": "soon", "x": 1})).await;
    assert_eq!(mistakes.problem(422, "invalid")["errors"].as_array().map(Vec::len), Some(3));
    project.client.post("/api/backups", &json!({"kind": "full"})).await.problem(404, "not_found");

    let recorded = record(&server.store).await;
    let asked = root.post(&format!("/api/backups/{}/verify", recorded.backup), &json!({})).await;
    let job = root.get(asked.expect(202).json()["status_url"].as_str().expect("an address")).await;
    assert_eq!(job.expect(200).json()["args"], json!({"backup_id": recorded.backup}));

    // The args of schedules are looked at by the same rules.
    let schedule = |args| json!({"name": "All", "kind": "backup", "cron": "0 5 * * *", "time_zone": "UTC", "args": args});
    root.post("/api/schedules", &schedule(json!({"kind": "tenant"}))).await.problem(422, "invalid");
    root.post("/api/schedules", &schedule(json!({"kind": "tenant", "all_tenants": true}))).await.expect(201);
}

#[tokio::test]
async fn a_restore_is_seen_from_the_moment_it_was_asked_for() {
    let server = Server::start().await;
    let root = server.log_in_as_platform_admin("root").await;
    let recorded = record(&server.store).await;
    let asked = root.post("/api/restores", &json!({"mode": "drill", "backup_id": recorded.backup})).await;
    let asked = asked.expect(202).json();
    let path = asked["status_url"].as_str().expect("an address").to_owned();
    let seen = root.get(&path).await.expect(200).json();
    assert_eq!((&seen["state"], &seen["backup_id"]), (&json!("waiting"), &json!(recorded.backup)));
    assert!(seen["asked_by"].as_str().is_some_and(|by| by.starts_with("root@")), "{seen}");
    root.post(&format!("/api/jobs/{}/cancel", asked["id"].as_str().expect("an id")), &json!({}))
        .await
        .expect(202);
    assert_eq!(root.get(&path).await.expect(200).json()["state"], "failed");
    assert_eq!(server.store.end_abandoned_restores().await.expect("ended"), 1);
    let seen = root.get(&path).await.expect(200).json();
    assert_eq!((&seen["state"], &seen["error"]), (&json!("failed"), &json!("cancelled")));
    let all = root.get("/api/restores?mode=drill&limit=1").await.expect(200).json();
    assert_eq!(all["items"][0]["id"], asked["id"]);
    let next = root.get(all["next"].as_str().expect("a next page")).await.expect(200).json();
    assert_eq!(
        (&next["items"][0]["id"], &next["items"][0]["state"]),
        (&json!(recorded.restore), &json!("succeeded"))
    );
    // The live database is not overwritten by a slip of the pen.
    let merge = json!({"mode": "merge", "backup_id": recorded.backup, "policy": "overwrite", "confirm": "x"});
    root.post("/api/restores", &merge).await.problem(422, "invalid");
}

#[tokio::test]
async fn health_stores_and_alerts_are_told() {
    let server = Server::start().await;
    let root = server.log_in_as_platform_admin("root").await;
    let health = root.get("/api/backups/health").await.expect(200).json();
    assert_eq!(health["score"], 0, "{health}");
    let recorded = record(&server.store).await;
    let store = |name: &str, position, is_reachable| BackupStoreRecord {
        name: name.into(),
        kind: "disk".into(),
        position,
        is_reachable,
        share_used: None,
        owed_objects: 0,
        owed_bytes: 0,
        objects: Some(3),
        bytes: Some(1000),
        error: None,
        checked_at: Utc::now(),
    };
    server
        .store
        .record_backup_stores(&[store("near", 0, true), store("far", 1, false)])
        .await
        .expect("recorded");
    let health = root.get("/api/backups/health").await.expect(200).json();
    let factors = health["factors"].as_array().expect("factors");
    let points: i64 = factors.iter().map(|f| f["points"].as_i64().expect("points")).sum();
    assert_eq!((json!(points), factors.len()), (health["score"].clone(), 5));
    // A backup now (30), one of two stores (11), never verified, a drill (20), no archive of WAL.
    assert_eq!(health["score"], 61, "{health}");
    assert_eq!((&health["last_verified_at"], &health["unverified"]), (&Value::Null, &json!(1)), "{health}");
    assert!(factors.iter().any(|f| f["says"] == "the only backup was never verified"), "{health}");
    let copies = [("near".to_owned(), CopyState::Held)];
    let backup: BackupId = recorded.backup.parse().expect("an id");
    let verified = server.store.record_verification(backup, true, &json!({}), &copies).await;
    verified.expect("recorded");
    // Nothing lost (20).
    let health = root.get("/api/backups/health").await.expect(200).json();
    assert_eq!((&health["score"], &health["unverified"]), (&json!(81), &json!(0)), "{health}");
    assert!(health["last_verified_at"].is_string(), "{health}");
    let kinds = health["kinds"].as_array().expect("kinds");
    let of = |kind: &str| kinds.iter().find(|found| found["kind"] == kind).expect("every kind is there");
    assert_eq!(
        (kinds.len(), &of("full")["last_bytes"], &of("full")["failures"]),
        (4, &json!(1000), &json!(0))
    );
    assert!(of("full")["last_proven_restore_at"].is_string(), "the drill was of a full backup: {health}");
    assert!(
        of("base")["last_backup_at"].is_null() && of("base")["last_proven_restore_at"].is_null(),
        "{health}"
    );
    let stores = root.get("/api/backups/stores").await.expect(200).json();
    assert_eq!(
        (&stores["items"][1]["name"], &stores["items"][1]["is_reachable"]),
        (&json!("far"), &json!(false))
    );
    server.store.record_backup_stores(&[store("far", 0, true)]).await.expect("recorded");
    let stores = root.get("/api/backups/stores").await.expect(200).json();
    assert_eq!(stores["items"].as_array().map(Vec::len), Some(1), "what is configured no more is forgotten");

    let open = root.get("/api/backups/alerts?which=open").await.expect(200).json();
    assert_eq!(open["items"][0]["id"], json!(recorded.alert));
    let path = format!("/api/backups/alerts/{}/acknowledge", recorded.alert);
    let noted = root.post(&path, &json!({})).await.expect(200).json();
    assert!(noted["acknowledged_by"].is_string() && noted["resolved_at"].is_null(), "{noted}");
    assert_eq!(server.store.note_backup_alerts(&[]).await.expect("resolved"), []);
    let open = root.get("/api/backups/alerts?which=open").await.expect(200).json();
    assert_eq!(open["items"], json!([]));
    let all = root.get("/api/backups/alerts").await.expect(200).json();
    assert!(all["items"][0]["resolved_at"].is_string(), "{all}");
}
