//! What an operator wants to know of the server before trusting it: for `counterfoil doctor`.

use super::{MIGRATIONS, Store, StoreError};
use chrono::{DateTime, Utc};

/// One look at the server and at what we may do there.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Examination {
    /// As in `SHOW server_version_num`: 150018 is 15.18.
    pub version: i32,
    /// By the server's clock, in the middle of the answer.
    pub clock: DateTime<Utc>,
    pub role: String,
    pub is_superuser: bool,
    /// Whether we may make tables in our schema: migrations and monthly partitions need it.
    pub may_create: bool,
    /// Tables of ours that another role owns: partitions of those cannot be made or dropped.
    pub foreign_tables: i64,
    /// A replica refuses every write.
    pub is_replica: bool,
    pub encoding: String,
    pub fsync: bool,
    pub full_page_writes: bool,
    pub synchronous_commit: String,
    pub max_connections: i32,
    pub has_checksums: bool,
    pub autovacuum: bool,
}

/// How the schema stands to this executable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaVersion {
    Same,
    /// So many migrations are to come.
    Older(usize),
    /// A later version has migrated it; ours works on it as long as only one version lies between.
    Newer,
    /// Nothing of ours is there.
    Empty,
}

impl Store {
    /// Reads views of the server; milliseconds.
    pub async fn examine(&self) -> Result<Examination, StoreError> {
        Ok(sqlx::query_as(
            "SELECT current_setting('server_version_num')::int AS version,
                    clock_timestamp() AS clock,
                    current_user::text AS role,
                    (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS is_superuser,
                    coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS may_create,
                    (SELECT count(*) FROM pg_tables
                     WHERE schemaname = current_schema() AND NOT pg_has_role(tableowner, 'USAGE')) AS foreign_tables,
                    pg_is_in_recovery() AS is_replica,
                    current_setting('server_encoding') AS encoding,
                    current_setting('fsync')::bool AS fsync,
                    current_setting('full_page_writes')::bool AS full_page_writes,
                    current_setting('synchronous_commit') AS synchronous_commit,
                    current_setting('max_connections')::int AS max_connections,
                    current_setting('data_checksums')::bool AS has_checksums,
                    current_setting('autovacuum')::bool AS autovacuum",
        )
        .fetch_one(self.pool())
        .await?)
    }

    /// Compares the migrations that were applied with those that this executable has.
    pub async fn schema_version(&self) -> Result<SchemaVersion, StoreError> {
        let known: Option<bool> = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
            .fetch_one(self.pool())
            .await?;
        if known != Some(true) {
            return Ok(SchemaVersion::Empty);
        }
        let applied: Vec<i64> = sqlx::query_scalar("SELECT version FROM _sqlx_migrations WHERE success")
            .fetch_all(self.pool())
            .await?;
        let ours: Vec<i64> = MIGRATIONS.iter().map(|migration| migration.version).collect();
        let missing = ours.iter().filter(|version| !applied.contains(version)).count();
        Ok(match missing {
            0 if applied.iter().all(|version| ours.contains(version)) => SchemaVersion::Same,
            0 => SchemaVersion::Newer,
            missing if missing == ours.len() => SchemaVersion::Empty,
            missing => SchemaVersion::Older(missing),
        })
    }
}
