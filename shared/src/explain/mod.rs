//! Why a job is not running: a decision over one look at the database, without a clock or a database.
//!
//! [`crate::store::Store::look_at_job`] looks, in one snapshot, and [`explain`] says what that means. The first reason
//! is the one to see to first; with none of the others left the job would run, or soon.

mod says;
#[cfg(test)]
mod tests;

use crate::ids::{BatchId, JobId, ProjectId};
use crate::job::JobState;
use crate::limits::LimitScope;
use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;

/// Doorbells are counted up to here.
pub const COUNTED_MAX: i64 = 1000;

/// A relay looks many times a second, and notes it every five seconds; with a broker that hangs a look takes long.
const RELAY_SILENT_AFTER: TimeDelta = TimeDelta::seconds(60);

/// The stager and the rescuer look every second.
const LATE: TimeDelta = TimeDelta::seconds(5);

/// What there is to see of a job at one moment.
#[derive(Debug, Clone)]
pub enum Seen {
    Job(Box<SeenJob>),
    /// There is no job yet: it follows a batch that has not finished.
    Follows(SeenBatch),
}

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct SeenBatch {
    pub batch_id: BatchId,
    pub name: String,
    pub jobs: i32,
    /// Not final yet.
    pub unfinished: i64,
}

#[derive(Debug, Clone)]
pub struct SeenJob {
    /// The database's.
    pub now: DateTime<Utc>,
    pub state: JobState,
    pub kind: String,
    pub queue: String,
    pub attempt: i32,
    pub attempts_max: i32,
    pub due_at: DateTime<Utc>,
    pub rung_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
    pub cancel_requested_at: Option<DateTime<Utc>>,
    pub error: Option<String>,
    pub worker: Option<String>,
    pub lease_expires_at: Option<DateTime<Utc>>,
    /// Of the worker that holds the lease; `None` when it has no row.
    pub worker_heartbeat_at: Option<DateTime<Utc>>,
    /// How the newest attempt ended, as in `attempts.outcome`.
    pub last_outcome: Option<String>,
    pub pause: Option<SeenPause>,
    /// Those on this job, of an available one only.
    pub limits: Vec<SeenLimit>,
    pub crew: SeenCrew,
    /// Its doorbell, when that waits in the outbox.
    pub doorbell: Option<SeenDoorbell>,
    pub relay: SeenRelay,
}

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct SeenPause {
    pub reason: String,
    pub paused_by: String,
    pub paused_at: DateTime<Utc>,
}

/// A limit on a job, and who has its places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenLimit {
    pub scope: LimitScope,
    /// The kind, project or key; empty for the global one.
    pub subject: String,
    pub jobs_max: i32,
    pub taken: i64,
    /// The oldest ten.
    pub holders: Vec<Holder>,
}

/// A job that has a place.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Holder {
    pub job_id: JobId,
    pub project_id: Option<ProjectId>,
}

/// The workers that know a job's kind, without those that drain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct SeenCrew {
    /// Alive.
    pub workers: i64,
    pub slots: i64,
    pub busy: i64,
    /// Of any that ever knew the kind and is still remembered.
    pub last_heartbeat_at: Option<DateTime<Utc>>,
}

/// A doorbell in the outbox, and what goes before it; each counted up to [`COUNTED_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeenDoorbell {
    pub waiting_since: DateTime<Utc>,
    /// Of the same priority, project and key, waiting longer: all of them go first.
    pub ahead_in_lane: i64,
    /// Of a higher priority, of any project: most go first.
    pub of_higher_priority: i64,
    /// Other projects with doorbells in this queue: they take turns with this one, job by job. Up to 256.
    pub other_projects: i64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct SeenRelay {
    /// When a relay last looked at the queue.
    pub looked_at: Option<DateTime<Utc>>,
    /// When the broker last confirmed a doorbell of it.
    pub confirmed_at: Option<DateTime<Utc>>,
    /// Why that look failed.
    pub trouble: Option<String>,
}

/// Why a job is not running, or what it waits for. The sentence is its [`std::fmt::Display`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Submitted for later.
    NotDue {
        until: DateTime<Utc>,
    },
    /// Failed, and waits for its next attempt.
    BetweenAttempts {
        until: DateTime<Utc>,
        attempt: i32,
        attempts_max: i32,
        error: Option<String>,
    },
    /// Put itself off.
    Snoozed {
        until: DateTime<Utc>,
        says: Option<String>,
    },
    /// Due, and nobody has moved it on.
    NotStaged {
        since: DateTime<Utc>,
    },
    QueuePaused {
        queue: String,
        since: DateTime<Utc>,
        by: String,
        says: String,
    },
    LimitReached(SeenLimit),
    /// Nobody alive knows its kind.
    NoWorker {
        kind: String,
        last_heartbeat_at: Option<DateTime<Utc>>,
    },
    WorkersBusy {
        workers: i64,
        slots: i64,
    },
    /// Others are to run before it.
    WaitsItsTurn(SeenDoorbell),
    /// No relay looks at its queue: no scheduler runs.
    RelaySilent {
        since: DateTime<Utc>,
        last_looked_at: Option<DateTime<Utc>>,
    },
    /// The relay does not get its doorbell to the broker.
    BrokerAway {
        says: String,
        last_confirmed_at: Option<DateTime<Utc>>,
    },
    /// Sent, and no worker has answered.
    DoorbellUnanswered {
        since: DateTime<Utc>,
        rings_again_at: DateTime<Utc>,
    },
    /// It runs.
    Leased {
        worker: String,
        until: DateTime<Utc>,
        worker_heartbeat_at: Option<DateTime<Utc>>,
    },
    /// Its worker went silent, and nobody has taken the job back.
    LeaseExpired {
        worker: String,
        since: DateTime<Utc>,
    },
    /// Its worker has been told to stop.
    CancelRequested {
        since: DateTime<Utc>,
        worker: Option<String>,
    },
    FollowsBatch(SeenBatch),
    Completed {
        at: Option<DateTime<Utc>>,
    },
    Cancelled {
        at: Option<DateTime<Utc>>,
    },
    Dead {
        at: Option<DateTime<Utc>>,
        error: Option<String>,
    },
}

/// The reasons, the decisive one first; never none.
pub fn explain(seen: &Seen, ring_again_after: Duration) -> Vec<Reason> {
    match seen {
        Seen::Follows(batch) => vec![Reason::FollowsBatch(batch.clone())],
        Seen::Job(job) => match job.state {
            JobState::Completed => vec![Reason::Completed { at: job.finished_at }],
            JobState::Cancelled => vec![Reason::Cancelled { at: job.finished_at }],
            JobState::Dead => vec![Reason::Dead { at: job.finished_at, error: job.error.clone() }],
            JobState::Running => running(job),
            JobState::Scheduled => scheduled(job),
            JobState::Available => available(job, ring_again_after),
        },
    }
}

fn running(job: &SeenJob) -> Vec<Reason> {
    let worker = job.worker.clone().unwrap_or_default();
    let until = job.lease_expires_at.unwrap_or(job.now);
    let cancelled =
        job.cancel_requested_at.map(|since| Reason::CancelRequested { since, worker: job.worker.clone() });
    let lease = if until < job.now {
        Reason::LeaseExpired { worker, since: until }
    } else {
        Reason::Leased { worker, until, worker_heartbeat_at: job.worker_heartbeat_at }
    };
    cancelled.into_iter().chain([lease]).collect()
}

fn scheduled(job: &SeenJob) -> Vec<Reason> {
    let until = job.due_at;
    let first = match job.last_outcome.as_deref() {
        _ if until + LATE < job.now => Reason::NotStaged { since: until },
        Some("snoozed") => Reason::Snoozed { until, says: job.error.clone() },
        Some("retried") => Reason::BetweenAttempts {
            until,
            attempt: job.attempt,
            attempts_max: job.attempts_max,
            error: job.error.clone(),
        },
        _ => Reason::NotDue { until },
    };
    // These will matter then, and somebody could see to them now.
    [first].into_iter().chain(pause(job)).chain(no_worker(job)).collect()
}

fn available(job: &SeenJob, ring_again_after: Duration) -> Vec<Reason> {
    let mut reasons: Vec<Reason> = pause(job).into_iter().collect();
    let reached = job.limits.iter().filter(|limit| limit.taken >= i64::from(limit.jobs_max));
    reasons.extend(reached.cloned().map(Reason::LimitReached));
    let is_held_back = !reasons.is_empty();
    reasons.extend(no_worker(job));
    let crew = job.crew;
    if crew.workers > 0 && crew.busy >= crew.slots {
        reasons.push(Reason::WorkersBusy { workers: crew.workers, slots: crew.slots });
    }
    match &job.doorbell {
        Some(doorbell) => reasons.extend(in_outbox(job, doorbell, is_held_back)),
        // Its place was refused a moment ago, or the relay has sent it before the limit was reached.
        None if is_held_back => {}
        None => {
            let after = TimeDelta::from_std(ring_again_after).unwrap_or(TimeDelta::MAX);
            let rings_again_at = job.rung_at.checked_add_signed(after).unwrap_or(DateTime::<Utc>::MAX_UTC);
            reasons.push(Reason::DoorbellUnanswered { since: job.rung_at, rings_again_at });
        }
    }
    reasons
}

fn in_outbox(job: &SeenJob, doorbell: &SeenDoorbell, is_held_back: bool) -> Option<Reason> {
    let relay = &job.relay;
    if let Some(says) = &relay.trouble {
        return Some(Reason::BrokerAway { says: says.clone(), last_confirmed_at: relay.confirmed_at });
    }
    // Nobody looks at a paused queue, and that is right.
    let since = job.rung_at.max(relay.looked_at.unwrap_or(job.rung_at));
    if job.pause.is_none() && since + RELAY_SILENT_AFTER < job.now {
        return Some(Reason::RelaySilent { since: job.rung_at, last_looked_at: relay.looked_at });
    }
    // With nobody before it, what holds it back is all there is to say.
    let is_first = doorbell.ahead_in_lane + doorbell.of_higher_priority + doorbell.other_projects == 0;
    (!(is_held_back && is_first)).then_some(Reason::WaitsItsTurn(*doorbell))
}

fn pause(job: &SeenJob) -> Option<Reason> {
    job.pause.as_ref().map(|pause| Reason::QueuePaused {
        queue: job.queue.clone(),
        since: pause.paused_at,
        by: pause.paused_by.clone(),
        says: pause.reason.clone(),
    })
}

fn no_worker(job: &SeenJob) -> Option<Reason> {
    let last_heartbeat_at = job.crew.last_heartbeat_at;
    (job.crew.workers == 0).then(|| Reason::NoWorker { kind: job.kind.clone(), last_heartbeat_at })
}

impl Reason {
    /// The word for it in JSON.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::NotDue { .. } => "not_due",
            Self::BetweenAttempts { .. } => "between_attempts",
            Self::Snoozed { .. } => "snoozed",
            Self::NotStaged { .. } => "not_staged",
            Self::QueuePaused { .. } => "queue_paused",
            Self::LimitReached(_) => "limit_reached",
            Self::NoWorker { .. } => "no_worker",
            Self::WorkersBusy { .. } => "workers_busy",
            Self::WaitsItsTurn(_) => "waits_its_turn",
            Self::RelaySilent { .. } => "relay_silent",
            Self::BrokerAway { .. } => "broker_away",
            Self::DoorbellUnanswered { .. } => "doorbell_unanswered",
            Self::Leased { .. } => "leased",
            Self::LeaseExpired { .. } => "lease_expired",
            Self::CancelRequested { .. } => "cancel_requested",
            Self::FollowsBatch(_) => "follows_batch",
            Self::Completed { .. } => "completed",
            Self::Cancelled { .. } => "cancelled",
            Self::Dead { .. } => "dead",
        }
    }
}
