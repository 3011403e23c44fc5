//! Hearing of changes of who may do what, soon after their commit: for whoever keeps that in memory.
//!
//! Notifications can be lost with their connection. So a promise goes with them: [`AccessNews::HeardUntil`] says up to
//! which instant nothing was missed, four times a second; without it nothing that is kept may be used. The question
//! behind it goes over the very connection that notifications come by, and PostgreSQL sends those of earlier commits
//! before the answer.

use super::{Store, StoreError};
use crate::chain;
use crate::ids::UserId;
use sqlx::postgres::PgListener;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

const CHANNEL: &str = "counterfoil_access";
/// Between two promises.
const PERIOD: Duration = Duration::from_millis(250);
const ANSWER_MAX: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(500);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessNews {
    /// Something may have been missed: all that is kept is worth nothing.
    Missed,
    /// Something about this user has changed.
    Changed(UserId),
    /// Every change that was committed before this instant has been told.
    HeardUntil(Instant),
}

impl Store {
    /// Tells `hear` of all changes until `stop`, over any number of lost connections. Keeps one connection; any number
    /// of processes may do so.
    pub async fn follow_access(self, hear: impl Fn(AccessNews), stop: CancellationToken) {
        let mut failing = false;
        loop {
            hear(AccessNews::Missed);
            let ended = tokio::select! {
                () = stop.cancelled() => return,
                ended = self.follow_access_once(&hear, &mut failing) => ended,
            };
            hear(AccessNews::Missed);
            if let Err(error) = ended
                && !std::mem::replace(&mut failing, true)
            {
                tracing::warn!(
                    error = chain(&error),
                    "does not hear of changed rights; each request asks for them"
                );
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    async fn follow_access_once(
        &self,
        hear: &impl Fn(AccessNews),
        failing: &mut bool,
    ) -> Result<(), StoreError> {
        let mut listener = PgListener::connect_with(&self.system).await?;
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        // Between two connections nothing was heard.
        hear(AccessNews::Missed);
        if std::mem::take(failing) {
            tracing::info!("hears of changed rights again");
        }
        let told = |payload: &str| match payload.parse() {
            Ok(user_id) => hear(AccessNews::Changed(user_id)),
            Err(_) => hear(AccessNews::Missed),
        };
        loop {
            let asked_at = Instant::now();
            let asked = tokio::time::timeout(ANSWER_MAX, sqlx::query("SELECT 1").execute(&mut listener));
            asked.await.map_err(|_| StoreError::Unavailable(sqlx::Error::PoolTimedOut))??;
            while let Some(notification) = listener.next_buffered() {
                told(notification.payload());
            }
            hear(AccessNews::HeardUntil(asked_at));
            while let Some(rest) = PERIOD.checked_sub(asked_at.elapsed()) {
                match tokio::time::timeout(rest, listener.try_recv()).await {
                    Ok(Ok(Some(notification))) => told(notification.payload()),
                    Ok(Ok(None)) => return Err(sqlx::Error::WorkerCrashed.into()),
                    Ok(Err(error)) => return Err(error.into()),
                    Err(_) => break,
                }
            }
        }
    }
}
