//! Webhooks: signed, tried again, switched off, and kept from where they must not lead.

use crate::{PATIENCE, SEALING_KEY, World};
use data_encoding::BASE64;
use shared::ids::{ProjectId, UserId, WebhookId};
use shared::notification::Event;
use shared::sealing::{Sealing, SealingKey};
use shared::store::notifications::Routing;
use shared::store::notifications::webhooks::{NewWebhook, Resent};
use shared::testing::{HttpReceiver, ReceivedRequest, free_ports};
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;

const OLD: &[u8] = b"an old secret, 24 bytes.";
const NEW: &[u8] = b"a new secret of 24 bytes";

fn sealed(id: WebhookId, secret: &[u8]) -> Vec<u8> {
    Sealing::new(&SealingKey::from_bytes(SEALING_KEY.as_bytes()).unwrap()).seal(id.0, secret)
}

async fn add(world: &World, project_id: Option<ProjectId>, owner: UserId, url: String) -> WebhookId {
    let id = WebhookId::new();
    let new = NewWebhook {
        id,
        project_id,
        url,
        description: String::new(),
        events: vec![],
        secret: sealed(id, OLD),
        created_by: owner,
    };
    assert!(world.store.add_webhook(&new).await.unwrap());
    id
}

fn event() -> Event {
    Event::StoreFilling { store: "a".into(), used_percent: 81 }
}

async fn wait_for(receiver: &Arc<HttpReceiver>, requests: usize) -> Vec<ReceivedRequest> {
    let receiver = receiver.clone();
    tokio::task::spawn_blocking(move || receiver.wait_for(requests, PATIENCE)).await.unwrap()
}

/// By Python's own `hmac`, after the text of the specification; `None` where there is no Python.
fn signature_by_python(secret: &[u8], request: &ReceivedRequest) -> Option<String> {
    const SCRIPT: &str = "
import base64, hashlib, hmac, sys
secret, msg_id, timestamp = base64.b64decode(sys.argv[1]), sys.argv[2], sys.argv[3]
signed = msg_id.encode() + b'.' + timestamp.encode() + b'.' + sys.stdin.buffer.read()
print('v1,' + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode())";
    let python = Command::new("python3")
        .args(["-c", SCRIPT, &BASE64.encode(secret)])
        .args([request.header("webhook-id"), request.header("webhook-timestamp")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut python) = python else {
        eprintln!("skipped: there is no python3 to check signatures with");
        return None;
    };
    python.stdin.take().unwrap().write_all(request.body.as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    Some(String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_is_down_gets_it_later_signed_with_both_live_secrets_under_one_id() {
    let [port] = free_ports();
    let address = format!("127.0.0.1:{port}");
    let url = format!("http://{address}/in?x=1");
    let world =
        World::start(|config| config.notifications.webhook_networks = vec!["127.0.0.0/8".into()]).await;
    let jane = world.person("jane", true).await;
    let project = world.project(jane).await;
    let of_system = add(&world, None, jane, url.clone()).await;
    let of_project = add(&world, Some(project), jane, url).await;
    world.store.notify(None, &event()).await.unwrap();
    world
        .until(
            "it is tried in vain",
            "SELECT EXISTS (SELECT FROM deliveries WHERE attempts >= 2 AND state = 'waiting')",
        )
        .await;
    let receiver = Arc::new(HttpReceiver::start_at(address.parse().unwrap()));
    let first = wait_for(&receiver, 1).await.remove(0);
    world.until("it is sent", "SELECT EXISTS (SELECT FROM deliveries WHERE state = 'sent')").await;
    let body = first.json();
    assert_eq!(body["type"], "backup.store_filling");
    assert_eq!(
        (body["data"]["store"].as_str(), body["data"]["used_percent"].as_i64()),
        (Some("a"), Some(81))
    );
    assert!(body["timestamp"].as_str().unwrap().ends_with('Z'));
    let at: i64 = first.header("webhook-timestamp").parse().unwrap();
    assert!((chrono::Utc::now().timestamp() - at).abs() < 300, "within the tolerance of the specification");
    if let Some(expected) = signature_by_python(OLD, &first) {
        assert_eq!(first.header("webhook-signature"), expected);
    }
    assert_eq!(
        world.count("SELECT count(*) FROM deliveries").await,
        1,
        "the project's hears nothing of the system"
    );
    assert!(world.store.webhook_deliveries(of_project, None, 10).await.unwrap().is_empty());

    // The log has every try, and failures and success are noted by the webhook.
    let log = world.store.webhook_deliveries(of_system, None, 10).await.unwrap();
    let tries = &log[0].tries.0;
    assert!(tries.len() >= 3 && tries[0].status.is_none() && tries[0].error.is_some(), "{tries:?}");
    assert_eq!((tries.last().unwrap().status, tries.last().unwrap().error.as_ref()), (Some(200), None));
    assert_eq!(world.store.webhook(of_system).await.unwrap().unwrap().failing_since, None);

    // A new secret: both sign for a while. Sent again: the id stays.
    let secret = sealed(of_system, NEW);
    assert!(
        world.store.change_webhook_secret(of_system, &secret, chrono::TimeDelta::hours(1)).await.unwrap()
    );
    let routing = Routing::default();
    let resent =
        world.store.resend_to_webhook(of_system, &Resent::These(vec![log[0].id]), &routing).await.unwrap();
    assert_eq!(resent, 1);
    let second = wait_for(&receiver, 2).await.remove(1);
    assert_eq!(second.header("webhook-id"), first.header("webhook-id"));
    assert_eq!(second.body, first.body);
    let signatures: Vec<&str> = second.header("webhook-signature").split(' ').collect();
    assert_eq!(signatures.len(), 2);
    for (signature, secret) in signatures.into_iter().zip([NEW, OLD]) {
        if let Some(expected) = signature_by_python(secret, &second) {
            assert_eq!(signature, expected);
        }
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_leads_to_no_place_that_is_not_public_and_follows_no_redirect() {
    let receiver = Arc::new(HttpReceiver::start());
    // Allowed is another loopback address than that of the receiver.
    let world = World::start(|config| config.notifications.webhook_networks = vec!["127.0.0.2".into()]).await;
    let jane = world.person("jane", true).await;
    let port = receiver.address().port();
    for host in
        ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "169.254.169.254"]
    {
        add(&world, None, jane, format!("http://{host}:{port}/latest/meta-data")).await;
    }
    world.store.notify(None, &event()).await.unwrap();
    world.until("all are tried", "SELECT count(*) = 7 FROM deliveries WHERE attempts >= 1").await;
    let errors: Vec<String> = sqlx::query_scalar("SELECT DISTINCT error FROM deliveries WHERE attempts >= 1")
        .fetch_all(world.store.pool())
        .await
        .unwrap();
    for error in errors {
        // Odd spellings that a resolver does not know are no addresses at all.
        let is_refused = error == "the address is not a public one" || error == "the host is unknown";
        assert!(is_refused, "{error}");
    }
    assert_eq!(receiver.requests(), []);
    assert_eq!(world.count("SELECT count(*) FROM deliveries WHERE state = 'sent'").await, 0);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_a_failure() {
    let inside = Arc::new(HttpReceiver::start());
    let receiver = Arc::new(HttpReceiver::start());
    receiver.redirect(307, &inside.url("/inside"));
    let world =
        World::start(|config| config.notifications.webhook_networks = vec!["127.0.0.0/8".into()]).await;
    let jane = world.person("jane", true).await;
    add(&world, None, jane, receiver.url("/")).await;
    world.store.notify(None, &event()).await.unwrap();
    world.until("it is tried", "SELECT EXISTS (SELECT FROM deliveries WHERE attempts >= 1)").await;
    let error: String =
        sqlx::query_scalar("SELECT error FROM deliveries").fetch_one(world.store.pool()).await.unwrap();
    assert_eq!(error, "it answered 307, and redirects are not followed");
    assert_eq!(inside.requests(), []);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_takes_nothing_is_switched_off_and_its_owners_are_told() {
    let receiver = Arc::new(HttpReceiver::start());
    receiver.answer(500);
    let world =
        World::start(|config| config.notifications.webhook_networks = vec!["127.0.0.0/8".into()]).await;
    let jane = world.person("jane", false).await;
    let project = world.project(jane).await;
    let id = add(&world, Some(project), jane, receiver.url("/in?token=canary")).await;
    sqlx::query("UPDATE webhooks SET failing_since = now() - interval '6 days'")
        .execute(world.store.pool())
        .await
        .unwrap();
    let died = Event::JobDead {
        job_id: shared::ids::JobId::new(),
        kind: "reconciliation".into(),
        attempts: 5,
        error: None,
        jobs: 1,
    };
    world.store.notify(Some(project), &died).await.unwrap();
    world.until("it is off", "SELECT EXISTS (SELECT FROM webhooks WHERE disabled_at IS NOT NULL)").await;
    world
        .until(
            "its owner knows",
            "SELECT EXISTS (SELECT FROM inbox i JOIN notifications n ON n.id = i.notification_id
        WHERE n.event = 'webhook.disabled')",
        )
        .await;
    world.until("what waits is given up", "SELECT bool_and(state = 'failed') FROM deliveries").await;
    let told = world.store.inbox(jane, true, None, 10).await.unwrap();
    let off = told.iter().find(|item| item.event == "webhook.disabled").expect("told");
    assert!(!off.title.contains("canary") && !off.says.contains("canary"), "{off:?}");

    // Switched on again, it gets what failed.
    receiver.answer(204);
    assert!(world.store.enable_webhook(id).await.unwrap());
    let since = chrono::Utc::now() - chrono::TimeDelta::hours(1);
    let resent =
        world.store.resend_to_webhook(id, &Resent::FailedSince(since), &Routing::default()).await.unwrap();
    assert_eq!(resent, 1);
    world
        .until("it is sent", "SELECT bool_and(state = 'sent') FROM deliveries WHERE channel = 'webhook'")
        .await;

    // Gone for good: off at once.
    receiver.answer(410);
    world
        .store
        .notify(
            Some(project),
            &Event::ReconciliationFinished {
                job_id: shared::ids::JobId::new(),
                name: "x".into(),
                submitted_by: None,
                left_records: 1,
                right_records: 1,
                matches: 1,
                suggested: 0,
                exceptions: 0,
                rejected_lines: 0,
                unmatched: vec![],
            },
        )
        .await
        .unwrap();
    world
        .until("it is off again", "SELECT EXISTS (SELECT FROM webhooks WHERE disabled_for LIKE '%410%')")
        .await;
    world.stop().await;
}
