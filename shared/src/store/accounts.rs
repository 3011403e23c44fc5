//! Accounts as administrators of the platform look after them: shutting them, opening them again, and new passwords.

use super::audit::{Note, Tenant};
use super::sessions::{Digest, SessionEnd, end_others};
use super::{Store, StoreError};
use crate::ids::UserId;
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Account {
    pub id: UserId,
    pub email: String,
    pub name: String,
    pub is_platform_admin: bool,
    pub created_at: DateTime<Utc>,
    /// Since then nobody logs in with it, and its API keys open nothing.
    pub disabled_at: Option<DateTime<Utc>>,
    /// Whoever logs in next has to choose another password.
    pub must_change_password: bool,
    pub has_second_factor: bool,
    /// The last log-in or refresh that is still in the books.
    pub last_seen_at: Option<DateTime<Utc>>,
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountChange {
    Done,
    /// There is no such account.
    Unknown,
    /// Nobody could administer the platform after it.
    LastAdministrator,
}

/// A one-time token that was just made.
#[derive(Clone)]
pub struct NewPasswordReset {
    pub user_id: UserId,
    pub digest: Digest,
    /// `None`: somebody at a shell.
    pub created_by: Option<UserId>,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

const ACCOUNTS: &str = "
    SELECT u.id, u.email, u.name, u.is_platform_admin, u.created_at, u.disabled_at, u.must_change_password,
           EXISTS (SELECT FROM second_factors f WHERE f.user_id = u.id AND f.confirmed_at IS NOT NULL)
               AS has_second_factor,
           (SELECT max(s.last_used_at) FROM sessions s WHERE s.user_id = u.id) AS last_seen_at
    FROM users u";

/// A new password, however it came about: nothing has to be changed any more, and every session but one ends. Says how
/// many did.
pub async fn replace_password(
    conn: &mut PgConnection,
    user_id: UserId,
    hash: &str,
    kept: Option<crate::ids::SessionId>,
    now: DateTime<Utc>,
) -> Result<u64, StoreError> {
    sqlx::query("UPDATE users SET password_hash = $2, must_change_password = false WHERE id = $1")
        .bind(user_id)
        .bind(hash)
        .execute(&mut *conn)
        .await?;
    sqlx::query("DELETE FROM password_resets WHERE user_id = $1").bind(user_id).execute(&mut *conn).await?;
    end_others(conn, user_id, kept, SessionEnd::PasswordChanged, now).await
}

impl Store {
    /// Accounts, newest first, those older than `after`, at most `limit`; only those with `text` somewhere in address or
    /// name, whatever its letter case.
    pub async fn accounts(
        &self,
        text: Option<&str>,
        after: Option<UserId>,
        limit: u32,
    ) -> Result<Vec<Account>, StoreError> {
        let statement = format!(
            "{ACCOUNTS}
             WHERE ($1::text IS NULL OR position(lower($1) IN lower(u.email || ' ' || u.name)) > 0)
               AND ($2::uuid IS NULL OR u.id < $2)
             ORDER BY u.id DESC LIMIT $3"
        );
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(text)
            .bind(after)
            .bind(i64::from(limit))
            .fetch_all(self.pool())
            .await?)
    }

    pub async fn account(&self, id: UserId) -> Result<Option<Account>, StoreError> {
        let statement = format!("{ACCOUNTS} WHERE u.id = $1");
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(statement)).bind(id).fetch_optional(self.pool()).await?)
    }

    /// Shuts an account: its sessions end, and its API keys open nothing as long as it is shut. One that is shut already
    /// stays so from when it was.
    pub async fn disable_account(&self, id: UserId, now: DateTime<Utc>) -> Result<AccountChange, StoreError> {
        let mut tx = self.begin().await?;
        // Of two who shut each other one waits here, and is then the last.
        let administrators: Vec<UserId> = sqlx::query_scalar(
            "SELECT id FROM users WHERE is_platform_admin AND disabled_at IS NULL ORDER BY id FOR NO KEY UPDATE",
        )
        .fetch_all(&mut *tx)
        .await?;
        if administrators == [id] {
            return Ok(AccountChange::LastAdministrator);
        }
        let done = sqlx::query("UPDATE users SET disabled_at = coalesce(disabled_at, $2) WHERE id = $1")
            .bind(id)
            .bind(now)
            .execute(&mut *tx)
            .await?;
        if done.rows_affected() == 0 {
            return Ok(AccountChange::Unknown);
        }
        sqlx::query("DELETE FROM password_resets WHERE user_id = $1").bind(id).execute(&mut *tx).await?;
        let ended = end_others(&mut tx, id, None, SessionEnd::AccountDisabled, now).await?;
        let after = json!({"is_disabled": true, "sessions_ended": ended});
        Note::of(Tenant::SYSTEM, "user", id).after(after).commit(tx).await?;
        Ok(AccountChange::Done)
    }

    /// Opens an account again: its password and its keys are what they were.
    pub async fn enable_account(&self, id: UserId) -> Result<AccountChange, StoreError> {
        self.change_account(
            id,
            "UPDATE users SET disabled_at = NULL WHERE id = $1",
            json!({"is_disabled": false}),
        )
        .await
    }

    /// The next log-in by password has to bring a new one. Sessions go on.
    pub async fn require_password_change(&self, id: UserId) -> Result<AccountChange, StoreError> {
        let statement = "UPDATE users SET must_change_password = true WHERE id = $1";
        self.change_account(id, statement, json!({"must_change_password": true})).await
    }

    async fn change_account(
        &self,
        id: UserId,
        statement: &'static str,
        after: serde_json::Value,
    ) -> Result<AccountChange, StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(statement).bind(id).execute(&mut *tx).await?;
        if done.rows_affected() == 0 {
            return Ok(AccountChange::Unknown);
        }
        Note::of(Tenant::SYSTEM, "user", id).after(after).commit(tx).await?;
        Ok(AccountChange::Done)
    }

    /// Keeps the digest of a token with which a new password may be chosen, in place of an earlier one. `Unknown` also
    /// for an account that is shut.
    pub async fn offer_password_reset(&self, new: &NewPasswordReset) -> Result<AccountChange, StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "INSERT INTO password_resets (user_id, digest, created_by, created_at, expires_at)
             SELECT id, $2, $3, $4, $5 FROM users WHERE id = $1 AND disabled_at IS NULL
             ON CONFLICT (user_id) DO UPDATE SET digest = excluded.digest, created_by = excluded.created_by,
                                                 created_at = excluded.created_at, expires_at = excluded.expires_at",
        )
        .bind(new.user_id)
        .bind(new.digest.as_slice())
        .bind(new.created_by)
        .bind(new.created_at)
        .bind(new.expires_at)
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(AccountChange::Unknown);
        }
        let after = json!({"expires_at": new.expires_at});
        Note::of(Tenant::SYSTEM, "user", new.user_id).after(after).commit(tx).await?;
        Ok(AccountChange::Done)
    }

    /// Whose password a token may change now.
    pub async fn password_reset_of(
        &self,
        digest: &Digest,
        now: DateTime<Utc>,
    ) -> Result<Option<UserId>, StoreError> {
        Ok(sqlx::query_scalar(
            "SELECT r.user_id FROM password_resets r JOIN users u ON u.id = r.user_id
             WHERE r.digest = $1 AND r.expires_at > $2 AND u.disabled_at IS NULL",
        )
        .bind(digest.as_slice())
        .bind(now)
        .fetch_optional(self.pool())
        .await?)
    }

    /// Spends the token for a new password; every session of the account ends. `None`: it is spent, too late, or of an
    /// account that was shut meanwhile. Gives the account's address.
    pub async fn reset_password(
        &self,
        digest: &Digest,
        hash: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<String>, StoreError> {
        let mut tx = self.begin().await?;
        let spent: Option<(UserId, String)> = sqlx::query_as(
            "DELETE FROM password_resets r USING users u
             WHERE u.id = r.user_id AND r.digest = $1 AND r.expires_at > $2 AND u.disabled_at IS NULL
             RETURNING u.id, u.email",
        )
        .bind(digest.as_slice())
        .bind(now)
        .fetch_optional(&mut *tx)
        .await?;
        let Some((user_id, email)) = spent else { return Ok(None) };
        let ended = replace_password(&mut tx, user_id, hash, None, now).await?;
        let after = json!({"sessions_ended": ended});
        Note::of(Tenant::SYSTEM, "user", user_id).after(after).commit(tx).await?;
        Ok(Some(email))
    }
}
