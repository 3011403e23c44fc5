//! Making an account, and accepting an invitation with one.

use crate::Site;
use crate::ask::{Ask, Refusal};
use crate::form::{Fields, Posted};
use crate::format::Preferences;
use crate::html;
use crate::login::{begin, credentials};
use crate::problem::Mistake;
use crate::session::Tokens;
use crate::shell::{Shell, Visit};
use askama::Template;
use axum::extract::{RawForm, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::json;

#[derive(Template)]
#[template(path = "account/register.html")]
pub(crate) struct RegisterPage {
    pub shell: Shell,
    pub email: String,
    pub name: String,
    pub invitation: String,
    pub mistakes: Vec<Mistake>,
    pub refused: Option<String>,
}

/// Characters of an invitation; ours have 47.
const TOKEN_CHARS_MAX: usize = 100;

fn invitation(fields: &Fields, name: &str) -> String {
    fields.get(name).chars().take(TOKEN_CHARS_MAX).collect()
}

pub(super) async fn show_register(RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let asked = Fields::parse(query.unwrap_or_default().as_bytes());
    let page = RegisterPage {
        shell: Shell::outside(Preferences::of(&headers)),
        email: String::new(),
        name: String::new(),
        invitation: invitation(&asked, "invitation"),
        mistakes: vec![],
        refused: None,
    };
    html::page(&headers, &page)
}

/// Registers, and logs in: an address that had an account before has another password, and its owner logs in.
pub(super) async fn register(State(site): State<Site>, headers: HeaderMap, form: RawForm) -> Response {
    let fields = Fields::parse(&form.0);
    let ask = Ask::new(site.inside, None, &headers);
    let mut body = json!({
        "email": fields.get("email"), "name": fields.get("name"), "password": fields.raw("password"),
    });
    if let Some(token) = fields.given("invitation") {
        body["invitation"] = token.into();
    }
    match ask.post::<serde_json::Value>("/api/auth/register", &body).await {
        Ok(_) => match ask.post::<Tokens>("/api/auth/login", &credentials(&fields)).await {
            Ok(tokens) => begin(&headers, &tokens, "/"),
            Err(_) => Redirect::to("/login").into_response(),
        },
        Err(Refusal {
            status: status @ (StatusCode::UNPROCESSABLE_ENTITY | StatusCode::FORBIDDEN),
            document,
            ..
        }) => {
            let page = RegisterPage {
                shell: Shell::outside(Preferences::of(&headers)),
                email: fields.get("email").chars().take(254).collect(),
                name: fields.get("name").chars().take(200).collect(),
                invitation: invitation(&fields, "invitation"),
                refused: document.errors.is_empty().then(|| document.detail.clone()),
                mistakes: document.errors,
            };
            let mut response = html::page(&headers, &page);
            *response.status_mut() = status;
            response
        }
        Err(refusal) => refusal.into_response(),
    }
}

#[derive(Template)]
#[template(path = "account/invitation.html")]
pub(crate) struct InvitationPage {
    pub shell: Shell,
    pub token: String,
    pub mistakes: Vec<Mistake>,
}

/// Whoever is not logged in is asked which account it shall be.
pub(super) async fn show(
    visit: Result<Visit, Refusal>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let asked = Fields::parse(query.unwrap_or_default().as_bytes());
    let shell = match visit {
        Ok(visit) => visit.shell(""),
        Err(refusal) if refusal.status == StatusCode::UNAUTHORIZED => {
            Shell::outside(Preferences::of(&headers))
        }
        Err(refusal) => return Err(refusal),
    };
    let page = InvitationPage { shell, token: invitation(&asked, "token"), mistakes: vec![] };
    Ok(html::page(&headers, &page))
}

#[derive(Deserialize)]
struct Accepted {
    project_id: Option<String>,
}

pub(super) async fn accept(visit: Visit, form: Posted) -> Result<Response, Refusal> {
    let token = invitation(&form, "token");
    match visit.ask.post::<Accepted>("/api/auth/invitations/accept", &json!({"token": token})).await {
        Ok(Accepted { project_id: Some(id) }) => Ok(Redirect::to(&format!("/p/{id}")).into_response()),
        Ok(Accepted { project_id: None }) => Ok(Redirect::to("/system").into_response()),
        Err(refusal) if refusal.status == StatusCode::UNPROCESSABLE_ENTITY => {
            let page =
                InvitationPage { shell: visit.shell(""), token, mistakes: refusal.document.errors.clone() };
            Ok(visit.page_of(StatusCode::UNPROCESSABLE_ENTITY, &page))
        }
        Err(refusal) => Err(refusal),
    }
}
