//! Errors as the client reads them: RFC 9457 problems that name every mistake at once.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use shared::store::StoreError;
use std::borrow::Cow;
use utoipa::ToSchema;

/// What went wrong, by what the client does next. The name in `snake_case` ends the problem's `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ProblemKind {
    MalformedJson,
    MalformedForm,
    Invalid,
    Unauthenticated,
    Forbidden,
    RegistrationClosed,
    NotLetIn,
    NotFound,
    UnknownRoute,
    MethodNotAllowed,
    Conflict,
    NotFinished,
    AlreadyFinished,
    Stale,
    IdempotencyKeyReused,
    IdempotencyKeyInFlight,
    TooLarge,
    UnsupportedMediaType,
    Internal,
    Unavailable,
    TimedOut,
    TooManyStreams,
    TooManyJobs,
    RateLimited,
    LoginLocked,
    SecondFactorRequired,
    PasswordChangeRequired,
    AccountDisabled,
    Overloaded,
}

impl ProblemKind {
    /// The one table of problems: code, status, title.
    fn describe(self) -> (&'static str, StatusCode, &'static str) {
        use ProblemKind::*;
        match self {
            MalformedJson => ("malformed_json", StatusCode::BAD_REQUEST, "The body is not JSON"),
            MalformedForm => {
                ("malformed_form", StatusCode::BAD_REQUEST, "The body is not the form it should be")
            }
            Invalid => ("invalid", StatusCode::UNPROCESSABLE_ENTITY, "The request has mistakes"),
            Unauthenticated => ("unauthenticated", StatusCode::UNAUTHORIZED, "Log in first"),
            Forbidden => ("forbidden", StatusCode::FORBIDDEN, "Your role does not allow this"),
            RegistrationClosed => ("registration_closed", StatusCode::FORBIDDEN, "Registration is closed"),
            NotLetIn => {
                ("not_let_in", StatusCode::FORBIDDEN, "The provider knows you, but you may not come in")
            }
            NotFound => ("not_found", StatusCode::NOT_FOUND, "Not found"),
            UnknownRoute => ("unknown_route", StatusCode::NOT_FOUND, "There is nothing at this address"),
            MethodNotAllowed => (
                "method_not_allowed",
                StatusCode::METHOD_NOT_ALLOWED,
                "This address does not take the method",
            ),
            Conflict => ("conflict", StatusCode::CONFLICT, "The request conflicts with what is stored"),
            NotFinished => ("not_finished", StatusCode::CONFLICT, "The job has not finished"),
            AlreadyFinished => ("already_finished", StatusCode::CONFLICT, "The job has finished already"),
            Stale => ("stale", StatusCode::PRECONDITION_FAILED, "It has changed since you looked"),
            IdempotencyKeyReused => (
                "idempotency_key_reused",
                StatusCode::UNPROCESSABLE_ENTITY,
                "The idempotency key belongs to another request",
            ),
            IdempotencyKeyInFlight => {
                ("idempotency_key_in_flight", StatusCode::CONFLICT, "The same request is being worked on")
            }
            TooLarge => ("too_large", StatusCode::PAYLOAD_TOO_LARGE, "The body is too large"),
            UnsupportedMediaType => (
                "unsupported_media_type",
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "The body has a content type that is not understood",
            ),
            Internal => ("internal", StatusCode::INTERNAL_SERVER_ERROR, "Something is broken on our side"),
            Unavailable => ("unavailable", StatusCode::SERVICE_UNAVAILABLE, "Try again in a moment"),
            TimedOut => ("timed_out", StatusCode::SERVICE_UNAVAILABLE, "The request took too long"),
            TooManyStreams => {
                ("too_many_streams", StatusCode::SERVICE_UNAVAILABLE, "Too many event streams are open")
            }
            TooManyJobs => {
                ("too_many_jobs", StatusCode::TOO_MANY_REQUESTS, "The project has too many waiting jobs")
            }
            RateLimited => ("rate_limited", StatusCode::TOO_MANY_REQUESTS, "Too many requests"),
            LoginLocked => {
                ("login_locked", StatusCode::TOO_MANY_REQUESTS, "Too many failed logins for this address")
            }
            SecondFactorRequired => (
                "second_factor_required",
                StatusCode::UNAUTHORIZED,
                "Send the code of the second factor along",
            ),
            PasswordChangeRequired => {
                ("password_change_required", StatusCode::UNAUTHORIZED, "Choose another password")
            }
            AccountDisabled => ("account_disabled", StatusCode::FORBIDDEN, "The account is shut"),
            Overloaded => ("overloaded", StatusCode::SERVICE_UNAVAILABLE, "No new jobs are accepted now"),
        }
    }

    pub(crate) fn status(self) -> StatusCode {
        self.describe().1
    }
}

/// One thing that is wrong in a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Mistake {
    /// Where in the body: a JSON pointer as a URI fragment, `#/mapping/amount/column`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub pointer: Option<String>,
    /// Or which query parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub parameter: Option<String>,
    /// Stable, for programs: `missing`, `unknown`, `type`, `range`, …
    pub code: &'static str,
    /// A sentence for people.
    pub detail: String,
}

/// An error on its way to the client.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub kind: ProblemKind,
    pub detail: Cow<'static, str>,
    pub mistakes: Vec<Mistake>,
    /// For `Retry-After`, where the kind has no usual one.
    pub retry_after_s: Option<u64>,
    /// The limits that were asked, for the headers that say them.
    pub limits: crate::quota::Spent,
}

impl Problem {
    pub fn new(kind: ProblemKind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            mistakes: vec![],
            retry_after_s: None,
            limits: Default::default(),
        }
    }

    /// Everything that is wrong at once.
    pub fn invalid(mistakes: Vec<Mistake>) -> Self {
        let detail = match mistakes.len() {
            1 => "1 mistake; see errors".to_owned(),
            n => format!("{n} mistakes; see errors"),
        };
        Self {
            kind: ProblemKind::Invalid,
            detail: detail.into(),
            mistakes,
            retry_after_s: None,
            limits: Default::default(),
        }
    }

    /// The same for what does not exist and what the caller may not see.
    pub fn not_found() -> Self {
        Self::new(ProblemKind::NotFound, "There is no such thing, or it is not yours to see")
    }

    pub fn unauthenticated(detail: &'static str) -> Self {
        Self::new(ProblemKind::Unauthenticated, detail)
    }

    /// Ours to fix: the chain goes to the log, the client learns the request id only.
    pub fn internal(doing: &'static str, error: &dyn std::error::Error) -> Self {
        tracing::error!(error = shared::chain(error), "{doing} failed");
        Self::new(ProblemKind::Internal, "The operator can find the cause in the log by the request id")
    }

    /// The client may come back after so many seconds.
    pub fn after(kind: ProblemKind, seconds: u64, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { retry_after_s: Some(seconds), ..Self::new(kind, detail) }
    }

    pub fn with_limits(self, limits: crate::quota::Spent) -> Self {
        Self { limits, ..self }
    }

    fn retry_after_s(&self) -> Option<u64> {
        self.retry_after_s.or(match self.kind {
            ProblemKind::IdempotencyKeyInFlight => Some(1),
            ProblemKind::Unavailable => Some(2),
            ProblemKind::TimedOut | ProblemKind::TooManyStreams => Some(5),
            ProblemKind::TooManyJobs | ProblemKind::Overloaded => Some(30),
            _ => None,
        })
    }

    /// The document, once it is known which request it answers.
    pub fn document<'a>(
        &'a self,
        instance: &'a str,
        request_id: &'a str,
        trace_id: Option<&'a str>,
    ) -> ProblemDocument<'a> {
        let (code, status, title) = self.kind.describe();
        ProblemDocument {
            kind: format!("urn:counterfoil:problem:{code}"),
            title,
            status: status.as_u16(),
            detail: &self.detail,
            instance,
            request_id,
            trace_id,
            errors: &self.mistakes,
        }
    }
}

/// An error, as RFC 9457 writes it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemDocument<'a> {
    /// `urn:counterfoil:problem:<code>`; codes are stable.
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    /// The path that was asked for.
    instance: &'a str,
    /// Names this request in the log.
    request_id: &'a str,
    /// Names the trace it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    trace_id: Option<&'a str>,
    /// Everything that is wrong in the request; empty when the request is not to blame.
    errors: &'a [Mistake],
}

/// The body is written by the outermost layer, which knows the request.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.kind.status().into_response();
        self.limits.write(response.headers_mut());
        if let Some(seconds) = self.retry_after_s() {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        if self.kind == ProblemKind::Unauthenticated {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(std::sync::Arc::new(self));
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Unavailable(_) => {
                tracing::warn!(error = shared::chain(&error), "the database is away");
                Self::new(ProblemKind::Unavailable, "The database did not answer")
            }
            StoreError::Constraint { constraint, .. } => refused_by(constraint, &error),
            StoreError::Broken(_) => Self::internal("asking the database", &error),
        }
    }
}

/// A polite answer for each constraint that a request can still hit after its validation.
fn refused_by(constraint: &str, error: &StoreError) -> Problem {
    match constraint {
        "users_email_unique" => Problem {
            mistakes: vec![Mistake {
                pointer: Some("#/email".into()),
                parameter: None,
                code: "taken",
                detail: "There is an account with this address".into(),
            }],
            ..Problem::new(ProblemKind::Conflict, "There is an account with this address")
        },
        // Four eyes: whoever proposed a decision has the first word only.
        "review_verdicts_another_person" => {
            Problem::new(ProblemKind::Forbidden, "The second word on a decision is another person's")
        }
        "review_four_eyes" => Problem::new(
            ProblemKind::Conflict,
            "The limit was lowered meanwhile: decide again, and a second person will be asked",
        ),
        // The token outlived its user.
        "projects_created_by_fkey"
        | "files_uploaded_by_fkey"
        | "data_sources_created_by_fkey"
        | "jobs_created_by_fkey" => Problem::unauthenticated("The account of this token is gone"),
        name if name.ends_with("_fkey") => {
            Problem::new(ProblemKind::Conflict, "Something the request refers to has just been deleted")
        }
        _ => Problem::internal("storing what a request asked for", error),
    }
}
