//! The chain that a run belongs to, and whether it can be continued.

use crate::answers::{DataSource, Reconciliation};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ChainRun {
    pub id: String,
    pub name: String,
    pub position: i64,
    pub state: String,
    pub created_at: DateTime<Utc>,
    pub records: Option<i64>,
    pub matched: Option<i64>,
    pub exceptions: Option<i64>,
}

impl ChainRun {
    pub fn share(&self) -> Option<f64> {
        let (records, matched) = (self.records?, self.matched?);
        (records > 0).then(|| matched as f64 / records as f64)
    }
}

/// What a result page says of it.
#[derive(Default)]
pub(crate) struct ChainShown {
    /// First run first; a run alone has no chain to show.
    pub runs: Vec<ChainRun>,
    pub may_continue: bool,
    /// Why nothing can continue it, where a person could help.
    pub hindrance: Option<&'static str>,
}

impl ChainShown {
    pub fn new(
        run: &Reconciliation,
        runs: Vec<ChainRun>,
        sources: [Option<&DataSource>; 2],
        may_operate: bool,
    ) -> Self {
        let is_next = |next: &ChainRun| {
            next.position == run.chain_position + 1 && !matches!(next.state.as_str(), "cancelled" | "dead")
        };
        let is_last = !runs.iter().any(is_next);
        let have_ids = sources.iter().all(|source| source.is_some_and(has_ids));
        let hindrance = (may_operate && is_last && !have_ids).then_some(
            "New files cannot continue it: a side has no record id by which its records are known again",
        );
        Self { may_continue: may_operate && is_last && have_ids, hindrance, runs }
    }

    pub fn is_shown(&self) -> bool {
        self.runs.len() > 1
    }
}

/// Statements bring their ids.
fn has_ids(source: &DataSource) -> bool {
    let format = source.mapping["format"].as_str().unwrap_or_default();
    matches!(source.mapping["id"], Value::String(_)) || matches!(format, "mt940" | "camt" | "ofx" | "bai2")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn run(position: i64, state: &str) -> Value {
        json!({
            "id": format!("run{position}"), "name": "n", "position": position, "state": state,
            "created_at": "2026-01-31T12:30:15Z", "records": 4, "matched": 3, "exceptions": 1,
        })
    }

    fn shown(runs: Value, mapping: Value, may_operate: bool) -> ChainShown {
        let at = "2026-01-31T12:30:15Z";
        let this: Reconciliation = serde_json::from_value(json!({
            "id": "run2", "name": "n", "left_source_id": "a", "right_source_id": "b", "continues": "run1",
            "chain_position": 2, "state": "completed", "attempt": 1, "attempts_max": 3, "progress": null,
            "error": null, "created_at": at, "due_at": at, "cancel_requested_at": null, "finished_at": at,
            "attempts": [], "summary": null,
        }))
        .unwrap();
        let source: DataSource =
            serde_json::from_value(json!({"id": "a", "name": "a", "mapping": mapping})).unwrap();
        let runs = serde_json::from_value(runs).unwrap();
        ChainShown::new(&this, runs, [Some(&source), Some(&source)], may_operate)
    }

    #[test]
    fn the_last_run_of_a_chain_can_be_continued() {
        let last = json!([run(1, "completed"), run(2, "completed"), run(3, "cancelled")]);
        let with_ids = json!({"format": "csv", "id": "Id"});
        let chain = shown(last.clone(), with_ids.clone(), true);
        assert!(chain.may_continue && chain.is_shown() && chain.hindrance.is_none());
        assert_eq!(chain.runs[0].share(), Some(0.75));
        assert!(!shown(last.clone(), with_ids.clone(), false).may_continue);
        let taken = json!([run(1, "completed"), run(2, "completed"), run(3, "running")]);
        assert!(!shown(taken, with_ids, true).may_continue);
        let without = shown(last.clone(), json!({"format": "csv"}), true);
        assert!(!without.may_continue && without.hindrance.is_some());
        assert!(shown(last, json!({"format": "camt"}), true).may_continue);
    }
}
