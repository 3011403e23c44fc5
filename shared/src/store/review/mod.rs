//! What people decide about results: the states of matches and exceptions, and the decisions that brought them there.
//!
//! What the worker found is never changed. Beside each match and exception stands what became of it; records of a
//! match that was rejected or taken apart are exceptions again (`released`), so that whatever is open is an exception
//! in the state `open`. Decisions are only added: the last word on an item is in its row, the words before it are in
//! `review_changes`, and taking one back is another decision.
//!
//! Decisions of one run take turns (the lock of its row in `reconciliations`), and a run that another one continues
//! is decided no more: that one stands on what was open.
//!
//! The database refuses by itself a state without a decision, one above the four-eyes limit without a second person,
//! a record in two matches, and a change of the history; see the migration.

mod book;
mod bulk;
mod decide;
mod effect;
mod filter;
mod find;
mod history;
mod hold;
mod judge;
mod lists;
mod order;
mod proof;
mod search;
mod settings;
mod undo;

pub use bulk::{Fitting, Preview, look_to_decide};
pub use decide::{Decided, Item, NewDecision, decide};
pub use filter::{ExceptionFilter, MatchFilter, Who};
pub use history::{Change, DecisionRow, DecisionStatus, HistoryOf};
pub use judge::judge;
pub use lists::{HandMatch, RecordPlace, ReviewedException, ReviewedMatch};
pub use order::{ExceptionCursor, ExceptionOrder};
pub use proof::{AgeCount, AssigneeCount, KindCount, PlaceSum, ReviewCounts, ReviewProof};
pub use settings::{
    FourEyesLimit, ReviewReason, remove_four_eyes_limit, set_four_eyes_limit, set_review_reason,
};

use super::StoreError;
use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident as $type_name:literal { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type)]
        #[serde(rename_all = "snake_case")]
        #[sqlx(type_name = $type_name, rename_all = "snake_case")]
        pub enum $name {
            $($(#[$variant_doc])* $variant),+
        }

        impl $name {
            pub const ALL: &[$name] = &[$($name::$variant),+];

            /// As Postgres and JSON spell it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $($name::$variant => $word),+
                }
            }
        }
    };
}

words! {
    /// What became of a match.
    MatchState as "match_state" {
        /// Nobody has decided: a confirmed match stands, a suggested one waits.
        AsFound = "as_found",
        /// A suggested match that somebody confirmed.
        Accepted = "accepted",
        /// A suggested match that somebody refused: its records are open.
        Rejected = "rejected",
        /// A match that stood and was taken apart: its records are open.
        Unmatched = "unmatched",
    }
}
words! {
    /// What became of an exception.
    ExceptionState as "exception_state" {
        Open = "open",
        /// By hand.
        Matched = "matched",
        /// Accepted as it is, for a reason.
        WrittenOff = "written_off",
        /// A released record whose match stands again.
        Withdrawn = "withdrawn",
    }
}
words! {
    HandMatchState as "hand_match_state" {
        /// Waits for a second person.
        Proposed = "proposed",
        Standing = "standing",
        Undone = "undone",
        /// By the second person, or taken back before that.
        Refused = "refused",
    }
}
words! {
    Action as "review_action" {
        Accept = "accept",
        Reject = "reject",
        Unmatch = "unmatch",
        Match = "match",
        WriteOff = "write_off",
        Comment = "comment",
        Assign = "assign",
        SetDue = "set_due",
        SetReason = "set_reason",
        Undo = "undo",
    }
}
words! {
    /// What a decision is about. Items are known by their ordinals within the run.
    Subject as "review_subject" {
        Match = "match",
        Exception = "exception",
        HandMatch = "hand_match",
    }
}
words! {
    /// The second word on a decision above a limit.
    Verdict as "review_verdict" {
        Approved = "approved",
        Refused = "refused",
        /// Taken back by the person who proposed it.
        Withdrawn = "withdrawn",
    }
}

impl Action {
    /// Whether it moves money from one place to another: those are what a second person is asked about.
    pub fn changes_state(self) -> bool {
        !matches!(self, Action::Comment | Action::Assign | Action::SetDue | Action::SetReason)
    }
}

impl Subject {
    pub(super) fn table(self) -> &'static str {
        match self {
            Subject::Match => "matches",
            Subject::Exception => "exceptions",
            Subject::HandMatch => "hand_matches",
        }
    }
}

/// Why a decision was not taken; nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The run has no such item.
    #[error("there is no {} number {}", .subject.as_str(), .ordinal + 1)]
    Unknown { subject: Subject, ordinal: i32 },
    /// There is no such decision.
    #[error("there is no such decision")]
    UnknownDecision,
    /// Somebody has changed it since the caller looked.
    #[error("{} number {} has changed: its version is {version}", .subject.as_str(), .ordinal + 1)]
    Stale { subject: Subject, ordinal: i32, version: i32 },
    /// Its state does not allow that.
    #[error("{0}")]
    Refused(String),
    /// The request does not go with what is stored: the member that is wrong, and why.
    #[error("{detail}")]
    Wrong { member: &'static str, detail: String },
}

impl From<sqlx::Error> for ReviewError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Most items one decision may be about.
pub const ITEMS_MAX: usize = 50_000;
/// Most records of one match by hand.
pub const HAND_RECORDS_MAX: usize = 500;
