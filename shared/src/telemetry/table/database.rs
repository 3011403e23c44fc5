//! PostgreSQL as this process sees it, and as it sees itself.

use crate::telemetry::metric::{Label, Metric, Role, Unit};

const POOL: Label = Label::one_of("pool", &["tenants", "system"]);

pub(super) const METRICS: &[Metric] = &[
    Metric::gauge(
        "counterfoil_database_connections",
        Unit::Count,
        &[POOL, Label::one_of("state", &["idle", "used"])],
        Role::ALL,
        "Connections of this process: what is done for tenants has a pool of its own",
    ),
    Metric::gauge(
        "counterfoil_database_connections_max",
        Unit::Count,
        &[POOL],
        Role::ALL,
        "Most connections the pool opens",
    ),
    Metric::histogram(
        "counterfoil_database_acquire_duration_seconds",
        Unit::Seconds,
        &[],
        Role::ALL,
        "Wait for a connection of the pool; the rate of its sum is how many wait on average",
    ),
    Metric::histogram(
        "counterfoil_database_query_duration_seconds",
        Unit::Seconds,
        &[
            Label::bounded("operation", "the verbs of SQL"),
            Label::bounded("table", "the table a statement is about first; at most 200 with the operation"),
        ],
        Role::ALL,
        "Time of a statement, to its last row",
    )
    .once("the first such statement"),
    Metric::counter(
        "counterfoil_database_errors_total",
        &[Label::one_of("cause", &["acquire_timeout", "unavailable", "constraint", "broken"])],
        Role::ALL,
        "Statements and waits that failed; a constraint that refuses is mostly an answer and no fault",
    ),
    Metric::gauge(
        "counterfoil_database_up",
        Unit::Flag,
        &[],
        Role::ALL,
        "Whether the server answered this process when asked for these figures",
    ),
    Metric::gauge(
        "counterfoil_database_size_bytes",
        Unit::Bytes,
        &[],
        Role::ALL,
        "Size of the database on its disk",
    ),
    Metric::gauge(
        "counterfoil_database_sessions",
        Unit::Count,
        &[Label::one_of("state", &["active", "idle", "idle_in_transaction", "waiting_for_lock"])],
        Role::ALL,
        "Sessions in this database, of whomever; what waits for a lock is not counted as active",
    ),
    Metric::gauge(
        "counterfoil_database_sessions_max",
        Unit::Count,
        &[],
        Role::ALL,
        "max_connections of the server",
    ),
    Metric::gauge(
        "counterfoil_database_oldest_transaction_seconds",
        Unit::Seconds,
        &[],
        Role::ALL,
        "Age of the oldest transaction in this database: it holds back the clean-up of dead rows",
    ),
    Metric::counter(
        "counterfoil_replica_reads_total",
        &[Label::one_of("by", &["replica", "primary"])],
        &[Role::Api],
        "Reads that may go to the replica, by who answered them; none without `database.replica_url`",
    ),
    Metric::gauge(
        "counterfoil_database_replication_lag_seconds",
        Unit::Seconds,
        &[],
        Role::ALL,
        "How far the slowest replica is behind; 0 without replicas",
    ),
    Metric::counter(
        "counterfoil_database_transactions_total",
        &[Label::one_of("outcome", &["committed", "rolled_back"])],
        Role::ALL,
        "Transactions of this database, of whomever, since its statistics were reset",
    )
    .at_start(),
    Metric::counter(
        "counterfoil_database_deadlocks_total",
        &[],
        Role::ALL,
        "Deadlocks the server has broken",
    )
    .at_start(),
    Metric::counter(
        "counterfoil_database_blocks_total",
        &[Label::one_of("from", &["cache", "disk"])],
        Role::ALL,
        "Blocks read, by whether the server had them in memory",
    )
    .at_start(),
];
