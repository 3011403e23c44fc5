//! Signed ends of chains.

use super::Tenant;
use crate::store::{Store, StoreError};
use uuid::Uuid;

/// Signs what [`signed_bytes`] gives.
pub trait CheckpointSigner {
    fn key_id(&self) -> String;
    /// Ed25519: 64 bytes.
    fn sign(&self, bytes: &[u8]) -> Vec<u8>;
}

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Checkpoint {
    pub tenant: Uuid,
    pub seq: i64,
    pub hash: Vec<u8>,
    pub key_id: String,
    pub signature: Vec<u8>,
}

/// What a checkpoint's signature is over.
pub fn signed_bytes(tenant: Tenant, seq: i64, hash: &[u8]) -> Vec<u8> {
    let mut bytes = b"counterfoil audit 1".to_vec();
    bytes.extend_from_slice(tenant.0.as_bytes());
    bytes.extend_from_slice(&seq.to_be_bytes());
    bytes.extend_from_slice(hash);
    bytes
}

impl Store {
    /// Signs the end of every chain that has grown since its last checkpoint, at most `limit` chains. May run in any
    /// number of processes: the first signature of an end stays.
    pub async fn sign_audit_heads(
        &self,
        signer: &impl CheckpointSigner,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let grown: Vec<(Uuid, i64, Vec<u8>)> = sqlx::query_as(
            "SELECT h.tenant, h.seq, h.hash FROM audit_heads h
             WHERE h.seq > 0 AND NOT EXISTS (
                 SELECT FROM audit_checkpoints c WHERE c.tenant = h.tenant AND c.seq = h.seq)
             LIMIT $1",
        )
        .bind(i64::from(limit))
        .fetch_all(self.pool())
        .await?;
        let mut signed = 0;
        for (tenant, seq, hash) in grown {
            let signature = signer.sign(&signed_bytes(Tenant(tenant), seq, &hash));
            signed += sqlx::query(
                "INSERT INTO audit_checkpoints (tenant, seq, hash, key_id, signature) VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT DO NOTHING",
            )
            .bind(tenant)
            .bind(seq)
            .bind(hash)
            .bind(signer.key_id())
            .bind(signature)
            .execute(self.pool())
            .await?
            .rows_affected();
        }
        Ok(signed)
    }

    /// Checkpoints of a chain, oldest first.
    pub async fn audit_checkpoints(&self, tenant: Tenant) -> Result<Vec<Checkpoint>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT tenant, seq, hash, key_id, signature FROM audit_checkpoints WHERE tenant = $1 ORDER BY seq",
        )
        .bind(tenant.0)
        .fetch_all(self.pool())
        .await?)
    }
}
