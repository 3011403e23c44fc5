//! What the API answers, as far as pages show it. The API's own document describes every field; unknown ones are left
//! alone, so that both may grow.

mod files;
mod jobs;
mod results;
mod runs;
mod schedules;

pub(crate) use files::{ColumnGuess, DataSource, DryRun, File, Guess, Preset, Preview, Sample, TypedRow};
pub(crate) use jobs::{BulkDone, Counts, DeadGroup, History, Job, JobLine, Limit, Queue};
pub(crate) use results::{Candidate, Exception, Match, Reason, Record, RejectedLine};
pub(crate) use runs::{
    Attempt, Balance, PassCount, Progress, Reconciliation, ReconciliationLine, Summary, is_zero,
};
pub(crate) use schedules::{DueTime, Schedule, ScheduleLine, StartedRun, Tick};

use chrono::{DateTime, Utc};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A page of a list.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Items<T> {
    pub items: Vec<T>,
    /// Address of the next page in the API.
    #[serde(default = "Option::default")]
    pub next: Option<String>,
}

impl<T> Items<T> {
    /// What the next page is asked for with: the `after` of [`Self::next`].
    pub fn after(&self) -> Option<&str> {
        let (_, query) = self.next.as_deref()?.split_once('?')?;
        query.split('&').find_map(|pair| pair.strip_prefix("after="))
    }
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct User {
    pub id: String,
    pub email: String,
    pub name: String,
    pub is_platform_admin: bool,
    #[serde(default)]
    pub has_second_factor: bool,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Project {
    pub id: String,
    pub name: String,
    pub role: String,
    pub created_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Dashboard {
    pub period_days: i64,
    pub jobs_by_state: BTreeMap<String, i64>,
    pub records: i64,
    pub matched_records: i64,
    pub matched_share: Option<f64>,
    pub matches: i64,
    pub exceptions: i64,
    pub exceptions_by_kind: BTreeMap<String, i64>,
    pub rejected_lines: i64,
    #[serde(default)]
    pub repeated_runs: i64,
    pub recent: Vec<ReconciliationLine>,
}

/// Something that now has an id.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Made {
    pub id: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_asked_for_by_its_cursor() {
        let page = |next: Option<&str>| Items::<u8> { items: vec![], next: next.map(str::to_owned) };
        assert_eq!(page(Some("/api/jobs?limit=10&after=abc")).after(), Some("abc"));
        assert_eq!(page(Some("/api/jobs?limit=10")).after(), None);
        assert_eq!(page(None).after(), None);
    }
}
