//! The name of a queue.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Names one queue of jobs: 1 to 60 of `[a-z0-9_.-]`. Cheap to clone.
///
/// [`QueueName::RESERVED`] is refused: in the broker that name belongs to the dead letter queue.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct QueueName(Arc<str>);

/// Says what a queue name may be; the text it was made from is kept for the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no queue name: 1 to 60 of a-z, 0-9, '_', '.', '-', and not {reserved:?}", reserved = QueueName::RESERVED)]
pub struct InvalidQueueName(String);

impl QueueName {
    pub const LEN_MAX: usize = 60;

    /// Spelled with a hyphen, which a job kind cannot contain, so that every kind is a queue name.
    pub const RESERVED: &str = "dead-letters";

    pub fn parse(name: &str) -> Result<Self, InvalidQueueName> {
        if is_well_formed(name) && name != Self::RESERVED {
            Ok(Self(name.into()))
        } else {
            // Cut, because a bad name may be of any length and ends up in a log line.
            Err(InvalidQueueName(name.chars().take(2 * Self::LEN_MAX).collect()))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Also the rule for the prefix that a deployment puts before its queues.
pub(super) fn is_well_formed(name: &str) -> bool {
    (1..=QueueName::LEN_MAX).contains(&name.len())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-'))
}

impl std::fmt::Display for QueueName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for QueueName {
    type Err = InvalidQueueName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::parse(name)
    }
}

impl TryFrom<String> for QueueName {
    type Error = InvalidQueueName;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        Self::parse(&name)
    }
}

impl From<QueueName> for String {
    fn from(name: QueueName) -> String {
        name.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::JobKind;

    #[test]
    fn queue_names_are_short_and_plain() {
        for good in ["a", "reconciliation", "backup.daily", "x-1_2", &"q".repeat(60)] {
            assert_eq!(QueueName::parse(good).expect(good).as_str(), good);
        }
        for bad in ["", "A", "a b", "a/b", "é", "a*", "dead-letters", &"q".repeat(61)] {
            assert!(QueueName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_bad_name_does_not_flood_the_log() {
        let error = QueueName::parse(&"é".repeat(100_000)).expect_err("far too long");
        assert!(error.to_string().len() < 500);
    }

    #[test]
    fn every_job_kind_is_a_queue_name() {
        for kind in ["dead_letters", "a", "x_1", &"k".repeat(60)] {
            assert_eq!(JobKind::parse(kind).expect(kind).queue().as_str(), kind);
        }
    }

    #[test]
    fn names_are_checked_when_read_from_json() {
        assert_eq!(serde_json::from_str::<QueueName>("\"mail\"").expect("a name").as_str(), "mail");
        assert!(serde_json::from_str::<QueueName>("\"Mail!\"").is_err());
    }
}
