//! The contract of the queue: every promise is checked on both of its lives, RabbitMQ and memory.
//!
//! What only a broker can suffer is in [`broker`] (cut connections, deleted queues) and [`outage`] (kills, an empty
//! disk, an alarm).

mod broker;
mod figures;
mod outage;
mod place;
mod promises;
mod watchful;

/// Runs every promise on both lives, each in a place of its own.
macro_rules! on_both_lives {
    ($($promise:ident),* $(,)?) => {
        mod in_process {
            $(#[tokio::test]
            async fn $promise() {
                crate::promises::$promise(&crate::place::Place::in_process()).await;
            })*
        }

        mod amqp {
            $(#[tokio::test]
            async fn $promise() {
                let place = crate::place::Place::amqp();
                crate::promises::$promise(&place).await;
                place.tear_down().await;
            })*
        }
    };
}

on_both_lives!(
    an_acknowledged_doorbell_is_delivered_once,
    a_dropped_delivery_comes_again,
    a_split_receipt_can_still_be_settled,
    a_full_consumer_holds_nothing,
    a_full_consumer_holds_nothing_even_before_it_acknowledges,
    one_slot_runs_one_at_a_time,
    a_freed_slot_fetches_the_next,
    what_is_given_back_goes_to_another,
    two_consumers_share,
    consumers_of_one_queue_leave_the_others_alone,
    a_queue_that_is_not_there_is_reported,
    returned_messages_are_not_mixed_up,
    depth_counts_what_waits,
    purge_empties_one_queue,
    a_full_queue_refuses_the_surplus,
    stop_ends_the_receiver_and_hands_back,
    dropping_the_receiver_hands_back,
    what_was_delivered_before_stop_can_be_acknowledged_after,
    what_nobody_can_read_is_a_dead_letter,
    what_nobody_survives_is_a_dead_letter,
    dead_letters_are_looked_at_sent_back_and_thrown_away,
    a_healthy_queue_says_so,
);
