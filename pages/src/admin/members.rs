//! Members and invitations.

use super::Secret;
use crate::answers::Items;
use crate::ask::Refusal;
use crate::form::{Posted, refusal};
use crate::html::escape_query;
use crate::problem::Mistake;
use crate::reconciliations::{Names, id_of};
use crate::session::is_https;
use crate::shell::{Shell, Visit};
use askama::Template;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::json;

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Member {
    pub user_id: String,
    pub email: String,
    pub name: String,
    pub role: String,
    pub created_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Invitation {
    pub id: String,
    pub role: String,
    pub email: Option<String>,
    pub expires_at: DateTime<Utc>,
}

#[derive(Template)]
#[template(path = "admin/members.html")]
pub(crate) struct MembersPage {
    pub shell: Shell,
    pub members: Vec<Member>,
    pub has_more: bool,
    pub invitations: Vec<Invitation>,
    pub made: Option<Secret>,
    pub trouble: Option<String>,
    pub mistakes: Vec<Mistake>,
}

fn api(visit: &Visit, below: &str) -> String {
    format!("/api/projects/{}{below}", visit.project_id().unwrap_or_default())
}

pub(super) async fn list(visit: Visit) -> Result<Response, Refusal> {
    page(&visit, None, None).await
}

async fn page(visit: &Visit, made: Option<Secret>, refused: Option<Refusal>) -> Result<Response, Refusal> {
    let (of_members, of_invitations) = (api(visit, "/members?limit=500"), api(visit, "/invitations"));
    let shell = visit.shell("members");
    let invitations = async {
        match shell.may_administer() {
            true => visit.ask.find::<Items<Invitation>>(&of_invitations).await,
            false => Ok(None),
        }
    };
    let (members, invitations) = tokio::join!(visit.ask.get::<Items<Member>>(&of_members), invitations);
    let members = members?;
    let (status, trouble, mistakes) = match refused {
        None => (StatusCode::OK, None, vec![]),
        Some(Refusal { status, document, .. }) => {
            (status, document.errors.is_empty().then(|| document.detail.clone()), document.errors)
        }
    };
    let template = MembersPage {
        has_more: members.next.is_some(),
        members: members.items,
        invitations: invitations?.map(|page| page.items).unwrap_or_default(),
        shell,
        made,
        trouble,
        mistakes,
    };
    Ok(visit.page_of(status, &template))
}

pub(super) fn is_explained(refusal: &Refusal) -> bool {
    matches!(refusal.status, StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY)
}

/// A new role, or the end of the membership.
pub(super) async fn change(visit: Visit, Path(names): Names, form: Posted) -> Result<Response, Refusal> {
    let path = api(&visit, &format!("/members/{}", id_of(&names)));
    let done = match form.get("action") {
        "role" => visit.ask.put(&path, &json!({"role": form.get("role")})).await,
        "remove" => visit.ask.delete(&path).await,
        _ => Err(refusal(StatusCode::NOT_FOUND, "There is no such action")),
    };
    match done {
        Ok(()) => Ok(Redirect::to(&format!("{}/members", visit.shell.base())).into_response()),
        Err(refused) if is_explained(&refused) => page(&visit, None, Some(refused)).await,
        Err(refused) => Err(refused),
    }
}

/// A page of ours as somebody else can open it.
pub(super) fn address_here(visit: &Visit, page: &str) -> String {
    let scheme = if is_https(&visit.headers) { "https" } else { "http" };
    let host = visit.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    format!("{scheme}://{host}{page}")
}

#[derive(Deserialize)]
struct Invited {
    token: String,
}

pub(super) async fn invite(visit: Visit, form: Posted) -> Result<Response, Refusal> {
    let mut body = json!({"role": form.get("role")});
    if let Some(email) = form.given("email") {
        body["email"] = email.into();
    }
    if let Some(days) = form.given("days") {
        body["hours"] = days.parse::<u32>().map_or(json!(days), |days| json!(days.saturating_mul(24)));
    }
    match visit.ask.post::<Invited>(&api(&visit, "/invitations"), &body).await {
        Ok(invited) => {
            let text = address_here(&visit, &format!("/invitation?token={}", escape_query(&invited.token)));
            page(&visit, Some(Secret { title: "Send this address to the person you invite", text }), None)
                .await
        }
        Err(refused) if is_explained(&refused) => page(&visit, None, Some(refused)).await,
        Err(refused) => Err(refused),
    }
}

pub(super) async fn withdraw(visit: Visit, Path(names): Names, _: Posted) -> Result<Redirect, Refusal> {
    visit.ask.delete(&api(&visit, &format!("/invitations/{}", id_of(&names)))).await?;
    Ok(Redirect::to(&format!("{}/members", visit.shell.base())))
}
