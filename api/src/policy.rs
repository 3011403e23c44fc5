//! Who may ask for what: one value for each route, declared in [`crate::routes`] and nowhere else.

use serde_json::{Value, json};
use shared::store::projects::ProjectRole;

/// Who a route is for. Checked by [`crate::guard`] before anything of the request is acted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    /// Anybody, without a token.
    Open,
    /// Whoever holds an access token or an API key.
    Caller,
    /// A person with an access token. What concerns an account is no business of machines.
    Person,
    /// A person who administers the platform. To all others the route does not exist.
    Platform,
    /// Members of a project, of at least this role. Strangers learn nothing: not found, as for ids nobody has.
    Project(ProjectRole, Of),
}

/// How a request names the project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    /// By `{id}` in the path: the project itself, or something that belongs to one.
    Project,
    Job,
    /// A job, or one that will be accepted when its batch has finished.
    JobToCome,
    Reconciliation,
    Batch,
    Schedule,
    File,
    DataSource,
    Webhook,
    Alert,
    /// By the query's `project_id`.
    Query,
    /// The same; without it all projects are meant, which is for platform administrators.
    QueryOrAll,
    /// By `project_id` of the JSON body.
    Body,
    BodyOrAll,
    /// By the first field of a form. The route decides as it reads, through [`crate::state::Api::grant`].
    Form,
}

pub(crate) const fn viewer(of: Of) -> Policy {
    Policy::Project(ProjectRole::Viewer, of)
}

pub(crate) const fn operator(of: Of) -> Policy {
    Policy::Project(ProjectRole::Operator, of)
}

pub(crate) const fn admin(of: Of) -> Policy {
    Policy::Project(ProjectRole::Admin, of)
}

impl Policy {
    /// For programs: the `x-policy` of an operation.
    pub fn document(self) -> Value {
        match self {
            Self::Open => json!({"who": "anybody"}),
            Self::Caller => json!({"who": "caller"}),
            Self::Person => json!({"who": "person"}),
            Self::Platform => json!({"who": "platform_admin"}),
            Self::Project(role, of) => json!({"who": "member", "role": role, "project_by": of.word()}),
        }
    }

    /// For people: the last sentence of an operation's description.
    pub fn sentence(self) -> String {
        match self {
            Self::Open => "For anybody.".into(),
            Self::Caller => "For every account and API key.".into(),
            Self::Person => "For the person who is logged in; not with API keys.".into(),
            Self::Platform => "For platform administrators; to others it does not exist.".into(),
            Self::Project(role, of) => {
                let role = match role {
                    ProjectRole::Viewer => "any member",
                    ProjectRole::Operator => "members from operator on",
                    ProjectRole::Approver => "members from approver on",
                    ProjectRole::Admin => "administrators",
                };
                let all =
                    if of.may_be_all() { "; without a project, for platform administrators" } else { "" };
                format!("For {role} of the project{all}.")
            }
        }
    }
}

impl Of {
    pub fn may_be_all(self) -> bool {
        matches!(self, Self::QueryOrAll | Self::BodyOrAll)
    }

    /// Whether the project is found by `{id}` of the path.
    pub fn is_of_path(self) -> bool {
        !matches!(self, Self::Query | Self::QueryOrAll | Self::Body | Self::BodyOrAll | Self::Form)
    }

    fn word(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Job => "job",
            Self::JobToCome => "job_to_come",
            Self::Reconciliation => "reconciliation",
            Self::Batch => "batch",
            Self::Schedule => "schedule",
            Self::File => "file",
            Self::DataSource => "data_source",
            Self::Webhook => "webhook",
            Self::Alert => "alert",
            Self::Query => "query",
            Self::QueryOrAll => "query_or_all",
            Self::Body => "body",
            Self::BodyOrAll => "body_or_all",
            Self::Form => "form",
        }
    }
}
