//! What is told on standard error.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is told on standard error.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// How lines are written, on standard error.
    pub format: LogFormat,
    /// Which lines: `error`, `warn`, `info`, `debug`, `trace`, and exceptions: `info,worker=debug`. Default: `info`, and `warn`
    /// for `counterfoil up`.
    pub filter: Option<String>,
}

impl Log {
    pub fn filter(&self) -> &str {
        self.filter.as_deref().unwrap_or("info")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Readable on a terminal, JSON otherwise.
    Auto,
    Json,
    Pretty,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Auto, filter: None }
    }
}
