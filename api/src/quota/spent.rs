//! What a request cost, as the client reads it: `RateLimit-Policy` and `RateLimit` as
//! draft-ietf-httpapi-ratelimit-headers-11 has them.

use super::{Charge, Rule};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use std::time::Duration;

/// The charges of one request, each with the time until it is paid off.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Spent(pub Vec<(Charge, Duration)>);

/// Clocks and roundings may differ by so much.
const TOLERANCE: Duration = Duration::from_millis(2);

static RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
static RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

impl Rule {
    /// What one request costs.
    pub fn cost(&self) -> Duration {
        self.window / self.quota.max(1)
    }

    /// Whether somebody with so much to pay off had the right to ask.
    pub fn grants(&self, paid_off_in: Duration) -> bool {
        paid_off_in <= self.window + TOLERANCE
    }

    fn remaining(&self, paid_off_in: Duration) -> u128 {
        let left = (self.window + TOLERANCE).saturating_sub(paid_off_in);
        left.as_micros() / self.cost().as_micros().max(1)
    }
}

impl Spent {
    /// The rule that refuses for the longest time, and for how many seconds.
    pub fn refused(&self) -> Option<(Rule, u64)> {
        let refusing = self.0.iter().filter(|(charge, paid)| !charge.rule.grants(*paid));
        let waits = refusing.map(|(charge, paid)| {
            let wait = paid.saturating_sub(charge.rule.window);
            (charge.rule, wait.as_secs_f64().ceil().max(1.0) as u64)
        });
        waits.max_by_key(|(_, wait)| *wait)
    }

    /// Says which limits there are, and how the one stands that will be felt first.
    pub fn write(&self, headers: &mut HeaderMap) {
        if self.0.is_empty() {
            return;
        }
        let policies: Vec<String> = self
            .0
            .iter()
            .map(|(Charge { rule, .. }, _)| {
                format!("\"{}\";q={};w={}", rule.name, rule.quota, rule.window.as_secs())
            })
            .collect();
        let tightest = self.0.iter().min_by_key(|(charge, paid)| {
            let remaining = charge.rule.remaining(*paid);
            // Of two that are equally far from refusing, the slower one to recover.
            (remaining, std::cmp::Reverse(charge.rule.window))
        });
        let state = tightest.map(|(charge, paid)| {
            let reset_s = paid.as_secs_f64().ceil() as u64;
            format!("\"{}\";r={};t={reset_s}", charge.rule.name, charge.rule.remaining(*paid))
        });
        for (name, value) in [(&RATE_LIMIT_POLICY, Some(policies.join(", "))), (&RATE_LIMIT, state)] {
            if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
                headers.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spent(quota: u32, paid_off_in_s: u64) -> Spent {
        let rule = Rule { name: "login", quota, window: Duration::from_secs(3600), is_shared: true };
        Spent(vec![(Charge { rule, subject: "x".into() }, Duration::from_secs(paid_off_in_s))])
    }

    #[test]
    fn headers_say_what_is_left() {
        let mut headers = HeaderMap::new();
        spent(10, 360).write(&mut headers);
        assert_eq!(headers["ratelimit-policy"], "\"login\";q=10;w=3600");
        assert_eq!(headers["ratelimit"], "\"login\";r=9;t=360");
        spent(10, 3600).write(&mut headers);
        assert_eq!(headers["ratelimit"], "\"login\";r=0;t=3600");
    }

    #[test]
    fn the_eleventh_waits_for_its_turn() {
        assert_eq!(spent(10, 3600).refused(), None);
        let (rule, wait) = spent(10, 3960).refused().unwrap();
        assert_eq!((rule.name, wait), ("login", 360));
    }
}
