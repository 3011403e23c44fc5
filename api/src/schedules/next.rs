//! When a schedule comes due next; also one that is not stored yet.

use super::answer::local;
use crate::problem::{Problem, ProblemDocument, ProblemKind};
use crate::read::{Parameters, PathId, Query, ReadQuery};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Serialize;
use shared::ids::ScheduleId;
use shared::schedule::{Expression, ExpressionError, Timing, zone};
use utoipa::{IntoParams, ToSchema};

const COUNT_MAX: u32 = 100;
const COUNT_DEFAULT: u32 = 10;

fn count(parameters: &mut Parameters) -> u32 {
    parameters.optional("count", Parameters::integer(1..=COUNT_MAX)).unwrap_or(COUNT_DEFAULT)
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct NextTimes {
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, default = 10)]
    count: u32,
}

impl ReadQuery for NextTimes {
    fn read(parameters: &mut Parameters) -> Option<Self> {
        Some(Self { count: count(parameters) })
    }
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Preview {
    /// Five or six fields.
    #[param(value_type = String)]
    cron: Expression,
    /// IANA name.
    #[param(value_type = String)]
    time_zone: Tz,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, default = 10)]
    count: u32,
}

impl ReadQuery for Preview {
    fn read(parameters: &mut Parameters) -> Option<Self> {
        let cron = parameters
            .required("cron", |text| text.parse().map_err(|error: ExpressionError| error.to_string()));
        let time_zone =
            parameters.required("time_zone", |name| zone(name).map_err(|error| error.to_string()));
        let count = count(parameters);
        Some(Self { cron: cron?, time_zone: time_zone?, count })
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct DueTime {
    due_at: DateTime<Utc>,
    /// The same on the clock of the zone.
    local: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct DueTimes {
    /// Fewer than asked for when there are no more.
    items: Vec<DueTime>,
    /// Whether the expression names its times: then one that clocks skip comes due at the shift, and one that they
    /// repeat comes due once. Otherwise it comes due whenever the clock shows it.
    names_times: bool,
}

fn due_times(timing: &Timing, after: DateTime<Utc>, count: u32) -> Json<DueTimes> {
    let times = timing.after(after).take(count as usize);
    let items = times.map(|at| DueTime { due_at: at, local: local(at, timing.zone) }).collect();
    Json(DueTimes { items, names_times: timing.expression.names_times() })
}

/// When a schedule of this expression and zone would come due. Stores nothing.
#[utoipa::path(
    get, path = "/api/schedules/preview", tag = "schedules", security(("access_token" = [])), params(Preview),
    responses((status = 200, description = "The next due times", body = DueTimes))
)]
pub(crate) async fn preview_schedule(
    State(api): State<Api>,
    Query(preview): Query<Preview>,
) -> Json<DueTimes> {
    let timing = Timing { expression: preview.cron, zone: preview.time_zone };
    due_times(&timing, api.clock.now(), preview.count)
}

/// When a schedule comes due next, pauses apart.
#[utoipa::path(
    get, path = "/api/schedules/{id}/next", tag = "schedules", security(("access_token" = [])),
    params(("id" = Uuid, Path), NextTimes),
    responses(
        (status = 200, description = "The next due times", body = DueTimes),
        (status = 409, description = "Its expression or zone is unknown to this version", body = ProblemDocument,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list_next_times(
    State(api): State<Api>,
    PathId(id): PathId<ScheduleId>,
    Query(query): Query<NextTimes>,
) -> Result<Json<DueTimes>, Problem> {
    let schedule = api.store.schedule(id).await?.ok_or_else(Problem::not_found)?;
    let timing = schedule.timing().map_err(|error| {
        Problem::new(ProblemKind::Conflict, format!("The schedule has to be mended: {error}"))
    })?;
    Ok(due_times(&timing, api.clock.now(), query.count))
}

#[cfg(test)]
mod tests {
    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_query_is_read::<super::NextTimes>();
        crate::document::assert_query_is_read::<super::Preview>();
    }
}
