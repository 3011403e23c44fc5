//! Pages of the audit log.

use super::Tenant;
use crate::ids::UserId;
use crate::store::{Store, StoreError};
use chrono::{DateTime, Utc};
use sqlx::QueryBuilder;

/// Records that fit all that is given.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AuditFilter {
    pub user_id: Option<UserId>,
    pub action: Option<String>,
    pub subject_kind: Option<String>,
    /// Only with a kind.
    pub subject_id: Option<String>,
    pub from: Option<DateTime<Utc>>,
    pub before: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct AuditRecord {
    pub seq: i64,
    pub at: DateTime<Utc>,
    /// Everything, as canonical JSON.
    pub content: String,
    pub hash: Vec<u8>,
}

impl Store {
    /// Records of a chain that fit, newest first, those before `after` (a seq), at most `limit`.
    pub async fn audit_records(
        &self,
        tenant: Tenant,
        filter: &AuditFilter,
        after: Option<i64>,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        let mut query = QueryBuilder::new("SELECT seq, at, content, hash FROM audit_records WHERE tenant = ");
        query.push_bind(tenant.0);
        query.push(" AND seq < ").push_bind(after.unwrap_or(i64::MAX));
        if let Some(user) = filter.user_id {
            query.push(" AND user_id = ").push_bind(user);
        }
        if let Some(action) = &filter.action {
            query.push(" AND action = ").push_bind(action.clone());
        }
        if let Some(kind) = &filter.subject_kind {
            query.push(" AND subject_kind = ").push_bind(kind.clone());
            if let Some(id) = &filter.subject_id {
                query.push(" AND subject_id = ").push_bind(id.clone());
            }
        }
        // Times rise with the numbers, but for a clock that was set back: bounds cut the range from both ends.
        if let Some(from) = filter.from {
            query.push(" AND at >= ").push_bind(from);
        }
        if let Some(before) = filter.before {
            query.push(" AND at < ").push_bind(before);
        }
        query.push(" ORDER BY seq DESC LIMIT ").push_bind(i64::from(limit));
        Ok(query.build_query_as().fetch_all(self.pool()).await?)
    }

    /// Every chain there is, and its length.
    pub async fn audit_chains(&self) -> Result<Vec<(Tenant, i64)>, StoreError> {
        let heads: Vec<(uuid::Uuid, i64)> =
            sqlx::query_as("SELECT tenant, seq FROM audit_heads ORDER BY tenant")
                .fetch_all(self.pool())
                .await?;
        Ok(heads.into_iter().map(|(tenant, seq)| (Tenant(tenant), seq)).collect())
    }
}
