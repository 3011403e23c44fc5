//! The one place where it is decided who may do what: a layer around every route that reads the route's policy from
//! the table, finds out who asks and whose the named thing is, and only then lets the request in.
//!
//! A route that the table does not know is not reachable. What the guard has found out goes along with the request, as
//! [`Caller`] and [`Granted`], so that a route works on exactly the project that was decided about. The same decision is
//! the database's: around the route and the sending of its answer lies a [`Reach`] of that one project.

use crate::caller::{Caller, CallerKind, Credential};
use crate::layers::JSON_BYTES_MAX;
use crate::policy::{Of, Policy};
use crate::problem::{Problem, ProblemKind};
use crate::quota::{Class, Client};
use crate::read::{ParsedBody, is_json};
use crate::routes::Declared;
use crate::standings::changes_access;
use crate::state::Api;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use serde_json::Value;
use shared::ids::ProjectId;
use shared::store::access::{Owner, Standing};
use shared::store::projects::ProjectRole;
use shared::store::reach::{self, Reach};
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use uuid::Uuid;

/// What the layer works with.
#[derive(Clone)]
pub(crate) struct Guard {
    pub api: Api,
    /// By path, as the router matches it.
    pub declared: Arc<HashMap<String, Vec<Declared>>>,
}

/// What a request may be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Granted {
    /// Nothing of any project.
    Nothing,
    /// This project, and the system's own things where `None`, with the role that the caller has there.
    Project(Option<ProjectId>, ProjectRole),
    /// All projects: a platform administrator named none.
    All,
}

impl Granted {
    /// Not found, unless it was this project that was decided about.
    pub fn must_be(self, id: ProjectId) -> Result<(), Problem> {
        if self.project()? == id { Ok(()) } else { Err(Problem::not_found()) }
    }

    /// The project that was decided about; not found where there was none.
    pub fn project(self) -> Result<ProjectId, Problem> {
        match self {
            Self::Project(Some(id), _) => Ok(id),
            _ => Err(Problem::not_found()),
        }
    }

    /// What the caller may do in it; not found where there was none.
    pub fn role(self) -> Result<ProjectRole, Problem> {
        match self {
            Self::Project(_, role) => Ok(role),
            _ => Err(Problem::not_found()),
        }
    }

    /// The same for what concerns all projects when none is named.
    pub fn must_be_or_all(self, id: Option<ProjectId>) -> Result<(), Problem> {
        match id {
            Some(id) => self.must_be(id),
            None if self == Self::All => Ok(()),
            None => Err(Problem::not_found()),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Granted {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(parts.extensions.get::<Granted>().copied().unwrap_or(Granted::Nothing))
    }
}

pub(crate) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let Some(declared) = guard.declared(&request) else {
        // No route of ours has this method: what follows can only say so.
        return next.run(request).await;
    };
    if let Err(problem) = guard.api.circuit.admit(&declared) {
        return problem.into_response();
    }
    let response = guarded(&guard, declared.clone(), request, next).await;
    guard.api.circuit.learn(&declared, &response);
    response
}

async fn guarded(guard: &Guard, declared: Declared, request: Request, next: Next) -> Response {
    let client = Client::of(&request, &guard.api.quotas);
    let has_token = request.headers().contains_key(AUTHORIZATION);
    match Reach::System("guard").around(admit(&guard.api, declared, &client, request)).await {
        Ok(Admitted { request, spent, reach }) => {
            let changes_access = !request.method().is_safe()
                && request
                    .extensions()
                    .get::<MatchedPath>()
                    .is_some_and(|path| changes_access(path.as_str()));
            let writer =
                request.extensions().get::<Caller>().copied().filter(|_| !request.method().is_safe());
            let mut response = reach.clone().around(next.run(request)).await;
            if let Some(caller) = writer.filter(|_| response.status().is_success()) {
                guard.api.has_written(&caller).await;
            }
            if changes_access {
                guard.api.standings.forget_all();
            }
            spent.write(response.headers_mut());
            response.map(|body| Body::new(ReachingBody { body, reach }))
        }
        Err(problem) => {
            let reason = match problem.kind {
                ProblemKind::Unauthenticated if has_token => Some("bad_token"),
                ProblemKind::Unauthenticated => Some("no_token"),
                ProblemKind::NotFound => Some("tenant"),
                ProblemKind::Forbidden => Some("role"),
                _ => None,
            };
            if let Some(reason) = reason {
                metrics::counter!("counterfoil_access_denied_total", "reason" => reason).increment(1);
                tracing::info!(reason, ip = %client.ip, "denied");
            }
            problem.into_response()
        }
    }
}

impl Guard {
    fn declared(&self, request: &Request) -> Option<Declared> {
        let path = request.extensions().get::<MatchedPath>()?;
        // GET routes answer HEAD, too.
        let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
        self.declared.get(path.as_str())?.iter().find(|declared| declared.method == *method).cloned()
    }
}

/// A request on its way to its route.
struct Admitted {
    request: Request,
    spent: crate::quota::Spent,
    reach: Reach,
}

/// Lets a request in, with what was found out about it.
async fn admit(
    api: &Api,
    declared: Declared,
    client: &Client,
    mut request: Request,
) -> Result<Admitted, Problem> {
    request.extensions_mut().insert(client.clone());
    if declared.policy == Policy::Open {
        let spent = api.quotas.spend(api, declared.class, client, None).await?;
        return Ok(Admitted { request, spent, reach: Reach::System("identity") });
    }
    let identified = identify(api, declared.policy, request).await;
    let (mut request, caller, standing, named) = match identified {
        Ok(identified) => identified,
        Err(problem) => {
            // Guessing tokens is paid for by the address.
            api.quotas.spend(api, Class::Ordinary, client, None).await?;
            return Err(problem);
        }
    };
    let spent = api.quotas.spend(api, declared.class, client, Some((&caller, standing.project_id))).await?;
    let granted = judge(declared.policy, &caller, &standing, named)?;
    request.extensions_mut().insert(caller);
    request.extensions_mut().insert(granted);
    if let Granted::Project(Some(project), _) = granted {
        tracing::Span::current().record("project_id", tracing::field::display(project));
    }
    Ok(Admitted { request, spent, reach: reach_of(declared.policy, granted, named) })
}

/// What the database shows to a route: the project that was decided about. Accounts, lists across one's own projects
/// and the administration of the platform are no tenant's, and have what they need in their policy.
fn reach_of(policy: Policy, granted: Granted, named: Named) -> Reach {
    let job = match named {
        Named::Thing(Owner::Reconciliation(job)) => Some(job),
        _ => None,
    };
    match (policy, granted) {
        (_, Granted::Project(Some(project), _)) => Reach::Project { project, job },
        (_, Granted::Project(None, _) | Granted::All) => Reach::System("administration of the platform"),
        (Policy::Project(..), Granted::Nothing) => Reach::undecided(),
        (_, Granted::Nothing) => Reach::System("identity"),
    }
}

/// The rest of an answer, made while it is sent, as far as the route itself reached.
struct ReachingBody {
    body: Body,
    reach: Reach,
}

impl HttpBody for ReachingBody {
    type Data = <Body as HttpBody>::Data;
    type Error = <Body as HttpBody>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let Self { body, reach } = &mut *self;
        reach.within(|| Pin::new(body).poll_frame(cx))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

async fn identify(
    api: &Api,
    policy: Policy,
    request: Request,
) -> Result<(Request, Caller, Standing, Named), Problem> {
    // The signature first: nothing is read for strangers.
    let credential = Credential::read(api, request.headers()).await?;
    let (request, named) = match policy {
        Policy::Project(_, of) => name_of_project(of, request).await?,
        _ => (request, Named::Nothing),
    };
    let owner = match named {
        Named::Thing(owner) => owner,
        _ => Owner::Nothing,
    };
    let is_enough = |caller: &Caller, standing: &Standing| judge(policy, caller, standing, named).is_ok();
    let (caller, standing) = credential.look_up(api, owner, is_enough).await?;
    shared::store::audit::is_user(caller.user_id);
    Ok((request, caller, standing, named))
}

/// The table's word, applied.
fn judge(policy: Policy, caller: &Caller, standing: &Standing, named: Named) -> Result<Granted, Problem> {
    let is_machine = matches!(caller.kind, CallerKind::Machine { .. });
    match policy {
        Policy::Open | Policy::Caller => Ok(Granted::Nothing),
        Policy::Person if is_machine => Err(Problem::new(
            ProblemKind::Forbidden,
            "This is for people who are logged in, not for API keys",
        )),
        Policy::Person => Ok(Granted::Nothing),
        Policy::Platform if caller.is_platform_admin() => Ok(Granted::All),
        Policy::Platform => Err(Problem::not_found()),
        Policy::Project(needs, of) => match named {
            Named::Thing(_) => judge_role(standing, needs),
            // No id at all is not found like an id that nobody has.
            Named::NoId => Err(Problem::not_found()),
            Named::Nothing if of.may_be_all() && caller.is_platform_admin() => Ok(Granted::All),
            Named::Nothing if of.may_be_all() => Err(Problem::new(
                ProblemKind::Forbidden,
                "Say which project; only platform administrators may leave it out",
            )),
            // The route names the mistake, and has been granted nothing.
            Named::Nothing | Named::Unreadable => Ok(Granted::Nothing),
        },
    }
}

fn judge_role(standing: &Standing, needs: ProjectRole) -> Result<Granted, Problem> {
    match standing.role {
        None => Err(Problem::not_found()),
        Some(role) if role < needs => {
            Err(Problem::new(ProblemKind::Forbidden, format!("This needs the role {}", word(needs))))
        }
        Some(role) => Ok(Granted::Project(standing.project_id, role)),
    }
}

fn word(role: ProjectRole) -> &'static str {
    match role {
        ProjectRole::Viewer => "viewer",
        ProjectRole::Operator => "operator",
        ProjectRole::Approver => "approver",
        ProjectRole::Admin => "admin",
    }
}

impl Api {
    /// The same decision for what only the route can read: the project in a form.
    pub(crate) async fn grant(
        &self,
        headers: &HeaderMap,
        project_id: ProjectId,
        needs: ProjectRole,
    ) -> Result<Granted, Problem> {
        let granted = self.granted(headers, Owner::Project(project_id), needs).await?;
        reach::decide(project_id);
        Ok(granted)
    }

    /// The same decision about a thing, now: for an answer that lasts longer than what it was decided by.
    pub(crate) async fn still_grants(
        &self,
        headers: &HeaderMap,
        owner: Owner,
        needs: ProjectRole,
    ) -> Result<(), Problem> {
        self.granted(headers, owner, needs).await.map(drop)
    }

    async fn granted(
        &self,
        headers: &HeaderMap,
        owner: Owner,
        needs: ProjectRole,
    ) -> Result<Granted, Problem> {
        let credential = Credential::read(self, headers).await?;
        let is_enough = |_: &Caller, standing: &Standing| judge_role(standing, needs).is_ok();
        let looking_up = credential.look_up(self, owner, is_enough);
        let (_, standing) = Reach::System("guard").around(looking_up).await?;
        judge_role(&standing, needs)
    }
}

/// What a request says about the project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    Thing(Owner),
    /// The path has something else where an id should be.
    NoId,
    Nothing,
    Unreadable,
}

async fn name_of_project(of: Of, request: Request) -> Result<(Request, Named), Problem> {
    match of {
        Of::Query | Of::QueryOrAll => {
            let named = name_in_query(&request);
            Ok((request, named))
        }
        Of::Body | Of::BodyOrAll => name_in_body(request).await,
        Of::Form => Ok((request, Named::Unreadable)),
        of => {
            let (mut parts, body) = request.into_parts();
            let named = name_in_path(of, &mut parts).await;
            Ok((Request::from_parts(parts, body), named))
        }
    }
}

async fn name_in_path(of: Of, parts: &mut Parts) -> Named {
    let Ok(params) = RawPathParams::from_request_parts(parts, &()).await else { return Named::NoId };
    let id = params.iter().find(|(name, _)| *name == "id").and_then(|(_, text)| text.parse::<Uuid>().ok());
    use shared::ids::{AlertId, BatchId, DataSourceId, FileId, JobId, ScheduleId, WebhookId};
    match (id, of) {
        (Some(id), Of::Project) => Named::Thing(Owner::Project(ProjectId(id))),
        (Some(id), Of::JobToCome) => Named::Thing(Owner::JobToCome(JobId(id))),
        (Some(id), Of::Job) => Named::Thing(Owner::Job(JobId(id))),
        (Some(id), Of::Reconciliation) => Named::Thing(Owner::Reconciliation(JobId(id))),
        (Some(id), Of::Batch) => Named::Thing(Owner::Batch(BatchId(id))),
        (Some(id), Of::Schedule) => Named::Thing(Owner::Schedule(ScheduleId(id))),
        (Some(id), Of::File) => Named::Thing(Owner::File(FileId(id))),
        (Some(id), Of::DataSource) => Named::Thing(Owner::DataSource(DataSourceId(id))),
        (Some(id), Of::Webhook) => Named::Thing(Owner::Webhook(WebhookId(id))),
        (Some(id), Of::Alert) => Named::Thing(Owner::Alert(AlertId(id))),
        _ => Named::NoId,
    }
}

/// As the routes read it: the first of that name counts, and several are a mistake that they name.
fn name_in_query(request: &Request) -> Named {
    type Pairs = Vec<(String, String)>;
    let Ok(axum::extract::Query(pairs)) = axum::extract::Query::<Pairs>::try_from_uri(request.uri()) else {
        return Named::Unreadable;
    };
    match pairs.iter().find(|(name, _)| name == "project_id") {
        None => Named::Nothing,
        Some((_, text)) => text.parse().map_or(Named::Unreadable, |id| Named::Thing(Owner::Project(id))),
    }
}

/// Reads the body here, once: the route gets what was parsed.
async fn name_in_body(request: Request) -> Result<(Request, Named), Problem> {
    if !is_json(request.headers()) {
        return Ok((request, Named::Unreadable));
    }
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, JSON_BYTES_MAX)
        .await
        .map_err(|_| Problem::new(ProblemKind::TooLarge, "A JSON body has at most 1 MiB"))?;
    let parsed = serde_json::from_slice::<Value>(&bytes).ok();
    let mut request = Request::from_parts(parts, Body::from(bytes));
    let Some(value) = parsed else { return Ok((request, Named::Unreadable)) };
    let named = match value.get("project_id") {
        None | Some(Value::Null) if value.is_object() => Named::Nothing,
        Some(Value::String(text)) => {
            text.parse().map_or(Named::Unreadable, |id| Named::Thing(Owner::Project(id)))
        }
        _ => Named::Unreadable,
    };
    request.extensions_mut().insert(ParsedBody(Arc::new(value)));
    Ok((request, named))
}
