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
    pub left: Left,
}

/// How much of a run is left for people to decide.
pub(crate) struct Left {
    pub suggested: i64,
    pub exceptions: i64,
    /// Suggested matches and exceptions of the run, those that review made among them.
    pub of: i64,
}

impl Left {
    pub fn new(review: &Review) -> Self {
        let all = review.by_kind.iter();
        let open = all.clone().filter(|count| count.state == "open");
        Self {
            suggested: review.suggested_open,
            exceptions: open.map(|count| count.count).sum(),
            of: review.suggested + all.map(|count| count.count).sum::<i64>(),
        }
    }

    pub fn total(&self) -> i64 {
        self.suggested + self.exceptions
    }

    /// What is decided, between 0 and 1.
    pub fn share_done(&self) -> f64 {
        if self.of > 0 { 1.0 - self.total() as f64 / self.of as f64 } else { 1.0 }
    }
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
        let left = Left::new(review);
        Self {
            part,
            open: left.exceptions,
            left,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::review::answers::KindCount;

    #[test]
    fn what_is_left_counts_both_suggestions_and_exceptions() {
        let kind = |state: &str, count| KindCount { kind: "duplicate".into(), state: state.into(), count };
        let review = Review {
            balance: vec![],
            by_kind: vec![kind("open", 3), kind("written_off", 1)],
            by_assignee: vec![],
            by_age: vec![],
            waiting: 0,
            suggested_open: 1,
            suggested: 4,
        };
        let left = Left::new(&review);
        assert_eq!((left.total(), left.of, left.share_done()), (4, 8, 0.5));
        let nothing = Left { suggested: 0, exceptions: 0, of: 0 };
        assert_eq!(nothing.share_done(), 1.0);
    }
}
