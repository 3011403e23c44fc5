//! What surrounds every page, and the extractor that makes it: [`Visit`].

use crate::answers::{Items, Project, User};
use crate::ask::{Ask, Refusal};
use crate::format::{Plain, Preferences};
use crate::html::{self, Html};
use crate::nav::{self, InScope};
use crate::problem::Document;
use crate::{Site, assets, format, session};
use askama::Template;
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde_json::Value;

/// Projects in the switcher; the page of projects has them all.
const PROJECTS_SHOWN: u32 = 50;

/// Header of requests of the script that show only a part of the page they get.
const PART: &str = "x-part";

/// Whose things a page shows.
#[derive(Debug, Clone)]
pub(crate) enum Scope {
    /// Neither: logging in, choosing a project.
    None,
    Project(Project),
    System,
}

/// What the layout needs, and how values are written.
#[derive(Debug, Clone)]
pub(crate) struct Shell {
    pub user: Option<User>,
    pub projects: Vec<Project>,
    pub scope: Scope,
    pub section: &'static str,
    pub preferences: Preferences,
    /// Of forms.
    pub form_token: String,
    /// Of this page, for coming back to it.
    pub path: String,
    /// Notifications that were not read; from 1000 on there may be more.
    pub unread: i64,
    pub now: DateTime<Utc>,
}

/// An inbox, as far as every page shows it.
#[derive(serde::Deserialize)]
struct Unread {
    unread: i64,
}

/// One link of the navigation.
pub(crate) struct Link {
    pub label: &'static str,
    pub icon: &'static str,
    pub address: String,
    pub is_current: bool,
}

impl Shell {
    /// For pages without a session.
    pub fn outside(preferences: Preferences) -> Self {
        Self {
            user: None,
            projects: vec![],
            scope: Scope::None,
            section: "",
            preferences,
            form_token: String::new(),
            path: String::new(),
            unread: 0,
            now: Utc::now(),
        }
    }

    /// The address of the scope; pages lie below it.
    pub fn base(&self) -> String {
        match &self.scope {
            Scope::Project(project) => format!("/p/{}", project.id),
            Scope::System => "/system".into(),
            Scope::None => String::new(),
        }
    }

    pub fn scope_name(&self) -> &str {
        match &self.scope {
            Scope::Project(project) => &project.name,
            Scope::System => "System",
            Scope::None => "Choose a project",
        }
    }

    pub fn is_scope(&self, project: &Project) -> bool {
        matches!(&self.scope, Scope::Project(current) if current.id == project.id)
    }

    pub fn is_system(&self) -> bool {
        matches!(self.scope, Scope::System)
    }

    /// May start, stop and change things here. The API has the last word; this only spares people buttons that refuse.
    pub fn may_operate(&self) -> bool {
        match &self.scope {
            Scope::Project(project) => project.role != "viewer" || self.is_admin(),
            Scope::System | Scope::None => self.is_admin(),
        }
    }

    /// May have the second word on decisions of others.
    pub fn may_approve(&self) -> bool {
        self.has_role(&["approver", "admin"])
    }

    /// May decide about members, keys and settings of the project.
    pub fn may_administer(&self) -> bool {
        self.has_role(&["admin"])
    }

    fn has_role(&self, roles: &[&str]) -> bool {
        match &self.scope {
            Scope::Project(project) => roles.contains(&project.role.as_str()) || self.is_admin(),
            Scope::System | Scope::None => self.is_admin(),
        }
    }

    pub fn is_admin(&self) -> bool {
        self.user.as_ref().is_some_and(|user| user.is_platform_admin)
    }

    pub fn links(&self) -> Vec<Link> {
        let base = self.base();
        let fits = |scope: InScope| match self.scope {
            Scope::Project(_) => scope != InScope::System,
            Scope::System => scope != InScope::Project,
            Scope::None => false,
        };
        let link = |item: &nav::Item| Link {
            label: item.label,
            icon: item.icon,
            address: format!("{base}{}", item.path),
            is_current: item.section == self.section,
        };
        let is_open = |item: &&nav::Item| fits(item.scope) && (!item.is_for_admins || self.may_administer());
        nav::ITEMS.iter().filter(is_open).map(link).collect()
    }

    pub fn theme(&self) -> &'static str {
        self.preferences.theme.as_str()
    }

    pub fn zone_name(&self) -> &'static str {
        self.preferences.zone.map_or("", |zone| zone.name())
    }

    pub fn asset(&self, name: &str) -> &'static str {
        assets::address(name)
    }

    pub fn icon(&self, name: impl AsRef<str>) -> Html {
        html::icon(name.as_ref())
    }

    pub fn number(&self, n: impl Plain<i64>) -> String {
        self.preferences.number(n)
    }

    pub fn count(&self, n: impl Plain<usize>) -> String {
        self.preferences.number(n.plain() as i64)
    }

    pub fn money(&self, decimal: impl AsRef<str>) -> String {
        self.preferences.money(decimal.as_ref())
    }

    pub fn bytes(&self, bytes: impl Plain<i64>) -> String {
        self.preferences.bytes(bytes)
    }

    pub fn percent(&self, share: impl Plain<f64>) -> String {
        self.preferences.percent(share.plain(), 1)
    }

    pub fn time(&self, at: impl Plain<DateTime<Utc>>) -> Html {
        self.preferences.time(at.plain())
    }

    pub fn exact_time(&self, at: impl Plain<DateTime<Utc>>) -> Html {
        self.preferences.exact_time(at.plain())
    }

    /// How many notifications wait to be read; nothing when none do.
    pub fn unread(&self) -> String {
        match self.unread {
            ..=0 => String::new(),
            n @ 1..1000 => self.number(n),
            n => format!("{}+", self.number(n)),
        }
    }

    /// How long ago, or how long until.
    pub fn since(&self, at: impl Plain<DateTime<Utc>>) -> String {
        let at = at.plain();
        if at <= self.now {
            format!("{} ago", format::duration(self.now - at))
        } else {
            format!("in {}", format::duration(at - self.now))
        }
    }

    /// The state of a job: icon and word, so that colour is never alone.
    pub fn state(&self, state: impl AsRef<str>) -> Html {
        let state = state.as_ref();
        let word = crate::words::state(state);
        Html(format!("<span class=\"badge {}\">{}{word}</span>", html::escape(state), html::icon(state)))
    }

    /// For selected options.
    pub fn same(&self, one: impl AsRef<str>, other: impl AsRef<str>) -> bool {
        one.as_ref() == other.as_ref()
    }

    /// The state of a worker, as [`Self::state`].
    pub fn worker_state(&self, state: impl AsRef<str>) -> Html {
        let state = state.as_ref();
        let icon = match state {
            "live" => "check",
            "draining" | "drained" => "pause",
            _ => "warning",
        };
        let word = crate::words::words(state);
        Html(format!("<span class=\"badge {}\">{}{word}</span>", html::escape(state), html::icon(icon)))
    }

    /// What became of an item under review, as [`Self::state`].
    pub fn review_state(&self, state: impl AsRef<str>) -> Html {
        let state = state.as_ref();
        let icon = match state {
            "accepted" | "matched" | "as_found" | "standing" | "effective" => "check",
            "rejected" | "unmatched" | "undone" | "refused" | "withdrawn" => "stop",
            "written_off" => "write-off",
            "proposed" => "scheduled",
            _ => "suggested",
        };
        let word = crate::words::review_state(state);
        Html(format!("<span class=\"badge {}\">{}{word}</span>", html::escape(state), html::icon(icon)))
    }

    pub fn words(&self, name: impl AsRef<str>) -> String {
        crate::words::words(name.as_ref())
    }
}

/// A request for a page by somebody who is logged in.
pub(crate) struct Visit {
    pub ask: Ask,
    pub shell: Shell,
    pub headers: HeaderMap,
}

impl Visit {
    /// The shell of a page that belongs to `section`.
    pub fn shell(&self, section: &'static str) -> Shell {
        Shell { section, ..self.shell.clone() }
    }

    pub fn page(&self, template: &impl Template) -> Response {
        html::page(&self.headers, template)
    }

    /// The same with another status: a form that came back with its mistakes.
    pub fn page_of(&self, status: StatusCode, template: &impl Template) -> Response {
        let mut response = self.page(template);
        *response.status_mut() = status;
        response
    }

    /// `project_id=…`, or nothing for all of the system.
    pub fn project_query(&self) -> String {
        match &self.shell.scope {
            Scope::Project(project) => format!("project_id={}", project.id),
            _ => String::new(),
        }
    }

    /// The id of the project, for bodies.
    pub fn project_id(&self) -> Option<&str> {
        match &self.shell.scope {
            Scope::Project(project) => Some(&project.id),
            _ => None,
        }
    }

    /// The body with the project it is about.
    pub fn in_project(&self, mut body: Value) -> Value {
        if let Some(id) = self.project_id() {
            body["project_id"] = id.into();
        }
        body
    }
}

impl FromRequestParts<Site> for Visit {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Refusal> {
        let headers = parts.headers.clone();
        let ask = Ask::new(site.inside.clone(), session::token(&headers), &headers);
        let projects = format!("/api/projects?limit={PROJECTS_SHOWN}");
        let unread = async {
            // Whoever replaces a part of a page has its head already.
            match headers.contains_key(PART) {
                true => Ok(None),
                false => ask.find::<Unread>("/api/notifications?limit=1").await,
            }
        };
        let (user, projects, unread) =
            tokio::join!(ask.get::<User>("/api/auth/me"), ask.get::<Items<Project>>(&projects), unread);
        let (user, projects) = (user?, projects?.items);
        let unread = unread?.map_or(0, |inbox| inbox.unread);
        let scope = scope(parts, &ask, &user, &projects).await?;
        let preferences = Preferences::of(&headers);
        let form_token = session::form_token(ask.token());
        let shell = Shell {
            user: Some(user),
            projects,
            scope,
            section: "",
            preferences,
            form_token,
            path: parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
            unread,
            now: Utc::now(),
        };
        Ok(Self { ask, shell, headers })
    }
}

/// By the address: `/p/{project}/…` or `/system/…`.
async fn scope(parts: &mut Parts, ask: &Ask, user: &User, projects: &[Project]) -> Result<Scope, Refusal> {
    let not_found = || Refusal::new(StatusCode::NOT_FOUND, Document::not_found());
    if parts.uri.path().starts_with("/system") {
        return if user.is_platform_admin { Ok(Scope::System) } else { Err(not_found()) };
    }
    let params = RawPathParams::from_request_parts(parts, &()).await.map_err(|_| not_found())?;
    let Some((_, id)) = params.iter().find(|(name, _)| *name == "project") else { return Ok(Scope::None) };
    if let Some(project) = projects.iter().find(|project| project.id == id) {
        return Ok(Scope::Project(project.clone()));
    }
    let project = ask.get(&format!("/api/projects/{}", html::escape_query(id))).await?;
    Ok(Scope::Project(project))
}
