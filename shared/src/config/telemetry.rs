//! Where traces go.

use super::hidden;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// What leaves the process besides its log and `/api/metrics`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Telemetry {
    pub otlp: Otlp,
}

/// Traces, to a collector that speaks OpenTelemetry's protocol over HTTP; see operating.md.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Otlp {
    /// Address of the collector, `http://collector:4318`; `/v1/traces` is added. Unset: nothing is sent.
    pub endpoint: Option<String>,
    /// Headers for the collector, `name=value,name=value`: where it wants to know who sends.
    #[serde(serialize_with = "hidden")]
    #[schemars(with = "Option<super::reference::SecretText>")]
    pub headers: Option<SecretString>,
    /// Share of the traces that begin here, 0 to 1. Traces that a caller began are sampled when the caller samples them.
    pub sample_ratio: f64,
    /// Finished spans that wait for the collector, 16 to 1000000, of about 1 KB; more are dropped and counted.
    pub queue_spans_max: u32,
}

impl Default for Otlp {
    fn default() -> Self {
        Self { endpoint: None, headers: None, sample_ratio: 1.0, queue_spans_max: 8192 }
    }
}

impl Otlp {
    /// What is empty is not set: compose files cannot leave a variable out.
    pub fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref().map(str::trim).filter(|endpoint| !endpoint.is_empty())
    }
}

impl Telemetry {
    pub(super) fn check(&self, wrong: &mut Vec<String>) {
        let Otlp { sample_ratio, queue_spans_max, .. } = &self.otlp;
        if !(0.0..=1.0).contains(sample_ratio) {
            wrong.push(format!("telemetry.otlp.sample_ratio is {sample_ratio}, and must be 0 to 1"));
        }
        if !(16..=1_000_000).contains(queue_spans_max) {
            wrong.push(format!(
                "telemetry.otlp.queue_spans_max is {queue_spans_max}, and must be 16 to 1000000"
            ));
        }
        if let Some(endpoint) = self.otlp.endpoint()
            && let Err(says) = crate::telemetry::trace::traces_url(endpoint)
        {
            wrong.push(format!("telemetry.otlp.endpoint {says}"));
        }
    }
}
