//! What only a broker can suffer, and what it is told.

use crate::place::{Place, queue_a};
use crate::watchful::{PATIENCE, eventually, within};
use lapin::options::{BasicGetOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable};
use shared::queue::{Published, Queue, QueueError};
use shared::testing::amqp_url;
use shared::testing::tcp_proxy::{TcpProxy, Weather};
use std::collections::BTreeSet;
use std::time::Duration;

/// A place that reaches the broker through a proxy.
async fn place_behind_proxy(query: &str) -> (Place, TcpProxy) {
    let url = amqp_url();
    let (login, rest) = url.rsplit_once('@').expect("the test's URL has a login");
    let (address, vhost) = rest.split_once('/').expect("the test's URL has a virtual host");
    let proxy = TcpProxy::start(address.parse().expect("host and port")).await.expect("a free port");
    (Place::amqp_at(format!("{login}@{}/{vhost}{query}", proxy.address())), proxy)
}

/// As the relay does: an error means again.
pub async fn publish_until_confirmed(queue: &Queue, place: &Place) -> shared::ids::JobId {
    let doorbell = place.doorbell(queue_a());
    let confirmed = Published { confirmed: vec![doorbell.outbox_id], ..Default::default() };
    eventually("published", Some(confirmed), async || {
        queue.publish(std::slice::from_ref(&doorbell)).await.ok()
    })
    .await;
    doorbell.job_id
}

#[tokio::test]
async fn cut_connections_cost_nothing_but_duplicates() {
    let (place, proxy) = place_behind_proxy("").await;
    let queue = place.queue();
    let mut worker = place.worker(queue_a(), 2);
    let first = publish_until_confirmed(&queue, &place).await;
    let mut unsettled = worker.next().await;
    assert_eq!(unsettled.job_id, first);

    for _ in 0..3 {
        proxy.cut();
        let rung = publish_until_confirmed(&queue, &place).await;
        worker.run_until(rung).await;
    }
    assert!(!unsettled.ack().await, "its session is gone, so is its place in the queue");
    eventually("nothing is left", 0, async || queue.depth(&queue_a()).await.unwrap_or(u64::MAX)).await;
    place.tear_down().await;
}

#[tokio::test]
async fn what_was_unsettled_when_the_session_broke_comes_again() {
    let (place, proxy) = place_behind_proxy("").await;
    let mut worker = place.worker(queue_a(), 2);
    let rung = place.ring(queue_a(), 1).await;
    let before = worker.next().await;
    proxy.cut();
    let mut after = worker.next().await;
    assert!(after.redelivered && rung.contains(&after.job_id));
    assert!(after.ack().await);
    // The job the first delivery started may still run; its slot is its own all the while.
    assert!(worker.slots.available_permits() == 0);
    drop(before);
    place.tear_down().await;
}

#[tokio::test]
async fn a_broker_that_comes_late_is_awaited() {
    let (place, proxy) = place_behind_proxy("").await;
    proxy.set_weather(Weather::Refusing);
    let queue = place.queue();
    let mut worker = place.worker(queue_a(), 1);
    let refused = queue.publish(&[place.doorbell(queue_a())]).await;
    assert!(matches!(refused, Err(QueueError::Unreachable { .. })), "{refused:?}");
    let health = queue.health().await;
    assert!(!health.reachable);
    let problem = health.problem.expect("a reason");
    assert!(problem.contains(&proxy.address().to_string()) && !problem.contains("guest"), "{problem}");

    proxy.set_weather(Weather::Fine);
    let rung = publish_until_confirmed(&queue, &place).await;
    assert_eq!(worker.run(1).await, [rung]);
    assert!(queue.health().await.reachable);
    place.tear_down().await;
}

#[tokio::test]
async fn a_broker_that_hangs_is_noticed_and_left() {
    // Two seconds of silence are a hung broker here; by default it is twenty.
    let (place, proxy) = place_behind_proxy("?heartbeat=1").await;
    let queue = place.queue();
    let mut worker = place.worker(queue_a(), 1);
    let rung = publish_until_confirmed(&queue, &place).await;
    assert_eq!(worker.run(1).await, [rung]);
    worker.stop.cancel();
    drop(worker);

    proxy.set_weather(Weather::Swallowing);
    let lost = within("an end to the silence", queue.publish(&[place.doorbell(queue_a())])).await;
    assert!(matches!(lost, Err(QueueError::Interrupted(_) | QueueError::Unreachable { .. })), "{lost:?}");
    let unreachable = queue.health().await;
    assert!(!unreachable.reachable, "{unreachable:?}");
    // A handshake that nobody answers must not keep its connection, or each attempt would leave one behind.
    assert!(proxy.wait_for_connections(|open| *open == 0, PATIENCE).await, "connections left behind");

    proxy.set_weather(Weather::Fine);
    let mut worker = place.worker(queue_a(), 1);
    let rung = publish_until_confirmed(&queue, &place).await;
    worker.run_until(rung).await;
    place.tear_down().await;
}

#[tokio::test]
async fn a_publish_given_up_half_way_does_not_confuse_the_next() {
    let place = Place::amqp();
    let queue = place.queue();
    publish_until_confirmed(&queue, &place).await;
    for round in 0..20_u64 {
        let doorbells: Vec<_> = (0..40).map(|_| place.doorbell(queue_a())).collect();
        // Cut off anywhere between the first byte and the last confirm.
        let _ = tokio::time::timeout(Duration::from_micros(round * 100), queue.publish(&doorbells)).await;
        let next = place.doorbell(queue_a());
        let published = queue.publish(std::slice::from_ref(&next)).await.expect("publishing");
        assert_eq!(published.confirmed, [next.outbox_id]);
    }
    place.tear_down().await;
}

#[tokio::test]
async fn a_deleted_queue_is_declared_again() {
    let place = Place::amqp();
    let queue = place.queue();
    let mut worker = place.worker(queue_a(), 1);
    let rung = publish_until_confirmed(&queue, &place).await;
    assert_eq!(worker.run(1).await, [rung]);

    place.delete_queue("a").await;
    // What a queue takes while it goes is gone with it; then the rescuer rings again.
    within("the consumer has noticed as well", async {
        loop {
            let rung = publish_until_confirmed(&queue, &place).await;
            if tokio::time::timeout(Duration::from_secs(5), worker.run_until(rung)).await.is_ok() {
                break;
            }
        }
    })
    .await;
    place.tear_down().await;
}

/// As brokers before 4.0 do to the consumers of a queue that is there again a moment after it was deleted.
#[tokio::test]
async fn a_consumer_the_broker_no_longer_hears_begins_anew() {
    let place = Place::amqp();
    let queue = place.queue();
    let mut worker = place.worker_renewed_after(queue_a(), 2, Duration::from_secs(2));
    let rung = publish_until_confirmed(&queue, &place).await;
    assert_eq!(worker.run(1).await, [rung]);

    let (_connection, channel) = place.broker().await;
    let name = place.broker_name("a");
    let mut quorum = FieldTable::default();
    quorum.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    channel.queue_delete(name.clone().into(), QueueDeleteOptions::default()).await.expect("deleted");
    channel.queue_declare(name.into(), QueueDeclareOptions::durable(), quorum).await.expect("declared");
    let rung = publish_until_confirmed(&queue, &place).await;
    within("what went to the deaf consumer has come back", worker.run_until(rung)).await;
    place.tear_down().await;
}

#[tokio::test]
async fn a_silent_consumer_that_begins_anew_loses_and_doubles_nothing() {
    let place = Place::amqp();
    let mut worker = place.worker_renewed_after(queue_a(), 2, Duration::from_millis(20));
    for round in 0..20 {
        // Some come while a session ends, some while the next one opens.
        tokio::time::sleep(Duration::from_millis(15 + round)).await;
        let rung = place.ring(queue_a(), 5).await;
        let run: BTreeSet<_> = worker.run(5).await.into_iter().collect();
        assert_eq!(run, rung);
    }
    eventually("nothing is left", 0, async || place.queue().depth(&queue_a()).await.expect("looking")).await;
    place.tear_down().await;
}

#[tokio::test]
async fn a_queue_declared_otherwise_is_used_as_it_is() {
    let place = Place::amqp();
    let (_connection, channel) = place.broker().await;
    let name = place.broker_name("a");
    channel
        .queue_declare(name.into(), QueueDeclareOptions::durable(), FieldTable::default())
        .await
        .expect("a classic queue");
    let queue = place.queue();
    let mut worker = place.worker(queue_a(), 1);
    let rung = publish_until_confirmed(&queue, &place).await;
    assert_eq!(worker.run(1).await, [rung]);
    place.tear_down().await;
}

#[tokio::test]
async fn a_message_is_persistent_and_says_which_outbox_row_it_was() {
    let place = Place::amqp();
    let doorbell = place.doorbell(queue_a());
    place.queue().publish(std::slice::from_ref(&doorbell)).await.expect("publishing");
    let (_connection, channel) = place.broker().await;
    let name = place.broker_name("a");
    let message = channel
        .basic_get(name.as_str().into(), BasicGetOptions { no_ack: true })
        .await
        .expect("looking")
        .expect("a message");
    let properties = &message.delivery.properties;
    assert_eq!(*properties.delivery_mode(), Some(2));
    assert_eq!(
        properties.message_id().as_ref().map(|id| id.as_str()),
        Some(&*doorbell.outbox_id.to_string())
    );
    assert_eq!(*properties.priority(), Some(doorbell.priority));
    let body: serde_json::Value = serde_json::from_slice(&message.delivery.data).expect("JSON");
    assert_eq!(body, serde_json::json!({ "v": 1, "job_id": doorbell.job_id }));
    place.tear_down().await;
}

#[tokio::test]
async fn nothing_stays_connected_after_stop_and_close() {
    let (place, proxy) = place_behind_proxy("").await;
    let queue = place.queue();
    let mut worker = place.worker(queue_a(), 1);
    let rung = publish_until_confirmed(&queue, &place).await;
    worker.run_until(rung).await;
    assert!(queue.health().await.reachable);
    assert!(proxy.wait_for_connections(|open| *open == 3, PATIENCE).await, "publish, consume, inspect");
    worker.stop.cancel();
    queue.close().await;
    assert!(proxy.wait_for_connections(|open| *open == 0, PATIENCE).await, "connections left behind");
    place.tear_down().await;
}
