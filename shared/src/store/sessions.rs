//! Logins: a session and the chain of refresh tokens that keeps it going. Only digests of tokens are stored.

use super::audit::{self, Note, Tenant};
use super::notifications::notify;
use super::{Store, StoreError};
use crate::ids::{SessionId, UserId};
use crate::notification::Event;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// SHA-256 of a token.
pub type Digest = [u8; 32];

/// A login that has just succeeded.
#[derive(Clone)]
pub struct NewSession {
    pub id: SessionId,
    pub user_id: UserId,
    pub created_at: DateTime<Utc>,
    /// However often it is refreshed.
    pub expires_at: DateTime<Utc>,
    /// Where it began; at most 45 and 300 characters.
    pub ip: Option<String>,
    pub user_agent: Option<String>,
    /// Its first refresh token, if it is to be refreshed at all, and until when that is good.
    pub refresh: Option<(Digest, DateTime<Utc>)>,
}

/// A session as its owner sees it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Session {
    pub id: SessionId,
    pub created_at: DateTime<Utc>,
    pub last_used_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub ip: Option<String>,
    pub user_agent: Option<String>,
}

/// Why a session ended. Postgres has the same type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "session_end", rename_all = "snake_case")]
pub enum SessionEnd {
    LoggedOut,
    Revoked,
    TokenReused,
    PasswordChanged,
    AccountDisabled,
}

/// What became of a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refreshed {
    /// Replaced by the next one.
    Rotated { user_id: UserId, session_id: SessionId },
    /// It was used before: the session has been ended, whoever holds it.
    Reused { user_id: UserId, session_id: SessionId },
    /// Unknown or expired, or its session has ended.
    Refused,
}

/// Stores a session in the caller's transaction.
pub async fn insert(conn: &mut PgConnection, new: &NewSession) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at, ip, user_agent)
         VALUES ($1, $2, $3, $3, $4, $5, $6)",
    )
    .bind(new.id)
    .bind(new.user_id)
    .bind(new.created_at)
    .bind(new.expires_at)
    .bind(&new.ip)
    .bind(&new.user_agent)
    .execute(&mut *conn)
    .await?;
    if let Some((digest, expires_at)) = &new.refresh {
        insert_token(conn, new.id, digest, *expires_at).await?;
    }
    Ok(())
}

async fn insert_token(
    conn: &mut PgConnection,
    session_id: SessionId,
    digest: &Digest,
    expires_at: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO refresh_tokens (digest, session_id, expires_at)
         SELECT $1, id, least($3, expires_at) FROM sessions WHERE id = $2",
    )
    .bind(digest.as_slice())
    .bind(session_id)
    .bind(expires_at)
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends the sessions of a user but for one, in the caller's transaction; says how many.
pub async fn end_others(
    conn: &mut PgConnection,
    user_id: UserId,
    but: Option<SessionId>,
    why: SessionEnd,
    now: DateTime<Utc>,
) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "UPDATE sessions SET ended_at = $4, end_reason = $3
         WHERE user_id = $1 AND id IS DISTINCT FROM $2 AND ended_at IS NULL",
    )
    .bind(user_id)
    .bind(but)
    .bind(why)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

impl Store {
    /// [`insert`] as a change of its own.
    pub async fn start_session(&self, new: &NewSession) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        insert(&mut tx, new).await?;
        Ok(tx.commit().await?)
    }

    /// Trades a refresh token for the next one. Of two that come with the same token one wins and the other ends
    /// the session: one of them is a thief, and nobody can say which.
    pub async fn rotate_refresh_token(
        &self,
        presented: &Digest,
        next: &Digest,
        next_expires_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Refreshed, StoreError> {
        let mut tx = self.begin().await?;
        // The row's lock makes the second of two wait, and then see that it was used.
        let found: Option<(SessionId, UserId, bool, bool)> = sqlx::query_as(
            "SELECT s.id, s.user_id, t.used_at IS NOT NULL,
                    t.expires_at > $2 AND s.expires_at > $2 AND s.ended_at IS NULL
             FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id
             WHERE t.digest = $1 FOR UPDATE",
        )
        .bind(presented.as_slice())
        .bind(now)
        .fetch_optional(&mut *tx)
        .await?;
        let (session_id, user_id) = match found {
            None | Some((.., false, false)) => return Ok(Refreshed::Refused),
            Some((session_id, user_id, true, _)) => {
                sqlx::query(
                    "UPDATE sessions SET ended_at = $2, end_reason = 'token_reused' WHERE id = $1 AND ended_at IS NULL",
                )
                .bind(session_id)
                .bind(now)
                .execute(&mut *tx)
                .await?;
                let (ip, user_agent) = sqlx::query_as("SELECT ip, user_agent FROM sessions WHERE id = $1")
                    .bind(session_id)
                    .fetch_one(&mut *tx)
                    .await?;
                let what =
                    "A session of yours was ended: its token was used twice, so somebody may have copied it.";
                let event = Event::LoginSuspicious { user_id, what: what.into(), ip, user_agent };
                notify(&mut tx, None, &event).await?;
                audit::is_user(user_id);
                if let Some(context) = audit::current() {
                    let note = Note::of(Tenant::SYSTEM, "session", session_id);
                    note.write_as(&mut tx, &context, "session.end_stolen").await?;
                }
                tx.commit().await?;
                return Ok(Refreshed::Reused { user_id, session_id });
            }
            Some((session_id, user_id, false, true)) => (session_id, user_id),
        };
        sqlx::query("UPDATE refresh_tokens SET used_at = $2 WHERE digest = $1")
            .bind(presented.as_slice())
            .bind(now)
            .execute(&mut *tx)
            .await?;
        sqlx::query("UPDATE sessions SET last_used_at = $2 WHERE id = $1")
            .bind(session_id)
            .bind(now)
            .execute(&mut *tx)
            .await?;
        insert_token(&mut tx, session_id, next, next_expires_at).await?;
        tx.commit().await?;
        Ok(Refreshed::Rotated { user_id, session_id })
    }

    /// The user's sessions that go on, newest first, at most `limit`.
    pub async fn sessions(
        &self,
        user_id: UserId,
        now: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<Session>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT id, created_at, last_used_at, expires_at, ip, user_agent
             FROM sessions WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $2
             ORDER BY id DESC LIMIT $3",
        )
        .bind(user_id)
        .bind(now)
        .bind(i64::from(limit))
        .fetch_all(self.pool())
        .await?)
    }

    /// Ends a session of this user. `false`: the user has no such session that goes on.
    pub async fn end_session(
        &self,
        user_id: UserId,
        id: SessionId,
        why: SessionEnd,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "UPDATE sessions SET ended_at = $4, end_reason = $3
             WHERE id = $1 AND user_id = $2 AND ended_at IS NULL",
        )
        .bind(id)
        .bind(user_id)
        .bind(why)
        .bind(now)
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        Note::of(Tenant::SYSTEM, "session", id).commit(tx).await?;
        Ok(true)
    }

    /// [`end_others`] as a change of its own.
    pub async fn end_other_sessions(
        &self,
        user_id: UserId,
        but: Option<SessionId>,
        now: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let ended = end_others(&mut tx, user_id, but, SessionEnd::Revoked, now).await?;
        let after = serde_json::json!({"sessions_ended": ended});
        Note::of(Tenant::SYSTEM, "user", user_id).after(after).commit(tx).await?;
        Ok(ended)
    }
}
