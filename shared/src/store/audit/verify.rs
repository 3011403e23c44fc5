//! Walking a chain from its first record to its head.

use super::checkpoints::{Checkpoint, signed_bytes};
use super::{Tenant, hash_of, instant};
use crate::store::{Store, StoreError};
use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use uuid::Uuid;

/// What is wrong with a chain, at its first bad record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Of the first record that is not as it was written, or is missing.
    pub seq: i64,
    pub says: String,
}

/// What a walk found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainState {
    pub records: i64,
    /// Checkpoints whose signature was checked and holds.
    pub checkpoints: usize,
    pub broken: Option<Broken>,
}

#[derive(sqlx::FromRow)]
struct Row {
    seq: i64,
    at: DateTime<Utc>,
    action: String,
    user_id: Option<Uuid>,
    subject_kind: String,
    subject_id: String,
    content: String,
    previous_hash: Vec<u8>,
    hash: Vec<u8>,
}

impl Store {
    /// Walks a whole chain, holding one record at a time: numbers without gaps, each hash over the one before it, the
    /// columns as the content says, the head at the end, and every checkpoint on the way. `is_signed` checks a
    /// signature by its key id; `None`: the key is not known here.
    pub async fn verify_audit_chain(
        &self,
        tenant: Tenant,
        is_signed: impl Fn(&Checkpoint, &[u8]) -> Option<bool>,
    ) -> Result<ChainState, StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY").execute(&mut *tx).await?;
        let head: Option<(i64, Vec<u8>)> =
            sqlx::query_as("SELECT seq, hash FROM audit_heads WHERE tenant = $1")
                .bind(tenant.0)
                .fetch_optional(&mut *tx)
                .await?;
        let checkpoints: Vec<Checkpoint> = sqlx::query_as(
            "SELECT tenant, seq, hash, key_id, signature FROM audit_checkpoints WHERE tenant = $1 ORDER BY seq",
        )
        .bind(tenant.0)
        .fetch_all(&mut *tx)
        .await?;
        let mut ahead = checkpoints.iter().peekable();
        let mut state = ChainState { records: 0, checkpoints: 0, broken: None };
        let mut last = vec![0u8; 32];
        let broken = |seq: i64, says: &str| Some(Broken { seq, says: says.to_owned() });
        {
            let mut rows = sqlx::query_as::<_, Row>(
                "SELECT seq, at, action, user_id, subject_kind, subject_id, content, previous_hash, hash
                 FROM audit_records WHERE tenant = $1 ORDER BY seq",
            )
            .bind(tenant.0)
            .fetch(&mut *tx);
            while let Some(row) = rows.try_next().await? {
                let expected = state.records + 1;
                state.broken = if row.seq != expected {
                    broken(expected, "is missing")
                } else if row.previous_hash != last {
                    broken(row.seq, "does not continue the record before it")
                } else if hash_of(&row.previous_hash, &row.content).as_slice() != row.hash {
                    broken(row.seq, "has another content than its hash was made of")
                } else if !columns_agree(tenant, &row) {
                    broken(row.seq, "has columns that its content does not have")
                } else {
                    None
                };
                if state.broken.is_some() {
                    return Ok(state);
                }
                while let Some(checkpoint) = ahead.next_if(|checkpoint| checkpoint.seq <= row.seq) {
                    let bytes = signed_bytes(tenant, checkpoint.seq, &checkpoint.hash);
                    let signed = is_signed(checkpoint, &bytes);
                    if checkpoint.seq != row.seq || checkpoint.hash != row.hash {
                        state.broken = broken(row.seq, "is not the one that was signed");
                    } else if signed == Some(false) {
                        state.broken = broken(row.seq, "has a checkpoint with a wrong signature");
                    }
                    if state.broken.is_some() {
                        return Ok(state);
                    }
                    state.checkpoints += usize::from(signed == Some(true));
                }
                state.records = row.seq;
                last = row.hash;
            }
        }
        let (seq, hash) = head.unwrap_or((0, vec![0; 32]));
        state.broken = if let Some(checkpoint) = ahead.next() {
            let says = format!("is missing, and with it all up to the signed {}", checkpoint.seq);
            Some(Broken { seq: state.records + 1, says })
        } else if seq > state.records {
            broken(state.records + 1, "is missing, and the end of the chain with it")
        } else if seq < state.records || hash != last {
            broken(state.records, "is not where the chain ends by its head")
        } else {
            None
        };
        Ok(state)
    }
}

fn columns_agree(tenant: Tenant, row: &Row) -> bool {
    let Ok(content) = serde_json::from_str::<serde_json::Value>(&row.content) else { return false };
    content["tenant"] == tenant.0.to_string()
        && content["seq"] == row.seq
        && content["at"] == instant(row.at)
        && content["action"] == row.action
        && content["by"]["user_id"] == serde_json::json!(row.user_id)
        && content["subject"]["kind"] == row.subject_kind
        && content["subject"]["id"] == row.subject_id
}
