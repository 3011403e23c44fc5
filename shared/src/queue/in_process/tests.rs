//! What trouble does, seen from outside.

use super::*;
use crate::ids::JobId;
use std::collections::BTreeMap;
use std::time::Duration;

fn queue_name() -> QueueName {
    QueueName::parse("q").expect("a name")
}

fn queue(length_max: usize, trouble: Trouble) -> InProcessQueue {
    InProcessQueue::new(&[queue_name()], length_max, trouble)
}

fn doorbells(count: i64) -> Vec<Doorbell> {
    (1..=count)
        .map(|outbox_id| Doorbell {
            outbox_id,
            queue: queue_name(),
            job_id: JobId::new(),
            priority: 0,
            trace: None,
        })
        .collect()
}

/// Publishes, all confirmed, and delivers `count` messages in the order in which they come.
async fn deliver(queue: &InProcessQueue, doorbells: &[Doorbell], count: usize) -> Vec<JobId> {
    assert_eq!(queue.publish(doorbells).confirmed.len(), doorbells.len());
    let mut deliveries = queue.consume(queue_name(), Arc::new(Semaphore::new(1)), CancellationToken::new());
    let mut jobs = Vec::new();
    for _ in 0..count {
        let next = tokio::time::timeout(Duration::from_secs(30), deliveries.recv()).await;
        let mut delivery = next.expect("in time").expect("a delivery");
        assert!(delivery.ack().await);
        jobs.push(delivery.job_id);
    }
    jobs
}

fn in_order(doorbells: &[Doorbell]) -> Vec<JobId> {
    doorbells.iter().map(|doorbell| doorbell.job_id).collect()
}

#[tokio::test]
async fn without_trouble_messages_come_in_order() {
    let rung = doorbells(50);
    assert_eq!(deliver(&queue(50, Trouble::default()), &rung, 50).await, in_order(&rung));
}

#[tokio::test]
async fn dropped_messages_are_confirmed_and_never_come() {
    let queue = queue(5, Trouble { drop: 1.0, ..Default::default() });
    assert_eq!(queue.publish(&doorbells(10)).confirmed.len(), 10, "they need no room either");
    assert_eq!(queue.depth(&queue_name()).expect("the queue"), 0);
}

#[tokio::test]
async fn some_are_dropped_the_others_come() {
    let queue = queue(1000, Trouble { seed: 1, drop: 0.5, ..Default::default() });
    let rung = doorbells(200);
    queue.publish(&rung);
    let left = queue.depth(&queue_name()).expect("the queue");
    assert!((60..140).contains(&left), "{left}");
}

#[tokio::test]
async fn duplicated_messages_come_twice() {
    let rung = doorbells(20);
    let jobs = deliver(&queue(40, Trouble { duplicate: 1.0, ..Default::default() }), &rung, 40).await;
    let mut times = BTreeMap::new();
    for job in jobs {
        *times.entry(job).or_insert(0) += 1;
    }
    assert_eq!(times.len(), 20);
    assert!(times.values().all(|times| *times == 2));
}

#[tokio::test]
async fn reordered_messages_all_come_in_another_order_that_the_seed_repeats() {
    let rung = doorbells(50);
    let trouble = Trouble { seed: 4, reorder: 1.0, ..Default::default() };
    let once = deliver(&queue(50, trouble), &rung, 50).await;
    let again = deliver(&queue(50, trouble), &rung, 50).await;
    let other = deliver(&queue(50, Trouble { seed: 5, ..trouble }), &rung, 50).await;
    assert_eq!(once, again);
    assert_ne!(once, other);
    let mut sorted = once.clone();
    sorted.sort();
    let mut all = in_order(&rung);
    assert_ne!(once, all);
    all.sort();
    assert_eq!(sorted, all);
}

#[tokio::test]
async fn delayed_messages_come_later_but_come() {
    let trouble = Trouble { seed: 9, delay: 1.0, delay_max: Duration::from_millis(50), ..Default::default() };
    let rung = doorbells(20);
    let mut jobs = deliver(&queue(20, trouble), &rung, 20).await;
    assert_ne!(jobs, in_order(&rung), "each has a delay of its own");
    jobs.sort();
    let mut all = in_order(&rung);
    all.sort();
    assert_eq!(jobs, all);
}

#[tokio::test]
async fn delayed_messages_take_up_room() {
    let trouble = Trouble { delay: 1.0, delay_max: Duration::from_secs(3600), ..Default::default() };
    let queue = queue(3, trouble);
    let published = queue.publish(&doorbells(5));
    assert_eq!((published.confirmed, published.unconfirmed), (vec![1, 2, 3], vec![4, 5]));
    assert_eq!(queue.depth(&queue_name()).expect("the queue"), 0);
}

#[test]
fn a_full_queue_refuses_exactly_the_surplus() {
    let queue = queue(3, Trouble::default());
    let published = queue.publish(&doorbells(5));
    assert_eq!((published.confirmed, published.unconfirmed), (vec![1, 2, 3], vec![4, 5]));
    assert_eq!(queue.purge(&queue_name()).expect("the queue"), 3);
    assert_eq!(queue.publish(&doorbells(1)).confirmed, [1]);
}

#[test]
fn only_the_newest_dead_letters_are_kept() {
    let graveyard = Graveyard::default();
    for number in 0..=Graveyard::LEN_MAX {
        let message = Message::new(number.to_le_bytes().to_vec());
        graveyard.bury(Grave { queue: queue_name(), reason: "rejected", message });
    }
    assert_eq!(graveyard.len(), Graveyard::LEN_MAX);
    let graves = graveyard.0.lock().expect("nobody panicked");
    assert_eq!(graves[0].message.body, 1_usize.to_le_bytes());
}
