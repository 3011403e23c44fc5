//! The answers of many servers, reduced to what the caller can do next.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_types::error::display::DisplayErrorContext;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum S3Error {
    #[error("no such object, or no such upload")]
    Missing,
    #[error("there is an object of that name already")]
    Exists,
    /// Wrong credentials or permissions, an unknown bucket, a lock: the same request will be refused again.
    #[error("{why}")]
    Refused { why: String },
    /// The endpoint does not know this operation or option.
    #[error("not supported by this endpoint: {why}")]
    Unsupported { why: String },
    /// Not reached, timed out, overloaded, broken off.
    #[error("{why}")]
    Unavailable { why: String },
    #[error("{why}")]
    Full { why: String },
    /// The object is not as long as it must be.
    #[error("{why}")]
    Damaged { why: String },
}

/// Longest part of a server's own words that is passed on.
const WORDS_MAX: usize = 200;

impl S3Error {
    pub(crate) fn of<E>(error: SdkError<E>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let status = error.raw_response().map(|answer| answer.status().as_u16());
        match (&error, status) {
            (SdkError::ServiceError(_), Some(status)) => {
                Self::of_answer(status, error.code(), error.message())
            }
            (SdkError::ConstructionFailure(_), _) => Self::Refused { why: words(&error) },
            // Some answers to a cut connection parse as nothing at all.
            _ => Self::Unavailable { why: words(&error) },
        }
    }

    fn of_answer(status: u16, code: Option<&str>, message: Option<&str>) -> Self {
        let code = code.unwrap_or_default();
        let said: String =
            [code, message.unwrap_or_default()].join(" ").trim().chars().take(WORDS_MAX).collect();
        let why = format!("{status} {said}").trim_end().to_owned();
        match (status, code) {
            (_, "NoSuchBucket") => Self::Refused { why },
            (_, "NoSuchKey" | "NoSuchUpload" | "NoSuchVersion" | "NotFound") => Self::Missing,
            (_, "QuotaExceeded" | "XMinioStorageFull" | "XMinioAdminBucketQuotaExceeded" | "StorageFull") => {
                Self::Full { why }
            }
            (_, "RequestTimeout" | "IncompleteBody" | "SlowDown" | "OperationAborted") => {
                Self::Unavailable { why }
            }
            // Changed on the way: nothing was kept.
            (
                _,
                "BadDigest" | "InvalidDigest" | "XAmzContentSHA256Mismatch" | "XAmzContentChecksumMismatch",
            ) => Self::Unavailable { why },
            (_, "ConditionalRequestConflict") => Self::Unavailable { why },
            (404, _) => Self::Missing,
            (412, _) => Self::Exists,
            (416, _) => Self::Damaged { why: format!("shorter than it should be: {why}") },
            (501, _) => Self::Unsupported { why },
            (507, _) => Self::Full { why },
            // An upload is completed with 200 before it is known to succeed; a failure comes as the body then.
            (200..300 | 408 | 425 | 429 | 500.., _) => Self::Unavailable { why },
            _ => Self::Refused { why },
        }
    }
}

fn words(error: &(impl std::error::Error + Send + Sync)) -> String {
    DisplayErrorContext(error).to_string().chars().take(WORDS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_what_to_do_next() {
        let of = |status, code| S3Error::of_answer(status, Some(code), None);
        assert_eq!(of(404, "NoSuchKey"), S3Error::Missing);
        assert_eq!(of(404, ""), S3Error::Missing);
        assert_eq!(of(412, "PreconditionFailed"), S3Error::Exists);
        for (status, code) in [
            (503, "SlowDown"),
            (500, "InternalError"),
            (400, "RequestTimeout"),
            (429, ""),
            (400, "BadDigest"),
            (200, "InternalError"),
        ] {
            assert!(matches!(of(status, code), S3Error::Unavailable { .. }), "{status} {code}");
        }
        for (status, code) in [(403, "AccessDenied"), (404, "NoSuchBucket"), (400, "InvalidRequest")] {
            assert!(matches!(of(status, code), S3Error::Refused { .. }), "{status} {code}");
        }
        assert!(matches!(of(507, ""), S3Error::Full { .. }));
        assert!(matches!(of(416, "InvalidRange"), S3Error::Damaged { .. }));
        assert!(matches!(of(501, "NotImplemented"), S3Error::Unsupported { .. }));
    }

    #[test]
    fn a_server_cannot_make_errors_long() {
        let error = S3Error::of_answer(400, Some("X"), Some(&"ß".repeat(10_000)));
        assert!(error.to_string().chars().count() < WORDS_MAX + 10);
    }
}
