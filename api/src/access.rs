//! What the caller may do. Asked by every route that reads or changes a project's things, before anything else
//! is said about them.

use crate::caller::Caller;
use crate::problem::{Problem, ProblemKind};
use crate::state::Api;
use shared::ids::{JobId, ProjectId, ScheduleId};
use shared::store::projects::{Access, ProjectRole};
use shared::store::schedules::Schedule;

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

    /// Only platform administrators find what belongs to the system.
    pub(crate) async fn access_system(&self, caller: &Caller) -> Result<(), Problem> {
        let user = self.store.user(caller.user_id).await?;
        if user.is_some_and(|user| user.is_platform_admin) { Ok(()) } else { Err(Problem::not_found()) }
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
            None => self.access_system(caller).await?,
        }
        Ok(schedule)
    }
}

fn judge(access: Option<Access>, needs: ProjectRole) -> Result<Access, Problem> {
    match access {
        None => Err(Problem::not_found()),
        Some(access) if access.role < needs => {
            Err(Problem::new(ProblemKind::Forbidden, "Members who only view cannot do this"))
        }
        Some(access) => Ok(access),
    }
}
