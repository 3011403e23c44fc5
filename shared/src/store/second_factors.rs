//! Second factors: the sealed secret of a person's one-time passwords, and the codes for when it is lost.

use super::audit::{Note, Tenant};
use super::sessions::Digest;
use super::{Store, StoreError};
use crate::ids::UserId;
use chrono::{DateTime, Utc};

/// A person's second factor. No `Debug`.
#[derive(Clone, sqlx::FromRow)]
pub struct SecondFactor {
    /// Sealed.
    pub secret: Vec<u8>,
    /// Counts only once it was shown to work.
    pub confirmed_at: Option<DateTime<Utc>>,
}

impl Store {
    pub async fn second_factor(&self, user_id: UserId) -> Result<Option<SecondFactor>, StoreError> {
        Ok(sqlx::query_as("SELECT secret, confirmed_at FROM second_factors WHERE user_id = $1")
            .bind(user_id)
            .fetch_optional(self.pool())
            .await?)
    }

    /// Keeps a secret that is yet to be confirmed, in place of an earlier one. `false`: a confirmed one is there.
    pub async fn offer_second_factor(
        &self,
        user_id: UserId,
        sealed: &[u8],
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "INSERT INTO second_factors (user_id, secret, created_at) VALUES ($1, $2, $3)
             ON CONFLICT (user_id) DO UPDATE SET secret = excluded.secret, created_at = excluded.created_at,
                                                 last_step = 0
             WHERE second_factors.confirmed_at IS NULL",
        )
        .bind(user_id)
        .bind(sealed)
        .bind(now)
        .execute(self.pool())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Makes the offered secret count from now on, with these recovery codes. `false`: nothing was offered, it is
    /// confirmed already, or the step was taken before.
    pub async fn confirm_second_factor(
        &self,
        user_id: UserId,
        step: i64,
        recovery: &[Digest],
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "UPDATE second_factors SET confirmed_at = $3, last_step = $2
             WHERE user_id = $1 AND confirmed_at IS NULL AND last_step < $2",
        )
        .bind(user_id)
        .bind(step)
        .bind(now)
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        let digests: Vec<&[u8]> = recovery.iter().map(<[u8; 32]>::as_slice).collect();
        sqlx::query("INSERT INTO recovery_codes (user_id, digest) SELECT $1, unnest($2::bytea[])")
            .bind(user_id)
            .bind(digests)
            .execute(&mut *tx)
            .await?;
        Note::of(Tenant::SYSTEM, "user", user_id).commit(tx).await?;
        Ok(true)
    }

    /// Takes the code of a time step, once: `false` when it or a later one was taken before.
    pub async fn take_step(&self, user_id: UserId, step: i64) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE second_factors SET last_step = $2
             WHERE user_id = $1 AND confirmed_at IS NOT NULL AND last_step < $2",
        )
        .bind(user_id)
        .bind(step)
        .execute(self.pool())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Takes a recovery code, once.
    pub async fn take_recovery_code(&self, user_id: UserId, digest: &Digest) -> Result<bool, StoreError> {
        let done = sqlx::query("DELETE FROM recovery_codes WHERE user_id = $1 AND digest = $2")
            .bind(user_id)
            .bind(digest.as_slice())
            .execute(self.pool())
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// `false`: there is none.
    pub async fn remove_second_factor(&self, user_id: UserId) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query("DELETE FROM second_factors WHERE user_id = $1")
            .bind(user_id)
            .execute(&mut *tx)
            .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        Note::of(Tenant::SYSTEM, "user", user_id).commit(tx).await?;
        Ok(true)
    }
}
