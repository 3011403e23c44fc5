//! Why a store did not do what it was asked: one variant for each thing that the asker may do next.

use chrono::{DateTime, Utc};
use std::io;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Ask another store.
    #[error("there is no such object")]
    Missing,
    /// Nothing was written: compare with what is there.
    #[error("there is an object of that name already")]
    Exists,
    /// An operator must do something: credentials, permissions, an unknown bucket. Trying again does not help.
    #[error("the store refuses: {why}")]
    Refused { why: String },
    /// Not deletable yet; try again after `until`, if the store says when that is.
    #[error("the object is locked{}", .until.map(|at| format!(" until {at}")).unwrap_or_default())]
    Locked { until: Option<DateTime<Utc>> },
    /// Try again.
    #[error("the store is unavailable: {why}")]
    Unavailable { why: String },
    /// Nothing more fits. Trying again does not help before something is removed.
    #[error("the store is full: {why}")]
    Full { why: String },
    /// What is kept is not what was sent: ask another store, and replace it.
    #[error("damaged: {why}")]
    Damaged { why: String },
}

impl StoreError {
    /// Whether the same call may succeed in a moment.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// For metrics and statuses.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Exists => "exists",
            Self::Refused { .. } => "refused",
            Self::Locked { .. } => "locked",
            Self::Unavailable { .. } => "unavailable",
            Self::Full { .. } => "full",
            Self::Damaged { .. } => "damaged",
        }
    }

    pub(crate) fn unavailable(why: impl ToString) -> Self {
        Self::Unavailable { why: why.to_string() }
    }

    pub(crate) fn damaged(why: impl ToString) -> Self {
        Self::Damaged { why: why.to_string() }
    }
}

/// Of a disk store.
impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        let why = error.to_string();
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            io::ErrorKind::AlreadyExists => Self::Exists,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::Full { why }
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Self::Refused { why },
            io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => Self::Damaged { why },
            _ => Self::Unavailable { why },
        }
    }
}
