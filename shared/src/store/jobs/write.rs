//! The right to write the results of a job: one transaction at a time has it.

use super::release::{ReleaseError, confirm};
use crate::job::Lease;
use crate::store::{Store, StoreError};
use sqlx::PgConnection;
use std::time::Duration;

/// A holder that is told to end needs a moment for its rollback.
const TRIES: usize = 20;
const WAIT: Duration = Duration::from_millis(100);

/// Makes the caller's transaction the only one that writes for this job; ends those of earlier leases.
///
/// The fence refuses the commit of a worker that slept through its lease, but not the rows it has already
/// written: uncommitted, they would hold up the next worker's equal rows for as long as the frozen one keeps its
/// connection. So every writing transaction begins by taking an advisory lock of its job, and whoever finds it
/// taken and holds the current lease ends the other session. Of one attempt only one transaction may be open at
/// a time, or it would end itself. The other session is ended by `system`, which is nobody's but ours: no tenant may end
/// sessions.
pub async fn become_writer(
    conn: &mut PgConnection,
    system: &Store,
    lease: &Lease,
) -> Result<(), ReleaseError> {
    for _ in 0..TRIES {
        let alone: bool =
            sqlx::query_scalar("SELECT pg_try_advisory_xact_lock(hashtextextended('job ' || $1, 0))")
                .bind(lease.job_id.to_string())
                .fetch_one(&mut *conn)
                .await?;
        if alone {
            return Ok(());
        }
        let ended: Vec<bool> = sqlx::query_scalar(
            "SELECT pg_terminate_backend(pid)
             FROM pg_locks, jobs
             WHERE jobs.id = $1 AND jobs.fence = $2 AND jobs.state = 'running'
               AND locktype = 'advisory' AND granted AND objsubid = 1
               AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
               AND (classid::bigint << 32) | objid::bigint = hashtextextended('job ' || $1::text, 0)",
        )
        .bind(lease.job_id)
        .bind(lease.fence)
        .fetch_all(system.pool())
        .await?;
        if ended.is_empty() {
            // The holder has just left, or it is us who are late.
            confirm(&mut *conn, lease).await?;
        } else {
            tracing::warn!(job_id = %lease.job_id, "ended the transaction of an earlier lease");
        }
        tokio::time::sleep(WAIT).await;
    }
    Err(StoreError::Unavailable(sqlx::Error::PoolTimedOut).into())
}
