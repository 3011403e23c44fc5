//! One moment of the database, for as many sessions as want it.

use super::{Target, close};
use crate::error::{Doing, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, Executor, PgConnection, Row};

/// Holds a snapshot open. Everybody who imports it sees the same rows; while it is open, vacuum removes no row that
/// it sees, so it is not kept longer than the dump.
pub struct Snapshot {
    keeper: PgConnection,
    target: Target,
    /// For `pg_dump --snapshot` and `SET TRANSACTION SNAPSHOT`.
    pub id: String,
    pub note: SnapshotNote,
}

/// Which moment it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnapshotNote {
    /// By the server's clock.
    pub taken_at: DateTime<Utc>,
    /// WAL position at that moment, as PostgreSQL writes it: `16/B374D848`.
    pub lsn: String,
    /// Whether a cluster recovered to `lsn` holds exactly what the snapshot saw: no transaction was writing, and
    /// nothing was written while the snapshot was taken.
    pub lsn_is_exact: bool,
}

/// A snapshot that falls between two transactions is looked for so often.
const EXACT_TRIES: usize = 20;

impl Snapshot {
    /// Prefers a moment whose WAL position is exact, and takes any after a few tries.
    pub async fn export(target: &Target) -> Result<Self> {
        let mut keeper = target.connect().await?;
        let mut taken = try_export(&mut keeper).await?;
        for _ in 1..EXACT_TRIES {
            if taken.1.lsn_is_exact {
                break;
            }
            keeper.execute("ROLLBACK").await.doing("letting a snapshot go")?;
            taken = try_export(&mut keeper).await?;
        }
        Ok(Self { keeper, target: target.clone(), id: taken.0, note: taken.1 })
    }

    /// A session that sees this moment and cannot write; its transaction is open.
    pub async fn session(&self) -> Result<PgConnection> {
        let mut session = self.target.connect().await?;
        session
            .execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await
            .doing("beginning to read at the snapshot")?;
        // Ids of snapshots are digits and dashes.
        let import = format!("SET TRANSACTION SNAPSHOT '{}'", self.id.replace('\'', "''"));
        session.execute(AssertSqlSafe(import)).await.doing("importing the snapshot")?;
        Ok(session)
    }

    pub async fn release(self) {
        close(self.keeper).await;
    }
}

async fn try_export(keeper: &mut PgConnection) -> Result<(String, SnapshotNote)> {
    let doing = "exporting a snapshot";
    // Outside the transaction, so that the first statement inside it is the one that takes the snapshot.
    let before: String = sqlx::query_scalar(AssertSqlSafe(format!("SELECT {LSN}")))
        .fetch_one(&mut *keeper)
        .await
        .doing(doing)?;
    keeper.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await.doing(doing)?;
    let row = sqlx::query(AssertSqlSafe(format!(
        "SELECT pg_export_snapshot() AS id, {LSN} AS lsn, clock_timestamp() AS taken_at,
                NOT EXISTS (SELECT FROM pg_snapshot_xip(pg_current_snapshot())) AS nobody_writes"
    )))
    .fetch_one(&mut *keeper)
    .await
    .doing(doing)?;
    let lsn: String = row.try_get("lsn").doing(doing)?;
    let nobody_writes: bool = row.try_get("nobody_writes").doing(doing)?;
    let note = SnapshotNote {
        taken_at: row.try_get("taken_at").doing(doing)?,
        lsn_is_exact: nobody_writes && before == lsn,
        lsn,
    };
    Ok((row.try_get("id").doing(doing)?, note))
}

/// A standby does not write and has no position to insert at.
const LSN: &str = "(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END)::text";
