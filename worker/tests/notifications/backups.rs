//! Conditions of backups: two workers look, people are told once, and once when it is over.

use crate::{PATIENCE, World};
use secrecy::SecretString;
use shared::config::{self, BackupStore, DiskStore};
use shared::testing::{HttpReceiver, SmtpReceiver};
use std::path::Path;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use worker::backups::Backups;

fn settings(dir: &Path) -> config::Backup {
    let keys = dir.join("keys");
    std::fs::write(&keys, "00112233445566778899aabbccddeeff00112233445566778899aabbccddee01").unwrap();
    let disk =
        |name: &str| BackupStore::Disk(DiskStore { name: name.into(), dir: dir.join(name), bytes_max: None });
    config::Backup {
        stores: vec![disk("near"), disk("far")],
        keys_file: Some(keys),
        scratch_dir: Some(dir.to_owned()),
        spool_dir: Some(dir.join("spool")),
        ..config::Backup::default()
    }
}

/// Two workers look at least once each from now on; ends when what they wrote is so.
async fn look(world: &World, config: &config::Backup, what: &str, query: &'static str) {
    let stop = CancellationToken::new();
    let looking: Vec<_> = (0..2)
        .map(|_| tokio::spawn(Backups::new(config, world.store.clone()).look_after(stop.clone())))
        .collect();
    world.until(what, query).await;
    stop.cancel();
    for looking in looking {
        looking.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stores_that_are_down_are_told_of_once_and_once_when_they_are_back() {
    let (mail, pager) = (SmtpReceiver::start(), Arc::new(HttpReceiver::start()));
    let (mail_url, pager_url) = (mail.url(), pager.url("/v2/enqueue"));
    let world = World::start(|config| {
        config.mail.url = Some(SecretString::from(mail_url));
        config.notifications.pagerduty_key = Some(SecretString::from("routing-key"));
        config.notifications.pagerduty_url = pager_url;
    })
    .await;
    world.person("jane", true).await;
    world.person("john", false).await;
    // In memory where that can be: a disk that is four fifths full would ring on its own.
    let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let config = settings(dir.path());
    look(&world, &config, "both stores answer", "SELECT count(*) = 2 FROM backup_stores WHERE is_reachable")
        .await;
    assert_eq!(world.count("SELECT count(*) FROM notifications").await, 0, "all is well");

    for store in ["near", "far"] {
        std::fs::remove_dir_all(dir.path().join(store)).unwrap();
        std::fs::write(dir.path().join(store), "a file where the folder was").unwrap();
    }
    look(
        &world,
        &config,
        "the alarm rings",
        "SELECT count(*) = 3 FROM backup_alerts WHERE resolved_at IS NULL",
    )
    .await;
    // Whoever looks again finds nothing new.
    look(
        &world,
        &config,
        "it was seen again",
        "SELECT count(*) = 3 FROM backup_alerts WHERE resolved_at IS NULL AND seen_at > raised_at",
    )
    .await;
    world.until("everybody was told", "SELECT count(*) = 4 FROM deliveries WHERE state = 'sent'").await;
    let told = "SELECT string_agg(event, ' ' ORDER BY event) = 'backup.store_down backup.store_down backup.stores_down'
                FROM notifications";
    assert!(sqlx::query_scalar::<_, bool>(told).fetch_one(world.store.pool()).await.unwrap());
    let mails = mail.mails();
    assert_eq!(mails.len(), 3, "to one administrator");
    let subjects: Vec<_> = mails.iter().filter_map(|mail| mail.header("subject")).collect();
    assert!(subjects.iter().any(|subject| subject == "No store of backups answers"), "{subjects:?}");
    let rung = pager.requests();
    assert_eq!(rung.len(), 1, "what is critical rings");
    assert_eq!(rung[0].json()["dedup_key"], "backup.stores_down");
    assert_eq!(
        world.count("SELECT count(*) FROM alerts WHERE resolved_at IS NULL AND occurrences = 1").await,
        3
    );

    for store in ["near", "far"] {
        std::fs::remove_file(dir.path().join(store)).unwrap();
    }
    look(&world, &config, "it is over", "SELECT count(*) = 0 FROM backup_alerts WHERE resolved_at IS NULL")
        .await;
    world.until("the alerts are over", "SELECT count(*) = 0 FROM alerts WHERE resolved_at IS NULL").await;
    let waiting = pager.clone();
    let rung = tokio::task::spawn_blocking(move || waiting.wait_for(2, PATIENCE)).await.unwrap();
    let last = rung[1].json();
    assert_eq!(
        (last["event_action"].as_str(), last["dedup_key"].as_str()),
        (Some("resolve"), Some("backup.stores_down"))
    );
    assert_eq!(world.count("SELECT count(*) FROM notifications WHERE event = 'condition.over'").await, 3);
    // Not again, whoever looks.
    assert_eq!(world.store.resolve_past_alerts().await.unwrap(), 0);
    assert_eq!(pager.requests().len(), 2);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_backup_rings_when_it_is_found_and_ends_when_it_is_healed_or_gone() {
    let world = World::start(|_| {}).await;
    world.person("jane", true).await;
    let make = "INSERT INTO backups (id, class, state, started_at, taken_at, finished_at, rows, plain_bytes, sealed_bytes,
                                     counts, manifest)
                SELECT gen_random_uuid(), 'full', 'committed', now(), now(), now(), 0, 0, 0, true, '{}'
                FROM generate_series(1, 3)";
    sqlx::query(make).execute(world.store.pool()).await.unwrap();
    let lost = "UPDATE backups SET verified_at = now(), verification = '{}', is_good = false";
    sqlx::query(lost).execute(world.store.pool()).await.unwrap();
    world.until("three alerts", "SELECT count(*) = 3 FROM alerts WHERE resolved_at IS NULL").await;
    for better in [
        "UPDATE backups SET is_good = true WHERE id = (SELECT min(id::text)::uuid FROM backups)",
        "UPDATE backups SET state = 'removed', removed_at = now()
         WHERE id = (SELECT max(id::text)::uuid FROM backups)",
    ] {
        sqlx::query(better).execute(world.store.pool()).await.unwrap();
    }
    world.until("two are over", "SELECT count(*) = 1 FROM alerts WHERE resolved_at IS NULL").await;
    let left: bool = sqlx::query_scalar(
        "SELECT a.condition = 'backup.verification_failed:' || b.id FROM alerts a, backups b
         WHERE a.resolved_at IS NULL AND b.is_good IS FALSE AND b.state = 'committed'",
    )
    .fetch_one(world.store.pool())
    .await
    .unwrap();
    assert!(left);
    world.stop().await;
}
