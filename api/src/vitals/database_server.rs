//! What the database server says about itself, among the figures.

use super::{PATIENCE, Vitals};
use metrics::{counter, gauge};
use shared::store::server_figures::ServerFigures;
use tokio::time::timeout;

/// NaN where nobody knows; what the server counts stays at its last value.
pub(super) async fn read(vitals: &Vitals) {
    let read = timeout(PATIENCE, vitals.store.server_figures()).await.ok().and_then(Result::ok);
    gauge!("counterfoil_database_up").set(f64::from(u8::from(read.is_some())));
    let of = |figure: fn(&ServerFigures) -> f64| read.as_ref().map_or(f64::NAN, figure);
    gauge!("counterfoil_database_size_bytes").set(of(|server| server.size_bytes as f64));
    let sessions = [
        ("active", of(|server| server.active as f64)),
        ("idle", of(|server| server.idle as f64)),
        ("idle_in_transaction", of(|server| server.idle_in_transaction as f64)),
        ("waiting_for_lock", of(|server| server.waiting_for_lock as f64)),
    ];
    for (state, count) in sessions {
        gauge!("counterfoil_database_sessions", "state" => state).set(count);
    }
    gauge!("counterfoil_database_sessions_max").set(of(|server| server.sessions_max as f64));
    gauge!("counterfoil_database_oldest_transaction_seconds").set(of(|server| server.oldest_transaction_s));
    gauge!("counterfoil_database_replication_lag_seconds").set(of(|server| server.replication_lag_s));
    if let Some(server) = read {
        count(&server);
    }
}

fn count(server: &ServerFigures) {
    let whole = |count: i64| u64::try_from(count).unwrap_or(0);
    for (outcome, transactions) in [("committed", server.committed), ("rolled_back", server.rolled_back)] {
        counter!("counterfoil_database_transactions_total", "outcome" => outcome)
            .absolute(whole(transactions));
    }
    counter!("counterfoil_database_deadlocks_total").absolute(whole(server.deadlocks));
    for (from, blocks) in [("cache", server.blocks_from_cache), ("disk", server.blocks_from_disk)] {
        counter!("counterfoil_database_blocks_total", "from" => from).absolute(whole(blocks));
    }
}
