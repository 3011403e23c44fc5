//! The outermost layer: each request gets its id, its span, one line in the log, its place in the figures, and
//! its problem document when it failed.

use crate::problem::Problem;
use crate::request_id::{REQUEST_ID, RequestId};
use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use shared::telemetry::trace::{self, TraceContext};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::{Instrument, field};

pub(crate) async fn observe(mut request: Request, next: Next) -> Response {
    let request_id = RequestId::of(request.headers());
    request.extensions_mut().insert(request_id.clone());
    // Pages ask on under the same name.
    request.headers_mut().insert(&REQUEST_ID, request_id.header());
    let method = method_name(request.method());
    let route = request.extensions().get::<MatchedPath>().map_or("unknown", MatchedPath::as_str).to_owned();
    // Without the query, and cut: both are the client's to choose.
    let path: String = request.uri().path().chars().take(200).collect();
    // Of the highest level, so that the id stands in every line, whatever the filter lets through.
    let (parent, context) = trace_of(request.headers(), &route);
    let above = parent.map(TraceContext::to_bytes);
    let span = tracing::error_span!(
        "request",
        request_id = request_id.as_str(),
        trace_id = %context.trace_id(),
        method,
        path,
        project_id = field::Empty,
        route = field::Empty,
        status = field::Empty,
        otel.name = format_args!("{method} {route}"),
        otel.kind = "server",
        otel.context = &context.to_bytes()[..],
        otel.parent = above.as_ref().map(|bytes| &bytes[..]),
        otel.error = field::Empty,
    );
    let trace_id = context.trace_id().to_string();
    let observed = Observed::start(method, route, span.clone());

    let mut response = next.run(request).instrument(span).await;
    if let Some(problem) = response.extensions_mut().remove::<Arc<Problem>>() {
        write_document(&mut response, &problem, &path, &request_id, Some(&trace_id));
    }
    response.headers_mut().insert(&REQUEST_ID, request_id.header());
    observed.finish(response.status());
    response
}

/// The same for answers that stay in this process: what pages ask is observed as theirs.
pub(crate) async fn write_problems(mut request: Request, next: Next) -> Response {
    let request_id = RequestId::of(request.headers());
    request.extensions_mut().insert(request_id.clone());
    let path: String = request.uri().path().chars().take(200).collect();
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions_mut().remove::<Arc<Problem>>() {
        let trace_id = trace::current().map(|context| context.trace_id().to_string());
        write_document(&mut response, &problem, &path, &request_id, trace_id.as_deref());
    }
    response
}

/// The caller's span, if it named one, and the one of this request. Nobody wants to look at traces of probes and scrapes,
/// which come every few seconds and would bury the others.
fn trace_of(headers: &HeaderMap, route: &str) -> (Option<TraceContext>, TraceContext) {
    let mut given = headers.get_all("traceparent").iter();
    let parent = match (given.next(), given.next()) {
        (Some(one), None) => one.to_str().ok().and_then(|text| text.parse().ok()),
        _ => None,
    };
    let context = TraceContext::following(parent);
    let is_watched = parent.is_none() && UNTRACED.contains(&route);
    (parent, if is_watched { context.unsampled() } else { context })
}

const UNTRACED: [&str; 7] =
    ["/api/health", "/api/live", "/api/metrics", "/api/ready", "/livez", "/readyz", "/startupz"];

fn write_document(
    response: &mut Response,
    problem: &Problem,
    path: &str,
    request_id: &RequestId,
    trace_id: Option<&str>,
) {
    let document = problem.document(path, request_id.as_str(), trace_id);
    let body = serde_json::to_vec(&document).expect("texts and numbers are always JSON");
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    *response.body_mut() = Body::from(body);
}

/// A label with few values: the client may send any method.
fn method_name(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

/// A request under way. Dropped unfinished when the client went away before the answer.
struct Observed {
    method: &'static str,
    route: String,
    span: tracing::Span,
    started_at: Instant,
    status: Option<StatusCode>,
}

impl Observed {
    fn start(method: &'static str, route: String, span: tracing::Span) -> Self {
        metrics::gauge!("counterfoil_http_requests_in_flight").increment(1.0);
        Self { method, route, span, started_at: Instant::now(), status: None }
    }

    fn finish(mut self, status: StatusCode) {
        self.status = Some(status);
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        metrics::gauge!("counterfoil_http_requests_in_flight").decrement(1.0);
        let elapsed = self.started_at.elapsed();
        // 499 is what proxies write for a client that did not wait.
        let status = self.status.map_or(499, |status| status.as_u16());
        metrics::counter!(
            "counterfoil_http_requests_total",
            "method" => self.method, "route" => self.route.clone(), "status" => status.to_string()
        )
        .increment(1);
        metrics::histogram!(
            "counterfoil_http_request_duration_seconds",
            "method" => self.method, "route" => self.route.clone(), "class" => class_of(status)
        )
        .record(elapsed.as_secs_f64());
        let _entered = self.span.enter();
        let elapsed_ms = millis(elapsed);
        let route = self.route.as_str();
        match status {
            499 => tracing::info!(route, status, elapsed_ms, "the client went away"),
            500.. => tracing::warn!(route, status, elapsed_ms, "answered"),
            _ => tracing::info!(route, status, elapsed_ms, "answered"),
        }
        // After the line, which says it by itself.
        self.span.record("route", route);
        self.span.record("status", status);
        if status >= 500 {
            self.span
                .record("otel.error", self.status.and_then(|s| s.canonical_reason()).unwrap_or("failed"));
        }
    }
}

/// A histogram has many series for each label value: the class of the status has to do.
fn class_of(status: u16) -> &'static str {
    match status {
        ..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        500.. => "5xx",
    }
}

/// With microseconds, for people.
fn millis(elapsed: Duration) -> f64 {
    elapsed.as_micros() as f64 / 1e3
}
