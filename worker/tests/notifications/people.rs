//! Who is told, over what, and when.

use crate::World;
use chrono::{DateTime, NaiveTime, Utc};
use shared::ids::{BackupId, JobId};
use shared::notification::{Event, Mode};
use shared::store::notifications::alerts::AlertAct;
use shared::store::notifications::{ChosenMode, Marked, PersonalSettings, Routing, notify};
use shared::testing::TestDatabase;

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_die_together_are_told_together_and_only_to_those_who_may_act() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(|config| config.mail.dir = Some(folder.path().into())).await;
    let (ann, bo) = (world.person("ann", false).await, world.person("bo", false).await);
    let project = world.project(ann).await;
    world.store.set_project_member(project, bo, shared::store::projects::ProjectRole::Viewer).await.unwrap();
    let mut tx = world.store.begin().await.unwrap();
    for n in 0..7 {
        sqlx::query(
            "INSERT INTO jobs (id, kind, queue, project_id, state, priority, args, attempts_max)
             VALUES ($1, 'reconciliation', 'reconciliation', $2, 'scheduled', 5, '{}', 3)",
        )
        .bind(JobId::new())
        .bind(project)
        .execute(&mut *tx)
        .await
        .unwrap();
        let _ = n;
    }
    // However it happens: a trigger tells.
    sqlx::query("UPDATE jobs SET state = 'dead', finished_at = now(), error = 'the file is gone' WHERE project_id = $1")
        .bind(project)
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    world.until("it is told", "SELECT EXISTS (SELECT FROM deliveries WHERE state = 'sent')").await;
    world.until("all are told of", "SELECT bool_and(addressed_at IS NOT NULL) FROM notifications").await;
    let inbox = world.store.inbox(ann, false, None, 10).await.unwrap();
    assert_eq!(inbox.len(), 1);
    assert_eq!(inbox[0].title, "7 jobs are dead, the last of the kind reconciliation");
    assert_eq!(inbox[0].says, "the file is gone");
    assert_eq!(world.count("SELECT count(*) FROM deliveries").await, 1);
    assert_eq!(world.store.unread_count(ann).await.unwrap(), 1);
    assert_eq!(world.store.unread_count(bo).await.unwrap(), 0, "a viewer cannot do anything about it");

    assert_eq!(world.store.mark_inbox(ann, Marked::UpTo(inbox[0].id), true).await.unwrap(), 1);
    assert_eq!(world.store.unread_count(ann).await.unwrap(), 0);
    assert!(world.store.inbox(ann, true, None, 10).await.unwrap().is_empty());
    world.stop().await;
}

fn at(text: &str) -> Option<DateTime<Utc>> {
    Some(text.parse().unwrap())
}

fn time(hour: u32) -> NaiveTime {
    NaiveTime::from_hms_opt(hour, 0, 0).unwrap()
}

/// Without a scheduler, at times of our own.
#[tokio::test]
async fn quiet_hours_hold_everything_but_what_is_critical_and_end_in_a_digest() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let jane = shared::ids::UserId::new();
    sqlx::query(
        "INSERT INTO users (id, email, name, password_hash, is_platform_admin)
         VALUES ($1, 'jane@example.org', 'jane', 'x', true)",
    )
    .bind(jane)
    .execute(store.pool())
    .await
    .unwrap();
    let modes = vec![
        ChosenMode { event: "backup.slow".into(), channel: "email".into(), mode: Mode::AtOnce },
        ChosenMode { event: "webhook.disabled".into(), channel: "email".into(), mode: Mode::Off },
        ChosenMode { event: "backup.size_deviates".into(), channel: "inbox".into(), mode: Mode::Off },
    ];
    let settings = PersonalSettings {
        phone: None,
        time_zone: "Europe/Berlin".into(),
        quiet: Some((time(22), time(7))),
        digest_at: time(9),
        modes,
    };
    store.set_notification_settings(jane, &settings).await.unwrap();
    assert_eq!(store.notification_settings(jane).await.unwrap().quiet, settings.quiet);
    let routing = Routing { email: true, ..Routing::default() };
    let (class, backup_id) = ("full".to_owned(), BackupId::new());
    let slow = Event::BackupSlow { backup_id, class: class.clone(), seconds: 90, seconds_max: 60 };
    let odd = Event::BackupSizeDeviates { backup_id, class: class.clone(), bytes: 1, usual_bytes: 9 };
    let off = Event::WebhookDisabled {
        webhook_id: uuid::Uuid::now_v7(),
        host: "https://x.example.org".into(),
        why: "It is gone".into(),
    };
    let failed = Event::BackupFailed { backup_id, class, error: Some("disk full".into()) };
    for event in [&slow, &odd, &off, &failed] {
        store.notify(None, event).await.unwrap();
    }
    // Midnight in Berlin.
    let midnight = at("2026-01-05T23:00:00Z");
    let mut told = vec![];
    while let Some(addressed) = store.address_next(None, &routing, midnight).await.unwrap() {
        told.push((addressed.event, addressed.jobs));
    }
    let expected =
        [("backup.slow", 0), ("backup.size_deviates", 0), ("webhook.disabled", 0), ("backup.failed", 1)];
    assert_eq!(told, expected.map(|(event, jobs)| (event.to_owned(), jobs)));
    let held: Vec<(String, DateTime<Utc>)> = sqlx::query_as(
        "SELECT n.event, d.due_at FROM deliveries d JOIN notifications n ON n.id = d.notification_id
         WHERE d.state = 'held' ORDER BY n.id",
    )
    .fetch_all(store.pool())
    .await
    .unwrap();
    let morning = at("2026-01-06T06:00:00Z");
    assert_eq!(held.len(), 2);
    assert!(held.iter().all(|(_, due)| Some(*due) == morning), "{held:?}");
    assert_eq!(store.unread_count(jane).await.unwrap(), 3, "one event she does not want in her inbox");

    assert!(!store.release_held(&routing, at("2026-01-06T05:59:59Z")).await.unwrap());
    assert!(store.release_held(&routing, morning).await.unwrap());
    assert!(!store.release_held(&routing, morning).await.unwrap());
    let states: Vec<(String, String)> = sqlx::query_as(
        "SELECT n.event, d.state::text FROM deliveries d JOIN notifications n ON n.id = d.notification_id
         ORDER BY n.event",
    )
    .fetch_all(store.pool())
    .await
    .unwrap();
    let expected = [
        ("backup.failed", "waiting"),
        ("backup.size_deviates", "digested"),
        ("backup.slow", "digested"),
        ("notification.digest", "waiting"),
    ];
    assert_eq!(states, expected.map(|(event, state)| (event.to_owned(), state.to_owned())));
    let digest: (String, String) =
        sqlx::query_as("SELECT title, says FROM notifications WHERE event = 'notification.digest'")
            .fetch_one(store.pool())
            .await
            .unwrap();
    assert_eq!(digest.0, "2 notifications");
    assert!(digest.1.contains("took 90 s") && digest.1.contains("is unusual"), "{}", digest.1);
}

#[tokio::test]
async fn an_alert_counts_occurrences_is_quiet_once_acknowledged_and_rings_again_after_its_end() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let jane = shared::ids::UserId::new();
    sqlx::query(
        "INSERT INTO users (id, email, name, password_hash, is_platform_admin)
         VALUES ($1, 'jane@example.org', 'jane', 'x', true)",
    )
    .bind(jane)
    .execute(store.pool())
    .await
    .unwrap();
    let routing = Routing { email: true, pagerduty: true, ..Routing::default() };
    let fail = async || {
        let event = Event::BackupFailed { backup_id: BackupId::new(), class: "full".into(), error: None };
        let mut conn = store.pool().acquire().await.unwrap();
        notify(&mut conn, None, &event).await.unwrap();
        drop(conn);
        store.address_next(None, &routing, None).await.unwrap().expect("one").jobs
    };
    assert_eq!((fail().await, fail().await), (2, 2), "mail and PagerDuty");
    let alert = store.alerts(None, true, None, 10).await.unwrap().remove(0);
    assert_eq!((alert.event.as_str(), alert.occurrences), ("backup.failed", 2));
    assert_eq!(alert.channels, ["email", "inbox", "pagerduty"]);
    assert!(store.act_on_alert(alert.id, AlertAct::Acknowledge(jane)).await.unwrap());
    assert_eq!(fail().await, 0, "somebody is at it");
    assert_eq!(store.unread_count(jane).await.unwrap(), 3);

    // A backup of the class that succeeds ends it, and whoever rang is told.
    sqlx::query(
        "INSERT INTO backups (id, class, state, started_at, taken_at, finished_at, manifest)
         VALUES (gen_random_uuid(), 'full', 'committed', now(), now(), now() + interval '1 minute', '{}')",
    )
    .execute(store.pool())
    .await
    .unwrap();
    assert_eq!(store.resolve_past_alerts().await.unwrap(), 1);
    assert_eq!(store.resolve_past_alerts().await.unwrap(), 0);
    let over = store.address_next(None, &routing, None).await.unwrap().expect("the end");
    assert_eq!((over.event.as_str(), over.jobs), ("condition.over", 1), "PagerDuty stops ringing");
    assert!(store.alerts(None, true, None, 10).await.unwrap().is_empty());
    assert!(!store.act_on_alert(alert.id, AlertAct::Resolve).await.unwrap());
    assert_eq!(fail().await, 2, "a new alert");
}
