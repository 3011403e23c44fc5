//! For whom something is done, and so which rows the database shows: set once around a request or a job's body, put on
//! each connection as it is handed out.
//!
//! Two ways to the database. A [`Store`] as it is made belongs to the system: what time alone makes happen, the guard,
//! backups, commands at a shell. [`Store::for_tenants`] is the other way, for API and bodies of jobs: its statements
//! run as the role `counterfoil_app`, under row security (migration 0020), and see one project, or nothing at all where
//! nobody said which. Only within a [`Reach::System`], which has a name, such a store is the system's.
//!
//! A reach goes with the future, not with a thread, and not into what is spawned: hand [`current`] over there.

use super::{Store, StoreError};
use crate::ids::{JobId, ProjectId};
use sqlx::{PgConnection, PgPool};
use std::sync::{Arc, OnceLock};

/// The role of what is done for tenants. Owns nothing, cannot log in; whoever connects must be a member.
pub const TENANT_ROLE: &str = "counterfoil_app";
/// Sees everything, owner of the tables or not. Whoever connects must be a member.
pub const SYSTEM_ROLE: &str = "counterfoil_system";

/// Makes both roles where a cluster has not had them, and whoever connects a member: before a restore, whose policies
/// name them. As in migration 0020; needs CREATEROLE only if something is missing.
pub const MAKE_ROLES: &str = "
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['counterfoil_app', 'counterfoil_system'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END;
        END IF;
        IF NOT pg_has_role(current_user, wanted, 'USAGE') THEN
            EXECUTE format('GRANT %I TO %I', wanted, current_user);
        END IF;
    END LOOP;
END
$$";

tokio::task_local! {
    static CURRENT: Reach;
}

/// How far a statement of a tenants' store reaches.
#[derive(Debug, Clone)]
pub enum Reach {
    /// One project's rows. `job`: the one job it is about, if so; of that project.
    Project { project: ProjectId, job: Option<JobId> },
    /// Nothing, until [`decide`] says of which project.
    Undecided(Arc<OnceLock<ProjectId>>),
    /// Everything. Says who needs that, for whoever reads the code.
    System(&'static str),
}

impl Reach {
    pub fn undecided() -> Self {
        Self::Undecided(Arc::default())
    }

    /// Runs `work` with this reach.
    pub async fn around<F: Future>(self, work: F) -> F::Output {
        CURRENT.scope(self, work).await
    }

    /// The same for what is polled or run by hand: the body of an answer that is sent later.
    pub fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(self.clone(), work)
    }

    /// As the settings `counterfoil.project_id` and `counterfoil.job_id`; empty: none.
    fn settings(&self) -> (String, String) {
        let text = |id: Option<uuid::Uuid>| id.map_or_else(String::new, |id| id.to_string());
        match self {
            Self::Project { project, job } => (project.0.to_string(), text(job.map(|job| job.0))),
            Self::Undecided(project) => (text(project.get().map(|project| project.0)), String::new()),
            Self::System(_) => (String::new(), String::new()),
        }
    }
}

/// The reach of the work at hand: to take along into something spawned.
pub fn current() -> Option<Reach> {
    CURRENT.try_with(Clone::clone).ok()
}

/// Says which project it is, where that was [`Reach::Undecided`]; the first word counts.
pub fn decide(project: ProjectId) {
    let _ = CURRENT.try_with(|reach| match reach {
        Reach::Undecided(decided) => drop(decided.set(project)),
        Reach::Project { .. } | Reach::System(_) => {}
    });
}

/// Puts the reach, and who is behind the work, on a connection that is about to be handed out. Every way to a
/// connection of tenants comes through here, so what an earlier user of it had set never stays; a round trip, some 50
/// microseconds on one machine.
pub(super) async fn put_on(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    let (project, job) = current().map(|reach| reach.settings()).unwrap_or_default();
    let user = super::audit::current().and_then(|context| context.user_id());
    sqlx::query(
        "SELECT set_config('counterfoil.project_id', $1, false), set_config('counterfoil.job_id', $2, false),
                set_config('counterfoil.user_id', $3, false)",
    )
    .bind(project)
    .bind(job)
    .bind(user.map_or_else(String::new, |user| user.to_string()))
    .execute(conn)
    .await?;
    Ok(())
}

impl Store {
    /// The same database as tenants see it.
    pub fn for_tenants(&self) -> Self {
        Self { is_for_tenants: true, ..self.clone() }
    }

    /// Where statements go that name no reach of their own.
    pub fn pool(&self) -> &PgPool {
        let is_system = || matches!(current(), Some(Reach::System(_)));
        if self.is_for_tenants && !is_system() { &self.tenants } else { &self.system }
    }

    /// For a statement whose conditions row security keeps away from indexes (comparisons of enums and expressions,
    /// which PostgreSQL does not trust to tell nothing), and which names the run: the system's connections, once the
    /// tenant was found to see that run. `None`: it does not.
    pub(super) async fn pool_for_run(&self, job_id: JobId) -> Result<Option<&PgPool>, StoreError> {
        if std::ptr::eq(self.pool(), &self.system) {
            return Ok(Some(&self.system));
        }
        let sees: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM reconciliations WHERE job_id = $1)")
            .bind(job_id)
            .fetch_one(&self.tenants)
            .await?;
        Ok(sees.then_some(&self.system))
    }

    /// The same for a statement that names the project.
    pub(super) fn pool_for_project(&self, project: Option<ProjectId>) -> &PgPool {
        let Some(Reach::Project { project: own, .. }) = current() else { return self.pool() };
        if project == Some(own) { &self.system } else { self.pool() }
    }
}
