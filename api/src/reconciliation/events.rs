//! Server-sent events of one job: its present state at once, then every change, until the final state.
//!
//! Nothing has to be replayed after a broken connection: the new stream begins with what is true then. The id of
//! an event says what it shows, so a client that comes back after the final state is told to stay away (204)
//! instead of getting it again and again.
//!
//! A stream lasts no longer than the right to it: when the rights of its caller may have changed (an account that is shut, a
//! session that has ended, a lost membership), the guard's question is asked again before anything else is told.

use super::show::Progress;
use super::watcher::{Seen, Watch};
use crate::caller::Caller;
use crate::problem::{Problem, ProblemKind};
use crate::read::PathId;
use crate::standings::Rights;
use crate::state::Api;
use axum::extract::State;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use futures_util::stream::unfold;
use serde::Serialize;
use shared::ids::JobId;
use shared::store::access::Owner;
use shared::store::projects::ProjectRole;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;
use utoipa::ToSchema;
use uuid::Uuid;

/// Between two comments that keep proxies from closing a silent connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Between two questions whether the caller may still look, while nobody can say.
const PAUSE: Duration = Duration::from_secs(1);

/// Data of an event `state`.
#[derive(Serialize, ToSchema)]
pub(crate) struct StateEvent {
    id: Uuid,
    state: super::State,
    attempt: i32,
    error: Option<String>,
    /// No event follows.
    is_final: bool,
}

/// Watch a reconciliation: events `state` and `progress`, until it has finished.
#[utoipa::path(
    get, path = "/api/reconciliation/jobs/{id}/events", tag = "reconciliation",
    security(("access_token" = [])),
    params(("id" = Uuid, Path), ("last-event-id" = Option<String>, Header, description = "Sent by clients that reconnect")),
    responses(
        (status = 200, description = "Events `state`, whose data is a StateEvent, and `progress`, whose data is a \
                                      Progress", body = String, content_type = "text/event-stream"),
        (status = 204, description = "The client has seen the final state")
    )
)]
pub(crate) async fn watch_reconciliation(
    State(api): State<Api>,
    caller: Caller,
    PathId(id): PathId<JobId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    // Within the limit of short answers; only the stream itself may last.
    let opened = tokio::time::timeout(api.request_timeout, open(&api, &caller, id, &headers)).await;
    opened.unwrap_or_else(|_| Err(Problem::new(ProblemKind::TimedOut, "The job could not be read in time")))
}

async fn open(api: &Api, caller: &Caller, id: JobId, headers: &HeaderMap) -> Result<Response, Problem> {
    // Before anything is read: what changes from here on is heard of.
    let access = Access::of(api, caller, id, headers);
    let job = api.store.job(id).await?.ok_or_else(Problem::not_found)?;
    let last_id = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let seen = Seen::from(job.clone());
    if seen.is_final && last_id == Some(state_id(&seen).as_str()) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let watch = api.watcher.watch(job).ok_or_else(|| {
        Problem::new(ProblemKind::TooManyStreams, "Ask for the state instead, or try again later")
    })?;
    // A stream ends with its token: whoever may still look comes back with a new one.
    let lifetime = (caller.expires_at - api.clock.now()).to_std().unwrap_or_default();
    let stream = events(id, watch, lifetime, access);
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

/// What a stream remembers between two events.
struct Shown {
    id: JobId,
    watch: Watch,
    access: Access,
    ends_at: tokio::time::Instant,
    last: Option<Seen>,
    due: VecDeque<Event>,
    is_over: bool,
}

/// The right to look.
struct Access {
    api: Api,
    id: JobId,
    /// What the request showed.
    headers: HeaderMap,
    rights: Rights,
    is_sure: bool,
}

impl Access {
    /// The guard has decided a moment ago; what changed since then is asked for once.
    fn of(api: &Api, caller: &Caller, id: JobId, headers: &HeaderMap) -> Self {
        let shown = headers.get_all(AUTHORIZATION).iter().map(|value| (AUTHORIZATION, value.clone()));
        let rights = api.standings.rights_of(caller.user_id);
        Self { api: api.clone(), id, headers: shown.collect(), rights, is_sure: false }
    }

    /// Waits until somebody can say.
    async fn holds(&mut self) -> bool {
        loop {
            let owner = Owner::Reconciliation(self.id);
            match self.api.still_grants(&self.headers, owner, ProjectRole::Viewer).await {
                Ok(()) => {
                    self.is_sure = true;
                    return true;
                }
                Err(problem) if problem.kind == ProblemKind::Unavailable => tokio::time::sleep(PAUSE).await,
                Err(_) => return false,
            }
        }
    }
}

fn events(
    id: JobId,
    watch: Watch,
    lifetime: Duration,
    access: Access,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let now = tokio::time::Instant::now();
    // A day is longer than any token lives, and short enough to be added to a clock.
    let ends_at = now + lifetime.min(Duration::from_secs(86_400));
    let shown = Shown { id, watch, access, ends_at, last: None, due: VecDeque::new(), is_over: false };
    unfold(shown, |mut shown| async move {
        loop {
            if let Some(event) = shown.due.pop_front() {
                return Some((Ok(event), shown));
            }
            if shown.is_over {
                return None;
            }
            shown.advance().await;
        }
    })
}

impl Shown {
    /// Waits for a change and makes the events that tell it.
    async fn advance(&mut self) {
        if !self.access.is_sure {
            let holds = tokio::select! {
                holds = self.access.holds() => holds,
                () = self.watch.stop.cancelled() => false,
                () = tokio::time::sleep_until(self.ends_at) => false,
            };
            self.is_over = !holds;
            return;
        }
        if self.last.is_some() {
            let changed = tokio::select! {
                biased;
                () = self.access.rights.may_have_changed() => {
                    self.access.is_sure = false;
                    return;
                }
                changed = self.watch.seen.changed() => changed.is_ok(),
                () = self.watch.stop.cancelled() => false,
                () = tokio::time::sleep_until(self.ends_at) => false,
            };
            if !changed {
                self.is_over = true;
                return;
            }
        }
        let seen = self.watch.seen.borrow_and_update().clone();
        let last = self.last.replace(seen.clone());
        let state_differs = last.as_ref().is_none_or(|last| {
            (last.state, last.attempt, &last.error) != (seen.state, seen.attempt, &seen.error)
        });
        let progress = seen.progress.as_ref().filter(|progress| {
            last.as_ref().and_then(|last| last.progress.as_ref()).is_none_or(|last| last != *progress)
        });
        let progress = progress.map(|progress| progress_event(&seen, progress));
        let state = state_differs.then(|| state_event(self.id, &seen));
        // A start is told before its progress, an end after it.
        let (first, second) = if seen.is_final { (progress, state) } else { (state, progress) };
        self.due.extend([first, second].into_iter().flatten());
        self.is_over = seen.is_final;
    }
}

fn state_id(seen: &Seen) -> String {
    format!("{:?}.{}", seen.state, seen.attempt).to_ascii_lowercase()
}

fn state_event(id: JobId, seen: &Seen) -> Event {
    let event = StateEvent {
        id: id.0,
        state: seen.state,
        attempt: seen.attempt,
        error: seen.error.clone(),
        is_final: seen.is_final,
    };
    let data = serde_json::to_string(&event).expect("texts and numbers are always JSON");
    Event::default().event("state").id(state_id(seen)).data(data)
}

fn progress_event(seen: &Seen, progress: &Progress) -> Event {
    let data = serde_json::to_string(progress).expect("texts and numbers are always JSON");
    let id = format!("{}.{}.{}", state_id(seen), progress.percent, progress.rows_done);
    Event::default().event("progress").id(id).data(data)
}
