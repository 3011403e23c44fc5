//! By which items are chosen: the same for pages, counts and decisions about everything that fits.

use super::order::{DAY, day_text};
use super::{ExceptionOrder, ExceptionState, MatchState};
use crate::ids::{JobId, UserId};
use crate::store::text::{push_match_has, push_record_has};
use chrono::NaiveDate;
use sqlx::{Postgres, QueryBuilder};

/// What a match is worth, of records in either form.
pub(super) const WORTH_OF_MATCH: &str = "worth_of_match(coalesce(left_records, left_packed::jsonb),
    coalesce(right_records, right_packed::jsonb))";

/// Whose an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Nobody,
    User(UserId),
}

/// Exceptions that fit all that is given.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExceptionFilter {
    pub kind: Option<String>,
    /// `left` or `right`.
    pub side: Option<&'static str>,
    pub state: Option<ExceptionState>,
    pub assignee: Option<Who>,
    pub reason_code: Option<String>,
    pub currency: Option<String>,
    /// Minor units, without the sign.
    pub amount_min: Option<i64>,
    pub amount_max: Option<i64>,
    /// The record's own day.
    pub dated_from: Option<NaiveDate>,
    pub dated_through: Option<NaiveDate>,
    pub due_before: Option<NaiveDate>,
    /// Whether it waits for a second person.
    pub is_waiting: Option<bool>,
    /// In the record's id or one of its fields, in any letter case.
    pub text: Option<String>,
}

/// Matches that fit all that is given.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MatchFilter {
    /// `confirmed` or `suggested`.
    pub tier: Option<&'static str>,
    pub state: Option<MatchState>,
    /// Its number within the rules, from 0.
    pub pass: Option<i16>,
    /// Millionths.
    pub confidence_min: Option<i32>,
    pub confidence_max: Option<i32>,
    pub assignee: Option<Who>,
    pub reason_code: Option<String>,
    pub currency: Option<String>,
    /// Minor units, without the sign: of the larger side.
    pub amount_min: Option<i64>,
    pub amount_max: Option<i64>,
    pub due_before: Option<NaiveDate>,
    pub is_waiting: Option<bool>,
    /// In the id or a field of one of its records, in any letter case.
    pub text: Option<String>,
}

type Query = QueryBuilder<Postgres>;

impl ExceptionFilter {
    /// Appends `WHERE …` over `exceptions`.
    pub(super) fn push(&self, query: &mut Query, job_id: JobId) {
        query.push(" WHERE job_id = ").push_bind(job_id);
        if let Some(state) = self.state {
            // Words, not parameters: partial indexes are chosen by them.
            query.push(format!(" AND state = '{}'", state.as_str()));
        }
        if let Some(kind) = &self.kind {
            query.push(" AND kind = ").push_bind(kind.clone()).push("::exception_kind");
        }
        if let Some(side) = self.side {
            query.push(format!(" AND side = '{side}'"));
        }
        shared(query, self.assignee, &self.reason_code, &self.currency, self.due_before, self.is_waiting);
        self.push_rest(query);
    }

    /// What an order does not walk along: amounts, days and the text, as conditions on a row.
    pub(super) fn push_rest(&self, query: &mut Query) {
        if let Some(min) = self.amount_min {
            query.push(" AND abs(amount) >= ").push_bind(min);
        }
        if let Some(max) = self.amount_max {
            query.push(" AND abs(amount) <= ").push_bind(max);
        }
        if let Some(from) = self.dated_from {
            query.push(format!(" AND {DAY} >= ")).push_bind(day_text(from));
        }
        if let Some(through) = self.dated_through {
            query.push(format!(" AND {DAY} <= ")).push_bind(day_text(through));
        }
        if let Some(text) = &self.text {
            query.push(" AND ");
            push_record_has(query, text);
        }
    }

    /// What an index in this order finds by itself, and what has to be looked for in what it finds.
    pub(super) fn split(&self, order: ExceptionOrder) -> (Self, Self) {
        let mut found = Self { text: None, ..self.clone() };
        let mut rest = Self { text: self.text.clone(), ..Self::default() };
        if order == ExceptionOrder::Amount {
            (rest.dated_from, rest.dated_through) = (found.dated_from.take(), found.dated_through.take());
        }
        if order == ExceptionOrder::Day {
            (rest.amount_min, rest.amount_max) = (found.amount_min.take(), found.amount_max.take());
        }
        (found, rest)
    }
}

impl MatchFilter {
    /// Appends `WHERE …` over `matches`.
    pub(super) fn push(&self, query: &mut Query, job_id: JobId) {
        query.push(" WHERE job_id = ").push_bind(job_id);
        if let Some(tier) = self.tier {
            query.push(format!(" AND tier = '{tier}'"));
        }
        if let Some(state) = self.state {
            query.push(format!(" AND state = '{}'", state.as_str()));
        }
        if let Some(pass) = self.pass {
            query.push(" AND pass = ").push_bind(pass);
        }
        if let Some(min) = self.confidence_min {
            query.push(" AND confidence >= ").push_bind(min);
        }
        if let Some(max) = self.confidence_max {
            query.push(" AND confidence <= ").push_bind(max);
        }
        shared(query, self.assignee, &self.reason_code, &self.currency, self.due_before, self.is_waiting);
        if let Some(min) = self.amount_min {
            query.push(format!(" AND {WORTH_OF_MATCH} >= ")).push_bind(min);
        }
        if let Some(max) = self.amount_max {
            query.push(format!(" AND {WORTH_OF_MATCH} <= ")).push_bind(max);
        }
        if let Some(text) = &self.text {
            query.push(" AND ");
            push_match_has(query, text);
        }
    }
}

fn shared(
    query: &mut Query,
    assignee: Option<Who>,
    reason_code: &Option<String>,
    currency: &Option<String>,
    due_before: Option<NaiveDate>,
    is_waiting: Option<bool>,
) {
    match assignee {
        None => {}
        Some(Who::Nobody) => drop(query.push(" AND assignee IS NULL")),
        Some(Who::User(user)) => drop(query.push(" AND assignee = ").push_bind(user)),
    }
    if let Some(code) = reason_code {
        query.push(" AND reason_code = ").push_bind(code.clone());
    }
    if let Some(currency) = currency {
        query.push(" AND currency = ").push_bind(currency.clone());
    }
    if let Some(day) = due_before {
        query.push(" AND due_on < ").push_bind(day);
    }
    match is_waiting {
        None => {}
        Some(true) => drop(query.push(" AND pending IS NOT NULL")),
        Some(false) => drop(query.push(" AND pending IS NULL")),
    }
}
