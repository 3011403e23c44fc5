//! Waking relays in other processes: a notification of PostgreSQL after a commit that wrote doorbells.
//!
//! It only makes the relay faster. A notification that is lost, doubled or late costs or spares one period of the
//! relay, which looks by itself all the time. Not sent with the insert: transactions that notify commit one after the
//! other, which cost a third of the throughput. One call is on its way at a time and stands for all commits before it.

use super::{Store, StoreError};
use crate::chain;
use sqlx::postgres::PgListener;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

const CHANNEL: &str = "counterfoil_outbox";

/// After so long without a notification the connection is tried: one that is silently gone never fails by itself.
const SILENCE_MAX: Duration = Duration::from_secs(20);
const ANSWER_MAX: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_secs(1);

impl Store {
    /// Tells relays elsewhere each time `committed` rings, until `stop`. For processes without a relay of their own.
    pub async fn announce_doorbells(self, committed: Arc<Notify>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = committed.notified() => {}
            }
            let told = tokio::time::timeout(ANSWER_MAX, self.announce()).await;
            let outcome = match told {
                Ok(Ok(())) => "told",
                // The relay's period is there for this; whoever cannot tell has reported worse already.
                Ok(Err(_)) | Err(_) => "failed",
            };
            metrics::counter!("counterfoil_relay_wakes_total", "outcome" => outcome).increment(1);
        }
    }

    /// One notification, not waiting for the disk: after a crash of the database nobody listens.
    async fn announce(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, '')")
            .bind(CHANNEL)
            .execute(self.pool())
            .await?;
        Ok(())
    }

    /// Rings `wake` for each notification until `stop`, over any number of lost connections. Keeps one connection.
    pub async fn listen_for_doorbells(self, wake: Arc<Notify>, stop: CancellationToken) {
        let mut failing = false;
        loop {
            let ended = tokio::select! {
                () = stop.cancelled() => return,
                ended = self.listen_once(&wake, &mut failing) => ended,
            };
            if let Err(error) = ended
                && !std::mem::replace(&mut failing, true)
            {
                tracing::warn!(
                    error = chain(&error),
                    "does not hear of new doorbells at once; the relay's period has to do"
                );
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    async fn listen_once(&self, wake: &Notify, failing: &mut bool) -> Result<(), StoreError> {
        let mut listener = PgListener::connect_with(self.pool()).await?;
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        // What was committed before was not heard. Only now: what comes between a look and this is lost otherwise.
        wake.notify_one();
        if std::mem::take(failing) {
            tracing::info!("hears of new doorbells again");
        }
        loop {
            match tokio::time::timeout(SILENCE_MAX, listener.try_recv()).await {
                Ok(heard) => {
                    if heard?.is_none() {
                        return Err(sqlx::Error::WorkerCrashed.into());
                    }
                    wake.notify_one();
                }
                Err(_) => {
                    let asked = sqlx::query("SELECT 1").execute(&mut listener);
                    let answered = tokio::time::timeout(ANSWER_MAX, asked).await;
                    answered.map_err(|_| StoreError::Unavailable(sqlx::Error::PoolTimedOut))??;
                }
            }
        }
    }
}
