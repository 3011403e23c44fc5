//! The truth, in Postgres: one module per noun. The only place that knows SQL.
//!
//! No trait in front: there is one database, and tests use a real one. Functions that belong to a larger change
//! take a connection (`&mut PgConnection`), those that are a change of their own take `&self`.

pub mod access;
pub mod accounts;
pub mod analytics;
pub mod api_keys;
pub mod audit;
pub mod backlog;
pub mod backups;
pub mod batches;
pub mod chains;
pub mod changes;
pub mod clean_up;
pub mod copy;
pub mod data_sources;
pub mod examination;
pub mod files;
pub mod idempotency;
pub mod identities;
pub mod invitations;
pub mod job_ledger;
pub mod jobs;
pub mod limits;
pub mod login_failures;
pub mod matched_records;
pub mod members;
pub mod notifications;
pub mod open_items;
pub mod organisations;
pub mod outbox;
pub mod partitions;
mod pool;
pub mod projects;
pub mod queues;
pub mod rate_limits;
pub mod reach;
pub mod reconciliation_lines;
pub mod reconciliations;
pub mod replica;
pub mod results;
pub mod review;
pub mod schedules;
pub mod second_factors;
pub mod server_figures;
pub mod sessions;
pub mod text;
pub mod unmatched_amounts;
pub mod users;
pub mod wake;
mod warm;
pub mod workers;

pub use pool::{PoolFigures, PoolLimits};

/// One connection, mostly inside a transaction: what changes of several modules share.
pub use sqlx::PgConnection as Connection;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, PgPool};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use warm::Warm;

/// Embedded in the executable; applied in order under an advisory lock, so any number of processes may try.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../migrations");

#[derive(Clone, Debug)]
pub struct Store {
    /// As whoever the URL names.
    system: PgPool,
    /// As [`reach::TENANT_ROLE`].
    tenants: PgPool,
    is_for_tenants: bool,
    /// One connection of its own for renewing leases, which must not wait behind the transactions they protect.
    renewals: PgPool,
    /// Those of the system's pool that serve what somebody waits for.
    warm: Arc<Warm>,
}

/// When a connection was last found dead, in nanoseconds of [`process_age`]: those that have rested since before may be
/// dead, too. As fine as the clock: rounded down, it would come before the last use of a connection that died with it.
static TROUBLE_AT_NS: AtomicU64 = AtomicU64::new(0);

fn process_age() -> Duration {
    static BEGAN_AT: LazyLock<Instant> = LazyLock::new(Instant::now);
    BEGAN_AT.elapsed()
}

/// Zero: there was none.
fn trouble_at() -> Duration {
    Duration::from_nanos(TROUBLE_AT_NS.load(Ordering::Relaxed))
}

/// Whether a connection that has rested for so long has seen the last trouble.
fn may_be_dead(idle_for: Duration) -> bool {
    let trouble_at = trouble_at();
    !trouble_at.is_zero() && process_age().saturating_sub(idle_for) <= trouble_at
}

/// Set when the database refuses our login: the password was changed, perhaps. One for the process, which has one
/// database.
static WAS_REFUSED: AtomicBool = AtomicBool::new(false);

/// What the database said, by what the caller does next.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is away or overloaded: the same call may succeed later.
    #[error("the database did not answer")]
    Unavailable(#[source] sqlx::Error),
    /// A named constraint refused the change; the name says what the client did wrong.
    #[error("constraint {constraint} refused the change")]
    Constraint {
        constraint: String,
        #[source]
        source: sqlx::Error,
    },
    /// A bug of ours or damaged data: trying again will not help.
    #[error("the database refused the statement")]
    Broken(#[source] sqlx::Error),
}

/// A connection could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("connecting to PostgreSQL at {place}")]
pub struct NotConnected {
    pub place: String,
    #[source]
    source: sqlx::Error,
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let waited_in_vain = matches!(error, sqlx::Error::PoolTimedOut);
        let error = Self::sort(error);
        if matches!(&error, Self::Unavailable(source) if !matches!(source, sqlx::Error::PoolTimedOut)) {
            let now_ns = u64::try_from(process_age().as_nanos()).unwrap_or(u64::MAX);
            TROUBLE_AT_NS.store(now_ns.max(1), Ordering::Relaxed);
        }
        let cause = match &error {
            Self::Unavailable(_) if waited_in_vain => "acquire_timeout",
            Self::Unavailable(_) => "unavailable",
            Self::Constraint { .. } => "constraint",
            Self::Broken(_) => "broken",
        };
        metrics::counter!("counterfoil_database_errors_total", "cause" => cause).increment(1);
        error
    }
}

impl StoreError {
    fn sort(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed => Self::Unavailable(error),
            // A server that goes away mid-message shows as a protocol violation.
            sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => Self::Unavailable(error),
            sqlx::Error::Database(db) => {
                if let Some(constraint) = db.constraint() {
                    let constraint = constraint.to_owned();
                    return Self::Constraint { constraint, source: error };
                }
                // 08 connection, 40 serialisation and deadlock, 53 resources, 55 lock, 57 operator: not our
                // statement's fault.
                let code = db.code().unwrap_or_default();
                match code.get(..2).unwrap_or("") {
                    "08" | "40" | "53" | "55" | "57" => Self::Unavailable(error),
                    // Our login: whoever rotates a password changes it here first, and for us a moment later.
                    "28" => {
                        WAS_REFUSED.store(true, Ordering::Relaxed);
                        Self::Unavailable(error)
                    }
                    // We paused inside a transaction for so long that it was ended.
                    _ if code == "25P03" => Self::Unavailable(error),
                    _ => Self::Broken(error),
                }
            }
            _ => Self::Broken(error),
        }
    }

    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// The violated constraint's name, if that is what happened.
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Constraint { constraint, .. } => Some(constraint),
            _ => None,
        }
    }
}

/// What every connection of ours has.
fn ours(options: PgConnectOptions) -> PgConnectOptions {
    options.application_name("counterfoil").options([
        // A process that freezes between two statements must not keep its locks: nobody else could move the rows
        // it holds. Ours never pause that long; the relay waits for the broker at most 40 s.
        ("idle_in_transaction_session_timeout", "60s"),
        // Our statements read ranges of indexes. Where the planner overestimates one, compiling it took a
        // second and running it ten milliseconds.
        ("jit", "off"),
    ])
}

/// The same for what is done for tenants: the role is that of the session, so no `RESET` leads out of it.
fn of_tenants(options: PgConnectOptions) -> PgConnectOptions {
    options.options([("role", reach::TENANT_ROLE)])
}

impl Store {
    /// Prepares the pools; connects on first use. The store is the system's: [`Store::for_tenants`] is the other one.
    pub fn new(options: PgConnectOptions, limits: &PoolLimits) -> Self {
        let options = ours(options);
        let pool = |connections_max| {
            PgPoolOptions::new()
                .max_connections(connections_max)
                .min_connections(limits.idle_min.min(connections_max))
                .acquire_timeout(limits.acquire_timeout)
                // Reported for `telemetry`, which counts it; no log shows it by default.
                .acquire_time_level(log::LevelFilter::Debug)
                .max_lifetime(limits.lifetime)
                .idle_timeout(limits.idle)
                // The ping before each use costs a third of the throughput; a dead connection shows as an
                // `Unavailable` error, which every caller handles anyway. After one, the others are tried first.
                .test_before_acquire(false)
        };
        let system = || {
            pool(limits.connections_max).before_acquire(|conn, at_rest| {
                Box::pin(async move {
                    if may_be_dead(at_rest.idle_for) {
                        conn.ping().await?;
                    }
                    Ok(true)
                })
            })
        };
        let tenants = pool(limits.connections_max)
            .after_connect(|conn, _| Box::pin(reach::put_on(conn)))
            .before_acquire(|conn, _| Box::pin(async { reach::put_on(conn).await.map(|()| true) }));
        Self {
            system: system().connect_lazy_with(options.clone()),
            tenants: tenants.connect_lazy_with(of_tenants(options.clone())),
            is_for_tenants: false,
            warm: Warm::new(limits.connections_max, limits.lifetime, limits.idle),
            renewals: pool(1).min_connections(0).connect_lazy_with(options),
        }
    }

    /// Whether the database has refused our login since this was asked last.
    pub fn was_refused(&self) -> bool {
        WAS_REFUSED.swap(false, Ordering::Relaxed)
    }

    /// Connects so from now on; open connections stay until their time.
    pub fn connect_with(&self, options: PgConnectOptions) {
        let options = ours(options);
        self.system.set_connect_options(options.clone());
        self.tenants.set_connect_options(of_tenants(options.clone()));
        self.renewals.set_connect_options(options);
    }

    /// Brings the schema to this version, and the rights of both roles to what they should be.
    pub async fn migrate(&self) -> Result<(), sqlx::migrate::MigrateError> {
        MIGRATIONS.run(&self.system).await?;
        sqlx::query("SELECT grant_rights()").execute(&self.system).await?;
        Ok(())
    }

    /// `Ok` when every migration this executable knows has been applied.
    pub async fn is_migrated(&self) -> Result<bool, StoreError> {
        let newest = MIGRATIONS.iter().map(|m| m.version).max().unwrap_or(0);
        let known: Option<bool> = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
            .fetch_one(&self.system)
            .await?;
        if known != Some(true) {
            return Ok(false);
        }
        let applied: Option<i64> =
            sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success")
                .fetch_one(&self.system)
                .await?;
        Ok(applied.is_some_and(|version| version >= newest))
    }

    /// A round trip.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.system).await?;
        Ok(())
    }

    /// Opens one connection beside the pool, once, and says why when that fails: a pool tries again until its time is up,
    /// and then knows that it is.
    pub async fn try_to_connect(&self) -> Result<(), NotConnected> {
        let options = self.system.connect_options();
        let place = match options.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => format!("{}:{}", options.get_host(), options.get_port()),
        };
        let failed = |source| NotConnected { place: place.clone(), source };
        let connecting = sqlx::PgConnection::connect_with(&options);
        let connected = tokio::time::timeout(self.system.options().get_acquire_timeout(), connecting).await;
        let connection = connected.map_err(|_| failed(sqlx::Error::PoolTimedOut))?.map_err(failed)?;
        connection.close().await.map_err(failed)
    }

    pub async fn begin(&self) -> Result<sqlx::Transaction<'static, sqlx::Postgres>, StoreError> {
        Ok(self.pool().begin().await?)
    }

    /// Closes every connection; later calls fail.
    pub async fn close(&self) {
        self.warm.close();
        self.tenants.close().await;
        self.system.close().await;
        self.renewals.close().await;
    }

    /// How new connections are made now: for PostgreSQL's own programs.
    pub fn connect_options(&self) -> PgConnectOptions {
        (*self.system.connect_options()).clone()
    }
}
