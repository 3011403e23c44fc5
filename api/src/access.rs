//! What the caller may do. Asked by every route that reads or changes a project's things, before anything else
//! is said about them.

use crate::caller::Caller;
use crate::problem::{Problem, ProblemKind};
use crate::state::Api;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use shared::ids::{BatchId, JobId, ProjectId, ScheduleId};
use shared::store::projects::{Access, ProjectRole};
use shared::store::schedules::Schedule;
use shared::store::users::User;

/// A caller who administers the platform. To everybody else the route does not exist.
pub(crate) struct Administrator(pub User);

impl FromRequestParts<Api> for Administrator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, api).await?;
        match api.store.user(caller.user_id).await? {
            Some(user) if user.is_platform_admin => Ok(Self(user)),
            _ => Err(Problem::not_found()),
        }
    }
}

impl Api {
    /// Not found for strangers, as if the project did not exist; forbidden for members of a lesser role.
    pub(crate) async fn access_project(
        &self,
        caller: &Caller,
        id: ProjectId,
        needs: ProjectRole,
    ) -> Result<Access, Problem> {
        judge(self.store.access_to_project(caller.user_id, id).await?, needs)
    }

    /// As [`Self::access_project`], for the project that the reconciliation belongs to.
    pub(crate) async fn access_reconciliation(
        &self,
        caller: &Caller,
        id: JobId,
        needs: ProjectRole,
    ) -> Result<Access, Problem> {
        judge(self.store.access_to_reconciliation(caller.user_id, id).await?, needs)
    }

    /// For a job of any kind.
    pub(crate) async fn access_job(
        &self,
        caller: &Caller,
        id: JobId,
        needs: ProjectRole,
    ) -> Result<(), Problem> {
        judge_role(self.store.role_for_job(caller.user_id, id).await?, needs)
    }

    pub(crate) async fn access_batch(
        &self,
        caller: &Caller,
        id: BatchId,
        needs: ProjectRole,
    ) -> Result<(), Problem> {
        judge_role(self.store.role_for_batch(caller.user_id, id).await?, needs)
    }

    /// For what concerns one project, or with `None` all of them: the latter is for platform administrators.
    pub(crate) async fn access_project_or_all(
        &self,
        caller: &Caller,
        id: Option<ProjectId>,
        needs: ProjectRole,
    ) -> Result<(), Problem> {
        match id {
            Some(id) => self.access_project(caller, id, needs).await.map(drop),
            None if self.store.is_platform_admin(caller.user_id).await? => Ok(()),
            None => Err(Problem::new(
                ProblemKind::Forbidden,
                "Say which project; only platform administrators may leave it out",
            )),
        }
    }

    /// For what belongs to the installation. Not found for everybody else.
    pub(crate) async fn access_installation(&self, caller: &Caller) -> Result<(), Problem> {
        match self.store.is_platform_admin(caller.user_id).await? {
            true => Ok(()),
            false => Err(Problem::not_found()),
        }
    }

    /// The schedule, when the caller may do so much in its project, or in the system.
    pub(crate) async fn access_schedule(
        &self,
        caller: &Caller,
        id: ScheduleId,
        needs: ProjectRole,
    ) -> Result<Schedule, Problem> {
        let schedule = self.store.schedule(id).await?.ok_or_else(Problem::not_found)?;
        match schedule.project_id {
            Some(project_id) => drop(self.access_project(caller, project_id, needs).await?),
            None => self.access_installation(caller).await?,
        }
        Ok(schedule)
    }
}

pub(crate) fn judge_role(role: Option<ProjectRole>, needs: ProjectRole) -> Result<(), Problem> {
    match role {
        None => Err(Problem::not_found()),
        Some(role) if role < needs => Err(too_small_a_role()),
        Some(_) => Ok(()),
    }
}

fn too_small_a_role() -> Problem {
    Problem::new(ProblemKind::Forbidden, "Members who only view cannot do this")
}

fn judge(access: Option<Access>, needs: ProjectRole) -> Result<Access, Problem> {
    match access {
        None => Err(Problem::not_found()),
        Some(access) if access.role < needs => Err(too_small_a_role()),
        Some(access) => Ok(access),
    }
}
