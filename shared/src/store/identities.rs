//! People who come by an OpenID provider, and log-ins by it that are under way.

use super::audit::{Note, Tenant};
use super::members::{self, MemberChange};
use super::projects::ProjectRole;
use super::sessions::{Digest, SessionEnd, end_others};
use super::users::{self, NewUser};
use super::{Store, StoreError};
use crate::ids::{ProjectId, UserId};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// Somebody whom the provider has sent, and what may be done about it. The provider's word was checked already.
#[derive(Clone)]
pub struct Arrival {
    pub issuer: String,
    pub subject: String,
    /// Verified; `None`: the provider does not say so.
    pub email: Option<String>,
    pub name: String,
    pub may_link: bool,
    pub may_create: bool,
    /// Of a password that nobody knows.
    pub password_hash: String,
    /// Whether their groups make them administrators of the platform; `None`: groups do not decide that.
    pub is_platform_admin: Option<bool>,
    /// Their role in each project where groups decide; `None`: they are no members.
    pub roles: Vec<(ProjectId, Option<ProjectRole>)>,
    pub now: DateTime<Utc>,
}

/// Which account somebody came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrived {
    Known(UserId),
    /// The account of their address is theirs from now on.
    Linked(UserId),
    Made(UserId),
    /// Nobody knows the address to be theirs.
    NoEmail,
    /// The address has an account that this provider may not open.
    NotLinked,
    /// They have no account, and get none by coming.
    NoAccount,
    /// An administrator has shut their account.
    Disabled,
}

impl Store {
    /// Notes that a log-in has begun, until `expires_at`.
    pub async fn begin_provider_login(
        &self,
        state: &Digest,
        browser: &Digest,
        expires_at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO provider_logins (state, browser, expires_at) VALUES ($1, $2, $3)")
            .bind(state.as_slice())
            .bind(browser.as_slice())
            .bind(expires_at)
            .execute(self.pool())
            .await?;
        Ok(())
    }

    /// Whether this browser had begun this log-in; it cannot be finished a second time. Of two that try at once one is
    /// told so.
    pub async fn spend_provider_login(
        &self,
        state: &Digest,
        browser: &Digest,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let done =
            sqlx::query("DELETE FROM provider_logins WHERE state = $1 AND browser = $2 AND expires_at > $3")
                .bind(state.as_slice())
                .bind(browser.as_slice())
                .bind(now)
                .execute(self.pool())
                .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Finds or makes the account of somebody who has come, and gives them what their groups say. All or nothing.
    pub async fn arrive(&self, arrival: &Arrival) -> Result<Arrived, StoreError> {
        let mut tx = self.begin().await?;
        let arrived = match known(&mut tx, arrival).await? {
            Some(user_id) => Arrived::Known(user_id),
            None => stranger(&mut tx, arrival).await?,
        };
        if let Arrived::Known(user_id) | Arrived::Linked(user_id) | Arrived::Made(user_id) = arrived {
            let is_disabled: bool =
                sqlx::query_scalar("SELECT disabled_at IS NOT NULL FROM users WHERE id = $1")
                    .bind(user_id)
                    .fetch_one(&mut *tx)
                    .await?;
            if is_disabled {
                return Ok(Arrived::Disabled);
            }
            follow_groups(&mut tx, arrival, user_id).await?;
            tx.commit().await?;
        }
        Ok(arrived)
    }
}

async fn known(conn: &mut PgConnection, arrival: &Arrival) -> Result<Option<UserId>, StoreError> {
    Ok(sqlx::query_scalar(
        "UPDATE identities SET last_used_at = $3 WHERE issuer = $1 AND subject = $2 RETURNING user_id",
    )
    .bind(&arrival.issuer)
    .bind(&arrival.subject)
    .bind(arrival.now)
    .fetch_optional(conn)
    .await?)
}

async fn stranger(conn: &mut PgConnection, arrival: &Arrival) -> Result<Arrived, StoreError> {
    let Some(email) = &arrival.email else { return Ok(Arrived::NoEmail) };
    let owner: Option<UserId> =
        sqlx::query_scalar("SELECT id FROM users WHERE lower(email) = lower($1) FOR UPDATE")
            .bind(email)
            .fetch_optional(&mut *conn)
            .await?;
    let arrived = match owner {
        Some(_) if !arrival.may_link => return Ok(Arrived::NotLinked),
        Some(user_id) => {
            take_over(conn, arrival, user_id).await?;
            Arrived::Linked(user_id)
        }
        None if !arrival.may_create => return Ok(Arrived::NoAccount),
        None => {
            let new = NewUser {
                id: UserId::new(),
                email: email.clone(),
                name: arrival.name.clone(),
                password_hash: arrival.password_hash.clone(),
                is_platform_admin: false,
            };
            // Somebody was faster with the address: then it has an account that nobody has linked.
            match users::insert_unless_taken(conn, &new).await? {
                None => return Ok(Arrived::NotLinked),
                Some(user) => Arrived::Made(user.id),
            }
        }
    };
    if let Arrived::Linked(user_id) | Arrived::Made(user_id) = arrived {
        sqlx::query(
            "INSERT INTO identities (issuer, subject, user_id, created_at, last_used_at) VALUES ($1, $2, $3, $4, $4)",
        )
        .bind(&arrival.issuer)
        .bind(&arrival.subject)
        .bind(user_id)
        .bind(arrival.now)
        .execute(conn)
        .await?;
    }
    Ok(arrived)
}

/// Whoever made the account had not shown that the address was theirs: nothing of what opened it before does so now.
async fn take_over(conn: &mut PgConnection, arrival: &Arrival, user_id: UserId) -> Result<(), StoreError> {
    users::set_password_hash(conn, user_id, &arrival.password_hash).await?;
    end_others(conn, user_id, None, SessionEnd::PasswordChanged, arrival.now).await?;
    for statement in [
        "DELETE FROM second_factors WHERE user_id = $1",
        "UPDATE api_keys SET revoked_at = now() WHERE user_id = $1 AND revoked_at IS NULL",
    ] {
        sqlx::query(statement).bind(user_id).execute(&mut *conn).await?;
    }
    let after = serde_json::json!({"issuer": arrival.issuer, "subject": arrival.subject});
    Note::of(Tenant::SYSTEM, "identity", user_id).after(after).write(conn).await
}

async fn follow_groups(
    conn: &mut PgConnection,
    arrival: &Arrival,
    user_id: UserId,
) -> Result<(), StoreError> {
    if let Some(is_platform_admin) = arrival.is_platform_admin {
        let changed =
            sqlx::query("UPDATE users SET is_platform_admin = $2 WHERE id = $1 AND is_platform_admin <> $2")
                .bind(user_id)
                .bind(is_platform_admin)
                .execute(&mut *conn)
                .await?;
        if changed.rows_affected() == 1 {
            let after = serde_json::json!({"is_platform_admin": is_platform_admin});
            Note::of(Tenant::SYSTEM, "user", user_id).after(after).write(conn).await?;
        }
    }
    // By id, so that two who arrive at once take the locks in the same order.
    let mut roles = arrival.roles.clone();
    roles.sort_unstable_by_key(|(project_id, _)| project_id.0);
    for (project_id, role) in roles {
        let is_changed = match role {
            Some(role) => members::assign(conn, project_id, user_id, role).await?,
            None => members::remove(conn, project_id, user_id, arrival.now).await? == MemberChange::Done,
        };
        if is_changed {
            let after = serde_json::json!({"role": role});
            Note::of(project_id, "member", user_id).after(after).write(conn).await?;
        }
    }
    Ok(())
}
