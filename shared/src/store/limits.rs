//! Limits on how many jobs run at once, and what is taken of them.

use super::audit::{Note, Tenant};
use super::outbox::{Lane, tenant_of};
use super::{Store, StoreError};
use crate::ids::{JobId, ProjectId};
use crate::job::JobKind;
use crate::limits::{Limit, LimitName, LimitScope, Places, Subject};
use crate::queue::QueueName;
use chrono::{DateTime, Utc};
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

/// Limits there may be: each lease looks through all of them.
pub const LIMITS_MAX: u32 = 1000;

/// A limit as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredLimit {
    pub scope: LimitScope,
    pub name: String,
    /// 0 to 100000.
    pub jobs_max: i32,
    pub updated_at: DateTime<Utc>,
    pub updated_by: String,
}

/// What became of a new limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LimitSet {
    Stored(StoredLimit),
    /// There are [`LIMITS_MAX`] others.
    TooMany,
}

impl Store {
    /// Broad to narrow, then by name.
    pub async fn limits(&self) -> Result<Vec<StoredLimit>, StoreError> {
        // The relay asks this before it rings.
        let mut connection = self.warm_connection().await?;
        let limits = sqlx::query_as(
            "SELECT scope, name, jobs_max, updated_at, updated_by FROM concurrency_limits ORDER BY scope, name",
        )
        .fetch_all(&mut *connection)
        .await?;
        connection.give_back();
        Ok(limits)
    }

    /// Makes or changes a limit. It counts for every lease from now on; what runs already goes on.
    pub async fn set_limit(
        &self,
        scope: LimitScope,
        name: &LimitName,
        jobs_max: u32,
        updated_by: &str,
    ) -> Result<LimitSet, StoreError> {
        let mut tx = self.begin().await?;
        let stored: Option<StoredLimit> = sqlx::query_as(
            "INSERT INTO concurrency_limits (scope, name, jobs_max, updated_by)
             SELECT $1, $2, $3, $4
             WHERE (SELECT count(*) FROM concurrency_limits) < $5
                OR EXISTS (SELECT FROM concurrency_limits WHERE scope = $1 AND name = $2)
             ON CONFLICT (scope, name) DO UPDATE SET
                 jobs_max = excluded.jobs_max, updated_at = now(), updated_by = excluded.updated_by
             RETURNING scope, name, jobs_max, updated_at, updated_by",
        )
        .bind(scope)
        .bind(name.as_str())
        .bind(i32::try_from(jobs_max).unwrap_or(i32::MAX))
        .bind(updated_by)
        .bind(i64::from(LIMITS_MAX))
        .fetch_optional(&mut *tx)
        .await?;
        if stored.is_some() {
            let subject = format!("{}/{}", scope.as_str(), name.as_str());
            let shown = json!({"jobs_max": jobs_max});
            Note::of(Tenant::SYSTEM, "limit", subject).after(shown).commit(tx).await?;
        }
        Ok(stored.map_or(LimitSet::TooMany, LimitSet::Stored))
    }

    /// Why a limit of this name would count for nothing: this version has no such kind, or there is no such project.
    /// `None`: it may count.
    pub async fn why_limit_is_idle(
        &self,
        scope: LimitScope,
        name: &LimitName,
    ) -> Result<Option<&'static str>, StoreError> {
        let stem = name.as_str().strip_suffix('*');
        match scope {
            LimitScope::Kind => {
                let is_meant = |kind: &JobKind| match stem {
                    Some(stem) => kind.as_str().starts_with(stem),
                    None => kind.as_str() == name.as_str(),
                };
                let is_known = JobKind::ALL.iter().any(is_meant);
                Ok((!is_known).then_some("there is no such kind of jobs"))
            }
            LimitScope::Project if stem.is_none() => {
                let is_there: bool =
                    sqlx::query_scalar("SELECT EXISTS (SELECT FROM projects WHERE id = $1::uuid)")
                        .bind(name.as_str())
                        .fetch_one(self.pool())
                        .await?;
                Ok((!is_there).then_some("there is no such project"))
            }
            LimitScope::Global | LimitScope::Project | LimitScope::Key => Ok(None),
        }
    }

    /// `false`: there was no such limit.
    pub async fn remove_limit(&self, scope: LimitScope, name: &LimitName) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let removed: Option<i32> = sqlx::query_scalar(
            "DELETE FROM concurrency_limits WHERE scope = $1 AND name = $2 RETURNING jobs_max",
        )
        .bind(scope)
        .bind(name.as_str())
        .fetch_optional(&mut *tx)
        .await?;
        if removed.is_some() {
            let subject = format!("{}/{}", scope.as_str(), name.as_str());
            let shown = json!({"jobs_max": removed});
            Note::of(Tenant::SYSTEM, "limit", subject).before(shown).commit(tx).await?;
        }
        Ok(removed.is_some())
    }

    /// All limits, nothing taken yet.
    pub async fn places(&self) -> Result<Places, StoreError> {
        let limits = self.limits().await?;
        Ok(Places::new(
            limits
                .into_iter()
                .map(|l| Limit { scope: l.scope, name: l.name, jobs_max: l.jobs_max.max(0) as u32 })
                .collect(),
        ))
    }

    /// Takes from `places` what runs, and what published doorbells have asked for within `answered_within`. Reads
    /// every running job.
    pub async fn take_places(
        &self,
        places: &mut Places,
        answered_within: Duration,
    ) -> Result<(), StoreError> {
        let rows: Vec<(String, Option<ProjectId>, Option<String>, i64)> = sqlx::query_as(
            "SELECT kind, project_id, concurrency_key, count(*) FROM jobs WHERE state = 'running' GROUP BY 1, 2, 3
             UNION ALL
             SELECT kind, nullif(project_id, $2), nullif(concurrency_key, ''), count(*) FROM doorbells_out
             WHERE published_at > now() - $1 * interval '1 second' GROUP BY 1, 2, 3",
        )
        .bind(answered_within.as_secs_f64())
        .bind(Uuid::nil())
        .fetch_all(self.pool())
        .await?;
        for (kind, project_id, key, jobs) in rows {
            places.take(Subject { kind: &kind, project_id, key: key.as_deref() }, jobs.max(0) as u64);
        }
        Ok(())
    }

    /// Notes places that doorbells are about to ask for; before they are published, since a worker may answer at
    /// once.
    pub async fn note_doorbells_out(
        &self,
        queue: &QueueName,
        out: &[(JobId, &Lane)],
    ) -> Result<(), StoreError> {
        // After a crash of the database nobody waits for these doorbells.
        let mut tx = self.pool().begin_with("BEGIN; SET LOCAL synchronous_commit = off").await?;
        sqlx::query(
            "INSERT INTO doorbells_out (job_id, kind, project_id, concurrency_key)
             SELECT id, $1, project_id, key FROM unnest($2::uuid[], $3::uuid[], $4::text[]) AS o (id, project_id, key)
             ON CONFLICT (job_id) DO UPDATE SET published_at = now()",
        )
        .bind(queue.as_str())
        .bind(out.iter().map(|(id, _)| id.0).collect::<Vec<_>>())
        .bind(out.iter().map(|(_, lane)| tenant_of(lane.project_id)).collect::<Vec<_>>())
        .bind(out.iter().map(|(_, lane)| lane.key.as_deref().unwrap_or("")).collect::<Vec<_>>())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Gives noted places back: those doorbells did not leave.
    pub async fn forget_doorbells_out(&self, jobs: &[JobId]) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM doorbells_out WHERE job_id = ANY($1)")
            .bind(jobs.iter().map(|id| id.0).collect::<Vec<_>>())
            .execute(self.pool())
            .await?;
        Ok(())
    }
}
