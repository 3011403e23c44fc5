//! Notifications through the whole system: API, scheduler, broker, worker, mail server; each a process of its own.

use crate::client::Client;
use crate::deployment::Deployment;
use crate::wait::{PATIENCE, until};
use serde_json::{Value, json};
use shared::testing::SmtpReceiver;

/// The promise: at least once on the wire, once by its id.
#[test]
fn a_worker_that_is_killed_between_sending_and_recording_sends_again_under_the_same_id() {
    let receiver = SmtpReceiver::start();
    let deployment = Deployment::create("notify").set("COUNTERFOIL_MAIL__URL", &receiver.url());
    let api = deployment.api();
    let _scheduler = deployment.scheduler();
    let mut killed = deployment.worker_of("worker-killed", "email", 1);
    receiver.hold(true);
    let client = Client::registered(&api.url);
    client.post("/api/notifications/test", &Value::Null).expect(202);
    // The server has the mail; nobody has heard so.
    let first = receiver.wait_for(1, PATIENCE).remove(0);
    killed.kill_9();
    receiver.hold(false);

    let _other = deployment.worker_of("worker-other", "email", 1);
    let mails = receiver.wait_for(2, PATIENCE);
    assert_eq!(mails[1].header("message-id"), first.header("message-id"));
    assert_eq!(mails[1].to, first.to);
    until("it is recorded", || {
        let sent = deployment.database.count("SELECT count(*) FROM deliveries WHERE state = 'sent'");
        (sent == 1).then_some(())
    });
    assert_eq!(deployment.database.count("SELECT count(*) FROM deliveries"), 1);
    assert_eq!(receiver.mails().len(), 2);

    let inbox = client.get("/api/notifications").expect(200);
    assert_eq!(
        (inbox["unread"].as_i64(), inbox["items"][0]["event"].as_str()),
        (Some(1), Some("notification.test"))
    );
    let read = json!({"up_to": inbox["items"][0]["id"]});
    let marked = client.post("/api/notifications/read", &read).expect(200);
    assert_eq!((marked["changed"].as_i64(), marked["unread"].as_i64()), (Some(1), Some(0)));
    assert_eq!(client.get("/api/notifications?unread=true").expect(200)["items"], json!([]));
}
