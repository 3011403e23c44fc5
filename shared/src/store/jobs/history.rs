//! The history of one job, oldest event first.
//!
//! Nearly all of it is in the job's row and its attempts already, and is read from there: a table of events written
//! with every change would double the rows a job costs, for the few that somebody looks at. `job_events` holds what
//! cannot be derived: who asked for what, and the phases of long attempts (written with the renewal that first sees
//! one, so phases shorter than a second may be missing).

use super::{AttemptView, JobView};
use crate::ids::{JobId, UserId};
use crate::job::JobState;
use crate::store::{Store, StoreError};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Phases kept of one job; later ones are not written.
pub(super) const PHASES_MAX: i64 = 200;
/// Attempts kept of one job, the newest: a job that snoozes for months has that many leases.
pub(super) const ATTEMPTS_KEPT: i64 = 500;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HistoryEvent {
    Accepted,
    /// A worker took the lease.
    Leased,
    /// The attempt came to a new phase.
    Phase,
    /// Somebody wants it to stop.
    CancelRequested,
    /// Failed; waits for its next attempt.
    Retried,
    /// Not now; waits, uncounted.
    Snoozed,
    /// The worker left; available at once, uncounted.
    HandedBack,
    /// The worker went silent.
    LeaseExpired,
    /// Somebody made it available before its time.
    MadeDue,
    /// Somebody had a dead job start over.
    ReDriven,
    Completed,
    Cancelled,
    Dead,
}

impl HistoryEvent {
    /// As in `attempts.outcome` and `job_events.event`.
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "phase" => Self::Phase,
            "cancel_requested" => Self::CancelRequested,
            "retried" => Self::Retried,
            "snoozed" => Self::Snoozed,
            "handed_back" => Self::HandedBack,
            "lease_expired" => Self::LeaseExpired,
            "made_due" => Self::MadeDue,
            "re_driven" => Self::ReDriven,
            "completed" => Self::Completed,
            "cancelled" => Self::Cancelled,
            "dead" => Self::Dead,
            _ => return None,
        })
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Leased => "leased",
            Self::Phase => "phase",
            Self::CancelRequested => "cancel_requested",
            Self::Retried => "retried",
            Self::Snoozed => "snoozed",
            Self::HandedBack => "handed_back",
            Self::LeaseExpired => "lease_expired",
            Self::MadeDue => "made_due",
            Self::ReDriven => "re_driven",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Dead => "dead",
        }
    }
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    pub at: DateTime<Utc>,
    pub event: HistoryEvent,
    /// The lease it belongs to, if it belongs to one.
    pub fence: Option<i64>,
    pub worker: Option<String>,
    /// Who asked; `None` also for somebody with a shell on the server, whose name is the detail.
    pub by_user: Option<UserId>,
    /// The phase, what went wrong, or who asked at a shell.
    pub detail: Option<String>,
}

#[derive(sqlx::FromRow)]
struct Stored {
    event: String,
    at: DateTime<Utc>,
    fence: Option<i64>,
    by_user: Option<UserId>,
    detail: Option<String>,
}

impl Store {
    /// The history of a job that was just read together with its attempts. At most a few for each attempt kept.
    pub async fn job_history(
        &self,
        job: &JobView,
        attempts: &[AttemptView],
    ) -> Result<Vec<History>, StoreError> {
        let stored: Vec<Stored> = sqlx::query_as(
            "SELECT event::text AS event, at, fence, by_user, detail FROM job_events
             WHERE job_id = $1 ORDER BY id LIMIT 1000",
        )
        .bind(job.id)
        .fetch_all(self.pool())
        .await?;
        let mut history = derive(job, attempts);
        history.extend(stored.into_iter().filter_map(|row| {
            let event = HistoryEvent::parse(&row.event)?;
            Some(History {
                at: row.at,
                event,
                // A re-drive notes the last lease before it, to which it does not belong.
                fence: row.fence.filter(|_| event != HistoryEvent::ReDriven),
                worker: None,
                by_user: row.by_user,
                detail: row.detail,
            })
        }));
        // Events of one transaction have one time: by their place in a job's life then.
        history.sort_by_key(|event| (event.at, event.event));
        Ok(history)
    }

    /// See [`Self::job_history`].
    pub async fn job_with_history(
        &self,
        id: JobId,
    ) -> Result<Option<(JobView, Vec<AttemptView>, Vec<History>)>, StoreError> {
        let Some(job) = self.job(id).await? else { return Ok(None) };
        let attempts = self.attempts(id).await?;
        let history = self.job_history(&job, &attempts).await?;
        Ok(Some((job, attempts, history)))
    }
}

/// What the job's row and its attempts tell.
fn derive(job: &JobView, attempts: &[AttemptView]) -> Vec<History> {
    let plain = |at, event| History { at, event, fence: None, worker: None, by_user: None, detail: None };
    let mut history = vec![plain(job.created_at, HistoryEvent::Accepted)];
    for attempt in attempts {
        let of_attempt = |at, event, detail| History {
            at,
            event,
            fence: Some(attempt.fence),
            worker: Some(attempt.worker.clone()),
            by_user: None,
            detail,
        };
        history.push(of_attempt(attempt.started_at, HistoryEvent::Leased, None));
        let outcome = attempt.outcome.as_deref().and_then(HistoryEvent::parse);
        if let (Some(outcome), Some(finished_at)) = (outcome, attempt.finished_at) {
            history.push(of_attempt(finished_at, outcome, attempt.error.clone()));
        }
    }
    // Ends that no attempt made: cancelled before it ran, or by the rescuer.
    let end = match job.state {
        JobState::Cancelled => Some(HistoryEvent::Cancelled),
        JobState::Dead => Some(HistoryEvent::Dead),
        _ => None,
    };
    if let (Some(end), Some(finished_at)) = (end, job.finished_at)
        && !history.iter().any(|seen| seen.event == end && seen.at == finished_at)
    {
        history.push(History { detail: job.error.clone(), ..plain(finished_at, end) });
    }
    history
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_reads_back_by_its_name() {
        use HistoryEvent::*;
        for event in [
            Phase,
            CancelRequested,
            Retried,
            Snoozed,
            HandedBack,
            LeaseExpired,
            MadeDue,
            ReDriven,
            Completed,
            Cancelled,
            Dead,
        ] {
            assert_eq!(HistoryEvent::parse(event.as_str()), Some(event));
        }
    }
}
