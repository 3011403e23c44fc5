//! A broker that dies, loses its disk, or runs out of memory. It belongs to this test alone.

use crate::broker::publish_until_confirmed;
use crate::place::{Place, queue_a};
use crate::watchful::eventually;
use shared::queue::{Health, Queue, QueueError};
use shared::testing::{PrivateRabbitMq, test_dir};
use std::collections::BTreeSet;
use tokio::net::TcpListener;

#[tokio::test]
async fn the_queue_survives_what_happens_to_a_broker() {
    let mut broker = PrivateRabbitMq::start(test_dir("queue-outage")).await;
    let place = Place::amqp_at(broker.url());
    let queue = place.queue();
    confirmed_doorbells_survive_a_kill(&mut broker, &place).await;
    a_broker_with_an_empty_disk_gets_its_queues_back(&mut broker, &place, &queue).await;
    // With queues of its own: what rang more than once while the broker came and went is still in those.
    let place = Place::amqp_at(broker.url());
    an_alarm_stops_publishing_and_nothing_else(&broker, &place, &place.queue()).await;
}

#[tokio::test]
async fn a_broker_that_cannot_be_reached_is_left_alone_after_five_tries() {
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let place = Place::amqp_at(format!("amqp://{free}/%2f"));
    let (queue, doorbell) = (place.queue(), place.doorbell(queue_a()));
    for n in 1..=5 {
        let sent = queue.publish(std::slice::from_ref(&doorbell)).await;
        assert!(matches!(sent, Err(QueueError::Unreachable { .. })), "{n}: {sent:?}");
    }
    let sent = queue.publish(std::slice::from_ref(&doorbell)).await;
    assert!(matches!(sent, Err(QueueError::LeftAlone(_))), "{sent:?}");
}

async fn confirmed_doorbells_survive_a_kill(broker: &mut PrivateRabbitMq, place: &Place) {
    let rung = place.ring(queue_a(), 200).await;
    broker.kill_9();
    broker.restart().await;
    let mut worker = place.worker(queue_a(), 8);
    let run: BTreeSet<_> = worker.run(200).await.into_iter().collect();
    assert_eq!(run, rung);
}

async fn a_broker_with_an_empty_disk_gets_its_queues_back(
    broker: &mut PrivateRabbitMq,
    place: &Place,
    queue: &Queue,
) {
    let mut worker = place.worker(queue_a(), 2);
    let before = publish_until_confirmed(queue, place).await;
    assert_eq!(worker.run(1).await, [before]);
    broker.kill_9();
    broker.wipe();
    let down = queue.health().await;
    assert!(!down.reachable && down.problem.is_some(), "{down:?}");
    let doorbell = place.doorbell(queue_a());
    eventually("the broker is left alone", true, async || {
        matches!(queue.publish(std::slice::from_ref(&doorbell)).await, Err(QueueError::LeftAlone(_)))
    })
    .await;
    broker.restart().await;
    // Neither the publisher nor the consumer was told; both declare what they need. Depths, which the relay asks for, end
    // the minute before its time.
    eventually("it is published to again", true, async || {
        let _ = queue.depth(&queue_a()).await;
        queue.publish(std::slice::from_ref(&doorbell)).await.is_ok()
    })
    .await;
    let after = publish_until_confirmed(queue, place).await;
    worker.run_until(after).await;
}

async fn an_alarm_stops_publishing_and_nothing_else(broker: &PrivateRabbitMq, place: &Place, queue: &Queue) {
    let waiting = publish_until_confirmed(queue, place).await;
    broker.ctl(&["set_vm_memory_high_watermark", "0.000001"]).await;
    // The broker notices the first time we publish; that one may still be taken.
    let doorbell = place.doorbell(queue_a());
    eventually("publishing is refused", true, async || {
        matches!(queue.publish(std::slice::from_ref(&doorbell)).await, Err(QueueError::Blocked))
    })
    .await;
    assert_eq!(queue.health().await, Health { reachable: true, blocked: true, problem: None });
    let mut worker = place.worker(queue_a(), 1);
    assert_eq!(worker.run(1).await, [waiting], "consuming goes on");
    worker.stop.cancel();
    drop(worker);

    broker.ctl(&["set_vm_memory_high_watermark", "0.6"]).await;
    let rung = publish_until_confirmed(queue, place).await;
    let mut worker = place.worker(queue_a(), 1);
    worker.run_until(rung).await;
    assert_eq!(queue.health().await, Health { reachable: true, blocked: false, problem: None });
}
