//! What the routes share.

use crate::admission::Admission;
use crate::auth::{PasswordHasher, Sealing, Tokens};
use crate::cache::Caches;
use crate::circuit::DatabaseCircuit;
use crate::quota::Quotas;
use crate::reconciliation::Watcher;
use crate::standings::Standings;
use crate::vitals::Vitals;
use axum::extract::FromRef;
use chrono::TimeDelta;
use shared::clock::Clock;
use shared::config::Registration;
use shared::ids::UserId;
use shared::objects::Objects;
use shared::outgoing::Guard;
use shared::policy::Policies;
use shared::queue::Queue;
use shared::store::login_failures::LockOut;
use shared::store::notifications::Routing;
use shared::store::replica::Replica;
use shared::store::users::Person;
use shared::store::{Store, StoreError};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};

/// Cheap to clone; every request has one.
#[derive(Clone)]
pub(crate) struct Api(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    /// As the tenant of the request sees it: the guard says who that is.
    pub store: Store,
    /// Where some reads may go.
    pub replica: Option<Replica>,
    pub objects: Objects,
    /// Only looked at, and for dead letters: jobs leave through the outbox.
    pub queue: Queue,
    pub standings: Standings,
    pub caches: Caches,
    pub circuit: DatabaseCircuit,
    pub tokens: Tokens,
    /// Absent: nobody logs in by a provider.
    pub provider: Option<crate::auth::oidc::Provider>,
    pub passwords: PasswordHasher,
    pub registration: Registration,
    pub session: SessionLife,
    pub lock_out: LockOut,
    /// Absent: no second factors are kept.
    pub sealing: Option<Sealing>,
    pub quotas: Quotas,
    pub clock: Clock,
    /// Rung after each commit that enqueued a job, so that the relay need not wait for its period.
    pub relay_wake: Arc<Notify>,
    pub watcher: Watcher,
    pub vitals: Vitals,
    pub policies: Policies,
    pub routing: Routing,
    /// Where webhooks may lead.
    pub outgoing: Guard,
    /// How long the old secret of a webhook signs along with a new one.
    pub webhook_overlap_hours: u32,
    pub admission: Admission,
    pub backups: BackupRules,
    /// Turns for making workbooks: each takes a core and some of the disk.
    pub workbooks: Semaphore,
    /// Turns for trying rules on samples, which may take all cores.
    pub samples: Semaphore,
    pub upload_bytes_max: u64,
    pub project_files_max: u32,
    pub idempotency_key_life: Duration,
    /// After how long a relay rings again for a job nobody took.
    pub ring_again_after: Duration,
    /// Of short answers, and between two chunks of an upload.
    pub request_timeout: Duration,
}

/// What the configuration says of backups, as far as the API plans and judges.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BackupRules {
    pub policy: backup::retention::Policy,
    /// A backup that takes longer is worth a warning.
    pub slow_after: TimeDelta,
}

/// How long somebody stays logged in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionLife {
    /// Without a refresh.
    pub idle: TimeDelta,
    /// However often it is refreshed.
    pub absolute: TimeDelta,
}

impl Deref for Api {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Api {
    /// An account, as of a moment ago at most.
    pub(crate) async fn person(&self, id: UserId) -> Result<Option<Person>, StoreError> {
        self.caches.people.get(id.0, || self.store.person(id)).await
    }
}

impl FromRef<Api> for Vitals {
    fn from_ref(api: &Api) -> Self {
        api.vitals.clone()
    }
}
