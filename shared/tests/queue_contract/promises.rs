//! The promises, one function each.

use crate::place::{LENGTH_MAX, Place, outbox_ids, queue_a, queue_b, queue_that_is_not_there};
use crate::watchful::{eventually, within};
use shared::queue::{Health, QueueError, REDELIVERIES_MAX};
use std::collections::BTreeSet;

pub async fn an_acknowledged_doorbell_is_delivered_once(place: &Place) {
    let rung = place.ring(queue_a(), 20).await;
    let mut worker = place.worker(queue_a(), 4);
    let run = worker.run(20).await;
    assert_eq!(run.into_iter().collect::<BTreeSet<_>>(), rung);
    // Were one of them to come again, it would come before the next.
    let next = place.ring(queue_a(), 1).await;
    assert_eq!(worker.run(1).await.into_iter().collect::<BTreeSet<_>>(), next);
    let mut first_time = place.worker(queue_a(), 1);
    place.ring(queue_a(), 1).await;
    worker.stop.cancel();
    drop(worker);
    assert!(first_time.next().await.ack().await);
}

pub async fn a_dropped_delivery_comes_again(place: &Place) {
    let rung = place.ring(queue_a(), 1).await;
    let mut worker = place.worker(queue_a(), 2);
    let first = worker.next().await;
    assert!(!first.redelivered);
    drop(first);
    let mut again = worker.next().await;
    assert!(again.redelivered);
    assert!(rung.contains(&again.job_id));
    assert!(again.ack().await);
    assert!(!again.ack().await, "settled once is settled");
    assert!(!again.give_back().await, "settled once is settled");
    eventually("the queue is empty", 0, async || place.queue().depth(&queue_a()).await.expect("depth")).await;
}

pub async fn a_split_receipt_can_still_be_settled(place: &Place) {
    let rung = place.ring(queue_a(), 2).await;
    let mut worker = place.worker(queue_a(), 1);
    let (job_id, mut receipt, slot) = worker.next().await.into_parts();
    assert!(rung.contains(&job_id));
    assert!(receipt.ack().await);
    assert_eq!(worker.slots.available_permits(), 0, "the slot outlives the receipt");
    drop(receipt);
    drop(slot);
    assert_eq!(worker.run(1).await.len(), 1);
}

pub async fn a_full_consumer_holds_nothing(place: &Place) {
    let mut full = place.worker(queue_a(), 1);
    let first = place.ring(queue_a(), 1).await;
    let mut running = full.next().await;
    assert!(first.contains(&running.job_id));
    assert!(running.ack().await);

    let rest = place.ring(queue_a(), 9).await;
    let mut idle = place.worker(queue_a(), 2);
    let run = idle.run(9).await;
    assert_eq!(run.into_iter().collect::<BTreeSet<_>>(), rest, "nine waited, nine are run by the idle one");
    assert!(full.deliveries.try_recv().is_err());
}

pub async fn a_full_consumer_holds_nothing_even_before_it_acknowledges(place: &Place) {
    let rung = place.ring(queue_a(), 10).await;
    let mut full = place.worker(queue_a(), 3);
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(full.next().await);
    }
    let mut idle = place.worker(queue_a(), 1);
    let mut run: BTreeSet<_> = idle.run(7).await.into_iter().collect();
    for mut delivery in held {
        assert!(delivery.ack().await);
        run.insert(delivery.job_id);
    }
    assert_eq!(run, rung);
}

pub async fn one_slot_runs_one_at_a_time(place: &Place) {
    let rung = place.ring(queue_a(), 10).await;
    let mut worker = place.worker(queue_a(), 1);
    let mut run = BTreeSet::new();
    for left in (0..10).rev() {
        let mut delivery = worker.next().await;
        assert!(delivery.ack().await);
        run.insert(delivery.job_id);
        // Nine others wait, and they go on waiting in the queue.
        assert_eq!(worker.slots.available_permits(), 0);
        eventually("the rest waits", left, async || place.queue().depth(&queue_a()).await.expect("depth"))
            .await;
        assert!(worker.deliveries.try_recv().is_err());
    }
    assert_eq!(run, rung);
}

pub async fn a_freed_slot_fetches_the_next(place: &Place) {
    let mut worker = place.worker(queue_a(), 2);
    place.ring(queue_a(), 2).await;
    let mut one = worker.next().await;
    let mut two = worker.next().await;
    assert!(one.ack().await && two.ack().await);
    let third = place.ring(queue_a(), 1).await;
    drop(one);
    let mut next = worker.next().await;
    assert!(third.contains(&next.job_id));
    assert!(next.ack().await);
}

pub async fn what_is_given_back_goes_to_another(place: &Place) {
    let rung = place.ring(queue_a(), 1).await;
    let mut leaving = place.worker(queue_a(), 1);
    let delivery = leaving.next().await;
    leaving.stop.cancel();
    assert!(delivery.give_back().await);
    let mut other = place.worker(queue_a(), 1);
    let mut again = other.next().await;
    assert!(again.redelivered);
    assert!(rung.contains(&again.job_id));
    assert!(again.ack().await);
}

pub async fn two_consumers_share(place: &Place) {
    let mut one = place.worker(queue_a(), 3);
    let mut two = place.worker(queue_a(), 3);
    let rung = place.ring(queue_a(), 6).await;
    // Six slots for six jobs, none given back before all are out: each consumer must get three.
    let mut run = BTreeSet::new();
    let mut held = Vec::new();
    for _ in 0..3 {
        for worker in [&mut one, &mut two] {
            let mut delivery = worker.next().await;
            assert!(delivery.ack().await);
            assert!(run.insert(delivery.job_id), "delivered twice");
            held.push(delivery);
        }
    }
    assert_eq!(run, rung);
}

pub async fn consumers_of_one_queue_leave_the_others_alone(place: &Place) {
    let of_a = place.ring(queue_a(), 3).await;
    let of_b = place.ring(queue_b(), 3).await;
    let mut worker = place.worker(queue_b(), 1);
    let mut delivery = worker.next().await;
    assert_eq!(delivery.queue, queue_b());
    assert!(delivery.ack().await && of_b.contains(&delivery.job_id));
    drop(delivery);
    let run: BTreeSet<_> = worker.run(2).await.into_iter().collect();
    assert!(run.is_subset(&of_b) && run.is_disjoint(&of_a));
    eventually("a is untouched", 3, async || place.queue().depth(&queue_a()).await.expect("depth")).await;
}

pub async fn a_queue_that_is_not_there_is_reported(place: &Place) {
    let queue = place.queue();
    let doorbells = [queue_a(), queue_that_is_not_there(), queue_b()].map(|queue| place.doorbell(queue));
    let published = queue.publish(&doorbells).await.expect("publishing");
    assert_eq!(published.confirmed, [doorbells[0].outbox_id, doorbells[2].outbox_id]);
    assert_eq!(published.unroutable, [doorbells[1].outbox_id]);
    assert!(published.unconfirmed.is_empty());

    let unknown = queue_that_is_not_there();
    for answer in [queue.depth(&unknown).await, queue.purge(&unknown).await] {
        assert!(matches!(&answer, Err(QueueError::UnknownQueue(name)) if *name == unknown), "{answer:?}");
    }
    // An unknown name breaks nothing for the others.
    assert_eq!(queue.publish(&doorbells[..1]).await.expect("publishing").confirmed, [doorbells[0].outbox_id]);
    eventually("both arrived", 2, async || queue.depth(&queue_a()).await.expect("depth")).await;
}

pub async fn returned_messages_are_not_mixed_up(place: &Place) {
    let queue = place.queue();
    for _ in 0..10 {
        let doorbells: Vec<_> = (0..256)
            .map(|index| place.doorbell(if index % 16 == 5 { queue_that_is_not_there() } else { queue_a() }))
            .collect();
        let (lost, kept): (Vec<_>, Vec<_>) =
            doorbells.iter().cloned().partition(|doorbell| doorbell.queue == queue_that_is_not_there());
        let published = queue.publish(&doorbells).await.expect("publishing");
        assert_eq!(published.unroutable, outbox_ids(&lost));
        assert_eq!(published.confirmed, outbox_ids(&kept));
        eventually("all arrived", 240, async || queue.depth(&queue_a()).await.expect("depth")).await;
        assert_eq!(queue.purge(&queue_a()).await.expect("purging"), 240);
    }
}

pub async fn depth_counts_what_waits(place: &Place) {
    let queue = place.queue();
    let depth = async || queue.depth(&queue_a()).await.expect("depth");
    assert_eq!(depth().await, 0);
    place.ring(queue_a(), 5).await;
    eventually("five wait", 5, depth).await;
    let mut worker = place.worker(queue_a(), 1);
    let mut delivery = worker.next().await;
    eventually("one is held", 4, depth).await;
    assert!(delivery.ack().await);
    eventually("one is gone", 4, depth).await;
    worker.stop.cancel();
    drop((delivery, worker));
    assert_eq!(queue.depth(&queue_b()).await.expect("depth"), 0);
}

pub async fn purge_empties_one_queue(place: &Place) {
    let queue = place.queue();
    place.ring(queue_a(), 5).await;
    place.ring(queue_b(), 1).await;
    eventually("five wait", 5, async || queue.depth(&queue_a()).await.expect("depth")).await;
    assert_eq!(queue.purge(&queue_a()).await.expect("purging"), 5);
    assert_eq!(queue.depth(&queue_a()).await.expect("depth"), 0);
    eventually("b is untouched", 1, async || queue.depth(&queue_b()).await.expect("depth")).await;
}

pub async fn a_full_queue_refuses_the_surplus(place: &Place) {
    let queue = place.queue();
    let mut confirmed = 0;
    // A broker learns that the queue is full a little late, so it takes a few more than the limit.
    let refused = loop {
        let doorbells: Vec<_> = (0..100).map(|_| place.doorbell(queue_a())).collect();
        let published = queue.publish(&doorbells).await.expect("publishing");
        assert!(published.unroutable.is_empty());
        assert_eq!(published.confirmed.len() + published.unconfirmed.len(), 100);
        confirmed += published.confirmed.len();
        if let [refused, ..] = published.unconfirmed[..] {
            break refused;
        }
        assert!(confirmed <= 2 * LENGTH_MAX, "never full");
    };
    assert!(confirmed >= LENGTH_MAX, "full after {confirmed}");
    eventually("what was confirmed is there", confirmed as u64, async || {
        queue.depth(&queue_a()).await.expect("depth")
    })
    .await;

    queue.purge(&queue_a()).await.expect("purging");
    let mut again = place.doorbell(queue_a());
    again.outbox_id = refused;
    // The news of the free places travels, too.
    eventually("accepted once there is room", vec![refused], async || {
        queue.publish(std::slice::from_ref(&again)).await.expect("publishing").confirmed
    })
    .await;
}

pub async fn stop_ends_the_receiver_and_hands_back(place: &Place) {
    let rung = place.ring(queue_a(), 4).await;
    let mut leaving = place.worker(queue_a(), 4);
    let first = leaving.next().await;
    leaving.stop.cancel();
    // One may have been on its way to us; it is ours to run or to drop.
    let rest = within("the end of the receiver", async {
        let mut rest = Vec::new();
        while let Some(delivery) = leaving.deliveries.recv().await {
            rest.push(delivery);
        }
        rest
    })
    .await;
    assert!(rest.len() <= 1, "{rest:?}");
    drop((first, rest));

    let mut other = place.worker(queue_a(), 2);
    let run: BTreeSet<_> = other.run(4).await.into_iter().collect();
    assert_eq!(run, rung);
    eventually("the slots are back", 4, async || leaving.slots.available_permits()).await;
}

pub async fn dropping_the_receiver_hands_back(place: &Place) {
    let rung = place.ring(queue_a(), 4).await;
    let mut leaving = place.worker(queue_a(), 4);
    let mut first = leaving.next().await;
    drop(leaving.deliveries);
    assert!(first.ack().await, "the session waits for what is out");
    let mut other = place.worker(queue_a(), 2);
    let mut run: BTreeSet<_> = other.run(3).await.into_iter().collect();
    run.insert(first.job_id);
    assert_eq!(run, rung);
}

pub async fn what_was_delivered_before_stop_can_be_acknowledged_after(place: &Place) {
    place.ring(queue_a(), 1).await;
    let mut leaving = place.worker(queue_a(), 1);
    let mut delivery = leaving.next().await;
    leaving.stop.cancel();
    assert!(within("the end", leaving.deliveries.recv()).await.is_none());
    assert!(delivery.ack().await);
    let next = place.ring(queue_a(), 1).await;
    let mut other = place.worker(queue_a(), 1);
    assert!(next.contains(&other.next().await.job_id), "not the first again");
}

pub async fn what_nobody_can_read_is_a_dead_letter(place: &Place) {
    let queue = place.queue();
    assert_eq!(queue.dead_letters().await.expect("looking"), 0);
    place.inject(b"no doorbell").await;
    place.inject(&[0xff; 10_000]).await;
    let rung = place.ring(queue_a(), 1).await;
    let mut worker = place.worker(queue_a(), 1);
    let run: BTreeSet<_> = worker.run(1).await.into_iter().collect();
    assert_eq!(run, rung, "what cannot be read is in nobody's way");
    eventually("both are dead letters", 2, async || queue.dead_letters().await.expect("looking")).await;
    eventually("the queue is empty", 0, async || queue.depth(&queue_a()).await.expect("depth")).await;
}

pub async fn what_nobody_survives_is_a_dead_letter(place: &Place) {
    let queue = place.queue();
    let rung = place.ring(queue_a(), 1).await;
    let mut worker = place.worker(queue_a(), 1);
    for _ in 0..=REDELIVERIES_MAX {
        let delivery = worker.next().await;
        assert!(rung.contains(&delivery.job_id));
        drop(delivery);
    }
    eventually("it is a dead letter", 1, async || queue.dead_letters().await.expect("looking")).await;
    let next = place.ring(queue_a(), 1).await;
    assert!(next.contains(&worker.next().await.job_id), "the next one, not the same again");
}

pub async fn a_healthy_queue_says_so(place: &Place) {
    let queue = place.queue();
    let well = Health { reachable: true, blocked: false, problem: None };
    assert_eq!(queue.health().await, well);
    assert_eq!(queue.publish(&[]).await.expect("nothing to do"), Default::default());
    queue.publish(&[place.doorbell(queue_a())]).await.expect("publishing");
    queue.close().await;
    assert_eq!(queue.health().await, well, "closed is not broken");
    queue.publish(&[place.doorbell(queue_a())]).await.expect("publishing again");
}

pub async fn dead_letters_are_looked_at_sent_back_and_thrown_away(place: &Place) {
    let queue = place.queue();
    assert_eq!(queue.look_at_dead_letters(10).await.expect("looking"), []);
    let mut worker = place.worker(queue_a(), 1);
    let dead = async |count| {
        eventually("dead letters", count, async || queue.dead_letters().await.expect("looking")).await;
    };
    let later = format!(r#"{{"v":2,"job_id":"{}"}}"#, shared::ids::JobId::new());
    for (n, body) in [b"no doorbell".as_slice(), later.as_bytes()].into_iter().enumerate() {
        place.inject(body).await;
        dead(n as u64 + 1).await;
    }
    // As often as anybody likes: they stay, and in their order.
    for _ in 0..3 {
        dead(2).await;
        let letters = queue.look_at_dead_letters(10).await.expect("looking");
        assert_eq!(letters.iter().map(|l| l.body.as_str()).collect::<Vec<_>>(), ["no doorbell", &later]);
        for letter in letters {
            assert_eq!((letter.queue, letter.job_id), (Some(queue_a()), None));
            assert_eq!(letter.reason.as_deref(), Some("rejected"));
        }
    }
    dead(2).await;
    assert_eq!(queue.look_at_dead_letters(1).await.expect("looking").len(), 1);
    dead(2).await;
    // Nobody can read them still: they die again. Those of a worker that can would be run.
    worker.stop.cancel();
    while worker.deliveries.recv().await.is_some() {}
    let done = queue.redrive_dead_letters(1).await.expect("re-driving");
    assert_eq!((done.redriven, done.kept), (1, 0));
    eventually("it is back", 1, async || queue.depth(&queue_a()).await.expect("depth")).await;
    dead(1).await;
    let _again = place.worker(queue_a(), 1);
    dead(2).await;
    assert_eq!(queue.purge_dead_letters().await.expect("purging"), 2);
    dead(0).await;
}
