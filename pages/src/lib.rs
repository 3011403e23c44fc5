//! The web pages: what finance people and operators look at all day, as HTML made on the server.
//!
//! A page asks the API's own router for what it shows and sends it what the visitor decided, in this process and with
//! the visitor's token. So whatever the API checks is checked for pages too, and there is one place for every
//! decision. What is here is presentation only.
//!
//! Words: a *visit* is one request for a page by somebody who is logged in; the *shell* is what surrounds every page;
//! the *scope* of a page is a project, or the system for platform administrators.
//!
//! Architecture invariants: this crate knows HTTP and HTML, and of ours nothing at all: no store, no ids, no rules. No
//! script and no style stands inside a page, so that the content security policy can forbid both. Everything that is
//! promised to work without JavaScript does.
//!
//! To add a page: a module with a `routes()`, a line in [`router`], a template, and where it should be reached from
//! everywhere a line in [`nav::ITEMS`].

mod account;
mod admin;
mod answers;
mod approvals;
mod ask;
mod assets;
mod backups;
mod charts;
mod form;
mod format;
mod html;
mod jobs;
mod login;
mod nav;
mod notifications;
mod overview;
mod problem;
mod projects;
mod provider;
mod queues;
mod reconcile;
mod reconciliations;
mod renewal;
mod review;
mod schedules;
mod session;
mod shell;
mod told;
mod words;
mod workers;

pub use problem::show_problems;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;

/// What every page needs.
#[derive(Clone)]
pub(crate) struct Site {
    /// The API, without the layers that surround a whole server.
    inside: Router,
    renewals: renewal::Renewals,
}

/// All pages, over `inside`, the API's own routes. Give [`show_problems`] a place outside everything that may answer
/// with a problem document.
pub fn router(inside: Router) -> Router {
    let site = Site { inside, renewals: renewal::Renewals::default() };
    Router::new()
        .merge(login::routes())
        .merge(provider::routes())
        .merge(projects::routes())
        .merge(overview::routes())
        .merge(reconcile::routes())
        .merge(reconciliations::routes())
        .merge(review::routes())
        .merge(approvals::routes())
        .merge(jobs::routes())
        .merge(queues::routes())
        .merge(workers::routes())
        .merge(schedules::routes())
        .merge(backups::routes())
        .merge(admin::routes())
        .merge(notifications::routes())
        .merge(account::routes())
        .with_state(site.clone())
        .layer(from_fn_with_state(site, renewal::keep))
        .layer(from_fn(session::refuse_other_sites))
        .layer(from_fn(add_headers))
        .merge(assets::routes())
}

/// Nothing but our own files may run, style or be loaded; nobody may frame a page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

async fn add_headers(request: axum::extract::Request, next: Next) -> Response {
    let is_https = session::is_https(request.headers());
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=()"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if is_https {
        let a_year = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, a_year);
    }
    response
}
