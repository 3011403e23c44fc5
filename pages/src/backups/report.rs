//! What a restore says of itself, whatever its mode: a plan, or what was done.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

/// Every part may be missing: reports are kept for years, and modes differ.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Report {
    pub steps: Vec<Step>,
    pub checks: Vec<Check>,
    /// What somebody should know before agreeing.
    pub notes: Vec<String>,
    pub taken_at: Option<DateTime<Utc>>,
    /// Of a point in time.
    pub until: Option<String>,
    /// The base backup it begins with, or the one that was restored.
    pub backup: Option<String>,
    pub sealed_bytes: Option<i64>,
    pub plain_bytes: Option<i64>,
    pub rows: Option<i64>,
    pub comparisons: Vec<Comparison>,
    pub safety_backups: Vec<String>,
    /// Of a merge, the rest is in here.
    report: Option<Box<Report>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Step {
    Planned(String),
    Done { step: String, seconds: f64 },
}

impl Step {
    pub fn says(&self) -> &str {
        match self {
            Step::Planned(step) | Step::Done { step, .. } => step,
        }
    }

    pub fn took(&self) -> Option<String> {
        match self {
            Step::Planned(_) => None,
            Step::Done { seconds, .. } => Some(duration(*seconds)),
        }
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Check {
    pub name: String,
    pub is_ok: bool,
    pub detail: String,
}

/// A table of the backup beside the live one.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Comparison {
    pub tenant: String,
    pub table: String,
    /// In the backup and not live.
    pub missing: i64,
    pub equal: i64,
    /// In both, with other content.
    pub different: i64,
    /// Live and not in the backup.
    pub extra: i64,
    /// Rows that were, or would be, written.
    pub changed: i64,
    /// Rows that differ; the first of many.
    pub conflicts: Vec<Conflict>,
    /// Keys of rows that come back, and of rows that are only live; the first of many.
    pub added: Vec<String>,
    pub only_live: Vec<String>,
}

/// A row that is live and in the backup, and differs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Conflict {
    /// Its primary key.
    pub key: String,
    pub columns: Vec<String>,
    /// Which of the two is there afterwards.
    pub kept: String,
}

impl Comparison {
    /// Whether single rows are known.
    pub fn has_rows(&self) -> bool {
        !(self.conflicts.is_empty() && self.added.is_empty() && self.only_live.is_empty())
    }

    pub fn is_equal(&self) -> bool {
        self.missing == 0 && self.different == 0 && self.extra == 0
    }

    fn add(&mut self, other: &Self) {
        self.missing += other.missing;
        self.equal += other.equal;
        self.different += other.different;
        self.extra += other.extra;
        self.changed += other.changed;
    }
}

impl Report {
    /// What cannot be read is not shown; the API has it as it is.
    pub fn read(value: Option<&Value>) -> Self {
        let mut found: Self = value.and_then(|value| Self::deserialize(value).ok()).unwrap_or_default();
        if let Some(inside) = found.report.take() {
            found.steps = inside.steps;
            found.checks = inside.checks;
            found.rows = inside.rows;
            found.backup = inside.backup;
        }
        found
    }

    /// Tables in which the backup and what is live differ.
    pub fn differing(&self) -> Vec<&Comparison> {
        self.comparisons.iter().filter(|table| !table.is_equal()).collect()
    }

    /// Over all tables.
    pub fn total(&self) -> Comparison {
        self.comparisons.iter().fold(Comparison::default(), |mut sum, table| {
            sum.add(table);
            sum
        })
    }
}

fn duration(seconds: f64) -> String {
    crate::format::duration(chrono::TimeDelta::milliseconds((seconds.clamp(0.0, 1e9) * 1000.0) as i64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn plans_and_reports_of_all_modes_are_read() {
        let plan =
            Report::read(Some(&json!({"steps": ["fetch", "load"], "notes": ["n"], "sealed_bytes": 5})));
        assert_eq!((plan.steps.len(), plan.steps[0].says(), plan.steps[0].took()), (2, "fetch", None));
        let merged = Report::read(Some(&json!({
            "report": {"steps": [{"step": "load", "seconds": 1.5}], "checks": [{"name": "rows", "is_ok": true, "detail": ""}],
                       "rows": 3, "seconds": 2.0, "backup": "b", "target": null},
            "is_dry_run": true, "safety_backups": [],
            "comparisons": [
                {"tenant": "t", "table": "jobs", "missing": 1, "equal": 5, "different": 2, "extra": 3, "changed": 1,
                 "conflicts": [{"key": "7", "columns": ["state"], "kept": "live"}], "added": ["3"], "only_live": ["8", "9"]},
                {"tenant": "t", "table": "files", "missing": 0, "equal": 5, "different": 0, "extra": 0, "changed": 0},
            ],
        })));
        assert_eq!(
            (merged.steps[0].took().as_deref(), merged.checks.len(), merged.rows),
            (Some("1.5 s"), 1, Some(3))
        );
        assert_eq!((merged.differing().len(), merged.total().equal, merged.total().extra), (1, 10, 3));
        let [jobs, files] = &merged.comparisons[..] else { panic!("{:?}", merged.comparisons) };
        assert_eq!((jobs.conflicts[0].key.as_str(), jobs.conflicts[0].kept.as_str()), ("7", "live"));
        assert_eq!((jobs.added.len(), jobs.only_live.len()), (1, 2));
        assert!(jobs.has_rows() && !files.has_rows(), "records of before know no rows");
        assert!(Report::read(None).steps.is_empty() && Report::read(Some(&json!("odd"))).steps.is_empty());
    }
}
