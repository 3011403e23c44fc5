//! Who is behind what is done just now: set once around a request, read where the change is written.
//!
//! It goes with the future, not with a thread, and not into what is spawned: hand [`current`] over there. What time
//! alone makes happen has no context and writes no records; jobs have a history of their own.

use super::{AuditedBy, NewAuditRecord, Tenant, append};
use crate::ids::UserId;
use crate::store::StoreError;
use serde_json::Value;
use sqlx::PgConnection;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

tokio::task_local! {
    static CURRENT: Context;
}

/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Context(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    action: String,
    from: AuditedBy,
    user: OnceLock<UserId>,
    name: OnceLock<String>,
    written: AtomicU32,
}

impl Context {
    /// `action` is `noun.verb`; whoever it is may be known later.
    pub fn new(action: impl Into<String>, from: AuditedBy) -> Self {
        let (user, name) = (OnceLock::new(), OnceLock::new());
        Self(Arc::new(Inner { action: action.into(), from, user, name, written: AtomicU32::new(0) }))
    }

    /// Runs `work` with this behind it.
    pub async fn around<F: Future>(self, work: F) -> F::Output {
        CURRENT.scope(self, work).await
    }

    /// Records written so far, committed or not.
    pub fn written(&self) -> u32 {
        self.0.written.load(Ordering::Relaxed)
    }

    pub fn user_id(&self) -> Option<UserId> {
        self.0.user.get().copied().or(self.0.from.user_id)
    }

    fn by(&self) -> AuditedBy {
        let name = self.0.name.get().cloned().or_else(|| self.0.from.name.clone());
        AuditedBy { user_id: self.user_id(), name, ..self.0.from.clone() }
    }
}

/// What is behind the work at hand, if anything: to take along into something spawned.
pub fn current() -> Option<Context> {
    CURRENT.try_with(Clone::clone).ok()
}

/// The request turned out to be this user's.
pub fn is_user(id: UserId) {
    let _ = CURRENT.try_with(|context| context.0.user.set(id));
}

/// Somebody who says so: an address at a login. At most 254 characters are kept.
pub fn is_named(name: &str) {
    let _ = CURRENT.try_with(|context| context.0.name.set(name.chars().take(254).collect()));
}

/// What a change was about, on its way into the log.
#[derive(Debug, Clone)]
#[must_use = "only `write` writes it"]
pub struct Note {
    tenant: Tenant,
    subject_kind: &'static str,
    subject_id: String,
    before: Option<Value>,
    after: Option<Value>,
}

impl Note {
    /// `tenant` is a project, or [`Tenant::SYSTEM`].
    pub fn of(tenant: impl Into<Tenant>, subject_kind: &'static str, subject_id: impl ToString) -> Self {
        let subject_id = subject_id.to_string();
        Self { tenant: tenant.into(), subject_kind, subject_id, before: None, after: None }
    }

    pub fn before(mut self, before: impl Into<Option<Value>>) -> Self {
        self.before = before.into();
        self
    }

    pub fn after(mut self, after: impl Into<Option<Value>>) -> Self {
        self.after = after.into();
        self
    }

    /// Writes the record in the transaction of the change, as its last statement; see [`append`]. Without a context
    /// nobody is behind the change, and nothing is written.
    pub async fn write(self, conn: &mut PgConnection) -> Result<(), StoreError> {
        let Some(context) = current() else { return Ok(()) };
        let action = context.0.action.clone();
        self.write_as(conn, &context, action).await
    }

    /// With another name than the context's.
    pub async fn write_as(
        self,
        conn: &mut PgConnection,
        context: &Context,
        action: impl Into<String>,
    ) -> Result<(), StoreError> {
        context.0.written.fetch_add(1, Ordering::Relaxed);
        let record = NewAuditRecord {
            tenant: self.tenant,
            action: action.into(),
            subject_kind: self.subject_kind,
            subject_id: self.subject_id,
            before: self.before,
            after: self.after,
            by: context.by(),
        };
        append(conn, record).await
    }

    /// [`Self::write`], and the commit.
    pub async fn commit(self, mut tx: sqlx::Transaction<'_, sqlx::Postgres>) -> Result<(), StoreError> {
        self.write(&mut tx).await?;
        Ok(tx.commit().await?)
    }
}
