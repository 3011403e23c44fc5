//! What can go wrong between us and the broker.

use super::QueueName;
use std::time::Duration;

/// Nothing here loses a job: the truth is in Postgres. Every variant but [`Self::InvalidUrl`] and
/// [`Self::InvalidPrefix`] passes with time.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The configuration is wrong; trying again does not help. The URL is not repeated, it holds a password.
    #[error("the broker's URL cannot be used: {0}")]
    InvalidUrl(&'static str),
    #[error("the prefix {0:?} cannot be put before queue names: 1 to 60 of a-z, 0-9, '_', '.', '-'")]
    InvalidPrefix(String),
    /// Nothing was sent. Try again after a while.
    #[error("connecting to the broker at {address}")]
    Unreachable { address: String, source: Box<dyn std::error::Error + Send + Sync> },
    /// The broker takes no messages until its memory or disk alarm is over. What was under way when it began may
    /// or may not have arrived: publish it again afterwards.
    #[error("the broker accepts no messages: a memory or disk alarm is on")]
    Blocked,
    /// What was under way may or may not have happened: do it again.
    #[error("the session with the broker ended")]
    Interrupted(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// As [`Self::Interrupted`]; the broker answered nothing for this long.
    #[error("the broker did not answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// Publishing has failed again and again: nothing was sent, and nothing will be for this long.
    #[error("the broker is left alone for {} s", .0.as_secs() + 1)]
    LeftAlone(Duration),
    /// The broker has no such queue.
    #[error("there is no queue {0}")]
    UnknownQueue(QueueName),
}
