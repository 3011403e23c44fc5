//! A new password with the token of an administrator.

use crate::Site;
use crate::ask::{Ask, Refusal};
use crate::form::Fields;
use crate::format::Preferences;
use crate::html;
use crate::problem::Mistake;
use crate::shell::Shell;
use askama::Template;
use axum::extract::{RawForm, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::json;

#[derive(Template)]
#[template(path = "account/reset.html")]
pub(crate) struct ResetPage {
    pub shell: Shell,
    pub token: String,
    pub mistakes: Vec<Mistake>,
}

/// Characters of a token; ours have 47.
const TOKEN_CHARS_MAX: usize = 100;

fn page(headers: &HeaderMap, fields: &Fields, mistakes: Vec<Mistake>) -> Response {
    let token = fields.get("token").chars().take(TOKEN_CHARS_MAX).collect();
    html::page(headers, &ResetPage { shell: Shell::outside(Preferences::of(headers)), token, mistakes })
}

pub(super) async fn show(RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    page(&headers, &Fields::parse(query.unwrap_or_default().as_bytes()), vec![])
}

pub(super) async fn reset(State(site): State<Site>, headers: HeaderMap, form: RawForm) -> Response {
    let fields = Fields::parse(&form.0);
    let ask = Ask::new(site.inside, None, &headers);
    let body = json!({"token": fields.get("token"), "new_password": fields.raw("new_password")});
    match ask.act("/api/auth/password-reset", Some(&body)).await {
        Ok(()) => Redirect::to("/login").into_response(),
        Err(Refusal { status: StatusCode::UNPROCESSABLE_ENTITY, document, .. }) => {
            let mut response = page(&headers, &fields, document.errors);
            *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
            response
        }
        Err(refusal) => refusal.into_response(),
    }
}
