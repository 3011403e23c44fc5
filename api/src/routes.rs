//! Everything that can be asked: the router and the OpenAPI document are made from this one list.

use crate::state::Api;
use crate::{
    analytics, audit, auth, data_sources, document, files, idempotency, jobs, layers, limits, projects,
    queues, reconciliation, review, schedules, vitals,
};
use axum::middleware::from_fn;
use std::time::Duration;
use utoipa_axum::router::OpenApiRouter;

pub(crate) fn table(request_timeout: Duration) -> OpenApiRouter<Api> {
    let short = OpenApiRouter::with_openapi(document::skeleton())
        .merge(auth::routes())
        .merge(projects::routes())
        .merge(files::routes())
        .merge(data_sources::routes())
        .merge(reconciliation::routes())
        .merge(review::routes())
        .merge(audit::routes())
        .merge(jobs::routes())
        .merge(schedules::routes())
        .merge(analytics::routes())
        .merge(queues::routes())
        .merge(limits::routes())
        .merge(vitals::routes())
        .merge(document::routes());
    // These take as long as the client wants; each has a limit of its own.
    let long = OpenApiRouter::new().merge(files::long_routes()).merge(reconciliation::long_routes());
    layers::with_time_limit(short.layer(from_fn(idempotency::note_key)), request_timeout).merge(long)
}

/// The OpenAPI 3.1 document of [`crate::run`].
pub fn openapi() -> utoipa::openapi::OpenApi {
    document::complete(table(Duration::ZERO).into_openapi())
}
