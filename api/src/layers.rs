//! What surrounds every route: limits, panics turned into problems, headers.

use crate::observe::{observe, write_problems};
use crate::problem::{Problem, ProblemKind};
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use std::any::Any;
use std::time::Duration;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::sensitive_headers::SetSensitiveRequestHeadersLayer;
use tower_http::set_header::SetResponseHeaderLayer;

/// Bytes of a JSON body. Uploads have a limit of their own.
pub(crate) const JSON_BYTES_MAX: usize = 1 << 20;

/// The layers of a whole server, the first one innermost.
pub(crate) fn surround<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    let always = |name: HeaderName, value: &'static str| {
        SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
    };
    routes
        .fallback(async || Problem::new(ProblemKind::UnknownRoute, "See /api/openapi.json for what there is"))
        .method_not_allowed_fallback(async || {
            Problem::new(ProblemKind::MethodNotAllowed, "See /api/openapi.json for what there is")
        })
        .layer(DefaultBodyLimit::max(JSON_BYTES_MAX))
        .layer(CatchPanicLayer::custom(answer_panic))
        .layer(always(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        // What is answered belongs to the caller: no cache may keep it.
        .layer(always(header::CACHE_CONTROL, "no-store"))
        .layer(always(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"))
        .layer(always(header::REFERRER_POLICY, "no-referrer"))
        .layer(from_fn(observe))
        .layer(SetSensitiveRequestHeadersLayer::new([header::AUTHORIZATION, header::COOKIE]))
}

/// The same routes as the pages ask them: without what concerns the wire only.
pub(crate) fn inside<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    routes
        .fallback(async || Problem::new(ProblemKind::UnknownRoute, "See /api/openapi.json for what there is"))
        .layer(DefaultBodyLimit::max(JSON_BYTES_MAX))
        .layer(from_fn(write_problems))
}

/// For routes whose answer is short. Whatever was under way is dropped, and a transaction with it.
pub(crate) fn with_time_limit<S: Clone + Send + Sync + 'static>(
    routes: utoipa_axum::router::OpenApiRouter<S>,
    limit: Duration,
) -> utoipa_axum::router::OpenApiRouter<S> {
    routes.layer(from_fn_with_state(limit, limit_time))
}

async fn limit_time(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let detail = format!("There was no answer within {} s", limit.as_secs_f32());
            Problem::new(ProblemKind::TimedOut, detail).into_response()
        }
    }
}

/// The client learns nothing of the panic but that there was one.
fn answer_panic(panic: Box<dyn Any + Send>) -> Response {
    let says = panic
        .downcast_ref::<&str>()
        .map(|says| (*says).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "of unknown kind".to_owned());
    tracing::error!(panic = says, "answering a request panicked");
    Problem::new(ProblemKind::Internal, "The operator can find the cause in the log by the request id")
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::{Body, to_bytes};
    use axum::routing::get;
    use serde_json::Value;
    use tower::ServiceExt;
    use utoipa_axum::router::OpenApiRouter;

    async fn ask(routes: Router) -> (u16, Value) {
        let request = Request::builder().uri("/x").body(Body::empty()).unwrap();
        let response = surround(routes).oneshot(request).await.unwrap();
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn a_panic_is_a_problem_without_internals() {
        async fn panics() -> &'static str {
            panic!("the secret of {}", 7)
        }
        let (status, problem) = ask(Router::new().route("/x", get(panics))).await;
        assert_eq!(status, 500);
        assert_eq!(problem["type"], "urn:counterfoil:problem:internal");
        assert!(!problem.to_string().contains("secret"), "{problem}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_takes_too_long_is_a_problem() {
        let routes = OpenApiRouter::new().route("/x", get(std::future::pending::<()>));
        let (status, problem) = ask(with_time_limit(routes, Duration::from_secs(30)).into()).await;
        assert_eq!(status, 503);
        assert_eq!(problem["type"], "urn:counterfoil:problem:timed_out");
        assert_eq!(problem["instance"], "/x");
    }
}
