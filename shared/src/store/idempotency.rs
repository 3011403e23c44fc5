//! Requests that a client may repeat: the answer to the first is kept in the transaction of the change it answers,
//! so that both exist or neither, and every repetition gets the same answer.

use super::{Store, StoreError};
use crate::ids::UserId;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use std::time::Duration;

/// A request that carries a key of its sender's choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyedRequest {
    /// Keys of different users never meet.
    pub user_id: UserId,
    /// 1 to 255 characters.
    pub key: String,
    /// What the key was used for; see [`Self::fingerprint_of`].
    pub fingerprint: [u8; 32],
}

impl KeyedRequest {
    /// SHA-256 of method, path and body, byte for byte.
    pub fn fingerprint_of(method: &str, path: &str, body: &[u8]) -> [u8; 32] {
        let mut digest = Sha256::new();
        for part in [method.as_bytes(), path.as_bytes(), body] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        digest.finalize().into()
    }
}

/// An answer as it was given, without what differs by nature (its date, the request's id).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    pub status: u16,
    pub location: Option<String>,
    pub body: Vec<u8>,
}

/// What is known of a [`KeyedRequest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Nothing: go on, and [`keep_answer`].
    New,
    /// It has been done: give this answer again.
    Answered(StoredAnswer),
    /// The key was used for something else.
    OtherRequest,
    /// The same request is being worked on at this moment.
    InFlight,
}

const LOOK: &str = "SELECT fingerprint, status, location, body FROM idempotency_keys
     WHERE user_id = $1 AND key = $2 AND created_at > now() - $3 * interval '1 second'";

type Row = (Vec<u8>, i16, Option<String>, Vec<u8>);

fn judge(request: &KeyedRequest, row: Option<Row>) -> Seen {
    match row {
        None => Seen::New,
        Some((fingerprint, ..)) if fingerprint != request.fingerprint => Seen::OtherRequest,
        Some((_, status, location, body)) => {
            Seen::Answered(StoredAnswer { status: status as u16, location, body })
        }
    }
}

impl Store {
    /// What is known already, without taking part: for looking before anything else is checked. Never
    /// [`Seen::InFlight`].
    pub async fn look_up_key(&self, request: &KeyedRequest, life: Duration) -> Result<Seen, StoreError> {
        let row: Option<Row> = sqlx::query_as(LOOK)
            .bind(request.user_id)
            .bind(&request.key)
            .bind(life.as_secs_f64())
            .fetch_optional(self.pool())
            .await?;
        Ok(judge(request, row))
    }

    /// Forgets at most `limit` keys older than `life`; returns how many.
    pub async fn prune_idempotency_keys(&self, life: Duration, limit: u32) -> Result<u64, StoreError> {
        let pruned = sqlx::query(
            "DELETE FROM idempotency_keys WHERE (user_id, key) IN (
                 SELECT user_id, key FROM idempotency_keys WHERE created_at < now() - $1 * interval '1 second'
                 ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
        )
        .bind(life.as_secs_f64())
        .bind(i64::from(limit))
        .execute(self.pool())
        .await?;
        Ok(pruned.rows_affected())
    }
}

/// Makes the caller's transaction the only one that works on this request, and says what is known of it. Of any
/// number of equal requests at once one gets [`Seen::New`]; nobody waits.
pub async fn begin_request(
    conn: &mut PgConnection,
    request: &KeyedRequest,
    life: Duration,
) -> Result<Seen, StoreError> {
    let alone: bool = sqlx::query_scalar(
        "SELECT pg_try_advisory_xact_lock(hashtextextended('key ' || $1 || ' ' || $2, 0))",
    )
    .bind(request.user_id.to_string())
    .bind(&request.key)
    .fetch_one(&mut *conn)
    .await?;
    // A statement of its own: it must see what the last holder of the lock committed.
    let row: Option<Row> = sqlx::query_as(LOOK)
        .bind(request.user_id)
        .bind(&request.key)
        .bind(life.as_secs_f64())
        .fetch_optional(conn)
        .await?;
    match judge(request, row) {
        Seen::New if !alone => Ok(Seen::InFlight),
        seen => Ok(seen),
    }
}

/// Keeps the answer, after [`begin_request`] said [`Seen::New`] and in the same transaction. Replaces that of an
/// expired key.
pub async fn keep_answer(
    conn: &mut PgConnection,
    request: &KeyedRequest,
    answer: &StoredAnswer,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO idempotency_keys (user_id, key, fingerprint, status, location, body)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (user_id, key) DO UPDATE SET
             fingerprint = excluded.fingerprint, status = excluded.status, location = excluded.location,
             body = excluded.body, created_at = excluded.created_at",
    )
    .bind(request.user_id)
    .bind(&request.key)
    .bind(request.fingerprint.as_slice())
    .bind(answer.status as i16)
    .bind(&answer.location)
    .bind(&answer.body)
    .execute(conn)
    .await?;
    Ok(())
}
