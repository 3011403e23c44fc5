//! Why a backup, a restore or a verification did not happen; by what to do next.

use crate::seal::KeyError;
use crate::stores::{ReadError, StoreError};
use std::io;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody asked for the end. Nothing half-made is left that counts.
    #[error("stopped on request")]
    Stopped,
    /// A condition is not met; found before anything was touched. The text says what to do.
    #[error("{0}")]
    Refused(String),
    /// The database did not answer, or not as it should.
    #[error("{doing}")]
    Database {
        doing: String,
        #[source]
        source: sqlx::Error,
    },
    /// One of PostgreSQL's programs is missing or failed; with its last words.
    #[error("{program}: {said}")]
    Program { program: String, said: String },
    #[error("{doing}")]
    Io {
        doing: String,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Key(#[from] KeyError),
    /// What a store gave back is not what was put there, and no other store had it whole.
    #[error("{what} is damaged: {how}")]
    Damaged { what: String, how: String },
    /// No store has it.
    #[error("no store has {0}")]
    Missing(String),
    /// The stores did not do their part; the text is theirs.
    #[error("{0}")]
    Stores(String),
    /// What was restored differs from what the manifest says of it. One line per difference.
    #[error("what was restored is not what was backed up:\n  {}", .0.join("\n  "))]
    Differs(Vec<String>),
}

pub type Result<T> = std::result::Result<T, Error>;

/// Says what was being done when it failed.
pub(crate) trait Doing<T> {
    fn doing(self, what: impl Into<String>) -> Result<T>;
}

impl<T> Doing<T> for std::result::Result<T, sqlx::Error> {
    fn doing(self, what: impl Into<String>) -> Result<T> {
        self.map_err(|source| Error::Database { doing: what.into(), source })
    }
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, what: impl Into<String>) -> Result<T> {
        self.map_err(|source| {
            // An error of ours that went through a reader or a writer comes out as what it was.
            if source.get_ref().is_some_and(|inner| inner.is::<Error>()) {
                let inner = source.into_inner().expect("looked at above");
                return *inner.downcast::<Error>().expect("looked at above");
            }
            if let Some(read) = source.get_ref().and_then(|inner| inner.downcast_ref::<ReadError>()) {
                return not_read(read);
            }
            match crate::seal::OpenError::of(&source) {
                Some(how) => Error::Damaged { what: what.into(), how: how.to_string() },
                None => Error::Io { doing: what.into(), source },
            }
        })
    }
}

impl From<Error> for io::Error {
    /// For the blocking readers and writers between two parts of the engine; see [`Doing`] for the way back.
    fn from(error: Error) -> Self {
        io::Error::other(error)
    }
}

/// What the stores said, with their reasons.
pub(crate) fn stores_failed(error: impl std::error::Error) -> Error {
    Error::Stores(shared::chain(&error))
}

/// Why no store gave an object: because none has it, because it is whole in none, or because they do not answer.
pub(crate) fn not_read(error: &ReadError) -> Error {
    let is_damaged = |error: &StoreError| matches!(error, StoreError::Missing | StoreError::Damaged { .. });
    if error.is_missing() {
        Error::Missing(error.object.to_string())
    } else if error.tries.iter().all(|(_, error)| is_damaged(error)) {
        Error::Damaged { what: error.object.to_string(), how: error.to_string() }
    } else {
        Error::Stores(error.to_string())
    }
}

/// No store told what it has.
pub(crate) fn none_answered(listing: &crate::stores::Listing) -> Error {
    let why: Vec<String> =
        listing.unanswered.iter().map(|(store, error)| format!("{store}: {error}")).collect();
    Error::Stores(format!("no store answers: {}", why.join("; ")))
}
