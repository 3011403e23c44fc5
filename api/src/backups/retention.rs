//! The simulator of retention: what a policy would keep and remove, and why. Nothing is touched.

use crate::problem::Problem;
use crate::read::{Fields, JsonBody, ReadBody, integer};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use backup::catalogue::recorded_for_retention;
use backup::retention::{Policy, Reason, plan};
use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::store::backups::RetentionLine;
use std::collections::HashMap;
use utoipa::ToSchema;
use uuid::Uuid;

/// A backup stays as long as any of these wants it; what is absent is as configured.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RetentionPolicy {
    /// Everything that is not older.
    #[schema(nullable = false, minimum = 1, maximum = 36500)]
    days: Option<u32>,
    /// The newest good backup of each of so many days that have one; weeks, months and years likewise.
    #[schema(nullable = false, minimum = 0, maximum = 10000)]
    daily: Option<u32>,
    #[schema(nullable = false, minimum = 0, maximum = 10000)]
    weekly: Option<u32>,
    #[schema(nullable = false, minimum = 0, maximum = 10000)]
    monthly: Option<u32>,
    #[schema(nullable = false, minimum = 0, maximum = 10000)]
    yearly: Option<u32>,
}

impl ReadBody for RetentionPolicy {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self {
            days: fields.optional("days", integer(1..=36_500)),
            daily: fields.optional("daily", integer(0..=10_000)),
            weekly: fields.optional("weekly", integer(0..=10_000)),
            monthly: fields.optional("monthly", integer(0..=10_000)),
            yearly: fields.optional("yearly", integer(0..=10_000)),
        })
    }
}

/// How long backups are kept, all of it said.
#[derive(Serialize, ToSchema)]
pub(crate) struct WholePolicy {
    days: u32,
    daily: u32,
    weekly: u32,
    monthly: u32,
    yearly: u32,
}

impl From<Policy> for WholePolicy {
    fn from(Policy { days, daily, weekly, monthly, yearly }: Policy) -> Self {
        Self { days, daily, weekly, monthly, yearly }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct RetentionPlan {
    /// What was asked for, completed by the configuration.
    policy: WholePolicy,
    /// The configuration: what `prune_backups` goes by.
    configured: WholePolicy,
    /// Newest first.
    kept: Vec<KeptBackup>,
    /// In the order in which they would be removed.
    removed: Vec<RemovedBackup>,
    kept_bytes: i64,
    removed_bytes: i64,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct KeptBackup {
    id: Uuid,
    kind: super::list::KindWord,
    taken_at: DateTime<Utc>,
    sealed_bytes: i64,
    /// `recent`, `daily`, `weekly`, `monthly`, `yearly`, `last_good`, `protected` or `needed`.
    reasons: Vec<&'static str>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct RemovedBackup {
    id: Uuid,
    kind: super::list::KindWord,
    taken_at: DateTime<Utc>,
    sealed_bytes: i64,
    /// `expired`, or `lost`: damaged in every store.
    reason: &'static str,
}

fn word(reason: &Reason) -> &'static str {
    match reason {
        Reason::Recent => "recent",
        Reason::Daily => "daily",
        Reason::Weekly => "weekly",
        Reason::Monthly => "monthly",
        Reason::Yearly => "yearly",
        Reason::LastGood => "last_good",
        Reason::Protected => "protected",
        Reason::NeededBy(_) => "needed",
        Reason::Running => "running",
    }
}

/// What a policy would keep and remove now, with the reasons. Nothing is removed.
#[utoipa::path(
    post, path = "/api/backups/retention/plan", tag = "backups", security(("access_token" = [])),
    request_body = RetentionPolicy,
    responses((status = 200, description = "The plan", body = RetentionPlan))
)]
pub(crate) async fn plan_retention(
    State(api): State<Api>,
    JsonBody(asked): JsonBody<RetentionPolicy>,
) -> Result<Json<RetentionPlan>, Problem> {
    let configured = api.backups.policy;
    let policy = Policy {
        days: asked.days.unwrap_or(configured.days),
        daily: asked.daily.unwrap_or(configured.daily),
        weekly: asked.weekly.unwrap_or(configured.weekly),
        monthly: asked.monthly.unwrap_or(configured.monthly),
        yearly: asked.yearly.unwrap_or(configured.yearly),
    };
    let lines = api.store.backups_for_retention().await?;
    let backups: Vec<_> = lines.iter().map(recorded_for_retention).collect();
    let plan = plan(&backups, &policy, api.clock.now());
    let lines: HashMap<Uuid, &RetentionLine> = lines.iter().map(|line| (line.id.0, line)).collect();
    let kept = plan.kept.iter().filter_map(|(id, reasons)| {
        let line = lines.get(id)?;
        Some(KeptBackup {
            id: *id,
            kind: line.class.into(),
            taken_at: line.taken_at,
            sealed_bytes: line.sealed_bytes,
            reasons: reasons.iter().map(word).collect(),
        })
    });
    let removed = plan.removed.iter().filter_map(|id| {
        let line = lines.get(id)?;
        Some(RemovedBackup {
            id: *id,
            kind: line.class.into(),
            taken_at: line.taken_at,
            sealed_bytes: line.sealed_bytes,
            reason: if line.is_lost { "lost" } else { "expired" },
        })
    });
    let (kept, removed): (Vec<_>, Vec<_>) = (kept.collect(), removed.collect());
    Ok(Json(RetentionPlan {
        policy: policy.into(),
        configured: configured.into(),
        kept_bytes: kept.iter().map(|backup| backup.sealed_bytes).sum(),
        removed_bytes: removed.iter().map(|backup| backup.sealed_bytes).sum(),
        kept,
        removed,
    }))
}

#[cfg(test)]
mod tests {
    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_schema_is_read::<super::RetentionPolicy>();
    }
}
