//! Pages of the audit log.

use super::Tenant;
use crate::ids::UserId;
use crate::store::text::contains;
use crate::store::{Store, StoreError};
use chrono::{DateTime, Utc};
use sqlx::QueryBuilder;

/// Records that fit all that is given.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AuditFilter {
    pub user_id: Option<UserId>,
    /// Part of the name or the address of who did it, in whatever case: of an account as it is today, or what somebody
    /// without one said.
    pub who: Option<String>,
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
    /// Of the account, as it is today; no part of the chain. Null without one, and when it is gone.
    pub user_name: Option<String>,
    pub user_email: Option<String>,
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
        let mut query = QueryBuilder::new(
            "SELECT r.seq, r.at, r.content, r.hash, u.name AS user_name, u.email AS user_email
             FROM audit_records r LEFT JOIN users u ON u.id = r.user_id WHERE r.tenant = ",
        );
        query.push_bind(tenant.0);
        if let Some(who) = &filter.who {
            let (pattern, accounts) = (contains(who), self.accounts_like(who).await?);
            query.push(" AND (r.user_id = ANY(").push_bind(accounts);
            query.push(") OR r.user_id IS NULL AND r.content::jsonb #>> '{by,name}' ILIKE ");
            query.push_bind(pattern).push(")");
        }
        query.push(" AND r.seq < ").push_bind(after.unwrap_or(i64::MAX));
        if let Some(user) = filter.user_id {
            query.push(" AND r.user_id = ").push_bind(user);
        }
        if let Some(action) = &filter.action {
            query.push(" AND r.action = ").push_bind(action.clone());
        }
        if let Some(kind) = &filter.subject_kind {
            query.push(" AND r.subject_kind = ").push_bind(kind.clone());
            if let Some(id) = &filter.subject_id {
                query.push(" AND r.subject_id = ").push_bind(id.clone());
            }
        }
        // Times rise with the numbers, but for a clock that was set back: bounds cut the range from both ends.
        if let Some(from) = filter.from {
            query.push(" AND r.at >= ").push_bind(from);
        }
        if let Some(before) = filter.before {
            query.push(" AND r.at < ").push_bind(before);
        }
        query.push(" ORDER BY r.seq DESC LIMIT ").push_bind(i64::from(limit));
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
