//! Messages that nobody could read or keep.

use super::QueueName;
use super::doorbell;
use crate::ids::JobId;

/// A message in the dead letter queue, as a person may look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Where it died; `None` when it was put there past us.
    pub queue: Option<QueueName>,
    /// Why, in the broker's word: `rejected` (nobody can read it) or `delivery_limit` (nobody survives it).
    pub reason: Option<String>,
    /// The job it rang for, if it is a doorbell.
    pub job_id: Option<JobId>,
    /// The first 500 characters.
    pub body: String,
    /// Bytes of the whole.
    pub size_bytes: u64,
}

/// What a re-drive did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeadLettersDone {
    /// Back in the queue they died in.
    pub redriven: u64,
    /// Still dead: nobody knows where they belong, or the queue there is full.
    pub kept: u64,
}

/// Looked at or moved by one call.
pub const DEAD_LETTERS_STEP: u32 = 500;

impl DeadLetter {
    pub(super) fn new(queue: Option<QueueName>, reason: Option<String>, body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(&body[..body.len().min(2000)]);
        Self {
            queue,
            reason,
            job_id: doorbell::decode(body).ok(),
            body: text.chars().take(500).collect(),
            size_bytes: body.len() as u64,
        }
    }
}
