//! The words by which items are chosen: the same in the query of a list and in the body of a bulk decision.

use super::answers::{ExceptionStateWord, MatchStateWord};
use super::values::{assignee, choice, currency, day, days, decimal, minor, pass, reason_code, share, truth};
use crate::caller::Caller;
use crate::page;
use crate::problem::{Mistake, Problem};
use crate::read::{Fields, Parameters};
use crate::reconciliation::{Kind, PassNames};
use chrono::{NaiveDate, TimeDelta};
use serde::{Deserialize, Serialize};
use shared::ids::UserId;
use shared::store::review::{ExceptionFilter, MatchFilter, Who};
use utoipa::{IntoParams, ToSchema};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RecordSide)]
pub(crate) enum SideWord {
    Left,
    Right,
}

impl SideWord {
    pub fn as_str(self) -> &'static str {
        match self {
            SideWord::Left => "left",
            SideWord::Right => "right",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MatchTier)]
pub(crate) enum TierWord {
    Confirmed,
    Suggested,
}

/// By which exceptions are chosen: those that fit all that is given.
#[derive(Debug, Clone, Default, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
#[schema(as = ExceptionFilter)]
pub(crate) struct ExceptionWords {
    #[schema(nullable = false)]
    kind: Option<Kind>,
    #[schema(nullable = false)]
    side: Option<SideWord>,
    #[schema(nullable = false)]
    state: Option<ExceptionStateWord>,
    /// A user's id, `me` or `nobody`.
    #[param(value_type = Option<String>)]
    #[schema(nullable = false, value_type = Option<String>)]
    assignee: Option<Assignee>,
    #[schema(nullable = false)]
    reason_code: Option<String>,
    /// Three letters. Needed with amounts.
    #[schema(nullable = false)]
    currency: Option<String>,
    /// Decimal of major units, without a sign: so much or more.
    #[schema(nullable = false)]
    min_amount: Option<String>,
    #[schema(nullable = false)]
    max_amount: Option<String>,
    /// Days since the record's own day.
    #[param(minimum = 0, maximum = 36500)]
    #[schema(nullable = false, minimum = 0, maximum = 36500)]
    min_age_days: Option<u32>,
    #[param(minimum = 0, maximum = 36500)]
    #[schema(nullable = false, minimum = 0, maximum = 36500)]
    max_age_days: Option<u32>,
    /// The record's own day: this one or later.
    #[schema(nullable = false)]
    dated_from: Option<NaiveDate>,
    /// The record's own day: this one or earlier.
    #[schema(nullable = false)]
    dated_through: Option<NaiveDate>,
    #[schema(nullable = false)]
    due_before: Option<NaiveDate>,
    /// Whether it waits for a second person.
    #[schema(nullable = false)]
    waiting: Option<bool>,
    /// In the id of the record or in one of its fields (reference, counterparty, whatever the mapping keeps), in any letter
    /// case. A page looks at 20,000 items at most: it may be short, or empty, and have a `next` page all the same.
    #[param(min_length = 1, max_length = 200)]
    #[schema(nullable = false, min_length = 1, max_length = 200)]
    text: Option<String>,
}

/// By which matches are chosen: those that fit all that is given.
#[derive(Debug, Clone, Default, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
#[schema(as = MatchFilter)]
pub(crate) struct MatchWords {
    #[schema(nullable = false)]
    tier: Option<TierWord>,
    #[schema(nullable = false)]
    state: Option<MatchStateWord>,
    /// Name of a pass of the rules.
    #[schema(nullable = false)]
    pass: Option<String>,
    #[param(minimum = 0, maximum = 1)]
    #[schema(nullable = false, minimum = 0, maximum = 1)]
    min_confidence: Option<f64>,
    #[param(minimum = 0, maximum = 1)]
    #[schema(nullable = false, minimum = 0, maximum = 1)]
    max_confidence: Option<f64>,
    /// A user's id, `me` or `nobody`.
    #[param(value_type = Option<String>)]
    #[schema(nullable = false, value_type = Option<String>)]
    assignee: Option<Assignee>,
    #[schema(nullable = false)]
    reason_code: Option<String>,
    /// Three letters. Needed with amounts.
    #[schema(nullable = false)]
    currency: Option<String>,
    /// Decimal of major units, without a sign: the larger side has so much or more.
    #[schema(nullable = false)]
    min_amount: Option<String>,
    #[schema(nullable = false)]
    max_amount: Option<String>,
    #[schema(nullable = false)]
    due_before: Option<NaiveDate>,
    /// Whether it waits for a second person.
    #[schema(nullable = false)]
    waiting: Option<bool>,
    /// In the id of a record or in one of its fields (reference, counterparty, whatever the mapping keeps), in any letter
    /// case. A page looks at 20,000 items at most: it may be short, or empty, and have a `next` page all the same.
    #[param(min_length = 1, max_length = 200)]
    #[schema(nullable = false, min_length = 1, max_length = 200)]
    text: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Assignee {
    Me,
    Nobody,
    User(UserId),
}

impl std::fmt::Display for Assignee {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Assignee::Me => f.write_str("me"),
            Assignee::Nobody => f.write_str("nobody"),
            Assignee::User(user) => user.fmt(f),
        }
    }
}

/// Where the words come from: a query string or an object. Each notes what is wrong.
pub(super) trait Source {
    fn word<T>(&mut self, name: &'static str, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T>;
}

impl Source for Parameters {
    fn word<T>(&mut self, name: &'static str, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        self.optional(name, read)
    }
}

impl Source for Fields<'_> {
    fn word<T>(&mut self, name: &'static str, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        self.optional(name, |value, place| {
            let text = match &value {
                serde_json::Value::String(text) => text.clone(),
                serde_json::Value::Number(number) => number.to_string(),
                serde_json::Value::Bool(truth) => truth.to_string(),
                _ => return place.wrong("type", "must be a single value"),
            };
            read(&text).map_err(|detail| place.wrong::<T>("value", detail)).ok()
        })
    }
}

impl ExceptionWords {
    pub(super) fn read(source: &mut impl Source) -> Self {
        Self {
            kind: source.word("kind", choice),
            side: source.word("side", choice),
            state: source.word("state", choice),
            assignee: source.word("assignee", assignee),
            reason_code: source.word("reason_code", reason_code),
            currency: source.word("currency", currency),
            min_amount: source.word("min_amount", decimal),
            max_amount: source.word("max_amount", decimal),
            min_age_days: source.word("min_age_days", days),
            max_age_days: source.word("max_age_days", days),
            dated_from: source.word("dated_from", day),
            dated_through: source.word("dated_through", day),
            due_before: source.word("due_before", day),
            waiting: source.word("waiting", truth),
            text: source.word("text", page::text),
        }
    }

    /// As the store reads them. `today` is what ages are counted from.
    pub(super) fn filter(&self, caller: &Caller, today: NaiveDate) -> Result<ExceptionFilter, Problem> {
        let back = |days: Option<u32>| days.map(|days| today - TimeDelta::days(days.into()));
        let (amount_min, amount_max) = amounts(&self.currency, &self.min_amount, &self.max_amount)?;
        Ok(ExceptionFilter {
            kind: self.kind.map(|kind| kind.as_str().to_owned()),
            side: self.side.map(SideWord::as_str),
            state: self.state.map(Into::into),
            assignee: who(self.assignee, caller),
            reason_code: self.reason_code.clone(),
            currency: self.currency.clone(),
            amount_min,
            amount_max,
            dated_from: self.dated_from.max(back(self.max_age_days)),
            dated_through: [self.dated_through, back(self.min_age_days)].into_iter().flatten().min(),
            due_before: self.due_before,
            is_waiting: self.waiting,
            text: self.text.clone(),
        })
    }

    /// Only open ones, unless another state is asked for.
    pub(super) fn or_open(mut self) -> Self {
        self.state.get_or_insert(ExceptionStateWord::Open);
        self
    }

    /// For the address of the next page.
    pub(super) fn kept(&self) -> Vec<(&'static str, Option<String>)> {
        vec![
            ("kind", self.kind.map(|kind| kind.as_str().to_owned())),
            ("side", self.side.map(|side| side.as_str().to_owned())),
            (
                "state",
                self.state
                    .map(|state| shared::store::review::ExceptionState::from(state).as_str().to_owned()),
            ),
            ("assignee", self.assignee.map(|assignee| assignee.to_string())),
            ("reason_code", self.reason_code.clone()),
            ("currency", self.currency.clone()),
            ("min_amount", self.min_amount.clone()),
            ("max_amount", self.max_amount.clone()),
            ("min_age_days", self.min_age_days.map(|days| days.to_string())),
            ("max_age_days", self.max_age_days.map(|days| days.to_string())),
            ("dated_from", self.dated_from.map(|day| day.to_string())),
            ("dated_through", self.dated_through.map(|day| day.to_string())),
            ("due_before", self.due_before.map(|day| day.to_string())),
            ("waiting", self.waiting.map(|waiting| waiting.to_string())),
            ("text", self.text.as_deref().map(crate::jobs::escaped)),
        ]
    }
}

impl MatchWords {
    pub(super) fn read(source: &mut impl Source) -> Self {
        Self {
            tier: source.word("tier", choice),
            state: source.word("state", choice),
            pass: source.word("pass", pass),
            min_confidence: source.word("min_confidence", share),
            max_confidence: source.word("max_confidence", share),
            assignee: source.word("assignee", assignee),
            reason_code: source.word("reason_code", reason_code),
            currency: source.word("currency", currency),
            min_amount: source.word("min_amount", decimal),
            max_amount: source.word("max_amount", decimal),
            due_before: source.word("due_before", day),
            waiting: source.word("waiting", truth),
            text: source.word("text", page::text),
        }
    }

    pub(super) fn filter(&self, caller: &Caller, passes: &PassNames) -> Result<MatchFilter, Problem> {
        let (amount_min, amount_max) = amounts(&self.currency, &self.min_amount, &self.max_amount)?;
        let pass = match &self.pass {
            None => None,
            Some(name) => {
                Some(passes.number(name).ok_or_else(|| wrong("pass", "the rules have no such pass"))?)
            }
        };
        let millionths =
            |share: Option<f64>| share.map(|s| matching::Confidence::from_f64(s).millionths() as i32);
        Ok(MatchFilter {
            tier: self.tier.map(|tier| match tier {
                TierWord::Confirmed => "confirmed",
                TierWord::Suggested => "suggested",
            }),
            state: self.state.map(Into::into),
            pass,
            confidence_min: millionths(self.min_confidence),
            confidence_max: millionths(self.max_confidence),
            assignee: who(self.assignee, caller),
            reason_code: self.reason_code.clone(),
            currency: self.currency.clone(),
            amount_min,
            amount_max,
            due_before: self.due_before,
            is_waiting: self.waiting,
            text: self.text.clone(),
        })
    }

    pub(super) fn kept(&self) -> Vec<(&'static str, Option<String>)> {
        let tier = |tier| if tier == TierWord::Confirmed { "confirmed" } else { "suggested" }.to_owned();
        vec![
            ("tier", self.tier.map(tier)),
            (
                "state",
                self.state.map(|state| shared::store::review::MatchState::from(state).as_str().to_owned()),
            ),
            ("pass", self.pass.as_deref().map(crate::jobs::escaped)),
            ("min_confidence", self.min_confidence.map(|share| share.to_string())),
            ("max_confidence", self.max_confidence.map(|share| share.to_string())),
            ("assignee", self.assignee.map(|assignee| assignee.to_string())),
            ("reason_code", self.reason_code.clone()),
            ("currency", self.currency.clone()),
            ("min_amount", self.min_amount.clone()),
            ("max_amount", self.max_amount.clone()),
            ("due_before", self.due_before.map(|day| day.to_string())),
            ("waiting", self.waiting.map(|waiting| waiting.to_string())),
            ("text", self.text.as_deref().map(crate::jobs::escaped)),
        ]
    }
}

fn who(assignee: Option<Assignee>, caller: &Caller) -> Option<Who> {
    assignee.map(|assignee| match assignee {
        Assignee::Me => Who::User(caller.user_id),
        Assignee::Nobody => Who::Nobody,
        Assignee::User(user) => Who::User(user),
    })
}

/// Amounts in minor units. They mean nothing without a currency.
fn amounts(
    currency: &Option<String>,
    min: &Option<String>,
    max: &Option<String>,
) -> Result<(Option<i64>, Option<i64>), Problem> {
    let in_minor = |name: &'static str, text: &Option<String>| match (text, currency) {
        (None, _) => Ok(None),
        (Some(_), None) => Err(wrong("currency", "is needed with amounts")),
        (Some(text), Some(currency)) => {
            minor(text, currency).map(Some).ok_or_else(|| wrong(name, "has more digits than the currency"))
        }
    };
    Ok((in_minor("min_amount", min)?, in_minor("max_amount", max)?))
}

fn wrong(parameter: &str, detail: &str) -> Problem {
    Problem::invalid(vec![Mistake {
        pointer: None,
        parameter: Some(parameter.to_owned()),
        code: "value",
        detail: detail.to_owned(),
    }])
}
