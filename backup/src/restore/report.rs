//! What a restore or a drill did.

use super::{Check, Step};
use serde::{Deserialize, Serialize};
use std::time::Instant;
use uuid::Uuid;

/// For the record, and to be printed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub backup: Uuid,
    /// The database or folder that now holds what was restored; `None` for drills, whose database is gone again.
    pub target: Option<String>,
    /// Under this name the database that was replaced is still there.
    pub kept_as: Option<String>,
    /// The backup of what was replaced, taken before.
    pub safety_backup: Option<Uuid>,
    pub steps: Vec<StepTime>,
    pub checks: Vec<Check>,
    pub rows: u64,
    pub seconds: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepTime {
    pub step: String,
    pub seconds: f64,
}

impl Report {
    /// Every check, and there was one.
    pub fn is_proven(&self) -> bool {
        !self.checks.is_empty() && self.checks.iter().all(|check| check.is_ok)
    }

    /// The checks that failed, one line each.
    pub fn failures(&self) -> Vec<String> {
        self.checks
            .iter()
            .filter(|check| !check.is_ok)
            .map(|check| format!("{}: {}", check.name, check.detail))
            .collect()
    }
}

/// Measures steps as they are performed.
pub(super) struct Stopwatch {
    began: Instant,
    lap: Instant,
    pub steps: Vec<StepTime>,
}

impl Stopwatch {
    pub fn start() -> Self {
        Self { began: Instant::now(), lap: Instant::now(), steps: vec![] }
    }

    /// What took no time of its own.
    pub fn note(&mut self, step: &Step) {
        self.steps.push(StepTime { step: step.to_string(), seconds: 0.0 });
    }

    pub fn done(&mut self, step: &Step) {
        self.steps.push(StepTime { step: step.to_string(), seconds: self.lap.elapsed().as_secs_f64() });
        self.lap = Instant::now();
    }

    pub fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }
}
