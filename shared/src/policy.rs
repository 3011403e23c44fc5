//! How each kind of job is tried: the one table of defaults, and what the configuration changes in it.

use crate::job::{JobKind, RetryPolicy};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// How one kind of job is tried.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KindPolicy {
    /// Attempts before a failing job is dead, 1 to 100. Noted in each job when it is accepted.
    pub attempts_max: u16,
    /// When the next attempt follows a failed one.
    pub retry: RetryPolicy,
    /// Longest attempt. Then its body is told to stop, and dropped if it does not; the attempt has failed.
    pub time_limit: Duration,
}

impl KindPolicy {
    /// The one table of defaults. Best guesses, not measured: a reconciliation of ten million records takes
    /// minutes, and whatever it waits for (Postgres, the object store) comes back within the first few attempts.
    pub fn default_of(kind: &JobKind) -> Self {
        let retry = RetryPolicy::default();
        match kind.as_str() {
            "reconciliation" => Self { attempts_max: 5, retry, time_limit: Duration::from_secs(3600) },
            // A mail server may be away for a day: 30 s, 1 min, 2 min … 1 h, 24 hours altogether.
            "email" | "webhook" | "notification" => Self {
                attempts_max: 31,
                retry: RetryPolicy {
                    base: Duration::from_secs(30),
                    cap: Duration::from_secs(3600),
                    jitter: 0.1,
                },
                time_limit: Duration::from_secs(90),
            },
            // As long as the database is large. What fails three times in a row wants a person, and the next one of
            // its schedule comes anyway.
            "backup" | "verify_backups" | "restore_drill" | "prune_backups" => {
                Self { attempts_max: 3, retry, time_limit: Duration::from_secs(6 * 3600) }
            }
            // Somebody watches: they look at why it failed, and ask again.
            "restore" => Self { attempts_max: 1, retry, time_limit: Duration::from_secs(6 * 3600) },
            _ => Self { attempts_max: 5, retry, time_limit: Duration::from_secs(600) },
        }
    }
}

/// How jobs of one kind are tried. What is absent stays as it is: the figures at the end of each line. *Those three kinds*
/// are `email`, `webhook` and `notification`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KindSettings {
    /// Attempts before a failing job is dead, 1 to 100; 5, and 31 for those three kinds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts_max: Option<u16>,
    /// Wait before the second attempt, doubling from then on, 1 to 3600000 ms; 5000, and 30000 for those three kinds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_base_ms: Option<u64>,
    /// Longest wait between two attempts, 1 to 604800 s; 900, and 3600 for those three kinds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_cap_s: Option<u64>,
    /// Share of the wait that is random, so that what failed together does not return together, 0 to 100; 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_jitter_percent: Option<u64>,
    /// Longest attempt, 1 to 604800 s; 3600 for `reconciliation`, 90 for those three kinds, else 600.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_limit_s: Option<u64>,
}

impl KindSettings {
    /// `(key, value, min, max)` of everything that is set.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = (&'static str, u64, u64, u64)> {
        [
            ("attempts_max", self.attempts_max.map(u64::from), 1, 100),
            ("retry_base_ms", self.retry_base_ms, 1, 3_600_000),
            ("retry_cap_s", self.retry_cap_s, 1, 604_800),
            ("retry_jitter_percent", self.retry_jitter_percent, 0, 100),
            ("time_limit_s", self.time_limit_s, 1, 604_800),
        ]
        .into_iter()
        .filter_map(|(key, value, min, max)| Some((key, value?, min, max)))
    }
}

/// The policies of all kinds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Policies(BTreeMap<JobKind, KindPolicy>);

impl Policies {
    /// The defaults, as changed by the sections of the configuration. Names that are no kinds are left out.
    pub fn new(settings: &BTreeMap<String, KindSettings>) -> Self {
        let changed = settings.iter().filter_map(|(name, set)| {
            let kind = JobKind::parse(name)?;
            let default = KindPolicy::default_of(&kind);
            let retry = RetryPolicy {
                base: set.retry_base_ms.map_or(default.retry.base, Duration::from_millis),
                cap: set.retry_cap_s.map_or(default.retry.cap, Duration::from_secs),
                jitter: set.retry_jitter_percent.map_or(default.retry.jitter, |p| p as f64 / 100.0),
            };
            let policy = KindPolicy {
                attempts_max: set.attempts_max.unwrap_or(default.attempts_max),
                retry,
                time_limit: set.time_limit_s.map_or(default.time_limit, Duration::from_secs),
            };
            Some((kind, policy))
        });
        Self(changed.collect())
    }

    pub fn with(mut self, kind: JobKind, policy: KindPolicy) -> Self {
        self.0.insert(kind, policy);
        self
    }

    pub fn of(&self, kind: &JobKind) -> KindPolicy {
        self.0.get(kind).copied().unwrap_or_else(|| KindPolicy::default_of(kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tells_people_is_tried_for_a_day() {
        for kind in [JobKind::EMAIL, JobKind::WEBHOOK, JobKind::NOTIFICATION] {
            let KindPolicy { attempts_max, retry, .. } = KindPolicy::default_of(&kind);
            let whole: Duration = (1..attempts_max).map(|n| retry.wait_after(n, 0.5)).sum();
            let hours = whole.as_secs_f64() / 3600.0;
            assert!((23.5..24.5).contains(&hours), "{kind}: {hours} h");
        }
    }

    #[test]
    fn what_is_set_replaces_the_default_and_nothing_else() {
        let set = KindSettings { retry_base_ms: Some(200), time_limit_s: Some(7), ..Default::default() };
        let policies = Policies::new(&BTreeMap::from([("reconciliation".to_owned(), set)]));
        let (default, changed) =
            (KindPolicy::default_of(&JobKind::RECONCILIATION), policies.of(&JobKind::RECONCILIATION));
        assert_eq!(changed.retry, RetryPolicy { base: Duration::from_millis(200), ..default.retry });
        assert_eq!(
            (changed.time_limit, changed.attempts_max),
            (Duration::from_secs(7), default.attempts_max)
        );
        let other = JobKind::from_static("other");
        assert_eq!(policies.of(&other), KindPolicy::default_of(&other));
    }
}
