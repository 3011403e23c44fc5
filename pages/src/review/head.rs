//! What every page of a review begins and ends with: where one is, what is left, and that the money adds up.

use super::answers::{AgeCount, Balance, Review};
use crate::answers::{Reconciliation, Summary};
use crate::reconciliations::show::Head;

pub(crate) struct ReviewHead {
    /// Of the pages of a review.
    pub part: &'static str,
    /// Exceptions.
    pub open: i64,
    /// Decisions that wait for a second person.
    pub waiting: i64,
    pub balance: Vec<Balance>,
    pub closes: bool,
    /// Open exceptions by the days since the day of their record, and whose they are: words and counts.
    pub ages: Vec<(String, i64)>,
    pub owners: Vec<(String, i64)>,
    /// Of the run.
    pub currencies: Vec<String>,
}

pub(crate) fn heads(
    run: &Reconciliation,
    summary: &Summary,
    review: &Review,
    part: &'static str,
) -> (Head, ReviewHead) {
    (Head::new(run, summary, "review"), ReviewHead::new(summary, review, part))
}

impl ReviewHead {
    fn new(summary: &Summary, review: &Review, part: &'static str) -> Self {
        let is_open = |count: &&super::answers::KindCount| count.state == "open";
        Self {
            part,
            open: review.by_kind.iter().filter(is_open).map(|count| count.count).sum(),
            waiting: review.waiting,
            ages: review.by_age.iter().map(|age| (days(age), age.count)).collect(),
            owners: review
                .by_assignee
                .iter()
                .map(|owner| (owner.name.clone().unwrap_or_else(|| "Nobody’s".into()), owner.count))
                .collect(),
            closes: review.balance.iter().all(Balance::closes),
            balance: review.balance.clone(),
            currencies: summary.balance.iter().map(|balance| balance.currency.clone()).collect(),
        }
    }

    /// The first of the run.
    pub fn currency(&self) -> &str {
        self.currencies.first().map_or("", String::as_str)
    }
}

fn days(age: &AgeCount) -> String {
    match age.days_through {
        Some(through) if through == age.days_from => format!("{through} days"),
        Some(through) => format!("{} to {through} days", age.days_from),
        None => format!("{} days and more", age.days_from),
    }
}
