//! What a reconciliation found, as its user gets it.

use crate::project::{Job, text};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A record by its side and id.
pub type Record = (Side, String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    Left,
    Right,
}

/// Ids of the records that belong together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Match {
    pub left: BTreeSet<String>,
    pub right: BTreeSet<String>,
}

#[derive(Debug)]
pub struct Findings {
    pub matches: Vec<Match>,
    /// Kind of the exception that a record is.
    pub exceptions: BTreeMap<Record, String>,
}

impl Findings {
    /// Page by page.
    pub fn of(job: &Job) -> Self {
        let ids =
            |records: &Value| records.as_array().expect("records").iter().map(|r| text(r, "id")).collect();
        let matches = job.all_pages("results?limit=500");
        let exceptions = job.all_pages("exceptions?limit=500");
        let exceptions =
            exceptions.iter().map(|e| (side(&text(e, "side")), text(&e["record"], "id"), text(e, "kind")));
        Self::gather(
            matches.iter().map(|m| Match { left: ids(&m["left"]), right: ids(&m["right"]) }),
            exceptions,
        )
    }

    /// By the CSV files.
    pub fn downloaded(job: &Job) -> Self {
        let mut matches = BTreeMap::<String, Match>::new();
        for row in job.get("results.csv").expect_csv() {
            let of = matches
                .entry(row["match"].clone())
                .or_insert_with(|| Match { left: BTreeSet::new(), right: BTreeSet::new() });
            for (ids, id) in [(&mut of.left, &row["left_id"]), (&mut of.right, &row["right_id"])] {
                assert!(id.is_empty() || ids.insert(id.clone()), "{id} is twice in one match");
            }
        }
        let exceptions = job.get("exceptions.csv").expect_csv();
        let exceptions =
            exceptions.iter().map(|row| (side(&row["side"]), row["id"].clone(), row["kind"].clone()));
        Self::gather(matches.into_values(), exceptions)
    }

    fn gather(
        matches: impl Iterator<Item = Match>,
        exceptions: impl Iterator<Item = (Side, String, String)>,
    ) -> Self {
        let mut by_record = BTreeMap::new();
        for (side, id, kind) in exceptions {
            let before = by_record.insert((side, id), kind);
            assert_eq!(before, None, "one record is two exceptions");
        }
        Self { matches: matches.collect(), exceptions: by_record }
    }

    /// Checks that every record of both files is in exactly one match or exception, and nothing else is.
    pub fn check_every_record_once<'i>(
        &self,
        left: impl Iterator<Item = &'i String>,
        right: impl Iterator<Item = &'i String>,
    ) {
        let mut seen: BTreeSet<Record> = self.exceptions.keys().cloned().collect();
        for found in &self.matches {
            assert!(!found.left.is_empty() && !found.right.is_empty(), "{found:?}");
            let left = found.left.iter().map(|id| (Side::Left, id.clone()));
            for record in left.chain(found.right.iter().map(|id| (Side::Right, id.clone()))) {
                assert!(seen.insert(record.clone()), "{record:?} is in two places");
            }
        }
        let left = left.map(|id| (Side::Left, id.clone()));
        let all: BTreeSet<Record> = left.chain(right.map(|id| (Side::Right, id.clone()))).collect();
        let missing: Vec<_> = all.difference(&seen).take(5).collect();
        let invented: Vec<_> = seen.difference(&all).take(5).collect();
        assert!(missing.is_empty() && invented.is_empty(), "missing {missing:?}, invented {invented:?}");
    }

    /// Matches of one record a side.
    pub fn pairs(&self) -> BTreeSet<(String, String)> {
        let single = |found: &&Match| found.left.len() == 1 && found.right.len() == 1;
        let first = |ids: &BTreeSet<String>| ids.first().expect("one").clone();
        self.matches.iter().filter(single).map(|found| (first(&found.left), first(&found.right))).collect()
    }
}

fn side(word: &str) -> Side {
    match word {
        "left" => Side::Left,
        "right" => Side::Right,
        _ => panic!("{word:?} is no side"),
    }
}
