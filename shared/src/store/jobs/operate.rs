//! What people ask of jobs: stop, start over, do not wait. One by one and by filter; each leaves an event.

use super::list::JobFilter;
use crate::ids::{JobId, ProjectId, UserId};
use crate::job::JobState;
use crate::store::audit::{self, Note};
use crate::store::{Store, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;

/// What to do to every job that fits a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BulkAction {
    /// Scheduled, available and running jobs stop.
    Cancel,
    /// Scheduled jobs, those between two attempts included, become available now.
    RetryNow,
    /// Dead jobs start over, with all their attempts.
    Redrive,
}

impl BulkAction {
    /// The states an action applies to; jobs in others are left alone.
    pub fn states(self) -> &'static [JobState] {
        match self {
            Self::Cancel => &[JobState::Scheduled, JobState::Available, JobState::Running],
            Self::RetryNow => &[JobState::Scheduled],
            Self::Redrive => &[JobState::Dead],
        }
    }
}

/// Who asks, for the job's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asker {
    User(UserId),
    /// Somebody with a shell on the server, by the name they go by there.
    Shell(String),
    System,
}

impl Asker {
    fn user_id(&self) -> Option<UserId> {
        match self {
            Self::User(id) => Some(*id),
            _ => None,
        }
    }

    fn name(&self) -> Option<&str> {
        match self {
            Self::Shell(name) => Some(name),
            _ => None,
        }
    }
}

/// What a bulk action did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BulkDone {
    /// Jobs that fitted and were looked at.
    pub matched: u64,
    /// Of those, how many changed. The rest had moved on meanwhile, was asked already, or has a twin that is
    /// unfinished and unique.
    pub changed: u64,
    /// Whether none is left that fits.
    pub is_complete: bool,
}

/// Jobs changed in one transaction: keeps row locks short.
pub const BULK_STEP: u32 = 500;

impl Store {
    /// Cancels a job that has not started at once; asks a running one to stop, which its worker notices with
    /// its next renewal (within about a second). Returns the state after the call; `None`: no such job.
    /// A finished job stays as it is.
    pub async fn request_cancel(&self, id: JobId) -> Result<Option<JobState>, StoreError> {
        self.cancel_job(id, &Asker::System).await
    }

    /// As [`Self::request_cancel`]; the job's history says who asked first.
    pub async fn cancel_job(&self, id: JobId, by: &Asker) -> Result<Option<JobState>, StoreError> {
        self.cancel_jobs(&[id.0], by).await?;
        self.state_of(id).await
    }

    /// Makes a dead job available again, with all its attempts before it. Returns the state after the call, which is
    /// *dead* still when an unfinished job has its unique key; `None`: no such job.
    pub async fn redrive_job(&self, id: JobId, by: &Asker) -> Result<Option<JobState>, StoreError> {
        self.redrive_jobs(&[id.0], by).await?;
        self.state_of(id).await
    }

    /// Makes a scheduled job available now. Returns the state after the call; `None`: no such job.
    pub async fn make_job_due(&self, id: JobId, by: &Asker) -> Result<Option<JobState>, StoreError> {
        self.make_jobs_due(&[id.0], by).await?;
        self.state_of(id).await
    }

    /// Does `action` to the newest `jobs_max` that fit, in steps of [`BULK_STEP`], each a transaction of its own: an
    /// error leaves the steps before it done. May be repeated, and must be until it is complete.
    pub async fn act_on_jobs(
        &self,
        action: BulkAction,
        filter: &JobFilter,
        jobs_max: u32,
        by: &Asker,
    ) -> Result<BulkDone, StoreError> {
        let mut done = BulkDone::default();
        for state in action.states() {
            if filter.state.is_some_and(|asked| asked != *state) {
                continue;
            }
            let filter = JobFilter { state: Some(*state), ..filter.clone() };
            let mut after = None;
            loop {
                let room = u64::from(jobs_max).saturating_sub(done.matched);
                // One more than may be changed: to know whether that is all.
                let step = u32::try_from(room).unwrap_or(u32::MAX).min(BULK_STEP);
                let mut ids = self.find_jobs(&filter, after, step + 1).await?;
                let more = ids.len() > step as usize;
                ids.truncate(step as usize);
                let Some(last) = ids.last() else {
                    if more {
                        return Ok(done);
                    }
                    break;
                };
                after = Some(JobId(*last));
                done.matched += ids.len() as u64;
                done.changed += match action {
                    BulkAction::Cancel => self.cancel_jobs(&ids, by).await?,
                    BulkAction::RetryNow => self.make_jobs_due(&ids, by).await?,
                    BulkAction::Redrive => self.redrive_jobs(&ids, by).await?,
                };
                if !more {
                    break;
                }
            }
        }
        done.is_complete = true;
        Ok(done)
    }

    /// How many jobs [`Self::act_on_jobs`] would look at, counted up to `at_most`.
    pub async fn count_for_action(
        &self,
        action: BulkAction,
        filter: &JobFilter,
        at_most: u32,
    ) -> Result<u64, StoreError> {
        let mut count = 0;
        for state in action.states() {
            if filter.state.is_none_or(|asked| asked == *state) {
                let filter = JobFilter { state: Some(*state), ..filter.clone() };
                count += self.count_jobs(&filter, at_most).await?;
            }
        }
        Ok(count.min(u64::from(at_most)))
    }

    async fn state_of(&self, id: JobId) -> Result<Option<JobState>, StoreError> {
        Ok(sqlx::query_scalar("SELECT state FROM jobs WHERE id = $1")
            .bind(id)
            .fetch_optional(self.pool())
            .await?)
    }

    async fn cancel_jobs(&self, ids: &[uuid::Uuid], by: &Asker) -> Result<u64, StoreError> {
        // Locked in one order, so that two bulk actions cannot hold each other up for ever.
        let mut tx = self.begin().await?;
        let changed = sqlx::query(
            "WITH picked AS (
                 SELECT id FROM jobs
                 WHERE id = ANY($1) AND state IN ('scheduled', 'available', 'running')
                   AND cancel_requested_at IS NULL
                 ORDER BY id FOR UPDATE
             ), changed AS (
                 UPDATE jobs SET
                     state = CASE WHEN state = 'running' THEN state ELSE 'cancelled' END,
                     finished_at = CASE WHEN state = 'running' THEN NULL ELSE now() END,
                     cancel_requested_at = now()
                 FROM picked WHERE jobs.id = picked.id
                 RETURNING jobs.id
             )
             INSERT INTO job_events (job_id, event, by_user, detail) SELECT id, 'cancel_requested', $2, $3 FROM changed",
        )
        .bind(ids)
        .bind(by.user_id())
        .bind(by.name())
        .execute(&mut *tx)
        .await?;
        note(&mut tx, ids, changed.rows_affected()).await?;
        tx.commit().await?;
        Ok(changed.rows_affected())
    }

    async fn make_jobs_due(&self, ids: &[uuid::Uuid], by: &Asker) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let changed = sqlx::query(
            "WITH picked AS (
                 SELECT id FROM jobs WHERE id = ANY($1) AND state = 'scheduled' ORDER BY id FOR UPDATE
             ), changed AS (
                 UPDATE jobs SET state = 'available', due_at = now(), rung_at = now()
                 FROM picked WHERE jobs.id = picked.id
                 RETURNING jobs.id, queue, priority, project_id, concurrency_key
             ), rung AS (
                 INSERT INTO outbox (job_id, queue, priority, project_id, concurrency_key)
                 SELECT id, queue, priority, tenant_of(project_id), coalesce(concurrency_key, '') FROM changed
             )
             INSERT INTO job_events (job_id, event, by_user, detail) SELECT id, 'made_due', $2, $3 FROM changed",
        )
        .bind(ids)
        .bind(by.user_id())
        .bind(by.name())
        .execute(&mut *tx)
        .await?;
        note(&mut tx, ids, changed.rows_affected()).await?;
        tx.commit().await?;
        Ok(changed.rows_affected())
    }

    async fn redrive_jobs(&self, ids: &[uuid::Uuid], by: &Asker) -> Result<u64, StoreError> {
        match self.redrive_together(ids, by).await {
            // Two of them are twins: one at a time, the second stays dead.
            Err(error) if error.constraint() == Some("jobs_unique") => {}
            done => return done,
        }
        let mut changed = 0;
        for id in ids {
            match self.redrive_together(&[*id], by).await {
                Err(error) if error.constraint() == Some("jobs_unique") => {}
                done => changed += done?,
            }
        }
        Ok(changed)
    }

    /// A run whose open items another run has meanwhile stays dead: a chain does not branch.
    async fn redrive_together(&self, ids: &[uuid::Uuid], by: &Asker) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        // Held as by whoever continues these runs or decides about them; what they did shows in the next statement.
        sqlx::query(
            "SELECT FROM reconciliations
             WHERE job_id IN (SELECT continues FROM reconciliations WHERE job_id = ANY($1) AND continues IS NOT NULL)
             ORDER BY job_id FOR UPDATE",
        )
        .bind(ids)
        .execute(&mut *tx)
        .await?;
        let changed = sqlx::query(
            "WITH picked AS (
                 SELECT id FROM jobs WHERE id = ANY($1) AND state = 'dead'
                   AND NOT EXISTS (
                       SELECT FROM reconciliations run
                       JOIN reconciliations other ON other.continues = run.continues AND other.job_id <> run.job_id
                       JOIN jobs j ON j.id = other.job_id
                       WHERE run.job_id = jobs.id
                         AND (j.state NOT IN ('cancelled', 'dead')
                              -- Of two that are asked for together the later one.
                              OR (j.state = 'dead' AND j.id = ANY($1) AND j.id > run.job_id)))
                 ORDER BY id FOR UPDATE
             ), changed AS (
                 UPDATE jobs SET state = 'available', finished_at = NULL, attempt = 0, due_at = now(),
                     rung_at = now(), cancel_requested_at = NULL, progress = NULL
                 FROM picked WHERE jobs.id = picked.id
                 RETURNING jobs.id, queue, priority, project_id, concurrency_key, fence
             ), rung AS (
                 INSERT INTO outbox (job_id, queue, priority, project_id, concurrency_key)
                 SELECT id, queue, priority, tenant_of(project_id), coalesce(concurrency_key, '') FROM changed
             )
             INSERT INTO job_events (job_id, event, fence, by_user, detail)
             SELECT id, 're_driven', fence, $2, $3 FROM changed",
        )
        .bind(ids)
        .bind(by.user_id())
        .bind(by.name())
        .execute(&mut *tx)
        .await?;
        note(&mut tx, ids, changed.rows_affected()).await?;
        tx.commit().await?;
        Ok(changed.rows_affected())
    }
}

/// Writes for each project what was asked of its jobs. In one order, so that two of these cannot wait in a circle.
async fn note(conn: &mut PgConnection, ids: &[uuid::Uuid], changed: u64) -> Result<(), StoreError> {
    if changed == 0 || audit::current().is_none() {
        return Ok(());
    }
    let projects: Vec<(Option<ProjectId>, Vec<uuid::Uuid>)> = sqlx::query_as(
        "SELECT project_id, array_agg(id ORDER BY id) FROM jobs WHERE id = ANY($1) GROUP BY project_id
         ORDER BY project_id NULLS FIRST",
    )
    .bind(ids)
    .fetch_all(&mut *conn)
    .await?;
    for (project_id, ids) in projects {
        let note = match ids.as_slice() {
            [id] => Note::of(project_id, "job", id),
            _ => Note::of(project_id, "jobs", ids.len()).after(json!({"asked": ids, "changed": changed})),
        };
        note.write(conn).await?;
    }
    Ok(())
}
