//! What one check found, and how it is told.

use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Ok,
    /// It works, and somebody should look.
    Warning,
    /// Something will not work.
    Failed,
    /// There is nothing to check, or no way to.
    Skipped,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "FAILED",
            Self::Skipped => "skipped",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Of what: `database`, `database.clock`.
    pub check: String,
    pub state: State,
    /// What was seen, in a few words.
    pub found: String,
    /// What follows from it.
    pub means: Option<String>,
    /// What to do.
    pub fix: Option<String>,
}

impl Finding {
    pub fn ok(check: &str, found: impl Into<String>) -> Self {
        Self { check: check.into(), state: State::Ok, found: found.into(), means: None, fix: None }
    }

    pub fn skipped(check: &str, why: impl Into<String>) -> Self {
        Self { state: State::Skipped, ..Self::ok(check, why) }
    }

    pub fn warning(check: &str, found: impl Into<String>, means: &str, fix: impl Into<String>) -> Self {
        Self {
            state: State::Warning,
            means: Some(means.into()),
            fix: Some(fix.into()),
            ..Self::ok(check, found)
        }
    }

    pub fn failed(check: &str, found: impl Into<String>, means: &str, fix: impl Into<String>) -> Self {
        Self { state: State::Failed, ..Self::warning(check, found, means, fix) }
    }
}

/// For people: a line for each finding, and below what is not well what it means and what to do.
pub fn told(findings: &[Finding]) -> String {
    let width = findings.iter().map(|finding| finding.check.len()).max().unwrap_or(0);
    let mut text = String::new();
    for finding in findings {
        let (word, check) = (finding.state.word(), &finding.check);
        text += &format!("{word:<8} {check:<width$}  {}\n", finding.found.replace('\n', "\n           "));
        for (label, more) in [("means", &finding.means), ("fix", &finding.fix)] {
            if let Some(more) = more {
                text += &format!("         {label:>5}: {more}\n");
            }
        }
    }
    let count = |state| findings.iter().filter(|finding| finding.state == state).count();
    text += &match (count(State::Failed), count(State::Warning)) {
        (0, 0) => "All is well.\n".to_owned(),
        (0, warnings) => format!("It works; {warnings} to look at.\n"),
        (failed, warnings) => format!("{failed} failed, {warnings} to look at.\n"),
    };
    text
}
