//! Administering a project: who belongs to it, the keys of machines, the rules of review; the accounts of the platform;
//! and the audit log.

mod audit;
mod keys;
mod members;
mod settings;
mod users;

use crate::Site;
use axum::Router;
use axum::routing::{get, post};

pub(crate) fn routes() -> Router<Site> {
    Router::new()
        .route("/p/{project}/members", get(members::list))
        .route("/p/{project}/members/{id}", post(members::change))
        .route("/p/{project}/invitations", post(members::invite))
        .route("/p/{project}/invitations/{id}/withdraw", post(members::withdraw))
        .route("/p/{project}/keys", get(keys::list).post(keys::create))
        .route("/p/{project}/keys/{id}/revoke", post(keys::revoke))
        .route("/p/{project}/settings", get(settings::show))
        .route("/p/{project}/settings/reasons", post(settings::set_reason))
        .route("/p/{project}/settings/limits", post(settings::set_limit))
        .route("/p/{project}/audit", get(audit::list))
        .route("/system/audit", get(audit::list))
        .route("/system/users", get(users::list))
        .route("/system/users/{id}/{action}", post(users::act))
}

/// Something that was just made and is shown this once.
#[derive(Debug, Clone)]
pub(crate) struct Secret {
    pub title: &'static str,
    pub text: String,
}
