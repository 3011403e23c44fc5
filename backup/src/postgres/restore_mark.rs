//! What a database says of the restore that made it, in its comment: whoever comes after one that was killed reads
//! there how far that came, from any machine.

use super::quoted;
use crate::error::{Doing, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, Executor, PgConnection};
use std::time::Duration;
use uuid::Uuid;

/// So long what a killed restore has left is there for the next one. Afterwards it is swept: it takes the room of a
/// database.
pub(crate) const RESUMABLE_FOR: Duration = Duration::from_secs(24 * 3600);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "counterfoil_restore", rename_all = "snake_case", deny_unknown_fields)]
pub enum RestoreMark {
    /// A scratch database with all of a backup in it, not yet compared with the manifest.
    Loaded { backup: Uuid, owners: bool, at: DateTime<Utc> },
    /// Proved, and put in its place; nobody was told yet.
    InPlace { backup: Uuid, kept_as: Option<String>, at: DateTime<Utc> },
}

impl RestoreMark {
    /// `None`: the database has no comment, or one of somebody else.
    pub(crate) fn parse(comment: Option<&str>) -> Option<Self> {
        serde_json::from_str(comment?).ok()
    }

    /// The statement that writes it.
    pub(super) fn statement(&self, database: &str) -> String {
        // Made of words, ids and a database's name: it always becomes text.
        let text = serde_json::to_string(self).unwrap_or_default().replace('\'', "''");
        format!("COMMENT ON DATABASE {} IS '{text}'", quoted(database))
    }
}

/// Of one database, by any session of the cluster.
pub(crate) async fn restore_mark(session: &mut PgConnection, database: &str) -> Result<Option<RestoreMark>> {
    let comment: Option<Option<String>> = sqlx::query_scalar(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = $1",
    )
    .bind(database)
    .fetch_optional(session)
    .await
    .doing(format!("reading the comment of database {database}"))?;
    Ok(RestoreMark::parse(comment.flatten().as_deref()))
}

/// Forgets the restore that made it, if that is what the comment tells of.
pub(crate) async fn clear_restore_mark(session: &mut PgConnection, database: &str) -> Result<()> {
    if restore_mark(session, database).await?.is_none() {
        return Ok(());
    }
    let statement = format!("COMMENT ON DATABASE {} IS NULL", quoted(database));
    session
        .execute(AssertSqlSafe(statement))
        .await
        .doing(format!("clearing the comment of database {database}"))
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_was_written_and_other_comments_are_left_alone() {
        let kept_as = Some("o'brien's".to_owned());
        let mark = RestoreMark::InPlace { backup: Uuid::from_u128(1), kept_as, at: Utc::now() };
        let statement = mark.statement("li\"ve");
        let text = statement.strip_prefix("COMMENT ON DATABASE \"li\"\"ve\" IS '").unwrap();
        let text = text.strip_suffix('\'').unwrap().replace("''", "'");
        assert_eq!(RestoreMark::parse(Some(&text)), Some(mark));
        for comment in [None, Some(""), Some("the live one"), Some("{\"counterfoil_restore\": \"else\"}")] {
            assert_eq!(RestoreMark::parse(comment), None);
        }
    }
}
