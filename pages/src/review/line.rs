//! The lines of a queue: an item in short.

use super::answers::{Item, ReviewedException, ReviewedMatch};
use super::people::{Owner, name_of};
use crate::answers::Record;
use crate::reconciliations::results::InShort;
use crate::shell::Shell;
use crate::words;
use chrono::NaiveDate;

/// One item of a queue.
pub(crate) struct Line {
    pub number: i64,
    pub address: String,
    pub is_current: bool,
    pub what: String,
    pub note: String,
    pub amount: String,
    pub currency: String,
    /// Kind of an exception.
    pub title: &'static str,
    /// Of a match.
    pub confidence: Option<f64>,
    pub state: String,
    pub owner: String,
    pub due_on: Option<NaiveDate>,
    pub is_late: bool,
    pub comments: i64,
    pub is_waiting: bool,
    /// Since the day of the record.
    pub age: String,
}

pub(crate) fn exception_line(shell: &Shell, reviewed: ReviewedException, people: &[Owner]) -> Line {
    let found = reviewed.exception;
    let in_short = InShort::of(std::slice::from_ref(&found.record), &found.amount, shell);
    line(
        shell,
        reviewed.item,
        people,
        LineOf {
            what: in_short.what,
            note: format!("{} · {}", words::words(&found.side), in_short.note),
            amount: in_short.amount,
            currency: found.currency,
            title: words::exception(&found.kind).0,
            confidence: None,
            oldest: Some(found.record.date),
        },
    )
}

pub(crate) fn match_line(shell: &Shell, reviewed: ReviewedMatch, people: &[Owner]) -> Line {
    let found = reviewed.found;
    let in_short = InShort::of(&found.left, &found.left_amount, shell);
    let (left, right) = (found.left.len(), found.right.len());
    let dates = |records: &[Record]| records.iter().map(|record| record.date).min();
    let shape = if (left, right) == (1, 1) { String::new() } else { format!(" · {left} to {right}") };
    line(
        shell,
        reviewed.item,
        people,
        LineOf {
            what: in_short.what,
            note: format!("{}{shape}", in_short.note),
            amount: in_short.amount,
            currency: found.currency,
            title: "",
            confidence: Some(found.confidence),
            oldest: dates(&found.left).into_iter().chain(dates(&found.right)).min(),
        },
    )
}

struct LineOf {
    what: String,
    note: String,
    amount: String,
    currency: String,
    title: &'static str,
    confidence: Option<f64>,
    oldest: Option<NaiveDate>,
}

fn line(shell: &Shell, item: Item, people: &[Owner], of: LineOf) -> Line {
    let today = shell.now.date_naive();
    let age = of.oldest.map(|date| (today - date).num_days()).filter(|days| *days >= 0);
    Line {
        number: item.number,
        address: String::new(),
        is_current: false,
        what: of.what,
        note: of.note,
        amount: of.amount,
        currency: of.currency,
        title: of.title,
        confidence: of.confidence,
        owner: name_of(people, item.assignee.as_deref()),
        is_late: item.due_on.is_some_and(|due| due < today),
        due_on: item.due_on,
        comments: item.comments,
        is_waiting: item.waiting.is_some(),
        age: age.map_or(String::new(), |days| format!("{} d", shell.number(days))),
        state: item.state,
    }
}
