//! Hearing of changes soon after their commit: of who may do what, and of whatever else somebody keeps in memory.
//!
//! Notifications can be lost with their connection. So a promise goes with them: [`News::HeardUntil`] says up to which
//! instant nothing was missed, four times a second; without it nothing that is kept may be used. The question behind it
//! goes over the very connection that notifications come by, and PostgreSQL sends those of earlier commits before the
//! answer.
//!
//! What several processes keep together (in Redis) needs more: whoever finds something there has to know that it was
//! read after the last change. So what is read comes with the transactions that it shows ([`Seen`]), and changes with
//! the transaction that made them.

use super::{Store, StoreError};
use crate::chain;
use crate::ids::UserId;
use sqlx::postgres::{PgListener, PgRow};
use sqlx::{FromRow, Row};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const CHANNEL: &str = "counterfoil_access";
/// Between two promises.
const PERIOD: Duration = Duration::from_millis(250);
const ANSWER_MAX: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(500);

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Something may have been missed: all that is kept is worth nothing.
    Missed,
    /// From here on every change is told.
    Listening(Listening),
    /// Something about what this user may do has changed.
    Access(UserId),
    Changed(Change),
    /// Every change that was committed before this instant has been told.
    HeardUntil(Instant),
}

/// Where in the history of which database hearing began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listening {
    /// No other database has the same, nor this one after it was brought back to an earlier state.
    pub database: String,
    /// Changes by earlier transactions may have gone unheard.
    pub since: u64,
}

/// A change of what may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    pub of: Topic,
    pub id: Uuid,
    /// The transaction.
    pub by: u64,
}

/// What is kept, besides rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// By user.
    Person,
    /// By project.
    Project,
    /// By project.
    Statistics,
}

/// Something as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen<T> {
    pub value: T,
    /// It shows what every transaction before this one has done; what later ones have done, perhaps. A statement selects
    /// it as `pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon`.
    pub horizon: u64,
}

impl<'r, T: FromRow<'r, PgRow>> FromRow<'r, PgRow> for Seen<T> {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        let horizon: i64 = row.try_get("horizon")?;
        Ok(Self { value: T::from_row(row)?, horizon: horizon.unsigned_abs() })
    }
}

impl Store {
    /// Tells `hear` of all changes until `stop`, over any number of lost connections. Keeps one connection; any number
    /// of processes may do so.
    pub async fn follow_changes(self, hear: impl Fn(News), stop: CancellationToken) {
        let mut failing = false;
        loop {
            hear(News::Missed);
            let ended = tokio::select! {
                () = stop.cancelled() => return,
                ended = self.follow_once(&hear, &mut failing) => ended,
            };
            hear(News::Missed);
            if let Err(error) = ended
                && !std::mem::replace(&mut failing, true)
            {
                tracing::warn!(
                    error = chain(&error),
                    "does not hear of changes; each request asks for what could be kept"
                );
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    async fn follow_once(&self, hear: &impl Fn(News), failing: &mut bool) -> Result<(), StoreError> {
        let mut listener = PgListener::connect_with(&self.system).await?;
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        // Between two connections nothing was heard.
        hear(News::Missed);
        hear(News::Listening(tell_place(&mut listener).await?));
        if std::mem::take(failing) {
            tracing::info!("hears of changes again");
        }
        loop {
            let asked_at = Instant::now();
            let asked = tokio::time::timeout(ANSWER_MAX, sqlx::query("SELECT 1").execute(&mut listener));
            asked.await.map_err(|_| StoreError::Unavailable(sqlx::Error::PoolTimedOut))??;
            while let Some(notification) = listener.next_buffered() {
                hear(read(notification.payload()));
            }
            hear(News::HeardUntil(asked_at));
            while let Some(rest) = PERIOD.checked_sub(asked_at.elapsed()) {
                match tokio::time::timeout(rest, listener.try_recv()).await {
                    Ok(Ok(Some(notification))) => hear(read(notification.payload())),
                    Ok(Ok(None)) => return Err(sqlx::Error::WorkerCrashed.into()),
                    Ok(Err(error)) => return Err(error.into()),
                    Err(_) => break,
                }
            }
        }
    }
}

/// Asked once it listens: whatever ended before is told by nobody, and is before `since`.
async fn tell_place(listener: &mut PgListener) -> Result<Listening, StoreError> {
    let asked = sqlx::query_as(
        "SELECT (SELECT system_identifier FROM pg_control_system())::text
                || '-' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)
                || '-' || (SELECT oid FROM pg_database WHERE datname = current_database())::text,
                pg_snapshot_xmax(pg_current_snapshot())::text::bigint",
    )
    .fetch_one(listener);
    let answered = tokio::time::timeout(ANSWER_MAX, asked).await;
    let (database, since): (String, i64) =
        answered.map_err(|_| StoreError::Unavailable(sqlx::Error::PoolTimedOut))??;
    Ok(Listening { database, since: since.unsigned_abs() })
}

/// `<user>` of rights, else `<topic> <id> <transaction>`. What this version does not know may be anything.
fn read(payload: &str) -> News {
    let words: Vec<&str> = payload.split(' ').collect();
    let known = match words[..] {
        [user] => user.parse().ok().map(News::Access),
        [topic, id, by] => Topic::parse(topic)
            .and_then(|of| Some(News::Changed(Change { of, id: id.parse().ok()?, by: by.parse().ok()? }))),
        _ => None,
    };
    known.unwrap_or(News::Missed)
}

impl Topic {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "person" => Some(Self::Person),
            "project" => Some(Self::Project),
            "statistics" => Some(Self::Statistics),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_understood_may_be_anything() {
        let id = Uuid::now_v7();
        assert_eq!(read(&id.to_string()), News::Access(UserId(id)));
        let change = Change { of: Topic::Statistics, id, by: 77 };
        assert_eq!(read(&format!("statistics {id} 77")), News::Changed(change));
        for payload in ["", "x", "statistics", "weather 1 2", "project x 7", "project  ", "person 1 2 3"] {
            assert_eq!(read(payload), News::Missed, "{payload}");
        }
    }
}
