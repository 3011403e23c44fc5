//! Schedules as they are sent.

use crate::read::{Fields, Place, ReadBody, boolean, choice, integer, text};
use chrono_tz::Tz;
use serde_json::{Map, Value};
use shared::schedule::{EXPRESSION_CHARS_MAX, Expression, MissedRuns, zone};
use utoipa::ToSchema;

/// What becomes of runs that came due while no scheduler ran.
#[derive(ToSchema, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[schema(as = MissedRuns)]
pub(crate) enum MissedRunsWord {
    /// None is made up for.
    Skip,
    /// One run makes up for all.
    Once,
    /// Each is made up for, at most the newest hundred.
    All,
}

impl From<MissedRuns> for MissedRunsWord {
    fn from(missed_runs: MissedRuns) -> Self {
        match missed_runs {
            MissedRuns::Skip => Self::Skip,
            MissedRuns::Once => Self::Once,
            MissedRuns::All => Self::All,
        }
    }
}

/// A job, and when to start it.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewSchedule)]
pub(crate) struct ScheduleBody {
    /// Unique in the project, or in the system.
    #[schema(value_type = String, min_length = 1, max_length = 100)]
    pub name: Option<String>,
    /// `reconciliation` for a project; `clean_up`, `backup`, `config_backup`, `verify_backups`, `restore_drill` or
    /// `prune_backups` for the system.
    #[schema(value_type = String, min_length = 1, max_length = 60)]
    pub kind: Option<String>,
    /// Of the job. A reconciliation takes `left_source_id`, `right_source_id` and, as when it is submitted, `name`,
    /// `rules` and `confidence_threshold`; with `left_file_name` or `right_file_name`, a pattern such as `bank-*.csv`, each
    /// run takes the newest upload whose name fits, read as the data source reads its own file; a backup `kind` and, of tenants, `tenants` or `all_tenants`; a clean-up none.
    #[schema(value_type = Object, required = false, nullable = false)]
    pub args: Option<Map<String, Value>>,
    /// 0 (last) to 9 (first); the kind's own unless given.
    #[schema(nullable = false, minimum = 0, maximum = 9)]
    pub priority: Option<u32>,
    /// Five fields (minute, hour, day of month, month, day of week), or six with the second in front.
    #[schema(value_type = String, min_length = 9, max_length = 300)]
    pub cron: Option<Expression>,
    /// IANA name of the zone whose clock the fields speak of.
    #[schema(value_type = String, example = "Europe/Berlin")]
    pub time_zone: Option<Tz>,
    /// `once` unless given.
    #[schema(value_type = MissedRunsWord, required = false, nullable = false)]
    pub missed_runs: Option<MissedRuns>,
    /// Made paused.
    #[schema(nullable = false, default = false)]
    pub paused: Option<bool>,
}

impl ReadBody for ScheduleBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self {
            name: fields.required("name", text(1..=100)),
            kind: fields.required("kind", text(1..=60)),
            args: fields.optional("args", members),
            priority: fields.optional("priority", integer(0..=9)),
            cron: fields.required("cron", cron),
            time_zone: fields.required("time_zone", time_zone),
            missed_runs: fields.optional("missed_runs", choice),
            paused: fields.optional("paused", boolean),
        })
    }
}

/// What to change; what is absent stays.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ScheduleChange)]
pub(crate) struct ScheduleChangeBody {
    /// Of the schedule that was read; another one has been changed meanwhile, and nothing happens.
    #[schema(value_type = u32, minimum = 1)]
    pub version: Option<u32>,
    #[schema(nullable = false, min_length = 1, max_length = 100)]
    pub name: Option<String>,
    /// All of them: what is absent here is unset.
    #[schema(value_type = Object, required = false, nullable = false)]
    pub args: Option<Map<String, Value>>,
    #[schema(nullable = false, minimum = 0, maximum = 9)]
    pub priority: Option<u32>,
    #[schema(value_type = String, required = false, nullable = false, min_length = 9, max_length = 300)]
    pub cron: Option<Expression>,
    #[schema(value_type = String, required = false, nullable = false)]
    pub time_zone: Option<Tz>,
    #[schema(value_type = MissedRunsWord, required = false, nullable = false)]
    pub missed_runs: Option<MissedRuns>,
}

impl ReadBody for ScheduleChangeBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self {
            version: fields.required("version", integer(1..=i32::MAX as u32)),
            name: fields.optional("name", text(1..=100)),
            args: fields.optional("args", members),
            priority: fields.optional("priority", integer(0..=9)),
            cron: fields.optional("cron", cron),
            time_zone: fields.optional("time_zone", time_zone),
            missed_runs: fields.optional("missed_runs", choice),
        })
    }
}

fn members(value: Value, place: &mut Place<'_>) -> Option<Map<String, Value>> {
    match value {
        Value::Object(members) => Some(members),
        _ => place.wrong("type", "must be an object"),
    }
}

fn cron(value: Value, place: &mut Place<'_>) -> Option<Expression> {
    let text = text(1..=EXPRESSION_CHARS_MAX)(value, place)?;
    text.parse()
        .map_err(|error: shared::schedule::ExpressionError| place.wrong::<()>("cron", error.to_string()))
        .ok()
}

fn time_zone(value: Value, place: &mut Place<'_>) -> Option<Tz> {
    let name = text(1..=100)(value, place)?;
    zone(&name).map_err(|error| place.wrong::<()>("time_zone", error.to_string())).ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_schema_is_read::<super::ScheduleBody>();
        crate::document::assert_schema_is_read::<super::ScheduleChangeBody>();
    }
}
