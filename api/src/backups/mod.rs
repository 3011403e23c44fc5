//! `/api/backups` and `/api/restores`, for platform administrators: what there is, how well it is, and asking for more.
//!
//! Nothing here touches a store or a key: routes read the records that workers keep, plan with pure functions, and
//! accept jobs.

pub(crate) mod alerts;
pub(crate) mod ask;
mod body;
pub(crate) mod health;
pub(crate) mod list;
pub(crate) mod restores;
pub(crate) mod retention;
pub(crate) mod stores;

use crate::caller::Caller;
use crate::request_id::RequestId;
use crate::state::Api;
use chrono::{DateTime, Utc};
use serde_json::Value;
use shared::ids::JobId;
use shared::job::{JobKind, NewJob};
use shared::schedule::kinds;

/// The job of something that somebody asked for by hand: before what schedules start.
fn new_job(
    api: &Api,
    caller: &Caller,
    request_id: &RequestId,
    kind: JobKind,
    args: Value,
    at: Option<DateTime<Utc>>,
) -> NewJob {
    NewJob {
        id: JobId::new(),
        project_id: None,
        priority: kinds::find(kind.as_str()).map_or(9, |row| row.priority),
        concurrency_key: None,
        args,
        due_at: at,
        attempts_max: api.policies.of(&kind).attempts_max,
        kind,
        created_by: Some(caller.user_id),
        request_id: Some(request_id.as_str().to_owned()),
    }
}
