//! Slack, PagerDuty and SMS against local receivers, down and then up.

use crate::{PATIENCE, World};
use secrecy::SecretString;
use shared::ids::BackupId;
use shared::notification::{Event, Mode};
use shared::store::notifications::{ChosenMode, PersonalSettings, alerts};
use shared::testing::{HttpReceiver, free_ports};
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_critical_reaches_slack_pagerduty_and_phones_and_its_end_too() {
    let [port] = free_ports();
    let address = format!("127.0.0.1:{port}");
    let base = format!("http://{address}");
    let world = World::start(|config| {
        let settings = &mut config.notifications;
        settings.slack_url = Some(SecretString::from(format!("{base}/slack/T0/secret-part")));
        settings.pagerduty_key = Some(SecretString::from("routing-key"));
        settings.pagerduty_url = format!("{base}/v2/enqueue");
        settings.sms_url = base.clone();
        settings.sms_account = Some("AC1".into());
        settings.sms_token = Some(SecretString::from("sms-token"));
        settings.sms_from = Some("+15005550006".into());
    })
    .await;
    let jane = world.person("jane", true).await;
    let settings = PersonalSettings {
        phone: Some("+49301234567".into()),
        time_zone: "UTC".into(),
        quiet: None,
        digest_at: Default::default(),
        modes: vec![ChosenMode { event: "backup.failed".into(), channel: "sms".into(), mode: Mode::AtOnce }],
    };
    world.store.set_notification_settings(jane, &settings).await.unwrap();
    let error = Some("<!channel> & so on".to_owned());
    let event = Event::BackupFailed { backup_id: BackupId::new(), class: "full".into(), error };
    world.store.notify(None, &event).await.unwrap();
    world
        .until(
            "all three are tried in vain",
            "SELECT count(*) = 3 FROM deliveries WHERE attempts >= 1 AND state = 'waiting'",
        )
        .await;
    // Nothing secret in what is stored for people to read.
    assert_eq!(
        world
            .count("SELECT count(*) FROM deliveries WHERE error LIKE '%secret-part%' OR error LIKE '%token%'")
            .await,
        0
    );

    let receiver = Arc::new(HttpReceiver::start_at(address.parse().unwrap()));
    let waiting = receiver.clone();
    let requests = tokio::task::spawn_blocking(move || waiting.wait_for(3, PATIENCE)).await.unwrap();
    world.until("all are sent", "SELECT bool_and(state = 'sent') FROM deliveries").await;
    let to = |path: &str| {
        let found = requests.iter().find(|request| request.path.starts_with(path));
        found.unwrap_or_else(|| panic!("nothing to {path}: {requests:?}"))
    };
    let slack = to("/slack/").json();
    let text = slack["text"].as_str().unwrap();
    assert!(
        text.contains("*The full backup failed*") && text.contains("&lt;!channel&gt; &amp; so on"),
        "{text}"
    );
    let page = to("/v2/enqueue").json();
    assert_eq!(
        (page["event_action"].as_str(), page["dedup_key"].as_str()),
        (Some("trigger"), Some("backup.failed:full"))
    );
    assert_eq!(page["routing_key"], "routing-key");
    assert_eq!(page["payload"]["severity"], "critical");
    assert_eq!(page["payload"]["summary"], "The full backup failed");
    let sms = to("/2010-04-01/Accounts/AC1/Messages.json");
    assert!(
        sms.body.contains("To=%2B49301234567") && sms.body.contains("From=%2B15005550006"),
        "{}",
        sms.body
    );
    assert_eq!(sms.header("authorization"), "Basic QUMxOnNtcy10b2tlbg==");
    assert_eq!(sms.header("content-type"), "application/x-www-form-urlencoded");

    let mut tx = world.store.begin().await.unwrap();
    assert!(alerts::resolve(&mut tx, "backup.failed:full").await.unwrap());
    tx.commit().await.unwrap();
    let waiting = receiver.clone();
    let requests = tokio::task::spawn_blocking(move || waiting.wait_for(5, PATIENCE)).await.unwrap();
    let ends: Vec<_> = requests[3..].iter().filter(|r| r.path == "/v2/enqueue").map(|r| r.json()).collect();
    assert_eq!(ends.len(), 1);
    assert_eq!(
        (ends[0]["event_action"].as_str(), ends[0]["dedup_key"].as_str()),
        (Some("resolve"), Some("backup.failed:full"))
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_refuses_for_good_is_not_asked_again() {
    let receiver = HttpReceiver::start();
    receiver.answer(404);
    let url = receiver.url("/slack");
    let world = World::start(|config| config.notifications.slack_url = Some(SecretString::from(url))).await;
    let event = Event::StoreFilling { store: "a".into(), used_percent: 81 };
    world.store.notify(None, &event).await.unwrap();
    world.until("it is given up", "SELECT EXISTS (SELECT FROM deliveries WHERE state = 'failed')").await;
    assert_eq!(receiver.requests().len(), 1);
    world.stop().await;
}
