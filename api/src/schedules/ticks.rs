//! The history of a schedule: its ledger, page by page.

use super::address;
use super::answer::{OutcomeWord, TookAnswer};
use crate::page::{self, Page};
use crate::problem::Problem;
use crate::read::{Parameters, PathId, Query, ReadQuery};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::ids::ScheduleId;
use shared::store::schedules::Tick;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct TickList {
    /// Taken from the `next` of the page before.
    #[param(value_type = Option<String>)]
    after: Option<DateTime<Utc>>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 100)]
    limit: u32,
}

impl ReadQuery for TickList {
    fn read(parameters: &mut Parameters) -> Option<Self> {
        let after = parameters.optional("after", read_cursor);
        Some(Self { after, limit: page::limit(parameters) })
    }
}

/// Due times are unique in a ledger, so one is a place in it; microseconds, as PostgreSQL keeps them.
fn cursor(due_at: DateTime<Utc>) -> String {
    format!("t{}", due_at.timestamp_micros())
}

fn read_cursor(text: &str) -> Result<DateTime<Utc>, String> {
    let micros = text.strip_prefix('t').and_then(|micros| micros.parse().ok());
    // PostgreSQL's timestamps reach less far than ours.
    let at = micros.and_then(DateTime::from_timestamp_micros).filter(|at| at.timestamp() > -62_135_596_800);
    at.ok_or_else(|| "must be taken from the `next` of a page".to_owned())
}

#[derive(Serialize, ToSchema)]
#[schema(as = Tick)]
pub(crate) struct TickAnswer {
    /// For a run on request, when it was asked for.
    due_at: DateTime<Utc>,
    /// When given, this one tick stands for every due time from here through `due_at`: those of a long absence.
    covers_from: Option<DateTime<Utc>>,
    outcome: OutcomeWord,
    /// The job that was started; it may have been pruned since.
    job_id: Option<Uuid>,
    reason: Option<String>,
    /// The files of the run, of a reconciliation.
    took: Option<TookAnswer>,
    decided_at: DateTime<Utc>,
}

impl From<Tick> for TickAnswer {
    fn from(tick: Tick) -> Self {
        Self {
            due_at: tick.due_at,
            covers_from: tick.covers_from,
            outcome: tick.outcome.into(),
            job_id: tick.job_id.map(|id| id.0),
            reason: tick.reason,
            took: tick.took.map(|took| took.0.into()),
            decided_at: tick.decided_at,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct TickPage {
    /// Newest first.
    items: Vec<TickAnswer>,
    /// Address of the next page; null on the last one.
    next: Option<String>,
}

/// What became of the due times of a schedule.
#[utoipa::path(
    get, path = "/api/schedules/{id}/ticks", tag = "schedules", security(("access_token" = [])),
    params(("id" = Uuid, Path), TickList),
    responses((status = 200, description = "A page of ticks", body = TickPage))
)]
pub(crate) async fn list_ticks(
    State(api): State<Api>,
    PathId(id): PathId<ScheduleId>,
    Query(query): Query<TickList>,
) -> Result<Json<TickPage>, Problem> {
    let found = api.store.schedule_ticks(id, query.after, query.limit + 1).await?;
    let page = Page::cut(found, query.limit);
    let path = format!("{}/ticks", address(id));
    let next = page.next(&path, &[("limit", Some(query.limit.to_string()))], |last| cursor(last.due_at));
    Ok(Json(TickPage { items: page.items.into_iter().map(Into::into).collect(), next }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_query_is_read::<TickList>();
    }

    #[test]
    fn cursors_read_back_and_nothing_else_does() {
        let at: DateTime<Utc> = "2026-03-29T01:00:00.000123Z".parse().expect("a time");
        assert_eq!(read_cursor(&cursor(at)), Ok(at));
        for bad in ["", "t", "1", "t1x", "t9223372036854775807", "t-9223372036854775808", "2026-01-01"] {
            assert!(read_cursor(bad).is_err(), "{bad}");
        }
    }
}
