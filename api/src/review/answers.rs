//! Items under review as clients see them.

use crate::reconciliation::{ExceptionAnswer, MatchAnswer, PassNames, RecordAnswer, exponent};
use chrono::{DateTime, NaiveDate, Utc};
use matching::format_minor;
use serde::{Deserialize, Serialize};
use shared::store::review::{
    Action, Change, Decided, DecisionRow, DecisionStatus, ExceptionState, HandMatch, HandMatchState,
    MatchState, ReviewedException, ReviewedMatch, Subject, Verdict,
};
use utoipa::ToSchema;
use uuid::Uuid;

macro_rules! word {
    ($(#[$doc:meta])* $name:ident as $schema:ident = $stored:ident { $($(#[$variant_doc:meta])* $variant:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        #[schema(as = $schema)]
        pub(crate) enum $name {
            $($(#[$variant_doc])* $variant),+
        }

        impl From<$stored> for $name {
            fn from(stored: $stored) -> Self {
                match stored {
                    $($stored::$variant => $name::$variant),+
                }
            }
        }

        impl From<$name> for $stored {
            fn from(word: $name) -> Self {
                match word {
                    $($name::$variant => $stored::$variant),+
                }
            }
        }
    };
}

word! {
    ExceptionStateWord as ExceptionState = ExceptionState {
        Open,
        /// By hand.
        Matched,
        /// Accepted as it is, for a reason.
        WrittenOff,
        /// A released record whose match stands again.
        Withdrawn,
    }
}
word! {
    MatchStateWord as MatchState = MatchState {
        /// Nobody has decided: a confirmed match stands, a suggested one waits.
        AsFound,
        /// A suggested match that somebody confirmed.
        Accepted,
        /// A suggested match that somebody refused: its records are open.
        Rejected,
        /// A match that stood and was taken apart: its records are open.
        Unmatched,
    }
}
word! {
    HandMatchStateWord as HandMatchState = HandMatchState {
        /// Waits for a second person.
        Proposed,
        Standing,
        Undone,
        /// By the second person, or taken back before that.
        Refused,
    }
}
word! {
    ActionWord as ReviewAction = Action {
        /// A suggested match is right.
        Accept,
        /// A suggested match is wrong: its records are open again.
        Reject,
        /// Take a match apart that stands, found or made by hand.
        Unmatch,
        /// Open records belong together.
        Match,
        /// An exception is accepted as it is, for a reason.
        WriteOff,
        Comment,
        /// Without an assignee: nobody's.
        Assign,
        /// Without a day: none.
        SetDue,
        /// Without a code: none.
        SetReason,
        /// Take the last decision on its items back.
        Undo,
    }
}
word! {
    SubjectWord as ReviewSubject = Subject { Match, Exception, HandMatch }
}
word! {
    VerdictWord as ReviewVerdict = Verdict {
        Approved,
        Refused,
        /// Taken back by the person who proposed it.
        Withdrawn,
    }
}
word! {
    StatusWord as DecisionStatus = DecisionStatus {
        /// Waits for a second person.
        Proposed,
        Effective,
        Refused,
        Withdrawn,
    }
}

/// An exception, and what became of it.
#[derive(Serialize, ToSchema)]
#[schema(as = ReviewedException)]
pub(crate) struct ReviewedExceptionAnswer {
    /// Within the run, from 1.
    number: i32,
    state: ExceptionStateWord,
    version: i32,
    assignee: Option<Uuid>,
    due_on: Option<NaiveDate>,
    reason_code: Option<String>,
    comments: i32,
    /// The decision about it that waits for a second person.
    waiting: Option<Uuid>,
    /// The match by hand it is in, by its number.
    hand_match: Option<i32>,
    /// The match its record was in, by its number.
    released_from: Option<i32>,
    exception: ExceptionAnswer,
}

impl From<ReviewedException> for ReviewedExceptionAnswer {
    fn from(item: ReviewedException) -> Self {
        Self {
            number: item.found.ordinal + 1,
            state: item.state.into(),
            version: item.review.version,
            assignee: item.review.assignee.map(|user| user.0),
            due_on: item.review.due_on,
            reason_code: item.review.reason_code,
            comments: item.review.comments,
            waiting: item.review.pending.map(|decision| decision.0),
            hand_match: item.hand_match.map(|ordinal| ordinal + 1),
            released_from: item.released_from.map(|ordinal| ordinal + 1),
            exception: item.found.into(),
        }
    }
}

/// A match, and what became of it.
#[derive(Serialize, ToSchema)]
#[schema(as = ReviewedMatch)]
pub(crate) struct ReviewedMatchAnswer {
    /// Within the run, from 1.
    number: i32,
    state: MatchStateWord,
    version: i32,
    assignee: Option<Uuid>,
    due_on: Option<NaiveDate>,
    reason_code: Option<String>,
    comments: i32,
    /// The decision about it that waits for a second person.
    waiting: Option<Uuid>,
    #[serde(rename = "match")]
    found: MatchAnswer,
}

impl ReviewedMatchAnswer {
    pub fn new(item: ReviewedMatch, passes: &PassNames) -> Self {
        Self {
            number: item.found.ordinal + 1,
            state: item.state.into(),
            version: item.review.version,
            assignee: item.review.assignee.map(|user| user.0),
            due_on: item.review.due_on,
            reason_code: item.review.reason_code,
            comments: item.review.comments,
            waiting: item.review.pending.map(|decision| decision.0),
            found: MatchAnswer::new(item.found, passes),
        }
    }
}

/// A match that people made of open records.
#[derive(Serialize, ToSchema)]
#[schema(as = HandMatch)]
pub(crate) struct HandMatchAnswer {
    /// Within the run, from 1.
    number: i32,
    state: HandMatchStateWord,
    version: i32,
    currency: String,
    /// Decimals of major units, in text.
    left_amount: String,
    right_amount: String,
    /// Left minus right; with `flip_sign` left plus right.
    difference: String,
    flip_sign: bool,
    reason_code: Option<String>,
    comments: i32,
    /// The decision about it that waits for a second person.
    waiting: Option<Uuid>,
    made_at: DateTime<Utc>,
    /// Numbers of the exceptions.
    left_numbers: Vec<i32>,
    right_numbers: Vec<i32>,
    left: Vec<RecordAnswer>,
    right: Vec<RecordAnswer>,
}

impl From<HandMatch> for HandMatchAnswer {
    fn from(made: HandMatch) -> Self {
        let exponent = exponent(&made.currency);
        let numbers = |ordinals: Vec<i32>| ordinals.into_iter().map(|ordinal| ordinal + 1).collect();
        Self {
            number: made.ordinal + 1,
            state: made.state.into(),
            version: made.version,
            left_amount: format_minor(made.left_sum.into(), exponent),
            right_amount: format_minor(made.right_sum.into(), exponent),
            difference: format_minor(made.difference.into(), exponent),
            flip_sign: made.flip_sign,
            reason_code: made.reason_code,
            comments: made.comments,
            waiting: made.pending.map(|decision| decision.0),
            made_at: made.made_at,
            left_numbers: numbers(made.left_ordinals),
            right_numbers: numbers(made.right_ordinals),
            left: RecordAnswer::all(made.left_records.0, exponent),
            right: RecordAnswer::all(made.right_records.0, exponent),
            currency: made.currency,
        }
    }
}

/// What came of a decision.
#[derive(Serialize, ToSchema)]
#[schema(as = Decided)]
pub(crate) struct DecidedAnswer {
    id: Uuid,
    action: ActionWord,
    /// `proposed`: above the limit of the project; nothing has changed until a second person agrees. Of a verdict, what
    /// has become of the decision.
    status: StatusWord,
    items: i32,
    /// Of the match by hand that was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    hand_match: Option<i32>,
    /// Of the item, now; of the first of several.
    version: i32,
}

impl From<Decided> for DecidedAnswer {
    fn from(decided: Decided) -> Self {
        Self {
            id: decided.id.0,
            action: decided.action.into(),
            status: decided.status.into(),
            items: decided.items,
            hand_match: decided.hand_match.map(|ordinal| ordinal + 1),
            version: decided.version,
        }
    }
}

/// A person.
#[derive(Serialize, ToSchema)]
pub(crate) struct Person {
    id: Uuid,
    name: String,
}

/// A decision, with the second word on it.
#[derive(Serialize, ToSchema)]
#[schema(as = Decision)]
pub(crate) struct DecisionAnswer {
    id: Uuid,
    job_id: Uuid,
    action: ActionWord,
    subject: SubjectWord,
    status: StatusWord,
    /// How many it is about.
    items: i32,
    is_bulk: bool,
    reason_code: Option<String>,
    comment: Option<String>,
    /// The decision it takes back.
    undoes: Option<Uuid>,
    decided_by: Person,
    decided_at: DateTime<Utc>,
    request_id: Option<String>,
    /// Null unless a second person, or the first one again, has said something.
    judged: Option<JudgedAnswer>,
}

/// The second word on a decision.
#[derive(Serialize, ToSchema)]
#[schema(as = JudgedDecision)]
pub(crate) struct JudgedAnswer {
    verdict: VerdictWord,
    by: Person,
    at: DateTime<Utc>,
    reason: Option<String>,
}

impl From<DecisionRow> for DecisionAnswer {
    fn from(row: DecisionRow) -> Self {
        let status = row.status().into();
        let judged = match (row.verdict, row.judged_by, row.judged_at) {
            (Some(verdict), Some(by), Some(at)) => Some(JudgedAnswer {
                verdict: verdict.into(),
                by: Person { id: by.0, name: row.judged_by_name.unwrap_or_default() },
                at,
                reason: row.judged_reason,
            }),
            _ => None,
        };
        Self {
            id: row.id.0,
            job_id: row.job_id.0,
            action: row.action.into(),
            subject: row.subject.into(),
            status,
            items: row.items,
            is_bulk: row.is_bulk,
            reason_code: row.reason_code,
            comment: row.comment,
            undoes: row.undoes.map(|decision| decision.0),
            decided_by: Person { id: row.decided_by.0, name: row.decided_by_name },
            decided_at: row.decided_at,
            request_id: row.request_id,
            judged,
        }
    }
}

/// What a decision changes about one item.
#[derive(Serialize, ToSchema)]
#[schema(as = DecisionChange)]
pub(crate) struct ChangeAnswer {
    subject: SubjectWord,
    number: i32,
    #[schema(value_type = Object)]
    before: serde_json::Value,
    #[schema(value_type = Object)]
    after: serde_json::Value,
}

impl From<Change> for ChangeAnswer {
    fn from(change: Change) -> Self {
        Self {
            subject: change.subject.into(),
            number: change.ordinal + 1,
            before: change.before,
            after: change.after,
        }
    }
}
