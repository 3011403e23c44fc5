//! Mail over a real SMTP conversation.

use crate::{PATIENCE, World};
use secrecy::SecretString;
use shared::notification::Event;
use shared::testing::{SmtpReceiver, free_ports};

fn blocking<T: Send + 'static>(wait: impl FnOnce() -> T + Send + 'static) -> tokio::task::JoinHandle<T> {
    tokio::task::spawn_blocking(wait)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_waits_for_a_server_that_is_down_and_is_sent_once() {
    let [port] = free_ports();
    let address = format!("127.0.0.1:{port}");
    let url = format!("smtp://{address}?tls=never");
    let world = World::start(|config| {
        config.mail.url = Some(SecretString::from(url));
        config.mail.from = "Counterfoil <cf@example.org>".into();
        config.notifications.public_url = Some("https://cf.example.org/".into());
    })
    .await;
    let jane = world.person("jane", false).await;
    world.store.notify(None, &Event::Test { user_id: jane }).await.unwrap();
    world
        .until(
            "it is tried in vain",
            "SELECT EXISTS (SELECT FROM deliveries WHERE attempts >= 2 AND state = 'waiting')",
        )
        .await;
    let error: String =
        sqlx::query_scalar("SELECT error FROM deliveries").fetch_one(world.store.pool()).await.unwrap();
    assert!(error.contains("connecting to the mail server"), "{error}");

    let receiver = std::sync::Arc::new(SmtpReceiver::start_at(address.parse().unwrap()));
    let mails = blocking({
        let receiver = receiver.clone();
        move || receiver.wait_for(1, PATIENCE)
    });
    let mail = mails.await.unwrap().remove(0);
    world.until("it is sent", "SELECT EXISTS (SELECT FROM deliveries WHERE state = 'sent')").await;
    let id: uuid::Uuid =
        sqlx::query_scalar("SELECT id FROM deliveries").fetch_one(world.store.pool()).await.unwrap();
    assert_eq!(
        (mail.from.as_str(), mail.to.as_slice()),
        ("cf@example.org", &["jane@example.org".to_owned()][..])
    );
    assert_eq!(mail.header("message-id"), Some(format!("<{id}@example.org>")));
    assert_eq!(mail.header("subject").as_deref(), Some("A test of your notifications"));
    assert_eq!(mail.header("auto-submitted").as_deref(), Some("auto-generated"));
    assert!(mail.header("content-type").unwrap().starts_with("multipart/alternative"));
    for part in ["text/plain", "text/html", "It arrived", "<h1"] {
        assert!(mail.data.contains(part), "{part} in {}", mail.data);
    }

    // Addressed again, or its job run again: nobody gets it twice.
    sqlx::query("UPDATE notifications SET addressed_at = NULL, title = NULL")
        .execute(world.store.pool())
        .await
        .unwrap();
    world
        .until("it is addressed again", "SELECT bool_and(addressed_at IS NOT NULL) FROM notifications")
        .await;
    assert_eq!(world.count("SELECT count(*) FROM deliveries").await, 1);
    assert_eq!(world.count("SELECT count(*) FROM jobs WHERE kind = 'email'").await, 1);
    assert_eq!(receiver.mails().len(), 1);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_bounced_gets_no_mail_until_it_is_cleared() {
    let receiver = SmtpReceiver::start();
    receiver.refuse("jane@example.org", "550 5.1.1 no such user");
    receiver.refuse("john@example.org", "550 5.7.1 we do not like you");
    let url = receiver.url();
    let world = World::start(|config| config.mail.url = Some(SecretString::from(url))).await;
    let jane = world.person("jane", false).await;
    let john = world.person("john", false).await;
    for user_id in [jane, john] {
        world.store.notify(None, &Event::Test { user_id }).await.unwrap();
    }
    world
        .until("both are refused", "SELECT count(*) = 2 FROM deliveries WHERE state IN ('bounced', 'failed')")
        .await;
    // Only what is about the address is remembered by it.
    let bounces = world.store.bounces(None, 10).await.unwrap();
    assert_eq!(bounces.len(), 1);
    assert_eq!(bounces[0].address, "jane@example.org");
    assert!(bounces[0].says.contains("no such user"), "{}", bounces[0].says);

    world.store.notify(None, &Event::Test { user_id: jane }).await.unwrap();
    world
        .until("it is suppressed", "SELECT EXISTS (SELECT FROM deliveries WHERE state = 'suppressed')")
        .await;
    assert_eq!(world.count("SELECT count(*) FROM inbox").await, 3, "her inbox has it all the same");

    receiver.accept("jane@example.org");
    assert!(world.store.clear_bounce("Jane@example.org").await.unwrap());
    world.store.notify(None, &Event::Test { user_id: jane }).await.unwrap();
    world.until("it is sent", "SELECT EXISTS (SELECT FROM deliveries WHERE state = 'sent')").await;
    assert_eq!(receiver.mails().len(), 1);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_mails_are_files() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("mail");
    let world = World::start(|config| config.mail.dir = Some(dir.clone())).await;
    let jane = world.person("jane", false).await;
    world.store.notify(None, &Event::Test { user_id: jane }).await.unwrap();
    world.until("it is sent", "SELECT EXISTS (SELECT FROM deliveries WHERE state = 'sent')").await;
    let id: uuid::Uuid =
        sqlx::query_scalar("SELECT id FROM deliveries").fetch_one(world.store.pool()).await.unwrap();
    let mail = std::fs::read_to_string(dir.join(format!("{id}.eml"))).unwrap();
    assert!(mail.contains("To: jane@example.org"), "{mail}");
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 1);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_up_says_why_and_a_dead_job_of_ours_tells_nobody() {
    let [port] = free_ports();
    let world = World::start(|config| {
        config.mail.url = Some(SecretString::from(format!("smtp://127.0.0.1:{port}?tls=never")));
        config.kinds.get_mut("email").unwrap().attempts_max = Some(2);
    })
    .await;
    let jane = world.person("jane", true).await;
    world.store.notify(None, &Event::Test { user_id: jane }).await.unwrap();
    world
        .until(
            "it is given up",
            "SELECT EXISTS (SELECT FROM deliveries WHERE state = 'failed' AND attempts = 2)",
        )
        .await;
    world.until("its job is dead", "SELECT EXISTS (SELECT FROM jobs WHERE state = 'dead')").await;
    assert_eq!(world.count("SELECT count(*) FROM notifications").await, 1);
    world.stop().await;
}
