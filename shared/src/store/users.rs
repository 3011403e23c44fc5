//! People who may log in.

use super::audit::{Note, Tenant};
use super::changes::Seen;
use super::{Store, StoreError};
use crate::ids::UserId;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

/// Somebody to let in. The address is unique whatever its letter case (`users_email_unique`).
#[derive(Clone)]
pub struct NewUser {
    pub id: UserId,
    pub email: String,
    pub name: String,
    /// PHC string, argon2id.
    pub password_hash: String,
    pub is_platform_admin: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct User {
    pub id: UserId,
    pub email: String,
    pub name: String,
    /// Passes every project's door.
    pub is_platform_admin: bool,
    pub created_at: DateTime<Utc>,
}

/// Somebody as their own pages show them. Says nothing of rights: they are asked for each time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct Person {
    pub id: UserId,
    pub email: String,
    pub name: String,
    pub created_at: DateTime<Utc>,
    /// Logging in takes a code.
    pub has_second_factor: bool,
}

/// What a login is checked against. No `Debug`: hashes stay out of logs.
#[derive(Clone, sqlx::FromRow)]
pub struct Credentials {
    pub id: UserId,
    pub password_hash: String,
    /// Right or wrong, it opens nothing.
    pub is_disabled: bool,
    /// It opens nothing without a new one.
    pub must_change_password: bool,
}

/// Returns the user as stored; `None` when the address is taken, which harms no transaction.
pub async fn insert_unless_taken(conn: &mut PgConnection, new: &NewUser) -> Result<Option<User>, StoreError> {
    let made: Option<User> = sqlx::query_as(
        "INSERT INTO users (id, email, name, password_hash, is_platform_admin) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (lower(email)) DO NOTHING
         RETURNING id, email, name, is_platform_admin, created_at",
    )
    .bind(new.id)
    .bind(&new.email)
    .bind(&new.name)
    .bind(&new.password_hash)
    .bind(new.is_platform_admin)
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(user) = &made {
        let shown = serde_json::json!({"email": user.email, "is_platform_admin": user.is_platform_admin});
        Note::of(Tenant::SYSTEM, "user", user.id).after(shown).write(conn).await?;
    }
    Ok(made)
}

/// Keeps a new hash of a password.
pub async fn set_password_hash(conn: &mut PgConnection, id: UserId, hash: &str) -> Result<(), StoreError> {
    sqlx::query("UPDATE users SET password_hash = $2 WHERE id = $1")
        .bind(id)
        .bind(hash)
        .execute(conn)
        .await?;
    Ok(())
}

impl Store {
    /// Returns the user as stored.
    pub async fn insert_user(&self, new: &NewUser) -> Result<User, StoreError> {
        let mut tx = self.begin().await?;
        let user: User = sqlx::query_as(
            "INSERT INTO users (id, email, name, password_hash, is_platform_admin) VALUES ($1, $2, $3, $4, $5)
             RETURNING id, email, name, is_platform_admin, created_at",
        )
        .bind(new.id)
        .bind(&new.email)
        .bind(&new.name)
        .bind(&new.password_hash)
        .bind(new.is_platform_admin)
        .fetch_one(&mut *tx)
        .await?;
        let shown = serde_json::json!({"email": user.email, "is_platform_admin": user.is_platform_admin});
        Note::of(Tenant::SYSTEM, "user", user.id).after(shown).commit(tx).await?;
        Ok(user)
    }

    pub async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        Ok(sqlx::query_as("SELECT id, email, name, is_platform_admin, created_at FROM users WHERE id = $1")
            .bind(id)
            .fetch_optional(self.pool())
            .await?)
    }

    /// To be kept for a while: each change of it is told ([`super::changes`]).
    pub async fn person(&self, id: UserId) -> Result<Option<Seen<Person>>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT id, email, name, created_at,
                    EXISTS (SELECT FROM second_factors WHERE user_id = u.id AND confirmed_at IS NOT NULL)
                        AS has_second_factor,
                    pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon
             FROM users u WHERE id = $1",
        )
        .bind(id)
        .fetch_optional(self.pool())
        .await?)
    }

    /// By address, whatever its letter case.
    pub async fn credentials(&self, email: &str) -> Result<Option<Credentials>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT id, password_hash, disabled_at IS NOT NULL AS is_disabled, must_change_password
             FROM users WHERE lower(email) = lower($1)",
        )
        .bind(email)
        .fetch_optional(self.pool())
        .await?)
    }

    /// The same password, hashed with today's cost. Nothing happens when it was changed meanwhile.
    pub async fn renew_password_hash(&self, id: UserId, old: &str, new: &str) -> Result<(), StoreError> {
        sqlx::query("UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2")
            .bind(id)
            .bind(old)
            .bind(new)
            .execute(self.pool())
            .await?;
        Ok(())
    }

    /// What the password of an account is checked against.
    pub async fn password_hash(&self, id: UserId) -> Result<Option<String>, StoreError> {
        Ok(sqlx::query_scalar("SELECT password_hash FROM users WHERE id = $1")
            .bind(id)
            .fetch_optional(self.pool())
            .await?)
    }

    /// Whether anybody can administer this installation.
    pub async fn has_platform_admin(&self) -> Result<bool, StoreError> {
        let found = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM users WHERE is_platform_admin AND disabled_at IS NULL)",
        );
        Ok(found.fetch_one(self.pool()).await?)
    }
}
