//! What a message says, and how it is written on the wire.

use super::QueueName;
use crate::ids::JobId;
use crate::telemetry::trace::TraceContext;
use serde::{Deserialize, Serialize};

/// One hint: job `job_id` is available on queue `queue`.
///
/// Carries no args, state or request id: those are in the job's row, which the worker reads with its lease.
/// So a doorbell that is late, lost or doubled can never contradict it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doorbell {
    /// The outbox row to forget once the broker has confirmed. Unique within a batch.
    pub outbox_id: i64,
    pub queue: QueueName,
    pub job_id: JobId,
    /// 0 (last) to 9 (first). A wish: what holds is the order in which doorbells are published.
    pub priority: u8,
    /// The span of its sending, for the headers: whoever looks at messages finds the trace. Of sampled traces only.
    pub trace: Option<TraceContext>,
}

/// What became of a published batch, by outbox id. Each id of the batch is in exactly one list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Published {
    /// Safe in the broker: forget these outbox rows.
    pub confirmed: Vec<i64>,
    /// No such queue. Keep the rows and tell the operator.
    pub unroutable: Vec<i64>,
    /// Refused, because the queue is full or its replicas did not agree in time. Publish again later.
    pub unconfirmed: Vec<i64>,
}

/// The only version there is. A reader refuses others: they are dead-lettered, and the rescuer rings again
/// later, when perhaps a worker that understands them is there.
const VERSION: u32 = 1;

/// Fields that a later version adds are ignored by this one, as long as `v` stays the same.
#[derive(Serialize, Deserialize)]
struct Body {
    v: u32,
    job_id: JobId,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Undecodable {
    #[error("the message is no doorbell")]
    Malformed(#[source] serde_json::Error),
    #[error("the doorbell has version {0}, only {VERSION} is understood")]
    Version(u32),
    #[error("the message has {0} bytes, at most {BODY_LEN_MAX} are read")]
    TooLong(usize),
}

/// Many times what a doorbell needs: room for fields to come.
const BODY_LEN_MAX: usize = 4096;

pub(super) fn encode(job_id: JobId) -> Vec<u8> {
    serde_json::to_vec(&Body { v: VERSION, job_id }).expect("a number and a UUID are always JSON")
}

pub(super) fn decode(body: &[u8]) -> Result<JobId, Undecodable> {
    /// Read first: another version may spell everything else differently.
    #[derive(Deserialize)]
    struct Version {
        v: u32,
    }
    if body.len() > BODY_LEN_MAX {
        return Err(Undecodable::TooLong(body.len()));
    }
    match serde_json::from_slice(body) {
        Ok(Version { v: VERSION }) => {
            let body: Body = serde_json::from_slice(body).map_err(Undecodable::Malformed)?;
            Ok(body.job_id)
        }
        Ok(Version { v }) => Err(Undecodable::Version(v)),
        Err(error) => Err(Undecodable::Malformed(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_doorbell_reads_back_as_written() {
        let job_id = JobId::new();
        assert_eq!(decode(&encode(job_id)).expect("our own"), job_id);
    }

    #[test]
    fn unknown_fields_are_left_to_later_versions() {
        let job_id = JobId::new();
        let body = format!(r#"{{"traceparent":"00-1","job_id":"{job_id}","v":1}}"#);
        assert_eq!(decode(body.as_bytes()).expect("version 1"), job_id);
    }

    #[test]
    fn what_is_no_doorbell_is_refused() {
        let job_id = JobId::new();
        let long = format!(r#"{{"v":1,"job_id":"{job_id}","x":"{}"}}"#, "x".repeat(BODY_LEN_MAX));
        let deep = "[".repeat(4000);
        for body in ["", "x", "{}", "null", r#"{"v":1}"#, r#"{"v":1,"job_id":"7"}"#, "\u{0}", &long, &deep] {
            assert!(decode(body.as_bytes()).is_err(), "{body}");
        }
        let other = format!(r#"{{"v":2,"id":"{job_id}"}}"#);
        assert!(matches!(decode(other.as_bytes()), Err(Undecodable::Version(2))));
    }

    proptest! {
        #[test]
        fn any_message_is_a_doorbell_or_refused(
            body in prop::collection::vec(any::<u8>(), 0..200),
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
        ) {
            prop_assert!(decode(&body).is_err());
            let mut bent = encode(JobId::new());
            let place = at.index(bent.len());
            bent[place] = byte;
            if let Ok(job_id) = decode(&bent) {
                let text = String::from_utf8_lossy(&bent).to_lowercase();
                prop_assert!(text.contains(&job_id.to_string()), "{} of {}", job_id, text);
            }
        }
    }
}
