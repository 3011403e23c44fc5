//! What the caller may do. Asked by every route that reads or changes a project's things, before anything else
//! is said about them.

use crate::caller::Caller;
use crate::problem::{Problem, ProblemKind};
use crate::state::Api;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use shared::ids::{JobId, ProjectId};
use shared::store::projects::{Access, ProjectRole};
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
