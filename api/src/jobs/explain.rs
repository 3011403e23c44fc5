//! Why a job is not running.

use crate::caller::Caller;
use crate::problem::Problem;
use crate::read::PathId;
use crate::reconciliation::State as StateWord;
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::explain::{self, Reason, Seen, SeenLimit};
use shared::ids::{JobId, ProjectId};
use shared::store::reach::Reach;
use utoipa::ToSchema;
use uuid::Uuid;

/// What keeps a job from running, or what became of it.
#[derive(Serialize, ToSchema)]
#[schema(as = JobExplanation)]
pub(crate) struct Explanation {
    job_id: Uuid,
    /// Null for a job that does not exist yet, since it follows a batch.
    state: Option<StateWord>,
    /// The one to see to first is the first.
    reasons: Vec<ReasonAnswer>,
}

/// One reason. Which of the other members are set depends on `reason`.
#[derive(Serialize, ToSchema)]
#[schema(as = JobReason)]
pub(crate) struct ReasonAnswer {
    reason: ReasonWord,
    /// For a person.
    says: String,
    /// Since when it is so.
    since: Option<DateTime<Utc>>,
    /// When it ends by itself: the due time, the end of the lease, the next ring.
    until: Option<DateTime<Utc>>,
    /// Who paused the queue.
    by: Option<String>,
    /// Who has the lease.
    worker: Option<String>,
    /// When the worker was heard of, the relay looked, or the broker took a doorbell of this queue, for the last time.
    last_seen_at: Option<DateTime<Utc>>,
    /// The reason of a pause, or what went wrong.
    detail: Option<String>,
    limit: Option<LimitReached>,
    turn: Option<Turn>,
    /// Live workers that know the kind.
    workers: Option<i64>,
    /// Jobs of this kind that they run at once.
    slots: Option<i64>,
    batch_id: Option<Uuid>,
    /// Jobs of the batch that are not final.
    unfinished: Option<i64>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = JobReasonWord)]
pub(crate) enum ReasonWord {
    /// Submitted for later.
    NotDue,
    /// Failed; waits for its next attempt.
    BetweenAttempts,
    /// Put itself off, uncounted.
    Snoozed,
    /// Due, and no scheduler has moved it on.
    NotStaged,
    QueuePaused,
    LimitReached,
    /// No live worker knows its kind.
    NoWorker,
    /// Every slot for its kind is taken.
    WorkersBusy,
    /// Others are to be sent before it.
    WaitsItsTurn,
    /// No scheduler sends the doorbells of its queue.
    RelaySilent,
    /// Its doorbell cannot be sent.
    BrokerAway,
    /// Its doorbell was sent, and no worker has answered.
    DoorbellUnanswered,
    /// It runs.
    Leased,
    /// It ran, and its worker went silent.
    LeaseExpired,
    /// Its worker has been told to stop.
    CancelRequested,
    /// It is to follow a batch that has not finished.
    FollowsBatch,
    Completed,
    Cancelled,
    Dead,
}

/// A limit without a free place.
#[derive(Serialize, ToSchema)]
#[schema(as = JobLimitReached)]
pub(crate) struct LimitReached {
    /// `global`, `kind`, `project` or `key`.
    scope: String,
    /// The kind, project or key; empty for the global one.
    subject: String,
    jobs_max: i32,
    running: i64,
    /// The oldest ten that have a place, as far as the caller may see them.
    job_ids: Vec<Uuid>,
}

/// What is to be sent before it, each counted up to 1000.
#[derive(Serialize, ToSchema)]
#[schema(as = JobTurn)]
pub(crate) struct Turn {
    /// Of the same project, priority and key: all of them go first.
    ahead_in_lane: i64,
    /// Of any project: most of them go first.
    of_higher_priority: i64,
    /// They take turns with this one, job by job.
    other_projects: i64,
}

/// Why a job is not running, or what it waits for.
#[utoipa::path(
    get, path = "/api/jobs/{id}/explain", tag = "jobs", security(("access_token" = [])),
    params(("id" = Uuid, Path)),
    responses((status = 200, description = "The reasons", body = Explanation))
)]
pub(crate) async fn explain_job(
    State(api): State<Api>,
    caller: Caller,
    PathId(id): PathId<JobId>,
) -> Result<Json<Explanation>, Problem> {
    // Whether there is a place, and how many go first, depends on the jobs of all projects.
    let looking = Reach::System("what a job waits for").around(api.store.look_at_job(id));
    let seen = looking.await?.ok_or_else(Problem::not_found)?;
    let state = match &seen {
        Seen::Job(job) => Some(job.state.into()),
        Seen::Follows(_) => None,
    };
    let mut reasons = vec![];
    for mut reason in explain::explain(&seen, api.ring_again_after) {
        if let Reason::LimitReached(limit) = &mut reason {
            let hiding = hide_strangers(&api, &caller, limit);
            Reach::System("what a job waits for").around(hiding).await?;
        }
        reasons.push(reason.into());
    }
    Ok(Json(Explanation { job_id: id.0, state, reasons }))
}

/// Jobs of projects that the caller may not see are counted, not named.
async fn hide_strangers(api: &Api, caller: &Caller, limit: &mut SeenLimit) -> Result<(), Problem> {
    let mut seen: Vec<(Option<ProjectId>, bool)> = vec![];
    for holder in &limit.holders {
        if seen.iter().all(|(project, _)| *project != holder.project_id) {
            let may_see = match (holder.project_id, caller.only_project()) {
                (Some(id), Some(only)) => id == only,
                (Some(id), None) => api.store.project(caller.user_id, id).await?.is_some(),
                (None, _) => caller.is_platform_admin(),
            };
            seen.push((holder.project_id, may_see));
        }
    }
    limit.holders.retain(|holder| seen.contains(&(holder.project_id, true)));
    Ok(())
}

impl ReasonAnswer {
    fn of(reason: ReasonWord, says: String) -> Self {
        Self {
            reason,
            says,
            since: None,
            until: None,
            by: None,
            worker: None,
            last_seen_at: None,
            detail: None,
            limit: None,
            turn: None,
            workers: None,
            slots: None,
            batch_id: None,
            unfinished: None,
        }
    }
}

impl From<Reason> for ReasonAnswer {
    fn from(reason: Reason) -> Self {
        let word = |word| Self::of(word, reason.to_string());
        match &reason {
            Reason::NotDue { until } => Self { until: Some(*until), ..word(ReasonWord::NotDue) },
            Reason::BetweenAttempts { until, error, .. } => {
                Self { until: Some(*until), detail: error.clone(), ..word(ReasonWord::BetweenAttempts) }
            }
            Reason::Snoozed { until, says } => {
                Self { until: Some(*until), detail: says.clone(), ..word(ReasonWord::Snoozed) }
            }
            Reason::NotStaged { since } => Self { since: Some(*since), ..word(ReasonWord::NotStaged) },
            Reason::QueuePaused { since, by, says, .. } => Self {
                since: Some(*since),
                by: Some(by.clone()),
                detail: Some(says.clone()),
                ..word(ReasonWord::QueuePaused)
            },
            Reason::LimitReached(limit) => Self {
                limit: Some(LimitReached {
                    scope: limit.scope.as_str().to_owned(),
                    subject: limit.subject.clone(),
                    jobs_max: limit.jobs_max,
                    running: limit.taken,
                    job_ids: limit.holders.iter().map(|holder| holder.job_id.0).collect(),
                }),
                ..word(ReasonWord::LimitReached)
            },
            Reason::NoWorker { last_heartbeat_at, .. } => {
                Self { workers: Some(0), last_seen_at: *last_heartbeat_at, ..word(ReasonWord::NoWorker) }
            }
            Reason::WorkersBusy { workers, slots } => {
                Self { workers: Some(*workers), slots: Some(*slots), ..word(ReasonWord::WorkersBusy) }
            }
            Reason::WaitsItsTurn(doorbell) => Self {
                since: Some(doorbell.waiting_since),
                turn: Some(Turn {
                    ahead_in_lane: doorbell.ahead_in_lane,
                    of_higher_priority: doorbell.of_higher_priority,
                    other_projects: doorbell.other_projects,
                }),
                ..word(ReasonWord::WaitsItsTurn)
            },
            Reason::RelaySilent { since, last_looked_at } => {
                Self { since: Some(*since), last_seen_at: *last_looked_at, ..word(ReasonWord::RelaySilent) }
            }
            Reason::BrokerAway { says, last_confirmed_at } => Self {
                detail: Some(says.clone()),
                last_seen_at: *last_confirmed_at,
                ..word(ReasonWord::BrokerAway)
            },
            Reason::DoorbellUnanswered { since, rings_again_at } => Self {
                since: Some(*since),
                until: Some(*rings_again_at),
                ..word(ReasonWord::DoorbellUnanswered)
            },
            Reason::Leased { worker, until, worker_heartbeat_at } => Self {
                worker: Some(worker.clone()),
                until: Some(*until),
                last_seen_at: *worker_heartbeat_at,
                ..word(ReasonWord::Leased)
            },
            Reason::LeaseExpired { worker, since } => {
                Self { worker: Some(worker.clone()), since: Some(*since), ..word(ReasonWord::LeaseExpired) }
            }
            Reason::CancelRequested { since, worker } => {
                Self { worker: worker.clone(), since: Some(*since), ..word(ReasonWord::CancelRequested) }
            }
            Reason::FollowsBatch(batch) => Self {
                batch_id: Some(batch.batch_id.0),
                unfinished: Some(batch.unfinished),
                ..word(ReasonWord::FollowsBatch)
            },
            Reason::Completed { at } => Self { since: *at, ..word(ReasonWord::Completed) },
            Reason::Cancelled { at } => Self { since: *at, ..word(ReasonWord::Cancelled) },
            Reason::Dead { at, error } => {
                Self { since: *at, detail: error.clone(), ..word(ReasonWord::Dead) }
            }
        }
    }
}
