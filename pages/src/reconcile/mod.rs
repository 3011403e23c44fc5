//! From two unknown files to a submitted reconciliation, in three steps: files, columns, rules.

mod before;
mod builder;
mod choices;
mod columns;
mod files;
mod mapping;
mod offered;
mod reading;
mod reading_shown;
mod rules;
mod side;
mod tried;
mod uploads;

pub(crate) use builder::parse as parse_rules;
pub(crate) use uploads::{Labelled, label_sources};

use crate::Site;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

pub(crate) fn routes() -> Router<Site> {
    const BASE: &str = "/p/{project}/reconcile";
    Router::new()
        // The API has its own limit for each file, while it is written.
        .route(&format!("{BASE}/upload"), post(files::upload).layer(DefaultBodyLimit::disable()))
        .route(BASE, get(files::show))
        .route(&format!("{BASE}/columns"), get(columns::show).post(columns::decide))
        .route(&format!("{BASE}/rules"), get(rules::show).post(rules::decide))
}
