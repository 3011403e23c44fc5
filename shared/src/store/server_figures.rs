//! What PostgreSQL says about itself and this database.

use super::{Store, StoreError};

/// One look at the server. Counts go on over restarts of ours, and begin anew when the server's statistics are reset.
#[derive(Debug, Clone, Copy, PartialEq, sqlx::FromRow)]
pub struct ServerFigures {
    pub size_bytes: i64,
    /// Sessions in this database, of whomever.
    pub active: i64,
    pub idle: i64,
    pub idle_in_transaction: i64,
    pub waiting_for_lock: i64,
    /// `max_connections`.
    pub sessions_max: i64,
    pub oldest_transaction_s: f64,
    /// Of the slowest replica; 0 without one.
    pub replication_lag_s: f64,
    pub committed: i64,
    pub rolled_back: i64,
    pub deadlocks: i64,
    pub blocks_from_cache: i64,
    pub blocks_from_disk: i64,
}

impl Store {
    /// Reads views of the server, no table of ours; milliseconds. A role without `pg_read_all_stats` does not see what
    /// the sessions of others do, and counts them in no state.
    pub async fn server_figures(&self) -> Result<ServerFigures, StoreError> {
        Ok(sqlx::query_as(
            "WITH sessions AS MATERIALIZED (
                 SELECT state, wait_event_type = 'Lock' AS waits,
                        extract(epoch FROM clock_timestamp() - xact_start)::float8 AS transaction_s
                 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
             )
             SELECT pg_database_size(current_database()) AS size_bytes,
                    (SELECT count(*) FROM sessions WHERE state = 'active' AND waits IS NOT TRUE) AS active,
                    (SELECT count(*) FROM sessions WHERE state = 'idle') AS idle,
                    (SELECT count(*) FROM sessions WHERE state LIKE 'idle in transaction%') AS idle_in_transaction,
                    (SELECT count(*) FROM sessions WHERE waits) AS waiting_for_lock,
                    current_setting('max_connections')::bigint AS sessions_max,
                    coalesce((SELECT max(transaction_s) FROM sessions), 0) AS oldest_transaction_s,
                    coalesce((SELECT max(extract(epoch FROM replay_lag)) FROM pg_stat_replication), 0)::float8
                        AS replication_lag_s,
                    xact_commit AS committed, xact_rollback AS rolled_back, deadlocks,
                    blks_hit AS blocks_from_cache, blks_read AS blocks_from_disk
             FROM pg_stat_database WHERE datname = current_database()",
        )
        .fetch_one(self.pool())
        .await?)
    }
}
